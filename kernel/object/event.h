/* SPDX-License-Identifier: MIT */
/*
 * Events: a word of bits that holders set and wait for, or a thread's set of pending signals.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_EVENT_H
#define KERNEL_EVENT_H

#include <stdint.h>
#include <capos/abi.h>
#include "object_header.h"

struct account;
struct event;
struct msg_call;
struct op;
struct thread;

DEFINE_HEADER_ACCESS(event, KIND_EVENT)

/* One count, charged to the account; NULL: no memory. */
struct event *event_create(struct account *account);
void event_get(struct event *e);
void event_put(struct event *e);
void event_last(struct object_header *header); /* the last reference has gone */
void event_signal(struct event *e, uint64_t bits);
/* WAIT: CAP_OK with *bits at once, or OP_PENDING, or an error. */
int event_wait(struct event *e, struct thread *t, const struct capos_sqe *sqe, uint64_t *bits);
/* WATCH: CAP_OK with *signals at once, or OP_PENDING, or an error. */
int event_watch(struct event *e, struct thread *t, const struct capos_sqe *sqe, uint64_t *signals);
int event_call(struct object_header *header, struct msg_call *msg);

#endif
