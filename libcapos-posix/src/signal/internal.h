/* SPDX-License-Identifier: MIT */
/*
 * What the files of this room share: contexts for handlers, and running them.
 */
#ifndef POSIX_SIGNAL_INTERNAL_H
#define POSIX_SIGNAL_INTERNAL_H

#include <ucontext.h>

#include "core/core.h"
#include "signal/signal.h"

/* A handler's context is as long as Linux's: the floating-point state is not in it but where
 * fpregs points.  So a handler fits on the smallest stack that sigaltstack accepts. */
#define CONTEXT_WORDS (offsetof(ucontext_t, __fpregs_mem) / sizeof(uint64_t))

struct context {
	uint64_t words[CONTEXT_WORDS];
};

/* fxsave: floating-point state of what was interrupted; NULL in a system call. */
void context_fill(struct context *c, const struct capos_upcall_frame *frame, void *fxsave,
                  uint64_t blocked, const struct signal_stack *stack);
/* What the processor said of a fault. */
void context_fill_fault(struct context *c, const struct capos_fault *fault);
/* What goes on: registers, and the signals that are blocked. */
uint64_t context_take(const struct context *c, struct capos_upcall_frame *frame);

/* Runs the handler of a signal that has been taken; fault: it is one's. */
void signal_run_handler(int signal, const siginfo_t *info, struct capos_upcall_frame *frame,
                        void *fxsave, const struct capos_fault *fault);
/* Delivers all that is deliverable and unmasks upcalls. */
void signal_finish_upcall(struct capos_upcall_frame *frame, void *fxsave);

/* ---- Among threads (signal_threads.c) ---- */

/* A thread sends itself and others this bit: it is to look at what is pending.  musl keeps the
 * signal's number for itself and sends it to threads only. */
#define SIGNAL_LOOK_BIT SIGNAL_BIT(33)
/* Such a signal waits for the process: lets a thread look that takes it. */
void signal_notify(int signal);
/* One that all threads block is read from a signalfd: those of the set let all threads look. */
void signal_of_descriptor(uint64_t set);
/* signal_notify of those of the set that wait, once the calling thread takes them no more. */
void signal_pass_on(uint64_t set);
/* One waits for the thread. */
void signal_notify_thread(struct signal_thread *to, int signal);
/* All other threads come into the library, those that compute too. */
void signal_interrupt_others(void);
bool signal_thread_exists(const struct signal_thread *t);

/* ---- What waits (pending.c) ---- */

void signal_drop_of(struct signal_thread *t);

/* Takes the next that is neither blocked nor ignored; 0: there is none. */
int signal_take_deliverable(struct signal_origin *origin);
uint64_t signal_pending_blocked(void); /* for sigpending */
void signal_child_action(void);
long signal_another(long target, int signal, int code, uint64_t value); /* signal_world.send */
/* Stops by a signal that was taken. */
void signal_stop(int signal, const struct signal_origin *origin);
bool signal_any_pending(uint64_t set);
void signal_drop(uint64_t set);
void signal_forget_pending(void);

/* Whether an address is on the alternate stack. */
static inline bool signal_on_stack(const struct signal_stack *stack, uint64_t address)
{
	return !(stack->flags & SS_DISABLE) && address - (uint64_t)stack->base < stack->size;
}

#endif
