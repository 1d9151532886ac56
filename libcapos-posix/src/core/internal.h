/* SPDX-License-Identifier: MIT */
/*
 * What only the core of libcapos-posix shares: the dispatcher, the start, the signal machinery.
 * Owners of descriptor kinds need posix.h and fd.h, never this.
 */
#ifndef POSIX_INTERNAL_H
#define POSIX_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/abi.h>

#include "core/fd.h"
#include "core/posix.h"

/* Called by arch/: a system call's, or an interrupted computation's registers. */
void posix_syscall(struct capos_upcall_frame *frame);
void posix_upcall(struct capos_upcall_frame *frame, void *fxsave);
/* Provided by arch/. */
void posix_upcall_entry(void);
void posix_call_handler(void *handler, int signal, void *siginfo, void *context, void *stack);

/* From musl (overlay/src/env/capos_auxv.c): NULL until it is known. */
const size_t *__capos_auxv(void);

/* On the first system call after the auxiliary vector is known: start block, signals, descriptors 0
 * to 2. */
void posix_start(void);
/* Makes read-only what only relocation writes. */
void relro_protect(void);
/* Binds the signals event; without one, timers signal an event of the process's own. */
void signal_start(void);
cap_t signal_event(void); /* where a Timer signals; CAP_NULL: none could be made */

/* Around every system call: masks upcalls; delivers what is pending and unmasks. */
void signal_call_begin(void);
/* frame->rax holds the result; restart: the call may be made again after handlers with SA_RESTART.
 * True: do so. */
bool signal_call_end(struct capos_upcall_frame *frame, bool restart);

/* Ends the process as a signal's default action does. */
_Noreturn void signal_terminate(int signal);
/* Ends the process after handing over what the ring still holds. */
_Noreturn void posix_exit(int code, int signal);

uint64_t process_id(void);

/* ---- fork and exec ---- */

/* In the child, each once: what belongs to one process begins anew. */
void process_forked(void);
void wait_forked(void);
void itimer_forked(void);
void signal_forked(cap_t own_event);

/* execve's other half: takes up what the image before this one left in that memory. */
void exec_restore(cap_t memory);
void wait_restore(cap_t carried);
uint64_t process_group(void);
void process_set_group(uint64_t carried);
cap_t itimer_timer(void);
void itimer_restore(cap_t carried);
void path_state(cap_t *directory, unsigned *bits);
void path_restore(cap_t directory, unsigned bits);

/* arch/: calls make(stack, argument) and answers what it does; a process that was made to start at
 * posix_fork_entry with that stack comes back from here too, with 1. */
long posix_fork_here(long (*make)(uint64_t stack, void *argument), void *argument);
void posix_fork_entry(void);

#endif
