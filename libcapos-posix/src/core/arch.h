/* SPDX-License-Identifier: MIT */
/*
 * Between arch/ and the rest: what the entry code calls, and what only it can do.
 */
#ifndef POSIX_ARCH_H
#define POSIX_ARCH_H

#include <capos/abi.h>

/* Called by arch/: a system call's, or an interrupted computation's registers. */
void posix_syscall(struct capos_upcall_frame *frame);
void posix_upcall(struct capos_upcall_frame *frame, void *fxsave);
/* A fault, on the ring's stack for faults: 0 to go on with fault->frame, or the end of the stack on
 * which its handler is to run, by posix_fault_deliver. */
uint64_t posix_fault(struct capos_fault *fault, const void *fxsave);
void posix_fault_deliver(struct capos_upcall_frame *frame, void *fxsave);
/* Provided by arch/. */
void posix_upcall_entry(void);
void posix_fault_entry(void);
void posix_call_handler(void *handler, int signal, void *siginfo, void *context, void *stack);
/* Calls make(stack, argument) and returns what it returns; a process that was made to start at
 * posix_fork_entry with that stack returns from here too, with 1. */
long posix_fork_here(long (*make)(uint64_t stack, void *argument), void *argument);
void posix_fork_entry(void);
/* Where a new thread starts, with a function and its argument on the stack: after
 * posix_thread_begin() it ends with what the function returns. */
struct posix_thread;
void posix_thread_entry(void);
void posix_thread_begin(struct posix_thread *t);

#endif
