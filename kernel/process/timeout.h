/* SPDX-License-Identifier: MIT */
/*
 * The kernel's queue of deadlines.  Its nodes lie in what waits, so setting a deadline cannot fail.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_TIMEOUT_H
#define KERNEL_TIMEOUT_H

#include <stdbool.h>
#include <stdint.h>
#include "tree.h"

struct timeout {
	uint64_t deadline;                     /* nanoseconds of the monotonic clock */
	void (*fire)(struct timeout *timeout); /* runs after the node has left the queue */
	bool queued;
	struct tree_node node; /* private */
};

void timeout_set(struct timeout *t, uint64_t deadline); /* moves it when it is queued */
void timeout_cancel(struct timeout *t);
uint64_t timeout_first(void); /* earliest deadline; UINT64_MAX: none */
/* Fires what is due, as far as the budget goes; timeout_first() names the next still. */
void timeout_run(uint64_t now);

#endif
