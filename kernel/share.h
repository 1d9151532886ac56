/* SPDX-License-Identifier: MIT */
/*
 * Shares of the processor, and where threads wait in one.
 */
#ifndef KERNEL_SHARE_H
#define KERNEL_SHARE_H

#include <stdint.h>
#include <capos/abi.h>
#include "list.h"

/* Where a runnable thread waits among those it shares the processor with; a higher level always
 * goes first. */
enum sched_level {
	LEVEL_EXPIRED,  /* used its slice up */
	LEVEL_WOKEN,    /* has time left in it */
	LEVEL_REALTIME, /* and priority 1; those up to 99 follow */
	LEVEL_URGENT = LEVEL_REALTIME + CAPOS_REALTIME_MAX,
	LEVEL_COUNT,
};

#define WAITS_ABOVE 4u

/* A share of the processor: of all services, of the programs that draw on one account, of the
 * kernel's own work.  The services' goes first: what they do is what programs wait for.  All others
 * take turns, however many threads are in each. */
struct share {
	struct list turn;    /* of struct cpu: while threads wait in it and it is not its turn */
	uint64_t slice_left; /* nanoseconds */
	/* A bit for each of the first two levels with threads; WAITS_ABOVE: others have some. */
	uint64_t waits;
	uint64_t above[2];              /* a bit for each of those */
	struct list level[LEVEL_COUNT]; /* struct thread.run */
};

static inline void share_init(struct share *s)
{
	list_init(&s->turn);
	for (unsigned i = 0; i < LEVEL_COUNT; i++)
		list_init(&s->level[i]);
}

_Static_assert(LEVEL_COUNT <= 128, "a bit for each level");

#endif
