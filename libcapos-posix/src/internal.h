/* SPDX-License-Identifier: MIT */
/*
 * What only the core of libcapos-posix shares: the dispatcher, the start, the signal machinery.
 * Owners of descriptor kinds need posix.h and fd.h, never this.
 */
#ifndef POSIX_INTERNAL_H
#define POSIX_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "fd.h"
#include "posix.h"

/* musl's hook for a system call (overlay/arch/x86_64/syscall_arch.h). */
long __capos_syscall(long number, long a, long b, long c, long d, long e, long f);

/* Once, on the first system call after the auxiliary vector is known: start block, signals,
 * descriptors 0 to 2. */
void posix_start(void);
/* Binds the signals event; without one, timers' signals go to an event of the process's own. */
void signal_start(void);
cap_t signal_event(void); /* where a Timer signals; CAP_NULL: none could be made */

/* One system call's part of the signal state; on the dispatcher's stack, since a handler may leave
 * by longjmp. */
struct signal_call {
	uint32_t upcall_mask; /* of the ring when the call began */
};
void signal_call_begin(struct signal_call *call);
/* Delivers what is pending, restores the mask; true: make the call again. */
bool signal_call_end(struct signal_call *call, long *result, bool restart);

/* The process's own event and its waiting operation. */
void process_event_start(void);

#endif
