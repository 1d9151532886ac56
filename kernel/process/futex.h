/* SPDX-License-Identifier: MIT */
/*
 * Waiting on a word of user memory.  A word is known by memory object and offset, so processes that
 * share the object may meet there at different addresses.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_FUTEX_H
#define KERNEL_FUTEX_H

#include <stdint.h>
#include <capos/abi.h>

struct thread;

/* OP_PENDING, CAP_EAGAIN, or an error. */
int futex_wait(struct thread *t, const struct capos_sqe *sqe);
/* CAP_OK with *woken, OP_AGAIN, or an error. */
int futex_wake(struct thread *t, const struct capos_sqe *sqe, uint64_t *woken);
int futex_requeue(struct thread *t, const struct capos_sqe *sqe, uint64_t *moved);
/* The caller holds a count of the object, in a mapping or otherwise. */
struct memobj;
void futex_wake_one(struct memobj *object, uint64_t offset);

#endif
