/* SPDX-License-Identifier: MIT */
/*
 * A lock that no thread waits for without end.  A thread that slept and found the lock taken again
 * is passed over, and while there is such a one only those passed over take the lock.  Otherwise
 * any thread may take it before those that sleep, so that a contended lock does not cost a switch
 * of threads each time.
 *
 * The bound.  Those that sleep are woken in the order in which they came, and none while one is
 * passed over; so before one that is, each other thread that was woken already takes the lock once.
 *
 * Two words: the lock's, and a turn that the threads passed over sleep on, which several locks may
 * have in common.  Who includes this defines fair_sleep and fair_wake, by its own way to futexes.
 */
#ifndef CORE_FAIR_H
#define CORE_FAIR_H

#include <stdbool.h>
#include <stdint.h>

#define FAIR_HELD        0x80000000u
#define FAIR_SLEEPERS    0x40000000u /* perhaps, on the lock's word */
#define FAIR_PASSED_OVER 0x3fffffffu /* a number of threads */
/* Looks at a word that had changed before the thread could sleep; then it counts as passed over. */
#define FAIR_LOOKS 4u

/* Returns when the word has another value, or it was woken, or earlier; true: it was woken. */
static bool fair_sleep(uint32_t *at, uint32_t value);
/* All that sleep on a turn, or the one that has slept longest on a lock's word. */
static void fair_wake(uint32_t *at, bool all);

static inline bool fair_change(uint32_t *word, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_SEQ_CST,
	                                   __ATOMIC_RELAXED);
}

/* By one that is counted as passed over. */
static inline void fair_lock_first(uint32_t *word, uint32_t *turn)
{
	for (;;) {
		uint32_t now = __atomic_load_n(turn, __ATOMIC_SEQ_CST);
		uint32_t seen = __atomic_load_n(word, __ATOMIC_SEQ_CST);

		/* Its count goes.  Some may have begun to sleep on the word since it did. */
		if (seen & FAIR_HELD)
			(void)fair_sleep(turn, now);
		else if (fair_change(word, seen, (seen - 1) | FAIR_HELD | FAIR_SLEEPERS))
			return;
	}
}

static inline void fair_lock_slowly(uint32_t *word, uint32_t *turn)
{
	uint32_t sleepers = 0, looks = 0;
	bool woken = false;

	for (;;) {
		uint32_t seen = __atomic_load_n(word, __ATOMIC_SEQ_CST);
		uint32_t marked = seen | FAIR_SLEEPERS;

		if (!(seen & (FAIR_HELD | FAIR_PASSED_OVER))) {
			if (fair_change(word, seen, seen | FAIR_HELD | sleepers))
				return;
		} else if (woken || looks == FAIR_LOOKS) {
			if (fair_change(word, seen, seen + 1)) {
				fair_lock_first(word, turn);
				return;
			}
		} else if (seen == marked || fair_change(word, seen, marked)) {
			woken = fair_sleep(word, marked);
			sleepers = FAIR_SLEEPERS; /* others may sleep besides this one */
			looks++;
		}
	}
}

static inline void fair_lock(uint32_t *word, uint32_t *turn)
{
	if (!fair_change(word, 0, FAIR_HELD))
		fair_lock_slowly(word, turn);
}

/* True: it has woken a thread. */
static inline bool fair_unlock(uint32_t *word, uint32_t *turn)
{
	uint32_t old = __atomic_fetch_and(word, FAIR_PASSED_OVER, __ATOMIC_SEQ_CST);

	if (old & FAIR_PASSED_OVER) {
		__atomic_fetch_add(turn, 1, __ATOMIC_SEQ_CST);
		fair_wake(turn, true);
		return true;
	}
	if (old & FAIR_SLEEPERS)
		fair_wake(word, false);
	return old & FAIR_SLEEPERS;
}

#endif
