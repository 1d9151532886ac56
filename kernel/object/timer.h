/* SPDX-License-Identifier: MIT */
/*
 * Time: the kernel's queue of deadlines, and the Timer objects in it.  The queue's nodes lie in
 * what waits, so setting a deadline cannot fail.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct msg_call;

struct timeout {
	uint64_t deadline;                     /* nanoseconds of the monotonic clock */
	void (*fire)(struct timeout *timeout); /* runs after the node has left the queue */
	bool queued;
	/* pairing heap: first child; next sibling; parent (of a first child) or previous sibling */
	struct timeout *child, *next, *previous;
};

void timeout_set(struct timeout *t, uint64_t deadline); /* moves it when it is queued */
void timeout_cancel(struct timeout *t);
uint64_t timeout_first(void);   /* earliest deadline; UINT64_MAX: none */
void timeout_run(uint64_t now); /* fires everything due */

struct timer;
struct timer *timer_create(void); /* one count; NULL: no memory */
void timer_get(void *timer);
void timer_put(void *timer);
int timer_call(void *timer, struct msg_call *msg);

#endif
