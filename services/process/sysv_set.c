/* SPDX-License-Identifier: MIT */
/*
 * Sets of semaphores: the operations of one call are done together or not at all, and what a member
 * asked to have undone is undone when it ends.
 */
#include <string.h>

#include <capos/schema/status.h>

#include "sysv.h"
#include "world.h"

_Static_assert(SYSV_SET_MAX * sizeof(struct sysv_semaphore) <= PAGE_SIZE, "a set is one page");
_Static_assert(SYSV_OPERATIONS_MAX * sizeof(struct sysv_operation) <= PAGE_SIZE, "so are they");

static size_t changes_size(const struct sysv_object *set)
{
	return set->size * sizeof(int16_t);
}

/* ---- Undoing ---- */

/* The member's of that set; NULL: no memory. */
static struct sysv_undo *undo_of(struct member *m, struct sysv_object *set)
{
	struct slab *slab = m->world->slab;
	struct sysv_undo *undo = m->undos;

	while (undo && undo->object != set)
		undo = undo->of_member;
	if (undo)
		return undo;
	undo = slab_get(slab, sizeof(*undo));
	if (!undo)
		return NULL;
	*undo = (struct sysv_undo){.of_member = m->undos,
	                           .of_set = set->undos,
	                           .member = m,
	                           .object = set,
	                           .changes = slab_get(slab, changes_size(set))};
	if (!undo->changes) {
		slab_put(slab, undo, sizeof(*undo));
		return NULL;
	}
	m->undos = set->undos = undo;
	return undo;
}

/* It is on no list of its set any more. */
static void drop_of_member(struct sysv_undo *undo)
{
	struct slab *slab = undo->member->world->slab;
	struct sysv_undo **at = &undo->member->undos;

	while (*at != undo)
		at = &(*at)->of_member;
	*at = undo->of_member;
	slab_put(slab, undo->changes, changes_size(undo->object));
	slab_put(slab, undo, sizeof(*undo));
}

void sysv_drop_undos(struct sysv_object *set)
{
	while (set->undos) {
		struct sysv_undo *undo = set->undos;

		set->undos = undo->of_set;
		drop_of_member(undo);
	}
}

static void undo_one(struct sysv_undo *undo)
{
	struct sysv_object *set = undo->object;

	for (uint32_t i = 0; i < set->size; i++) {
		int value = (int)set->semaphores[i].value + undo->changes[i];

		if (!undo->changes[i])
			continue;
		value = value < 0 ? 0 : value > SYSV_VALUE_MAX ? SYSV_VALUE_MAX : value;
		set->semaphores[i] = (struct sysv_semaphore){(uint32_t)value, undo->member->number};
	}
}

void sysv_undo_member(struct member *m)
{
	while (m->undos) {
		struct sysv_undo *undo = m->undos, **at = &undo->object->undos;
		struct sysv_object *set = undo->object;

		undo_one(undo);
		while (*at != undo)
			at = &(*at)->of_set;
		*at = undo->of_set;
		drop_of_member(undo);
		set->first_s = m->world->ops->seconds();
		sysv_settle(m->world, set);
	}
}

/* ---- Operations ---- */

static int16_t *undone(const struct sysv_waiter *w, const struct sysv_operation *o)
{
	return o->flags & SYSV_UNDO ? &w->undo->changes[o->number] : NULL;
}

static void apply(const struct sysv_waiter *w, const struct sysv_operation *o, int change)
{
	int16_t *undo = undone(w, o);

	w->object->semaphores[o->number].value =
	        (uint32_t)((int)w->object->semaphores[o->number].value + change);
	if (undo)
		*undo = (int16_t)(*undo - change);
}

static void take_back(const struct sysv_waiter *w, uint32_t n)
{
	while (n-- > 0)
		apply(w, &w->operations[n], -w->operations[n].change);
}

/* Status of one operation now; in progress: it waits. */
static int judge(const struct sysv_waiter *w, const struct sysv_operation *o)
{
	int value = (int)w->object->semaphores[o->number].value;
	const int16_t *undo = undone(w, o);

	if (o->change ? value + o->change < 0 : value != 0)
		return o->flags & SYSV_NOWAIT ? STATUS_WOULD_BLOCK : STATUS_IN_PROGRESS;
	if (value + o->change > SYSV_VALUE_MAX)
		return STATUS_OUT_OF_RANGE;
	if (undo && (*undo - o->change > SYSV_VALUE_MAX || *undo - o->change < -SYSV_VALUE_MAX - 1))
		return STATUS_OUT_OF_RANGE;
	return STATUS_OK;
}

enum sysv_outcome sysv_try_operate(struct sysv_waiter *w)
{
	const struct world_ops *ops = w->member->world->ops;
	bool changes = false;
	int status = STATUS_OK;
	uint32_t n = 0;

	for (; n < w->noperations; n++) {
		status = judge(w, &w->operations[n]);
		if (status)
			break;
		apply(w, &w->operations[n], w->operations[n].change);
		changes |= w->operations[n].change != 0;
	}
	if (status)
		take_back(w, n);
	w->blocked = n;
	if (status == STATUS_IN_PROGRESS)
		return SYSV_WAITS;
	if (!ops->reply(w, status, NULL)) {
		if (!status)
			take_back(w, n);
		return SYSV_DONE;
	}
	if (status)
		return SYSV_DONE;
	for (uint32_t i = 0; i < n; i++)
		w->object->semaphores[w->operations[i].number].last = w->member->number;
	w->object->first_s = ops->seconds();
	return changes ? SYSV_CHANGED : SYSV_DONE;
}

/* Status; *undoes: one is to be undone. */
static int check(const struct sysv_object *set, const struct sysv_operation *o, uint32_t n,
                 bool *undoes)
{
	for (uint32_t i = 0; i < n; i++) {
		if (o[i].number >= set->size)
			return STATUS_FILE_TOO_BIG;
		*undoes |= (o[i].flags & SYSV_UNDO) != 0;
	}
	return STATUS_OK;
}

/* What the operations need: one that waits for zero alters nothing. */
static uint32_t access_for(const struct sysv_operation *operations, uint32_t n)
{
	while (n && !operations->change)
		operations++, n--;
	return n ? SYSV_MAY_WRITE : SYSV_MAY_READ;
}

int sysv_operate(struct member *m, int32_t id, const void *operations, uint32_t length,
                 uint64_t token)
{
	const uint32_t n = length / sizeof(struct sysv_operation);
	struct slab *slab = m->world->slab;
	struct sysv_waiter w = {.member = m,
	                        .object = sysv_find(m->world, SYSV_SET, id),
	                        .token = token,
	                        .call = SYSV_OPERATE,
	                        .noperations = n};
	bool undoes = false;
	int status;

	if (!w.object || !n)
		return STATUS_INVALID_ARGUMENT;
	if (n > SYSV_OPERATIONS_MAX)
		return STATUS_TOO_BIG;
	w.operations = slab_get(slab, n * sizeof(*w.operations));
	if (!w.operations)
		return STATUS_NO_MEMORY;
	memcpy(w.operations, operations, n * sizeof(*w.operations));
	status = check(w.object, w.operations, n, &undoes);
	if (!status && !sysv_allows(m, w.object, access_for(w.operations, n)))
		status = STATUS_ACCESS_DENIED;
	if (!status && undoes) {
		w.undo = undo_of(m, w.object);
		status = w.undo ? STATUS_OK : STATUS_NO_MEMORY;
	}
	if (status) {
		slab_put(slab, w.operations, n * sizeof(*w.operations));
		return status;
	}
	return sysv_begin(&w);
}

/* ---- Values ---- */

int sysv_assign(struct member *m, struct sysv_object *set, int32_t number, const uint16_t *values,
                uint32_t n)
{
	uint32_t from = number < 0 ? 0 : (uint32_t)number;

	if (from + n > set->size || n != (number < 0 ? set->size : 1))
		return STATUS_INVALID_ARGUMENT;
	for (uint32_t i = 0; i < n; i++)
		if (values[i] > SYSV_VALUE_MAX)
			return STATUS_OUT_OF_RANGE;
	for (uint32_t i = 0; i < n; i++) {
		set->semaphores[from + i] = (struct sysv_semaphore){values[i], m->number};
		for (struct sysv_undo *undo = set->undos; undo; undo = undo->of_set)
			undo->changes[from + i] = 0;
	}
	sysv_changed(m->world, set);
	sysv_settle(m->world, set);
	return STATUS_OK;
}

uint32_t sysv_waiting(const struct world *world, const struct sysv_object *set, uint32_t number,
                      bool for_zero)
{
	uint32_t n = 0;

	for (const struct sysv_waiter *w = world->sysv.waiters; w; w = w->next) {
		const struct sysv_operation *o;

		if (w->object != set)
			continue;
		o = &w->operations[w->blocked];
		n += o->number == number && (o->change == 0) == for_zero;
	}
	return n;
}
