/* SPDX-License-Identifier: MIT */
/*
 * Groups and sessions: a group is of one session, and its number was that of a member of it.
 */
#include "world.h"

#include <capos/schema/status.h>

/* ---- Numbers in use ---- */

static struct group **group_bucket(const struct world *world, uint32_t number)
{
	return &world->groups[number % WORLD_BUCKETS];
}

struct group *world_find_group(const struct world *world, uint32_t number)
{
	struct group *g = *group_bucket(world, number);

	while (g && g->number != number)
		g = g->next;
	return g;
}

/* NULL: no memory. */
static struct group *use(struct world *world, uint32_t number)
{
	struct group *g = world_find_group(world, number), **bucket = group_bucket(world, number);

	if (!g) {
		g = slab_get(world->slab, sizeof(*g));
		if (!g)
			return NULL;
		*g = (struct group){.next = *bucket, .number = number};
		*bucket = g;
	}
	g->uses++;
	return g;
}

static void use_no_more(struct world *world, struct group *g)
{
	struct group **at = group_bucket(world, g->number);

	if (--g->uses)
		return;
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	slab_put(world->slab, g, sizeof(*g));
}

void world_leave_group(struct member *m)
{
	if (!m->of_group)
		return;
	*m->up_group = m->in_group;
	if (m->in_group)
		m->in_group->up_group = m->up_group;
	use_no_more(m->world, m->of_group);
	use_no_more(m->world, m->of_session);
	m->of_group = m->of_session = NULL;
}

int world_enter_group(struct member *m, uint32_t group, uint32_t session)
{
	struct group *g = use(m->world, group), *s = g ? use(m->world, session) : NULL;

	if (!s) {
		if (g)
			use_no_more(m->world, g);
		return STATUS_NO_MEMORY;
	}
	world_leave_group(m);
	m->of_group = g;
	m->of_session = s;
	m->in_group = g->members;
	m->up_group = &g->members;
	if (m->in_group)
		m->in_group->up_group = &m->in_group;
	g->members = m;
	g->session = session;
	m->group = group;
	m->session = session;
	return STATUS_OK;
}

bool world_has_group(const struct world *world, uint32_t session, uint32_t group)
{
	const struct group *g = world_find_group(world, group);

	return g && g->members && g->session == session;
}

/* ---- setpgid, setsid ---- */

int world_set_group(struct member *caller, uint32_t number, uint32_t group)
{
	struct member *m = number ? world_find(caller->world, number) : caller;

	if (!m || (m != caller && m->parent != caller))
		return STATUS_NO_ENTRY;
	if (!group)
		group = m->number;
	if (m != caller && m->executed)
		return STATUS_ACCESS_DENIED;
	if (m->session != caller->session || m->session == m->number)
		return STATUS_NOT_PERMITTED;
	if (group != m->number && !world_has_group(m->world, m->session, group))
		return STATUS_NOT_PERMITTED;
	return group == m->group ? STATUS_OK : world_enter_group(m, group, m->session);
}

int world_set_session(struct member *m)
{
	const struct group *g = world_find_group(m->world, m->number);
	int status;

	if (g && g->members)
		return STATUS_NOT_PERMITTED;
	status = world_enter_group(m, m->number, m->number);
	if (!status)
		m->foreground = 0;
	return status;
}

uint32_t world_foreground(const struct member *m)
{
	return m->foreground ? m->foreground : m->session;
}

int world_set_foreground(struct member *m, uint32_t group)
{
	const uint32_t session = m->session;

	if (!world_find_group(m->world, group))
		return STATUS_NO_ENTRY;
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
	if (parent && parent->state == MEMBER_ENDED)
		parent = parent->heir;
	return parent && parent->group != m->group && parent->session == m->session;
}

bool world_is_orphaned(const struct member *of)
{
	for (const struct member *m = of->of_group->members; m; m = m->in_group)
		if (m->state != MEMBER_ENDED && watches(m->parent, m))
			return false;
	return true;
}

static void orphan(const struct member *of)
{
	const struct group *g = of->of_group;
	bool stopped = false;

	if (!world_is_orphaned(of))
		return;
	for (const struct member *m = g->members; m; m = m->in_group)
		stopped |= m->state == MEMBER_STOPPED;
	if (!stopped)
		return;
	(void)world_send_group(of->world, g->number, &(struct signal_note){.signal = WORLD_SIGHUP});
	(void)world_send_group(of->world, g->number,
	                       &(struct signal_note){.signal = WORLD_SIGCONT});
}

/* m->state is ENDED already, so it neither watches nor counts.  Each group is looked at once: a
 * member may have as many children as a world has, in as many groups. */
void world_orphan_groups(struct member *m)
{
	uint32_t now = ++m->world->ends;

	if (watches(m->parent, m)) {
		m->of_group->seen = now;
		orphan(m);
	}
	for (struct member *child = m->child; child; child = child->sibling) {
		if (child->group == m->group || child->session != m->session ||
		    child->state == MEMBER_ENDED || child->of_group->seen == now)
			continue;
		child->of_group->seen = now;
		orphan(child);
	}
}
