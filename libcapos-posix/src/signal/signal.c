/* SPDX-License-Identifier: MIT */
/*
 * Signal delivery.  Signals come as bits of the ring (Event.bindUpcall) or are posted here;
 * handlers run either at the end of a system call or in an upcall that interrupts a computation,
 * always with upcalls unmasked and on the program's stack, so that they may do what they may on any
 * Unix, longjmp out included: nothing of the library is held while a handler runs, and the
 * library's code itself is never interrupted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <capos/cap.h>
#include <capos/log.h>
#include <capos/start.h>

#include "signal/internal.h"

/* entry.S knows these. */
_Static_assert(offsetof(struct capos_ring, upcall_frame) == 128, "frame in the ring");
_Static_assert(sizeof(struct capos_upcall_frame) == 144 &&
                       offsetof(struct capos_upcall_frame, rsp) == 56 &&
                       offsetof(struct capos_upcall_frame, rip) == 128,
               "frame layout");

/* musl's signal for thread cancellation; always ends a wait, its action's SA_RESTART
 * notwithstanding. */
#define SIGNAL_CANCEL 33

static cap_t event;

/* ---- Masking of upcalls ---- */

static void mask_upcalls(void)
{
	__atomic_store_n(&cap_ring()->upcall_mask, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* False, and masked again, when signals came while they were masked. */
static bool unmask_upcalls(void)
{
	struct capos_ring *ring = cap_ring();

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&ring->upcall_mask, 0, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&ring->upcall_bits, __ATOMIC_RELAXED))
		return true;
	mask_upcalls();
	return false;
}

/* ---- Delivery ---- */

_Noreturn void signal_terminate(int signal)
{
	posix_exit(0, signal);
}

/* Where the handler's stack starts; NULL: it goes on where the program is. */
static void *handler_stack(const struct signal_action *action, const struct signal_stack *stack)
{
	if (!(action->flags & SA_ONSTACK) || stack->flags & SS_DISABLE ||
	    signal_on_stack(stack, (uint64_t)__builtin_frame_address(0)))
		return NULL;
	return (char *)stack->base + stack->size;
}

static uint64_t take_saved_mask(struct signal_thread *t)
{
	uint64_t mask = t->has_saved_mask ? t->saved_mask : t->blocked;

	t->has_saved_mask = false;
	return mask;
}

void signal_run_handler(int signal, const siginfo_t *info, struct capos_upcall_frame *frame,
                        void *fxsave, const struct capos_fault *fault)
{
	struct signal_action *action = &signals.actions[signal];
	struct signal_thread *t = signal_here();
	void *handler = (void *)action->handler;
	void *stack = handler_stack(action, &t->stack);
	struct context context;

	context_fill(&context, frame, fxsave, take_saved_mask(t), &t->stack);
	if (fault)
		context_fill_fault(&context, fault);
	t->blocked |= action->mask | (action->flags & SA_NODEFER ? 0 : SIGNAL_BIT(signal));
	if (action->flags & SA_RESETHAND)
		action->handler = SIG_DFL;
	/* A signal that came while upcalls were masked is delivered with the others, after
	 * this handler: unless it is blocked it then has run by the time the interrupted code
	 * goes on. */
	library_unlock();
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&cap_ring()->upcall_mask, 0, __ATOMIC_RELAXED);
	posix_call_handler(handler, signal, (void *)info, &context, stack);
	mask_upcalls();
	library_lock();
	signal_here()->blocked = context_take(&context, frame);
}

/* The stack that this takes is free again while later handlers run. */
__attribute__((noinline)) static void handle(int signal, const struct signal_origin *origin,
                                             struct capos_upcall_frame *frame, void *fxsave)
{
	siginfo_t info;

	signal_fill_info(signal, origin, &info);
	signal_run_handler(signal, &info, frame, fxsave, NULL);
}

/* Delivers all that is deliverable.  restart is cleared by a handler that wants its system call
 * interrupted. */
static void deliver(struct capos_upcall_frame *frame, void *fxsave, bool *restart)
{
	struct signal_origin origin;
	int signal;

	signal_collect();
	while ((signal = signal_take_deliverable(&origin)) != 0) {
		switch (signal_disposition(&signals, signal)) {
		case SIGNAL_HANDLE:
			if (!(signals.actions[signal].flags & SA_RESTART) ||
			    signal == SIGNAL_CANCEL)
				*restart = false;
			handle(signal, &origin, frame, fxsave);
			break;
		case SIGNAL_TERMINATE:
			signal_terminate(signal);
		case SIGNAL_STOP:
			signal_stop(signal, &origin);
			break;
		case SIGNAL_IGNORE:
			break;
		}
	}
}

void signal_call_begin(void)
{
	mask_upcalls();
	library_lock();
}

bool signal_cancels(void)
{
	return signal_here()->pending.set & SIGNAL_BIT(SIGNAL_CANCEL);
}

/* True: all has been looked at.  Else the lock is held again. */
static inline bool end_looking(void)
{
	library_unlock();
	if (unmask_upcalls())
		return true;
	library_lock();
	return false;
}

static void restore_saved_mask(void)
{
	struct signal_thread *t = signal_here();

	t->blocked = take_saved_mask(t);
}

/* Nothing came, nothing waits and no mask is to be restored: as at the end of nearly every call. */
static bool quiet(const struct signal_thread *t)
{
	return !__atomic_load_n(&cap_ring()->upcall_bits, __ATOMIC_RELAXED) && !t->has_saved_mask &&
	       !((signals.pending.set | t->pending.set) & ~t->blocked);
}

bool signal_call_end(struct capos_upcall_frame *frame, bool restart)
{
	struct signal_thread *t = signal_here();
	bool interrupted = (long)frame->rax == -EINTR;
	uint64_t rip = frame->rip;

	if (!interrupted && quiet(t)) {
		t->no_restart = false;
		if (end_looking())
			return false;
	}
	restart = restart && !t->no_restart;
	t->no_restart = false;
	do {
		/* A mask for the call alone lasts until the handlers that ended it have run; if
		 * none did, it ends before others are looked at. */
		if (!interrupted)
			restore_saved_mask();
		deliver(frame, NULL, &restart);
		if (signal_here()->has_saved_mask) {
			restore_saved_mask();
			deliver(frame, NULL, &restart);
		}
	} while (!end_looking());
	return interrupted && restart && frame->rip == rip;
}

void signal_finish_upcall(struct capos_upcall_frame *frame, void *fxsave)
{
	bool restart = true;

	do {
		deliver(frame, fxsave, &restart);
	} while (!end_looking());
}

void posix_upcall(struct capos_upcall_frame *frame, void *fxsave)
{
	library_lock();
	signal_finish_upcall(frame, fxsave);
}

/* ---- Start ---- */

cap_t signal_event(void)
{
	return event;
}

/* From here on signals come by this event; upcalls are masked until the running call ends. */
static void bind_event(void)
{
	int result;

	mask_upcalls();
	result = cap_event_bind_upcall(event, (uint64_t)posix_upcall_entry);
	if (result)
		log_line("posix: signals cannot be delivered: %s", cap_error_text(result));
}

void signal_forked(cap_t own)
{
	cap_release(signal_here()->event);
	signal_here()->event = CAP_NULL;
	/* Who may become another user keeps nothing by which to signal its parent. */
	cap_release_later(event);
	event = own;
	signal_forget_pending();
	signal_catch_faults();
	bind_event();
}

void signal_start(void)
{
	int result;

	signal_catch_faults();
	event = start_cap("signals");
	if (!event) {
		result = cap_event_create(&event);
		if (result) {
			log_line("posix: no event for signals: %s", cap_error_text(result));
			return;
		}
	}
	bind_event();
}
