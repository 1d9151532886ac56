/* SPDX-License-Identifier: MIT */
/*
 * Members: each number names one at most, and each is linked to its parent as long as both are
 * there.
 */
#include "world.h"

#include <string.h>

#include <capos/schema/status.h>

int world_open(struct world *world, const struct world_ops *ops, struct slab *slab)
{
	*world = (struct world){.ops = ops, .slab = slab, .last_number = WORLD_NUMBER};
	world->buckets = slab_get(slab, WORLD_BUCKETS * sizeof(*world->buckets));
	world->groups = slab_get(slab, WORLD_BUCKETS * sizeof(*world->groups));
	if (world->buckets && world->groups)
		return STATUS_OK;
	world_close(world);
	return STATUS_NO_MEMORY;
}

static struct member **bucket_of(const struct world *world, uint32_t number)
{
	return &world->buckets[number % WORLD_BUCKETS];
}

struct member *world_find(const struct world *world, uint32_t number)
{
	struct member *m = *bucket_of(world, number);

	while (m && m->number != number)
		m = m->bucket;
	return m;
}

bool world_has_process(const struct world *world, uint64_t id)
{
	for (const struct member *m = world->first; m; m = m->after)
		if (m->process_id == id && m->state != MEMBER_ENDED)
			return true;
	return false;
}

/* ---- Numbers ---- */

/* A number is in use, too, as long as a group or a session has it. */
static bool number_is_free(const struct world *world, uint32_t number)
{
	if (!world->wrapped)
		return number > world->last_number && !world_find(world, number);
	return !world_find(world, number) && !world_find_group(world, number);
}

static uint32_t next_number(struct world *world)
{
	do {
		if (world->last_number == WORLD_NUMBER_MAX) {
			world->last_number = WORLD_NUMBER;
			world->wrapped = true;
		}
		world->last_number++;
		/* Before the first wrap every number above the last one is free. */
	} while (world->wrapped && !number_is_free(world, world->last_number));
	return world->last_number;
}

/* ---- Links ---- */

static void link_child(struct member *parent, struct member *m)
{
	m->parent = parent;
	if (!parent)
		return;
	m->sibling = parent->child;
	if (m->sibling)
		m->sibling->up = &m->sibling;
	parent->child = m;
	m->up = &parent->child;
}

static void unlink_child(struct member *m)
{
	if (m->parent) {
		*m->up = m->sibling;
		if (m->sibling)
			m->sibling->up = m->up;
	}
	m->parent = m->sibling = NULL;
	m->up = NULL;
}

static void link_all(struct world *world, struct member *m)
{
	struct member *before = world->last, **bucket = bucket_of(world, m->number);

	m->bucket = *bucket;
	*bucket = m;
	while (before && before->number > m->number)
		before = before->before;
	m->before = before;
	m->after = before ? before->after : world->first;
	*(m->after ? &m->after->before : &world->last) = m;
	*(before ? &before->after : &world->first) = m;
	world->nmembers++;
}

static void unlink_all(struct world *world, struct member *m)
{
	struct member **at = bucket_of(world, m->number);

	while (*at != m)
		at = &(*at)->bucket;
	*at = m->bucket;
	*(m->after ? &m->after->before : &world->last) = m->before;
	*(m->before ? &m->before->after : &world->first) = m->after;
	world->nmembers--;
}

/* ---- Life ---- */

static void drop_command(struct member *m)
{
	slab_put(m->world->slab, m->command, m->command_length);
	m->command = NULL;
	m->command_length = 0;
}

static int create(struct world *world, uint32_t number, struct member **out)
{
	struct member *m;

	if (world->nmembers == WORLD_MEMBERS_MAX)
		return STATUS_NO_BUFFERS;
	m = slab_get(world->slab, sizeof(*m));
	if (!m)
		return STATUS_NO_MEMORY;
	m->world = world;
	m->number = number ? number : next_number(world);
	m->queue_end = &m->queue;
	link_all(world, m);
	*out = m;
	return STATUS_OK;
}

static void destroy(struct member *m)
{
	struct world *world = m->world;

	world->ops->forget(m);
	while (m->child)
		unlink_child(m->child);
	world_drop_queue(m);
	world_drop_waiters(m);
	world_drop_notices(m);
	sysv_drop_member(m);
	drop_command(m);
	unlink_child(m);
	world_leave_group(m);
	unlink_all(world, m);
	slab_put(world->slab, m, sizeof(*m));
}

void world_close(struct world *world)
{
	while (world->first)
		destroy(world->first);
	sysv_close(world);
	slab_put(world->slab, world->buckets, WORLD_BUCKETS * sizeof(*world->buckets));
	slab_put(world->slab, world->groups, WORLD_BUCKETS * sizeof(*world->groups));
	world->buckets = NULL;
	world->groups = NULL;
}

int world_enroll(struct world *world, uint32_t number, struct member **out)
{
	int status;

	/* After the service's end each keeps its number, in any order in which they come back. */
	if (number < WORLD_FIRST_NUMBER || number > WORLD_NUMBER_MAX || world_find(world, number) ||
	    world_find_group(world, number))
		number = 0;
	status = create(world, number, out);
	if (status)
		return status;
	if (number > world->last_number)
		world->last_number = number;
	status = world_enter_group(*out, (*out)->number, (*out)->number);
	if (status) {
		destroy(*out);
		return status;
	}
	world_first_limits(*out);
	(*out)->state = MEMBER_RUNNING;
	return STATUS_OK;
}

int world_prepare(struct member *parent, struct member **out)
{
	struct world *world = parent->world;
	struct member *m;
	int status;

	if (world->nmembers >= parent->limits[WORLD_LIMIT_PROCESSES].soft)
		return STATUS_TRY_AGAIN;
	status = create(world, 0, &m);
	if (status)
		return status;
	status = world_enter_group(m, parent->group, parent->session);
	if (!status)
		status = sysv_fork(parent, m);
	if (status) {
		destroy(m);
		return status;
	}
	link_child(parent, m);
	m->foreground = parent->foreground;
	m->identity = parent->identity; /* until it joins and has a label */
	memcpy(m->limits, parent->limits, sizeof(m->limits));
	memcpy(m->name, parent->name, sizeof(m->name));
	*out = m;
	/* Without its arguments a child is listed by its name. */
	if (parent->command_length)
		(void)world_describe(m, parent->name, sizeof(parent->name) - 1, parent->command,
		                     parent->command_length, false);
	return STATUS_OK;
}

void world_joined(struct member *m)
{
	m->state = MEMBER_RUNNING;
	if (world_queued(m, WORLD_SIGNAL_BIT(WORLD_SIGKILL)))
		m->world->ops->kill(m);
	else if (m->queued_bits)
		m->world->ops->notify(m, m->queued_bits);
}

void world_abandon(struct member *m)
{
	struct member *parent = m->parent;
	const uint32_t number = m->number, group = m->group;

	if (m->state != MEMBER_PREPARED)
		return;
	destroy(m);
	if (parent)
		world_settle(parent, NULL, number, group);
}

void world_forget(struct member *m)
{
	destroy(m);
}

/* Who gets its children: the nearest above it that reaps, or the world, NULL. */
static struct member *reaper_of(const struct member *m)
{
	struct member *above = m->parent;

	while (above && (!above->reaps || above->state == MEMBER_ENDED))
		above = above->parent;
	return above;
}

/* The world waits for nothing. */
static void pass_on(struct member *child, struct member *reaper)
{
	if (reaper) {
		link_child(reaper, child);
		if (child->state == MEMBER_ENDED)
			world_tell_parent(child);
	} else if (child->state == MEMBER_ENDED) {
		destroy(child);
	}
}

/* Its children get another parent; then those that asked for it hear of the end, as whoever hears
 * of it may look who its parent is. */
static void leave_children(struct member *m)
{
	struct signal_note note = {.number = m->number}; /* code 0: SI_USER */

	while (m->child) {
		struct member *child = m->child;
		bool ended = child->state == MEMBER_ENDED;

		unlink_child(child);
		note.signal = child->death_signal;
		pass_on(child, m->heir);
		/* As kill by the one that has ended. */
		if (!ended && note.signal && world_may_signal(m, child, note.signal))
			(void)world_send(child, &note); /* a full queue: as any signal */
	}
}

void world_ended(struct member *m, uint32_t status, uint64_t cpu_ns, uint64_t pages)
{
	struct member *parent = m->parent;

	if (m->state == MEMBER_ENDED)
		return;
	m->status = status;
	m->usage.cpu_ns = cpu_ns;
	m->usage.pages = pages;
	m->world->ended_cpu_ns += cpu_ns;
	m->state = MEMBER_ENDED;
	m->stopped_by = 0;
	m->continued = false;
	world_drop_queue(m);
	world_drop_waiters(m);
	world_drop_notices(m);
	sysv_drop_member(m);
	m->heir = m->child ? reaper_of(m) : NULL;
	world_orphan_groups(m);
	leave_children(m);
	m->heir = NULL;
	if (!parent) {
		destroy(m);
		return;
	}
	world_tell_parent(m);
}

int world_describe(struct member *m, const char *name, uint32_t name_length, const void *command,
                   uint32_t length, bool executed)
{
	uint8_t *copy = NULL;

	if (length > WORLD_COMMAND_MAX)
		length = WORLD_COMMAND_MAX;
	if (length) {
		copy = slab_get(m->world->slab, length);
		if (!copy)
			return STATUS_NO_MEMORY;
		memcpy(copy, command, length);
	}
	if (copy) {
		drop_command(m);
		m->command = copy;
		m->command_length = length;
	}
	if (name_length > WORLD_NAME_MAX - 1)
		name_length = WORLD_NAME_MAX - 1;
	memmove(m->name, name, name_length);
	memset(m->name + name_length, 0, WORLD_NAME_MAX - name_length);
	m->executed |= executed;
	if (executed)
		sysv_executed(m);
	return STATUS_OK;
}
