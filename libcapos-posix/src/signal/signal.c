/* SPDX-License-Identifier: MIT */
/*
 * Signal delivery.  Signals come as bits of the ring (Event.bindUpcall) or are raised here;
 * handlers run either at the end of a system call or in an upcall that interrupts a computation,
 * always with upcalls unmasked and on the program's stack, so that they may do what they may on any
 * Unix, longjmp out included: nothing of the library is held while a handler runs, and the
 * library's code itself is never interrupted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include <capos/cap.h>
#include <capos/log.h>
#include <capos/start.h>

#include "core/core.h"
#include "signal/signal.h"

/* entry.S knows these. */
_Static_assert(offsetof(struct capos_ring, upcall_frame) == 128, "frame in the ring");
_Static_assert(sizeof(struct capos_upcall_frame) == 144 &&
                       offsetof(struct capos_upcall_frame, rsp) == 56 &&
                       offsetof(struct capos_upcall_frame, rip) == 128,
               "frame layout");

#define FXSAVE_SIZE 512u

/* musl's signal for thread cancellation; always ends a wait, its action's SA_RESTART
 * notwithstanding. */
#define SIGNAL_CANCEL 33

struct signal_state signals;
struct signal_stack signal_stack = {.flags = SS_DISABLE};

static cap_t event;

/* Of the process room, once it takes part. */
static struct signal_world world;

void signal_set_world(const struct signal_world *of_process)
{
	world = *of_process;
}

void signal_child_action(void)
{
	world.child_action();
}

/* Of the running call. */
static uint64_t saved_mask; /* to come back to after it, when has_saved_mask */
static bool has_saved_mask;
static bool no_restart;

/* ---- What is pending ---- */

/* Those whose sender matters: what is ignored leaves no trace. */
static uint64_t of_interest(uint64_t bits)
{
	uint64_t interest = bits & signals.blocked;

	for (uint64_t rest = bits & ~interest; rest; rest &= rest - 1) {
		int signal = __builtin_ctzll(rest) + 1;

		if (signal_disposition(&signals, signal) != SIGNAL_IGNORE)
			interest |= SIGNAL_BIT(signal);
	}
	return interest;
}

static uint64_t arrived; /* of the bits that are being collected */

static void note_arrival(int signal, struct signal_origin origin)
{
	arrived |= SIGNAL_BIT(signal);
	signal_state_add(&signals, signal, origin);
}

bool signal_collect(void)
{
	uint64_t *place = &cap_ring()->upcall_bits;
	uint64_t bits = 0;

	if (__atomic_load_n(place, __ATOMIC_RELAXED)) /* the exchange alone would cost every call */
		bits = __atomic_exchange_n(place, 0, __ATOMIC_ACQ_REL);
	if (!bits)
		return false;
	arrived = 0;
	if (of_interest(bits))
		world.take(of_interest(bits), note_arrival);
	/* Of timers and of the machine's owner nothing is known. */
	for (uint64_t rest = bits & ~arrived; rest; rest &= rest - 1)
		signal_state_add(&signals, __builtin_ctzll(rest) + 1,
		                 (struct signal_origin){.code = SI_KERNEL});
	if (bits & SIGNAL_BIT(SIGCHLD))
		world.child_ended();
	return true;
}

void signal_raise(int signal)
{
	signal_state_add(&signals, signal,
	                 (struct signal_origin){.code = SI_KERNEL, .pid = (int)process_id()});
}

static void stop(int signal)
{
	signals.pending &= ~SIGNAL_BIT(signal);
	world.stop(signal, signals.origins[signal].own);
	signal_collect();
}

bool signal_waiting(void)
{
	int signal;

	signal_collect();
	/* A stop is not seen by the call that it came during. */
	while ((signal = signal_state_next(&signals, UINT64_MAX)) != 0 &&
	       signal_disposition(&signals, signal) == SIGNAL_STOP)
		stop(signal);
	return signal != 0;
}

int signal_mask_for_call(const uint64_t *set, uint64_t size)
{
	if (!set)
		return 0;
	if (size != sizeof(*set))
		return -EINVAL;
	saved_mask = signals.blocked;
	has_saved_mask = true;
	signals.blocked = *set & ~SIGNAL_UNBLOCKED;
	return 0;
}

void signal_no_restart(void)
{
	no_restart = true;
}

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

/* ---- Contexts ---- */

static void context_from_frame(ucontext_t *uc, const struct capos_upcall_frame *f)
{
	greg_t *g = uc->uc_mcontext.gregs;
	uint16_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	g[REG_R8] = (greg_t)f->r8, g[REG_R9] = (greg_t)f->r9;
	g[REG_R10] = (greg_t)f->r10, g[REG_R11] = (greg_t)f->r11;
	g[REG_R12] = (greg_t)f->r12, g[REG_R13] = (greg_t)f->r13;
	g[REG_R14] = (greg_t)f->r14, g[REG_R15] = (greg_t)f->r15;
	g[REG_RDI] = (greg_t)f->rdi, g[REG_RSI] = (greg_t)f->rsi;
	g[REG_RBP] = (greg_t)f->rbp, g[REG_RBX] = (greg_t)f->rbx;
	g[REG_RDX] = (greg_t)f->rdx, g[REG_RAX] = (greg_t)f->rax;
	g[REG_RCX] = (greg_t)f->rcx, g[REG_RSP] = (greg_t)f->rsp;
	g[REG_RIP] = (greg_t)f->rip, g[REG_EFL] = (greg_t)f->rflags;
	g[REG_CSGSFS] = cs;
}

static void frame_from_context(struct capos_upcall_frame *f, const ucontext_t *uc)
{
	const greg_t *g = uc->uc_mcontext.gregs;

	f->r8 = (uint64_t)g[REG_R8], f->r9 = (uint64_t)g[REG_R9];
	f->r10 = (uint64_t)g[REG_R10], f->r11 = (uint64_t)g[REG_R11];
	f->r12 = (uint64_t)g[REG_R12], f->r13 = (uint64_t)g[REG_R13];
	f->r14 = (uint64_t)g[REG_R14], f->r15 = (uint64_t)g[REG_R15];
	f->rdi = (uint64_t)g[REG_RDI], f->rsi = (uint64_t)g[REG_RSI];
	f->rbp = (uint64_t)g[REG_RBP], f->rbx = (uint64_t)g[REG_RBX];
	f->rdx = (uint64_t)g[REG_RDX], f->rax = (uint64_t)g[REG_RAX];
	f->rcx = (uint64_t)g[REG_RCX], f->rsp = (uint64_t)g[REG_RSP];
	f->rip = (uint64_t)g[REG_RIP], f->rflags = (uint64_t)g[REG_EFL];
}

/* ---- Delivery ---- */

_Noreturn void signal_terminate(int signal)
{
	posix_exit(0, signal);
}

/* Where the handler's stack starts; NULL: it goes on where the program is. */
static void *handler_stack(const struct signal_action *action,
                           const struct capos_upcall_frame *frame)
{
	uint64_t base = (uint64_t)signal_stack.base;

	if (!(action->flags & SA_ONSTACK) || signal_stack.flags & SS_DISABLE)
		return NULL;
	if (frame->rsp - base < signal_stack.size) /* on it already */
		return NULL;
	return (char *)signal_stack.base + signal_stack.size;
}

void signal_fill_info(int signal, siginfo_t *info)
{
	struct signal_origin origin = signals.origins[signal];

	memset(info, 0, sizeof(*info));
	info->si_signo = signal;
	info->si_code = origin.code;
	info->si_pid = origin.pid;
	info->si_uid = (uid_t)origin.uid;
	if (signal == SIGCHLD) { /* else they share their place with si_value */
		info->si_status = origin.status;
		info->si_utime = (clock_t)(origin.cpu_ns / 10000000);
	} else {
		info->si_value.sival_ptr = (void *)origin.value;
	}
}

/* fxsave: floating-point state of an interrupted computation, NULL in a system call. */
static void run_handler(int signal, struct capos_upcall_frame *frame, void *fxsave)
{
	struct signal_action *action = &signals.actions[signal];
	void *handler = (void *)action->handler;
	void *stack = handler_stack(action, frame);
	siginfo_t info;
	ucontext_t uc;

	signal_fill_info(signal, &info);
	memset(&uc, 0, sizeof(uc));
	uc.uc_stack = (stack_t){.ss_sp = signal_stack.base,
	                        .ss_flags = signal_stack.flags,
	                        .ss_size = signal_stack.size};
	memcpy(&uc.uc_sigmask, has_saved_mask ? &saved_mask : &signals.blocked, sizeof(uint64_t));
	has_saved_mask = false;
	context_from_frame(&uc, frame);
	if (fxsave)
		uc.uc_mcontext.fpregs = fxsave;
	signals.blocked |= action->mask | (action->flags & SA_NODEFER ? 0 : SIGNAL_BIT(signal));
	if (action->flags & SA_RESETHAND)
		action->handler = SIG_DFL;
	/* A signal that came while upcalls were masked is delivered with the others, after
	 * this handler: unless it is blocked it then has run by the time the interrupted code
	 * goes on. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&cap_ring()->upcall_mask, 0, __ATOMIC_RELAXED);
	posix_call_handler(handler, signal, &info, &uc, stack);
	mask_upcalls();
	memcpy(&signals.blocked, &uc.uc_sigmask, sizeof(uint64_t));
	signals.blocked &= ~SIGNAL_UNBLOCKED;
	frame_from_context(frame, &uc);
}

/* Delivers all that is deliverable.  restart is cleared by a handler that wants its system call
 * interrupted; the number of handlers that ran is the result. */
static unsigned deliver(struct capos_upcall_frame *frame, void *fxsave, bool *restart)
{
	unsigned ran = 0;
	int signal;

	signal_collect();
	while ((signal = signal_state_next(&signals, UINT64_MAX)) != 0) {
		if (signal_disposition(&signals, signal) == SIGNAL_STOP) {
			stop(signal);
			continue;
		}
		signals.pending &= ~SIGNAL_BIT(signal);
		switch (signal_disposition(&signals, signal)) {
		case SIGNAL_HANDLE:
			if (!(signals.actions[signal].flags & SA_RESTART) ||
			    signal == SIGNAL_CANCEL)
				*restart = false;
			run_handler(signal, frame, fxsave);
			ran++;
			break;
		case SIGNAL_TERMINATE:
			signal_terminate(signal);
		case SIGNAL_STOP:
		case SIGNAL_IGNORE:
			break;
		}
	}
	return ran;
}

void signal_call_begin(void)
{
	mask_upcalls();
}

bool signal_call_end(struct capos_upcall_frame *frame, bool restart)
{
	bool interrupted = (long)frame->rax == -EINTR;
	uint64_t rip = frame->rip;

	restart = restart && !no_restart;
	no_restart = false;
	do {
		/* A mask for the call alone lasts until the handlers that ended it have run; if
		 * none did, it ends before others are looked at. */
		if (has_saved_mask && !interrupted) {
			signals.blocked = saved_mask;
			has_saved_mask = false;
		}
		deliver(frame, NULL, &restart);
		if (has_saved_mask) {
			signals.blocked = saved_mask;
			has_saved_mask = false;
			deliver(frame, NULL, &restart);
		}
	} while (!unmask_upcalls());
	return interrupted && restart && frame->rip == rip;
}

void posix_upcall(struct capos_upcall_frame *frame, void *fxsave)
{
	bool restart = true;

	do {
		deliver(frame, fxsave, &restart);
	} while (!unmask_upcalls());
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
	event = own;
	signals.pending = 0;
	bind_event();
}

void signal_start(void)
{
	int result;

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
