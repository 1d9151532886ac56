/* SPDX-License-Identifier: MIT */
/*
 * Timer objects: an event is signalled at a deadline, once or again and again.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include "object_header.h"

struct account;
struct msg_call;

struct timer;
/* CAP_OK with one count, charged to the account; CAP_ENOMEM, CAP_EAGAIN: it has too many. */
int timer_create(struct account *account, struct timer **out);
DEFINE_HEADER_ACCESS(timer, KIND_TIMER)
void timer_last(struct object_header *header); /* the last reference has gone */
int timer_call(struct object_header *header, struct msg_call *msg);

#endif
