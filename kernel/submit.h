/* SPDX-License-Identifier: MIT */
/*
 * The operations of abi.h: what each submission means.
 */
#ifndef KERNEL_SUBMIT_H
#define KERNEL_SUBMIT_H

#include <stdbool.h>

struct thread;

/* Performs everything that can be taken from the thread's ring; ring_refresh() was called.  false:
 * the thread ended. */
bool submit_all(struct thread *t);

#endif
