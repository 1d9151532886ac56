/* SPDX-License-Identifier: MIT */
/*
 * The lists of locks: what is taken cuts what the same owner held, in pieces that are allocated
 * before anything is changed.
 */
#include "locks.h"

#include <string.h>

#include <capos/schema/status.h>

/* Owners that are followed in search of a circle; as many as Linux. */
#define CIRCLE_MAX 10

/* ---- Lists ---- */

static struct lock_list *list_of(struct locks *all, struct lock_list **file, struct slab *slab)
{
	struct lock_list *list = *file;

	if (list)
		return list;
	list = slab_get(slab, sizeof(*list));
	if (!list)
		return NULL;
	list->of_file = file;
	list->next = all->files;
	list->link = &all->files;
	if (list->next)
		list->next->link = &list->next;
	all->files = list;
	*file = list;
	return list;
}

static void settle(struct lock_list *list, struct slab *slab)
{
	if (list->locks || list->waiters)
		return;
	*list->of_file = NULL;
	*list->link = list->next;
	if (list->next)
		list->next->link = list->link;
	slab_put(slab, list, sizeof(*list));
}

static bool same_owner(const struct lock_request *a, const struct lock_request *b)
{
	return a->kind == b->kind && a->owner == b->owner;
}

static bool overlap(const struct lock_request *a, const struct lock_request *b)
{
	return a->start <= b->end && b->start <= a->end;
}

/* flock's locks and fcntl's know nothing of each other. */
static bool in_the_way(const struct lock_request *held, const struct lock_request *wanted)
{
	return (held->kind == LOCK_OF_WHOLE) == (wanted->kind == LOCK_OF_WHOLE) &&
	       !same_owner(held, wanted) && overlap(held, wanted) && (held->write || wanted->write);
}

bool locks_find(const struct lock_list *file, const struct lock_request *what,
                struct lock_request *conflict)
{
	for (const struct lock *l = file ? file->locks : NULL; l; l = l->next) {
		if (!in_the_way(&l->what, what))
			continue;
		if (conflict)
			*conflict = l->what;
		return true;
	}
	return false;
}

/* ---- Waiters ---- */

static void free_waiter(struct locks *all, struct slab *slab, struct lock_waiter *w)
{
	w->payer->waiters--;
	all->signal(w->event, 0);
	slab_put(slab, w, sizeof(*w));
}

/* Something was given up: those who may get what they wait for try again. */
static void wake(struct locks *all, const struct lock_list *list)
{
	for (const struct lock_waiter *w = list->waiters; w; w = w->next)
		if (!locks_find(list, &w->what, NULL))
			all->signal(w->event, w->bits);
}

typedef bool waiter_test(const struct lock_waiter *w, enum lock_owner_kind kind, uint64_t owner);

static bool is_of_owner(const struct lock_waiter *w, enum lock_owner_kind kind, uint64_t owner)
{
	return w->what.kind == kind && w->what.owner == owner;
}

static bool came_through(const struct lock_waiter *w, enum lock_owner_kind kind, uint64_t handle)
{
	(void)kind;
	return w->handle == handle;
}

static void remove_waiters(struct locks *all, struct lock_list *list, struct slab *slab,
                           waiter_test *test, enum lock_owner_kind kind, uint64_t owner)
{
	for (struct lock_waiter **at = &list->waiters, *w; (w = *at);) {
		if (!test(w, kind, owner)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		list->count--;
		free_waiter(all, slab, w);
	}
}

/* What a process waits for, in any file. */
static const struct lock_waiter *waiter_of(const struct locks *all, uint64_t process,
                                           const struct lock_list **file)
{
	for (*file = all->files; *file; *file = (*file)->next)
		for (const struct lock_waiter *w = (*file)->waiters; w; w = w->next)
			if (is_of_owner(w, LOCK_OF_PROCESS, process))
				return w;
	return NULL;
}

/* Whether the process would wait for itself.  Only processes do: whose open files are is not
 * known. */
static bool circle(const struct locks *all, const struct lock_list *list,
                   const struct lock_request *what)
{
	struct lock_request conflict;

	if (what->kind != LOCK_OF_PROCESS)
		return false;
	const struct lock_request *wanted = what;
	for (int i = 0; i < CIRCLE_MAX && locks_find(list, wanted, &conflict); i++) {
		if (conflict.kind != LOCK_OF_PROCESS)
			return false;
		if (conflict.owner == what->owner)
			return true;
		const struct lock_waiter *next = waiter_of(all, conflict.owner, &list);
		if (!next)
			return false;
		wanted = &next->what;
	}
	return false;
}

int locks_wait(struct locks *all, struct lock_list **file, struct slab *slab,
               const struct lock_waiter *waiter)
{
	struct lock_list *list = list_of(all, file, slab);
	struct lock_waiter *w, **at;

	if (!list)
		return STATUS_NO_BUFFERS;
	remove_waiters(all, list, slab, is_of_owner, waiter->what.kind, waiter->what.owner);
	if (circle(all, list, &waiter->what)) {
		settle(list, slab);
		return STATUS_WOULD_DEADLOCK;
	}
	w = list->count < LOCKS_PER_FILE_MAX && slab->waiters < LOCK_WAITERS_MAX
	            ? slab_get(slab, sizeof(*w))
	            : NULL;
	if (!w) {
		settle(list, slab);
		return STATUS_NO_BUFFERS;
	}
	*w = *waiter;
	w->next = NULL;
	w->payer = slab;
	slab->waiters++;
	for (at = &list->waiters; *at; at = &(*at)->next)
		;
	*at = w;
	list->count++;
	return STATUS_OK;
}

void locks_stop_waiting(struct locks *all, struct lock_list **file, struct slab *slab,
                        enum lock_owner_kind kind, uint64_t owner)
{
	if (!*file)
		return;
	remove_waiters(all, *file, slab, is_of_owner, kind, owner);
	settle(*file, slab);
}

/* ---- Taking and giving up ---- */

static void insert(struct lock_list *list, struct lock *lock, const struct lock_request *what)
{
	struct lock **at = &list->locks;

	while (*at && (*at)->what.start < what->start)
		at = &(*at)->next;
	lock->what = *what;
	lock->next = *at;
	*at = lock;
	list->count++;
}

/* Cuts the range out of what its owner holds; *spare is used to divide a lock in two.  True:
 * something was cut. */
static bool cut(struct lock_list *list, struct slab *slab, const struct lock_request *range,
                struct lock **spare)
{
	bool any = false;

	for (struct lock **at = &list->locks, *l; (l = *at);) {
		if (!same_owner(&l->what, range) || !overlap(&l->what, range)) {
			at = &l->next;
			continue;
		}
		any = true;
		struct lock_request before = l->what, behind = l->what;
		before.end = range->start - 1;
		behind.start = range->end + 1;
		bool has_before = l->what.start<range->start, has_behind = l->what.end> range->end;
		*at = l->next;
		list->count--;
		if (!has_before && !has_behind) {
			slab_put(slab, l, sizeof(*l));
			continue;
		}
		insert(list, l, has_before ? &before : &behind);
		if (has_before && has_behind) {
			insert(list, *spare, &behind);
			*spare = NULL;
		}
		at = &list->locks; /* what was put back does not overlap any more */
	}
	return any;
}

/* Takes out the owner's locks of the same kind that touch the range, which becomes longer by
 * them. */
static void join(struct lock_list *list, struct slab *slab, struct lock_request *range)
{
	for (struct lock **at = &list->locks, *l; (l = *at);) {
		bool touches = same_owner(&l->what, range) && l->what.write == range->write &&
		               (l->what.end + 1 == range->start || range->end + 1 == l->what.start);
		if (!touches) {
			at = &l->next;
			continue;
		}
		if (l->what.start < range->start)
			range->start = l->what.start;
		else
			range->end = l->what.end;
		*at = l->next;
		list->count--;
		slab_put(slab, l, sizeof(*l));
	}
}

int locks_take(struct locks *all, struct lock_list **file, struct slab *slab,
               const struct lock_request *what, struct lock_request *conflict)
{
	struct lock_list *list;
	struct lock *lock, *spare;
	bool cuts;

	if (locks_find(*file, what, conflict))
		return STATUS_WOULD_BLOCK;
	list = list_of(all, file, slab);
	if (!list)
		return STATUS_NO_BUFFERS;
	lock = list->count + 2 <= LOCKS_PER_FILE_MAX ? slab_get(slab, sizeof(*lock)) : NULL;
	spare = lock ? slab_get(slab, sizeof(*spare)) : NULL;
	if (!spare) {
		slab_put(slab, lock, sizeof(*lock));
		settle(list, slab);
		return STATUS_NO_BUFFERS;
	}
	cuts = cut(list, slab, what, &spare);
	slab_put(slab, spare, sizeof(*spare));
	struct lock_request whole = *what;
	join(list, slab, &whole);
	insert(list, lock, &whole);
	remove_waiters(all, list, slab, is_of_owner, what->kind, what->owner);
	if (cuts)
		wake(all, list); /* a lock to write may have become one to read */
	return STATUS_OK;
}

int locks_give_up(struct locks *all, struct lock_list **file, struct slab *slab,
                  const struct lock_request *what)
{
	struct lock_list *list = *file;
	struct lock *spare;

	if (!list)
		return STATUS_OK;
	spare = list->count < LOCKS_PER_FILE_MAX ? slab_get(slab, sizeof(*spare)) : NULL;
	if (!spare)
		return STATUS_NO_BUFFERS;
	if (cut(list, slab, what, &spare))
		wake(all, list);
	slab_put(slab, spare, sizeof(*spare));
	settle(list, slab);
	return STATUS_OK;
}

void locks_drop(struct locks *all, struct lock_list **file, struct slab *slab,
                enum lock_owner_kind kind, uint64_t owner)
{
	struct lock_list *list = *file;
	const struct lock_request everything = {.kind = kind, .owner = owner, .end = UINT64_MAX};

	if (!list)
		return;
	remove_waiters(all, list, slab, is_of_owner, kind, owner);
	if (cut(list, slab, &everything, NULL)) /* divides nothing */
		wake(all, list);
	settle(list, slab);
}

void locks_drop_process(struct locks *all, struct slab *slab, uint64_t process)
{
	for (struct lock_list *list = all->files, *next; list; list = next) {
		next = list->next;
		locks_drop(all, list->of_file, slab, LOCK_OF_PROCESS, process);
	}
}

void locks_close(struct locks *all, struct lock_list **file, struct slab *slab, uint64_t handle)
{
	if (*file)
		remove_waiters(all, *file, slab, came_through, LOCK_OF_PROCESS, handle);
	locks_drop(all, file, slab, LOCK_OF_DESCRIPTION, handle);
	locks_drop(all, file, slab, LOCK_OF_WHOLE, handle);
}

void locks_free(struct locks *all, struct lock_list **file, struct slab *slab)
{
	struct lock_list *list = *file;

	if (!list)
		return;
	for (struct lock_waiter *w = list->waiters, *next; w; w = next) {
		next = w->next;
		all->signal(w->event, w->bits);
		free_waiter(all, slab, w);
	}
	for (struct lock *l = list->locks, *next; l; l = next) {
		next = l->next;
		slab_put(slab, l, sizeof(*l));
	}
	list->locks = NULL;
	list->waiters = NULL;
	settle(list, slab);
}
