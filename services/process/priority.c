/* SPDX-License-Identifier: MIT */
/*
 * What is kept of priorities: a nice value and a scheduling policy of each member.
 */
#include "world.h"

#include <capos/schema/status.h>

#define NICE_MIN (-20)
#define NICE_MAX 19

/* Linux's real-time policies. */
enum { POLICY_FIFO = 1, POLICY_ROUND_ROBIN = 2 };

static bool is_meant(const struct member *m, enum wait_which which, uint32_t id)
{
	return which == WAIT_ANY || (which == WAIT_GROUP ? m->group == id : m->number == id);
}

static uint32_t id_of(const struct member *m, enum wait_which which, uint32_t id)
{
	if (id)
		return id;
	return which == WAIT_GROUP ? m->group : m->number;
}

/* What the call answers: an error of another one stays. */
static int set_one(struct member *m, int32_t nice, int status)
{
	m->nice = nice;
	return status == STATUS_NO_ENTRY ? STATUS_OK : status;
}

int world_set_nice(struct member *m, enum wait_which which, uint32_t id, int32_t nice)
{
	int status = STATUS_NO_ENTRY;

	id = id_of(m, which, id);
	nice = nice < NICE_MIN ? NICE_MIN : nice > NICE_MAX ? NICE_MAX : nice;
	for (struct member *at = m->world->first; at; at = at->after) {
		if (!is_meant(at, which, id))
			continue;
		if (!world_may_prefer(m, at))
			status = STATUS_NOT_PERMITTED;
		else if (nice < at->nice && m->identity.user.effective)
			status = STATUS_ACCESS_DENIED;
		else
			status = set_one(at, nice, status);
	}
	return status;
}

int world_nice(struct member *m, enum wait_which which, uint32_t id, int32_t *lowest)
{
	int status = STATUS_NO_ENTRY;

	id = id_of(m, which, id);
	*lowest = NICE_MAX;
	for (const struct member *at = m->world->first; at; at = at->after) {
		if (!is_meant(at, which, id))
			continue;
		if (at->nice < *lowest)
			*lowest = at->nice;
		status = STATUS_OK;
	}
	return status;
}

void world_inherit_priority(const struct member *parent, struct member *child)
{
	child->nice = parent->nice;
	child->policy = parent->policy;
	if (!parent->forgets_policy)
		return;
	if (child->policy == POLICY_FIFO || child->policy == POLICY_ROUND_ROBIN)
		child->policy = 0;
	if (child->nice < 0)
		child->nice = 0;
}
