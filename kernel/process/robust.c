/* SPDX-License-Identifier: MIT */
/*
 * The locks that a thread held when it ended.  All that is read here was written by a program: an
 * address that leads nowhere ends what is being done, a word that names another owner stays as it
 * is, and the number of entries looked at is bounded.
 */
#include "process/robust.h"
#include "kernel.h"
#include "memory/memobj.h"
#include "memory/space.h"
#include "process/futex.h"
#include "process/thread.h"
#include "work.h"

#define STEPS_ENTRY 6u   /* to read an entry and look at its word */
#define ENTRY_FLAGS 1ull /* Linux marks a lock with priority inheritance by this bit */

/* Marks the word if that number owns it, and wakes one thread that waits.  under_way: the thread
 * was just taking it or giving it up; if it is free, one that waits may have been left asleep.
 * False: the word cannot be reached. */
static bool give_up(struct space *space, uint64_t address, uint32_t owner, bool under_way)
{
	struct memobj *object;
	uint64_t offset;
	steps_spend(STEPS_ENTRY);
	uint32_t *word = space_futex_word(space, address, &object, &offset);
	if (!word)
		return false;
	uint32_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);
	while ((seen & CAPOS_LOCK_OWNER) == owner && owner != 0) {
		uint32_t dead = (seen & CAPOS_LOCK_WAITED) | CAPOS_LOCK_DIED;
		if (!__atomic_compare_exchange_n(word, &seen, dead, false, __ATOMIC_RELEASE,
		                                 __ATOMIC_RELAXED))
			continue;
		if (seen & CAPOS_LOCK_WAITED)
			futex_wake_one(object, offset);
		return true;
	}
	if (under_way && (seen & CAPOS_LOCK_OWNER) == 0)
		futex_wake_one(object, offset);
	return true;
}

static void give_up_held(struct robust *r, struct space *space)
{
	for (unsigned i = 0; i < CAPOS_LOCKS_HELD; i++) {
		if (r->end.held[i] != 0)
			(void)give_up(space, r->end.held[i], r->number, true);
	}
}

static void begin_list(struct robust *r, struct space *space)
{
	r->left = CAPOS_ROBUST_MAX;
	if (r->end.robust_list == 0 ||
	    space_copy_in(space, &r->list, r->end.robust_list, sizeof(r->list)))
		r->left = 0;
	r->entry = r->list.next;
	steps_spend(STEPS_ENTRY);
}

/* The list as far as the budget goes; true: its end. */
static bool give_up_list(struct robust *r, struct space *space)
{
	uint32_t owner = r->end.robust_owner & CAPOS_LOCK_OWNER;
	while (r->left > 0 && r->entry != r->end.robust_list) {
		uint64_t entry = r->entry & ~ENTRY_FLAGS;
		if (steps_over())
			return false;
		r->left--;
		/* The next one first: who gets the lock may put it into a list of its own. */
		if (space_copy_in(space, &r->entry, entry, sizeof(r->entry)))
			r->left = 0;
		if (entry != (r->list.pending & ~ENTRY_FLAGS) &&
		    !give_up(space, entry + (uint64_t)r->list.offset, owner, false))
			r->left = 0;
	}
	if (r->list.pending != 0)
		(void)give_up(space, (r->list.pending & ~ENTRY_FLAGS) + (uint64_t)r->list.offset,
		              owner, true);
	return true;
}

static void clear_exit_word(struct robust *r, struct space *space)
{
	struct memobj *object;
	uint64_t offset;
	if (r->end.exit_word == 0)
		return;
	uint32_t *word = space_futex_word(space, r->end.exit_word, &object, &offset);
	if (!word)
		return;
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
	futex_wake_one(object, offset);
}

void robust_begin(struct robust *r, const struct thread *t)
{
	if (r->stage != ROBUST_NOT_BEGUN)
		return;
	memcpy(&r->end, &t->ring.header->end, sizeof(r->end));
	__asm__ volatile("" ::: "memory"); /* from here on only the copy is looked at */
	r->number = (uint32_t)t->id & CAPOS_LOCK_OWNER;
	r->stage = ROBUST_HELD;
}

bool robust_go_on(struct robust *r, struct space *space)
{
	assert(kernel_locked());
	switch (r->stage) {
	case ROBUST_NOT_BEGUN:
		return true;
	case ROBUST_HELD:
		give_up_held(r, space);
		begin_list(r, space);
		r->stage = ROBUST_LIST;
		__attribute__((fallthrough));
	case ROBUST_LIST:
		if (!give_up_list(r, space))
			return false;
		r->stage = ROBUST_LAST;
		__attribute__((fallthrough));
	case ROBUST_LAST:
		clear_exit_word(r, space);
		r->stage = ROBUST_DONE;
		__attribute__((fallthrough));
	case ROBUST_DONE:
		break;
	}
	return true;
}
