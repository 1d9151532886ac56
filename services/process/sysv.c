/* SPDX-License-Identifier: MIT */
/*
 * Objects by number and key, segments, and calls that wait.  An answer that is not delivered has
 * changed nothing: its caller gave up.
 */
#include "sysv.h"

#include <string.h>

#include <capos/schema/status.h>

#include "world.h"

/* ---- Objects ---- */

struct sysv_object *sysv_at(const struct world *world, enum sysv_kind kind, uint32_t place)
{
	struct sysv_object **table = world->sysv.objects[kind];

	return table && place < SYSV_IDS ? table[place] : NULL;
}

struct sysv_object *sysv_find(const struct world *world, enum sysv_kind kind, int32_t id)
{
	struct sysv_object *object = id < 0 ? NULL : sysv_at(world, kind, (uint32_t)id % SYSV_IDS);

	return object && object->id == id ? object : NULL;
}

static struct sysv_object *find_key(const struct world *world, enum sysv_kind kind, int32_t key)
{
	for (uint32_t place = 0; key != SYSV_KEY_NONE && place < SYSV_IDS; place++) {
		struct sysv_object *object = sysv_at(world, kind, place);

		if (object && object->key == key)
			return object;
	}
	return NULL;
}

void sysv_changed(const struct world *world, struct sysv_object *object)
{
	object->change_s = world->ops->seconds();
}

/* What the kind has besides.  Status. */
static int fill(struct world *world, struct sysv_object *object)
{
	switch (object->kind) {
	case SYSV_SEGMENT:
		return world->ops->make_memory(world, object->size, &object->memory);
	case SYSV_SET:
		object->semaphores = slab_get(world->slab, PAGE_SIZE);
		return object->semaphores ? STATUS_OK : STATUS_NO_MEMORY;
	default:
		object->size = SYSV_QUEUE_BYTES;
		return STATUS_OK;
	}
}

static void destroy(struct world *world, struct sysv_object *object)
{
	struct sysv *sysv = &world->sysv;

	if (object->kind == SYSV_SEGMENT)
		world->ops->drop_memory(object->memory);
	sysv_drop_undos(object);
	sysv_drop_messages(world->slab, object);
	slab_put(world->slab, object->semaphores, PAGE_SIZE);
	sysv->objects[object->kind][(uint32_t)object->id % SYSV_IDS] = NULL;
	sysv->used[object->kind]--;
	slab_put(world->slab, object, sizeof(*object));
}

static uint64_t least_size(enum sysv_kind kind)
{
	return kind == SYSV_QUEUE ? 0 : 1;
}

static uint64_t most_size(enum sysv_kind kind)
{
	return kind == SYSV_SEGMENT ? SYSV_SHM_MAX : kind == SYSV_SET ? SYSV_SET_MAX : UINT64_MAX;
}

static int create(struct member *m, enum sysv_kind kind, int32_t key, uint64_t size, uint32_t mode,
                  struct sysv_object **out)
{
	struct world *world = m->world;
	struct sysv *sysv = &world->sysv;
	struct sysv_object *object;
	uint32_t place = 0;
	int status;

	if (size < least_size(kind) || size > most_size(kind))
		return STATUS_INVALID_ARGUMENT;
	if (sysv->used[kind] == SYSV_IDS)
		return STATUS_NO_SPACE;
	if (!sysv->objects[kind])
		sysv->objects[kind] = slab_get(world->slab, PAGE_SIZE);
	object = sysv->objects[kind] ? slab_get(world->slab, sizeof(*object)) : NULL;
	if (!object)
		return STATUS_NO_MEMORY;
	*object = (struct sysv_object){.kind = kind,
	                               .key = key,
	                               .mode = mode,
	                               .user = m->identity.user.effective,
	                               .group = m->identity.group.effective,
	                               .creator_user = m->identity.user.effective,
	                               .creator_group = m->identity.group.effective,
	                               .creator = m->number,
	                               .size = size};
	status = fill(world, object);
	if (status) {
		slab_put(world->slab, object, sizeof(*object));
		return status;
	}
	while (sysv->objects[kind][place])
		place++;
	object->id = (int32_t)((sysv->generation[kind]++ & SYSV_GENERATION) * SYSV_IDS + place);
	sysv_changed(world, object);
	sysv->objects[kind][place] = object;
	sysv->used[kind]++;
	*out = object;
	return STATUS_OK;
}

int sysv_get(struct member *m, enum sysv_kind kind, int32_t key, uint64_t size, uint32_t flags,
             struct sysv_object **out)
{
	*out = find_key(m->world, kind, key);
	if (!*out && key != SYSV_KEY_NONE && !(flags & SYSV_CREATE))
		return STATUS_NO_ENTRY;
	if (!*out)
		return create(m, kind, key, size, flags & 0777, out);
	if (flags & SYSV_CREATE && flags & SYSV_EXCLUSIVE)
		return STATUS_EXISTS;
	/* What is asked for stands in the bits of each class. */
	if (!sysv_allows(m, *out, (flags >> 6 | flags >> 3 | flags) & 7))
		return STATUS_ACCESS_DENIED;
	return kind != SYSV_QUEUE && size > (*out)->size ? STATUS_INVALID_ARGUMENT : STATUS_OK;
}

/* ---- Waiting ---- */

static void drop_waiter(struct sysv_waiter *w)
{
	struct slab *slab = w->member->world->slab;

	slab_put(slab, w->operations, w->noperations * sizeof(*w->operations));
	sysv_drop_message(slab, w->message);
}

/* Takes it off the list. */
static void unlink_waiter(struct sysv *sysv, struct sysv_waiter **at)
{
	struct sysv_waiter *w = *at;

	*at = w->next;
	if (sysv->end == &w->next)
		sysv->end = at;
	sysv->nwaiters--;
	sysv->noperations -= w->noperations;
	drop_waiter(w);
	slab_put(w->member->world->slab, w, sizeof(*w));
}

static enum sysv_outcome attempt(struct sysv_waiter *w)
{
	switch (w->call) {
	case SYSV_OPERATE:
		return sysv_try_operate(w);
	case SYSV_SEND:
		return sysv_try_send(w);
	default:
		return sysv_try_receive(w);
	}
}

int sysv_begin(const struct sysv_waiter *like)
{
	struct sysv_waiter own = *like, *w;
	struct world *world = own.member->world;
	struct sysv *sysv = &world->sysv;
	enum sysv_outcome outcome = attempt(&own);

	if (outcome == SYSV_CHANGED)
		sysv_settle(world, own.object);
	if (outcome != SYSV_WAITS) {
		drop_waiter(&own);
		return STATUS_OK;
	}
	w = sysv->nwaiters < SYSV_WAITERS_MAX &&
	                    sysv->noperations + own.noperations <= SYSV_WAITING_OPERATIONS_MAX
	            ? slab_get(world->slab, sizeof(*w))
	            : NULL;
	if (!w) {
		drop_waiter(&own);
		return STATUS_NO_MEMORY;
	}
	*w = own;
	if (!sysv->waiters)
		sysv->end = &sysv->waiters;
	*sysv->end = w;
	sysv->end = &w->next;
	sysv->nwaiters++;
	sysv->noperations += w->noperations;
	return STATUS_OK;
}

/* One look at all of them.  True: one has changed the object. */
static bool settle_once(struct sysv *sysv, const struct sysv_object *object)
{
	bool changed = false;

	for (struct sysv_waiter **at = &sysv->waiters, *w; (w = *at);) {
		enum sysv_outcome outcome = w->object == object ? attempt(w) : SYSV_WAITS;

		if (outcome == SYSV_WAITS)
			at = &w->next;
		else
			unlink_waiter(sysv, at);
		changed |= outcome == SYSV_CHANGED;
	}
	return changed;
}

void sysv_settle(struct world *world, struct sysv_object *object)
{
	while (settle_once(&world->sysv, object)) {
		/* Earlier ones may go on now. */
	}
}

/* Those of the object, or of the member, or with the token; status: what they are answered with, 0:
 * with nothing.  How many. */
static uint32_t end_waiters(struct world *world, const struct sysv_object *object,
                            const struct member *m, uint64_t token, int status)
{
	struct sysv *sysv = &world->sysv;
	uint32_t n = 0;

	for (struct sysv_waiter **at = &sysv->waiters, *w; (w = *at);) {
		if ((!object || w->object != object) && (!m || w->member != m) &&
		    (!token || w->token != token)) {
			at = &w->next;
			continue;
		}
		if (status)
			(void)world->ops->reply(w, status, NULL);
		unlink_waiter(sysv, at);
		n++;
	}
	return n;
}

bool sysv_cancel(struct world *world, uint64_t token)
{
	return end_waiters(world, NULL, NULL, token, STATUS_OK) > 0;
}

void sysv_remove(struct world *world, struct sysv_object *object)
{
	(void)end_waiters(world, object, NULL, 0, STATUS_REMOVED);
	if (object->kind == SYSV_SEGMENT && object->attached) {
		object->removed = true;
		object->key = SYSV_KEY_NONE;
	} else {
		destroy(world, object);
	}
}

/* ---- Segments ---- */

static struct sysv_hold **find_hold(struct member *m, int32_t id)
{
	struct sysv_hold **at = &m->holds;

	while (*at && (*at)->object->id != id)
		at = &(*at)->next;
	return at;
}

static int hold(struct member *m, struct sysv_object *segment, uint32_t times)
{
	struct sysv_hold **at = find_hold(m, segment->id);

	if (!*at) {
		struct sysv_hold *made = slab_get(m->world->slab, sizeof(*made));

		if (!made)
			return STATUS_NO_MEMORY;
		made->object = segment;
		*at = made;
	}
	(*at)->times += times;
	segment->attached += times;
	return STATUS_OK;
}

int sysv_attach(struct member *m, struct sysv_object *segment)
{
	int status = hold(m, segment, 1);

	if (status)
		return status;
	segment->last = m->number;
	segment->first_s = m->world->ops->seconds();
	return STATUS_OK;
}

static void let_go(struct member *m, struct sysv_hold **at, uint32_t times)
{
	struct sysv_hold *h = *at;
	struct sysv_object *segment = h->object;

	h->times -= times;
	if (!h->times) {
		*at = h->next;
		slab_put(m->world->slab, h, sizeof(*h));
	}
	segment->attached -= times;
	segment->last = m->number;
	segment->second_s = m->world->ops->seconds();
	if (!segment->attached && segment->removed)
		destroy(m->world, segment);
}

int sysv_detach(struct member *m, int32_t id)
{
	struct sysv_hold **at = find_hold(m, id);

	if (!*at)
		return STATUS_NO_ENTRY;
	let_go(m, at, 1);
	return STATUS_OK;
}

void sysv_executed(struct member *m)
{
	while (m->holds)
		let_go(m, &m->holds, m->holds->times);
}

int sysv_fork(const struct member *parent, struct member *child)
{
	for (const struct sysv_hold *h = parent->holds; h; h = h->next) {
		int status = hold(child, h->object, h->times);

		if (status)
			return status; /* what it has goes with the child */
	}
	return STATUS_OK;
}

/* ---- Ends ---- */

void sysv_drop_member(struct member *m)
{
	if (m->world->sysv.waiters)
		(void)end_waiters(m->world, NULL, m, 0, STATUS_OK);
	sysv_undo_member(m);
	sysv_executed(m);
}

void sysv_close(struct world *world)
{
	struct sysv *sysv = &world->sysv;

	for (int kind = 0; kind < SYSV_KINDS; kind++) {
		for (uint32_t place = 0; place < SYSV_IDS; place++) {
			struct sysv_object *object = sysv_at(world, kind, place);

			if (object)
				destroy(world, object);
		}
		slab_put(world->slab, sysv->objects[kind], PAGE_SIZE);
		sysv->objects[kind] = NULL;
	}
}
