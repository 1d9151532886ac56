/* SPDX-License-Identifier: MIT */
/*
 * How members are scheduled: who may say so, by Linux's rules (sched(7)), of processes that have
 * joined and of those that are about to.
 */
#include "world.h"

#include <capos/abi.h>
#include <capos/schema/status.h>

/* Any: of that real user. */
static bool is_meant(const struct member *m, enum wait_which which, uint32_t id)
{
	if (which == WAIT_ANY)
		return m->identity.user.real == id;
	return which == WAIT_GROUP ? m->group == id : m->number == id;
}

static uint32_t id_of(const struct member *m, enum wait_which which, uint32_t id)
{
	if (id)
		return id;
	if (which == WAIT_ANY)
		return m->identity.user.real;
	return which == WAIT_GROUP ? m->group : m->number;
}

static bool is_realtime(uint32_t policy)
{
	return policy == CAPOS_POLICY_FIFO || policy == CAPOS_POLICY_ROUND_ROBIN;
}

/* As the kernel has a new process begin. */
static void inherited(const struct world_scheduling *parents, struct world_scheduling *out)
{
	*out = *parents;
	if (!parents->forgets)
		return;
	out->forgets = false;
	out->nice = parents->nice < 0 ? 0 : parents->nice;
	if (is_realtime(parents->policy))
		out->policy = out->priority = 0;
}

void world_scheduling_of(const struct member *m, struct world_scheduling *out)
{
	struct world_scheduling parents;

	*out = (struct world_scheduling){.nice = 0};
	if (m->world->ops->scheduling(m, out))
		return;
	if (m->state != MEMBER_ENDED && m->parent && m->world->ops->scheduling(m->parent, &parents))
		inherited(&parents, out);
	if (m->wants_nice)
		out->nice = m->wanted.nice;
	if (!m->wants_policy)
		return;
	out->policy = m->wanted.policy;
	out->priority = m->wanted.priority;
	out->forgets = m->wanted.forgets;
}

void world_apply_scheduling(struct member *m)
{
	if (m->wants_nice)
		(void)m->world->ops->set_nice(m, m->wanted.nice);
	if (m->wants_policy)
		(void)m->world->ops->set_policy(m, &m->wanted);
	m->wants_nice = m->wants_policy = false;
}

/* ---- Nice values ---- */

/* Whether a limit of Linux's kind, from 1 for the value 19 up, allows it. */
static bool may_be_nice(const struct member *caller, const struct member *m, int32_t nice)
{
	return !caller->identity.user.effective ||
	       (uint64_t)(CAPOS_NICE_MAX + 1 - nice) <= m->limits[WORLD_LIMIT_NICE].soft;
}

static int set_nice_of(const struct member *caller, struct member *m, int32_t nice)
{
	struct world_scheduling now;
	int status;

	if (!world_may_prefer(caller, m))
		return STATUS_NOT_PERMITTED;
	world_scheduling_of(m, &now);
	if (nice < now.nice && !may_be_nice(caller, m, nice))
		return STATUS_ACCESS_DENIED;
	status = m->world->ops->set_nice(m, nice);
	if (status != STATUS_NO_ENTRY || m->state == MEMBER_ENDED)
		return status == STATUS_NO_ENTRY ? STATUS_OK : status;
	m->wanted.nice = nice;
	m->wants_nice = true;
	return STATUS_OK;
}

int world_set_nice(struct member *m, enum wait_which which, uint32_t id, int32_t nice)
{
	int status = STATUS_NO_ENTRY;

	id = id_of(m, which, id);
	nice = nice < CAPOS_NICE_MIN ? CAPOS_NICE_MIN
	                             : (nice > CAPOS_NICE_MAX ? CAPOS_NICE_MAX : nice);
	for (struct member *at = m->world->first; at; at = at->after) {
		if (!is_meant(at, which, id))
			continue;
		int one = set_nice_of(m, at, nice);

		/* An error of another one stays. */
		if (one || status == STATUS_NO_ENTRY)
			status = one;
	}
	return status;
}

int world_nice(struct member *m, enum wait_which which, uint32_t id, int32_t *lowest)
{
	struct world_scheduling now;
	int status = STATUS_NO_ENTRY;

	id = id_of(m, which, id);
	*lowest = CAPOS_NICE_MAX;
	for (const struct member *at = m->world->first; at; at = at->after) {
		if (!is_meant(at, which, id))
			continue;
		world_scheduling_of(at, &now);
		if (now.nice < *lowest)
			*lowest = now.nice;
		status = STATUS_OK;
	}
	return status;
}

/* ---- Policies ---- */

static bool may_change(const struct member *m, const struct world_scheduling *now,
                       const struct world_scheduling *wanted)
{
	const uint64_t most = m->limits[WORLD_LIMIT_REALTIME].soft;

	if (now->forgets && !wanted->forgets)
		return false;
	if (now->policy == CAPOS_POLICY_IDLE && wanted->policy != CAPOS_POLICY_IDLE)
		return (uint64_t)(CAPOS_NICE_MAX + 1 - now->nice) <=
		       m->limits[WORLD_LIMIT_NICE].soft;
	if (!is_realtime(wanted->policy))
		return true;
	return (wanted->policy == now->policy || most > 0) &&
	       (wanted->priority <= now->priority || wanted->priority <= most);
}

int world_set_policy(struct member *caller, struct member *m, const struct world_scheduling *wanted)
{
	struct world_scheduling now;
	int status;

	world_scheduling_of(m, &now);
	if (!world_may_prefer(caller, m) ||
	    (caller->identity.user.effective && !may_change(m, &now, wanted)))
		return STATUS_NOT_PERMITTED;
	status = m->world->ops->set_policy(m, wanted);
	if (status != STATUS_NO_ENTRY || m->state == MEMBER_ENDED)
		return status == STATUS_NO_ENTRY ? STATUS_OK : status;
	m->wanted.policy = wanted->policy;
	m->wanted.priority = wanted->priority;
	m->wanted.forgets = wanted->forgets;
	m->wants_policy = true;
	return STATUS_OK;
}
