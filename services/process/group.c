/* SPDX-License-Identifier: MIT */
/*
 * Groups and sessions: a group is of one session, and its number was that of a member of it.
 */
#include "world.h"

#include <capos/schema/status.h>

bool world_has_group(const struct world *world, uint32_t session, uint32_t group)
{
	for (const struct member *m = world->first; m; m = m->after)
		if (m->group == group && m->session == session)
			return true;
	return false;
}

int world_set_group(struct member *caller, uint32_t number, uint32_t group)
{
	struct member *m = number ? world_find(caller->world, number) : caller;

	if (!m || (m != caller && m->parent != caller) || m->state == MEMBER_ENDED)
		return STATUS_NO_ENTRY;
	if (!group)
		group = m->number;
	if (m != caller && m->executed)
		return STATUS_ACCESS_DENIED;
	if (m->session != caller->session || m->session == m->number)
		return STATUS_NOT_PERMITTED;
	if (group != m->number && !world_has_group(m->world, m->session, group))
		return STATUS_NOT_PERMITTED;
	m->group = group;
	return STATUS_OK;
}

int world_set_session(struct member *m)
{
	for (const struct member *other = m->world->first; other; other = other->after)
		if (other->group == m->number)
			return STATUS_NOT_PERMITTED;
	m->group = m->session = m->number;
	m->foreground = 0;
	return STATUS_OK;
}

uint32_t world_foreground(const struct member *m)
{
	return m->foreground ? m->foreground : m->session;
}

int world_set_foreground(struct member *m, uint32_t group)
{
	const uint32_t session = m->session;

	if (!world_has_group(m->world, session, group))
		return STATUS_NOT_PERMITTED;
	for (m = m->world->first; m; m = m->after)
		if (m->session == session)
			m->foreground = group;
	return STATUS_OK;
}

/* ---- Orphaned groups ---- */

/* Whether a group is watched by this parent of a member of it. */
static bool watches(const struct member *parent, const struct member *m)
{
	return parent && parent->state != MEMBER_ENDED && parent->group != m->group &&
	       parent->session == m->session;
}

bool world_is_orphaned(const struct member *of)
{
	for (const struct member *m = of->world->first; m; m = m->after)
		if (m->group == of->group && m->session == of->session &&
		    m->state != MEMBER_ENDED && watches(m->parent, m))
			return false;
	return true;
}

static void orphan(const struct member *of)
{
	const uint32_t group = of->group, session = of->session;
	struct world *world = of->world;
	bool stopped = false;

	if (!world_is_orphaned(of))
		return;
	for (const struct member *m = world->first; m; m = m->after)
		stopped |= m->group == group && m->session == session && m->state == MEMBER_STOPPED;
	if (!stopped)
		return;
	(void)world_send_group(world, group, &(struct signal_note){.signal = WORLD_SIGHUP});
	(void)world_send_group(world, group, &(struct signal_note){.signal = WORLD_SIGCONT});
}

/* m->state is ENDED already, so it neither watches nor counts. */
void world_orphan_groups(struct member *m)
{
	if (watches(m->parent, m))
		orphan(m);
	for (struct member *child = m->child; child; child = child->sibling)
		if (child->group != m->group && child->session == m->session &&
		    child->state != MEMBER_ENDED)
			orphan(child);
}
