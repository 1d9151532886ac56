/* SPDX-License-Identifier: MIT */
/*
 * The signal state as signal.c (delivery) and signal_calls.c (system calls) share it.  Touched only
 * with upcalls masked.
 */
#ifndef POSIX_SIGNAL_CALLS_H
#define POSIX_SIGNAL_CALLS_H

#include <stddef.h>

#include "signal/signal_state.h"

struct signal_stack { /* sigaltstack */
	void *base;
	int flags; /* SS_DISABLE or 0 */
	size_t size;
};

extern struct signal_state signals;
extern struct signal_stack signal_stack;

/* Takes what the kernel put into the ring; true: something came. */
bool signal_collect(void);

#endif
