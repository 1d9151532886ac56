/* SPDX-License-Identifier: MIT */
/*
 * Waiting for children: a child is taken exactly when the answer that names it has been delivered.
 */
#include "world.h"

#include <string.h>

#include <capos/schema/process.h>
#include <capos/schema/status.h>

/* As Linux: why siginfo of SIGCHLD comes. */
enum { CLD_EXITED = 1, CLD_KILLED = 2, CLD_STOPPED = 5, CLD_CONTINUED = 6 };

#define EXIT_CODE(status)   ((status)&0xff)
#define EXIT_SIGNAL(status) ((status) >> 8 & 0xff)

/* Whether it is for a child of that number and group. */
static bool is_for(const struct waiter *w, uint32_t number, uint32_t group)
{
	switch (w->which) {
	case WAIT_ANY:
		return true;
	case WAIT_PROCESS:
		return number == w->id;
	case WAIT_GROUP:
		return group == w->id;
	}
	return false;
}

static bool matches(const struct waiter *w, const struct member *child)
{
	return is_for(w, child->number, child->group);
}

static struct signal_note end_note(const struct member *m)
{
	uint32_t signal = EXIT_SIGNAL(m->status);

	return (struct signal_note){
	        .signal = WORLD_SIGCHLD,
	        .code = signal ? CLD_KILLED : CLD_EXITED,
	        .number = m->number,
	        .user = m->identity.user.real,
	        .status = (int32_t)(signal ? signal & 0x7f : EXIT_CODE(m->status)),
	        .cpu_ns = m->usage.cpu_ns};
}

static struct signal_note change_note(const struct member *m)
{
	if (m->state == MEMBER_ENDED)
		return end_note(m);
	return (struct signal_note){.signal = WORLD_SIGCHLD,
	                            .code = m->stopped_by ? CLD_STOPPED : CLD_CONTINUED,
	                            .number = m->number,
	                            .user = m->identity.user.real,
	                            .status =
	                                    m->stopped_by ? (int32_t)m->stopped_by : WORLD_SIGCONT};
}

/* Whether there is something to be said of the child to one who waits so. */
static bool reports(const struct waiter *w, const struct member *child)
{
	return (w->options & WAIT_EXITED && child->state == MEMBER_ENDED) ||
	       (w->options & WAIT_STOPPED && child->stopped_by) ||
	       (w->options & WAIT_CONTINUED && child->continued);
}

/* A child that matches and has something to report, the one with the lowest number; *any: a child
 * that matches exists. */
static struct member *find(const struct member *parent, const struct waiter *w, bool *any)
{
	struct member *found = NULL;

	*any = false;
	for (struct member *c = parent->child; c; c = c->sibling) {
		if (!matches(w, c))
			continue;
		*any = true;
		if (reports(w, c) && (!found || c->number < found->number))
			found = c;
	}
	return found;
}

static void take(struct member *parent, struct member *child, bool keep)
{
	struct usage *u = &parent->usage;

	if (keep)
		return;
	if (child->state != MEMBER_ENDED) {
		child->stopped_by = 0;
		child->continued = false;
		return;
	}
	u->children_cpu_ns += child->usage.cpu_ns + child->usage.children_cpu_ns;
	if (child->usage.pages > u->children_pages)
		u->children_pages = child->usage.pages;
	if (child->usage.children_pages > u->children_pages)
		u->children_pages = child->usage.children_pages;
	world_forget(child);
}

/* Answers the wait with the child; true: that is gone now. */
static bool hand_over(struct member *parent, const struct waiter *w, struct member *child)
{
	const struct signal_note note = change_note(child);
	bool keep = w->options & WAIT_KEEP, ended = child->state == MEMBER_ENDED;

	if (!parent->world->ops->answer(w, STATUS_OK, child, &note))
		return false;
	take(parent, child, keep);
	return ended && !keep;
}

/* True: the wait is answered. */
static bool try(struct member *parent, const struct waiter *w)
{
	const struct world_ops *ops = parent->world->ops;
	struct member *child;
	bool any;

	child = find(parent, w, &any);
	if (!any) {
		ops->answer(w, STATUS_NO_ENTRY, NULL, NULL);
		return true;
	}
	if (!child) {
		if (w->options & WAIT_NO_HANG)
			ops->answer(w, STATUS_OK, NULL, NULL);
		return w->options & WAIT_NO_HANG;
	}
	(void)hand_over(parent, w, child);
	return true;
}

/* Which children a wait is for stands when it begins, as on Linux: so an ended child that was not
 * taken when it ended is taken by a new wait alone, and nothing else makes members go. */
int world_wait(struct member *m, const struct waiter *like)
{
	struct waiter *w, wanted = *like, **at = &m->waiters;

	if (wanted.which == WAIT_GROUP && !wanted.id)
		wanted.id = m->group;
	if (try(m, &wanted))
		return STATUS_OK;
	if (m->nwaiters == WORLD_WAITERS_MAX)
		return STATUS_NO_BUFFERS;
	w = slab_get(m->world->slab, sizeof(*w));
	if (!w)
		return STATUS_NO_MEMORY;
	*w = wanted;
	w->next = NULL;
	while (*at)
		at = &(*at)->next;
	*at = w;
	m->nwaiters++;
	return STATUS_OK;
}

static void drop(struct member *m, struct waiter **at)
{
	struct waiter *w = *at;

	*at = w->next;
	m->nwaiters--;
	slab_put(m->world->slab, w, sizeof(*w));
}

bool world_cancel_wait(struct world *world, uint64_t token)
{
	for (struct member *m = world->first; m; m = m->after) {
		for (struct waiter **at = &m->waiters; *at; at = &(*at)->next) {
			if ((*at)->token[0] != token)
				continue;
			drop(m, at);
			return true;
		}
	}
	return false;
}

static bool has_child_in(const struct member *parent, uint32_t group)
{
	for (const struct member *c = parent->child; c; c = c->sibling)
		if (c->group == group)
			return true;
	return false;
}

/* Waits that were for a child that is gone, and are for no other. */
static void end_waits(struct member *parent, uint32_t number, uint32_t group)
{
	bool in_group = has_child_in(parent, group);

	for (struct waiter **at = &parent->waiters, *w; (w = *at);) {
		if (!is_for(w, number, group) || (w->which == WAIT_ANY && parent->child) ||
		    (w->which == WAIT_GROUP && in_group)) {
			at = &w->next;
			continue;
		}
		(void)parent->world->ops->answer(w, STATUS_NO_ENTRY, NULL, NULL);
		drop(parent, at);
	}
}

void world_settle(struct member *parent, struct member *child, uint32_t number, uint32_t group)
{
	struct waiter **at = &parent->waiters;
	bool gone = !child;

	while (!gone && *at) {
		if (!matches(*at, child) || !reports(*at, child)) {
			at = &(*at)->next;
			continue;
		}
		gone = hand_over(parent, *at, child);
		drop(parent, at);
	}
	if (gone)
		end_waits(parent, number, group);
}

void world_drop_waiters(struct member *m)
{
	while (m->waiters)
		drop(m, &m->waiters);
}

void world_tell_parent(struct member *m)
{
	struct member *parent = m->parent;
	const uint32_t number = m->number, group = m->group;
	struct signal_note note = change_note(m);
	bool ended = m->state == MEMBER_ENDED;

	if (!parent)
		return;
	if (ended && parent->forgets) {
		world_forget(m);
		m = NULL;
	}
	world_settle(parent, m, number, group);
	if (ended || !parent->no_stops)
		(void)world_send(parent, &note);
}
