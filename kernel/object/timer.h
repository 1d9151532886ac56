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
#include "object_header.h"
#include "tree.h"

struct account;
struct msg_call;

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

struct timer;
/* CAP_OK with one count, charged to the account; CAP_ENOMEM, CAP_EAGAIN: it has too many. */
int timer_create(struct account *account, struct timer **out);
DEFINE_HEADER_ACCESS(timer, KIND_TIMER)
void timer_last(struct object_header *header); /* the last reference has gone */
int timer_call(struct object_header *header, struct msg_call *msg);

#endif
