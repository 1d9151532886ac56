/* SPDX-License-Identifier: MIT */
/*
 * Operations of the ring that copy bytes between a memory object and the memory of the program that
 * submits them, without a message.
 */
#ifndef KERNEL_OBJECT_BYTES_H
#define KERNEL_OBJECT_BYTES_H

#include <capos/abi.h>

struct memobj;
struct thread;

/* CAP_OP_LOAD and CAP_OP_STORE of an object that the submission's capability names, with the right
 * checked.  OP_AGAIN: to be called again. */
int bytes_load(struct memobj *m, struct thread *t, const struct capos_sqe *sqe,
               struct capos_cqe *cqe);
int bytes_store(struct memobj *m, struct thread *t, const struct capos_sqe *sqe,
                struct capos_cqe *cqe);

#endif
