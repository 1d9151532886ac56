/* SPDX-License-Identifier: MIT */
/*
 * The operations of abi.h: what each submission means.
 */
#ifndef KERNEL_SUBMIT_H
#define KERNEL_SUBMIT_H

#include <stdbool.h>

struct thread;

/* Goes on with the submissions of the current thread, which is in cap_enter, as far as the budget
 * goes; after the last one it waits as it was asked to.  It may end. */
void submit_go_on(struct thread *t);

#endif
