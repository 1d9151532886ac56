/* SPDX-License-Identifier: MIT */
/*
 * Faults of this thread (abi.h, "Faults").  One at a guarded access of the library goes on at its
 * fixup; one of the program's own becomes a signal; anything else happens again with faults no
 * longer caught, so that the kernel ends the process and says why.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>

#include <capos/cap.h>

#include "signal/internal.h"

/* entry.S knows these. */
_Static_assert(offsetof(struct capos_ring, fault) == 328, "fault in the ring");
_Static_assert(offsetof(struct capos_ring, fault) + offsetof(struct capos_fault, frame) == 368,
               "its frame");

#define RED_ZONE        128u
#define STACK_ALIGN     16u
#define FXSAVE_CONTROL  0u /* offsets in the FXSAVE area */
#define FXSAVE_STATUS   2u
#define FXSAVE_MXCSR    24u
#define MXCSR_MASKS     7u  /* a flag's mask is so many bits further up */
#define VECTOR_FLOATING 16u /* of the x87; of vector instructions another */
#define INT3            0xccu

void signal_catch_faults(void)
{
	__atomic_store_n(&cap_ring()->fault.entry, (uint64_t)posix_fault_entry, __ATOMIC_RELAXED);
}

static int signal_of(const struct capos_fault *fault)
{
	switch ((enum capos_fault_cause)fault->cause) {
	case CAPOS_FAULT_BEYOND:
	case CAPOS_FAULT_ALIGNMENT:
	case CAPOS_FAULT_STACK:
		return SIGBUS;
	case CAPOS_FAULT_DIVISION:
	case CAPOS_FAULT_FLOATING:
		return SIGFPE;
	case CAPOS_FAULT_INSTRUCTION:
		return SIGILL;
	case CAPOS_FAULT_BREAKPOINT:
	case CAPOS_FAULT_STEP:
		return SIGTRAP;
	case CAPOS_FAULT_UNMAPPED:
	case CAPOS_FAULT_ACCESS:
	case CAPOS_FAULT_OTHER:
		break;
	}
	return SIGSEGV;
}

static uint32_t word_at(const uint8_t *fxsave, unsigned offset, size_t bytes)
{
	uint32_t word = 0;

	memcpy(&word, fxsave + offset, bytes);
	return word;
}

static int floating_code(const struct capos_fault *fault, const void *fxsave)
{
	uint32_t mxcsr = word_at(fxsave, FXSAVE_MXCSR, 4);
	uint32_t raised = mxcsr & ~(mxcsr >> MXCSR_MASKS);

	if (fault->vector == VECTOR_FLOATING)
		raised = word_at(fxsave, FXSAVE_STATUS, 2) & ~word_at(fxsave, FXSAVE_CONTROL, 2);
	if (raised & 0x01)
		return FPE_FLTINV;
	if (raised & 0x04)
		return FPE_FLTDIV;
	if (raised & 0x08)
		return FPE_FLTOVF;
	if (raised & 0x12)
		return FPE_FLTUND;
	return raised & 0x20 ? FPE_FLTRES : FPE_FLTINV;
}

/* si_code and si_addr, as Linux on x86-64 fills them in. */
static void fill_info(const struct capos_fault *fault, const void *fxsave, siginfo_t *info)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = signal_of(fault);
	info->si_code = SI_KERNEL;
	switch ((enum capos_fault_cause)fault->cause) {
	case CAPOS_FAULT_UNMAPPED:
		info->si_code = SEGV_MAPERR;
		info->si_addr = (void *)fault->address;
		break;
	case CAPOS_FAULT_ACCESS:
		info->si_code = SEGV_ACCERR;
		info->si_addr = (void *)fault->address;
		break;
	case CAPOS_FAULT_BEYOND:
		info->si_code = BUS_ADRERR;
		info->si_addr = (void *)fault->address;
		break;
	case CAPOS_FAULT_DIVISION:
		info->si_code = FPE_INTDIV;
		info->si_addr = (void *)fault->frame.rip;
		break;
	case CAPOS_FAULT_FLOATING:
		info->si_code = floating_code(fault, fxsave);
		info->si_addr = (void *)fault->frame.rip;
		break;
	case CAPOS_FAULT_INSTRUCTION:
		info->si_code = ILL_ILLOPN;
		info->si_addr = (void *)fault->frame.rip;
		break;
	case CAPOS_FAULT_STEP:
		info->si_code = TRAP_TRACE;
		info->si_addr = (void *)fault->frame.rip;
		break;
	case CAPOS_FAULT_ALIGNMENT:
		info->si_code = BUS_ADRALN;
		break;
	case CAPOS_FAULT_BREAKPOINT:
	case CAPOS_FAULT_STACK:
	case CAPOS_FAULT_OTHER:
		break;
	}
}

/* The end of the process by the fault itself, as faults are not caught now: a trap, which comes
 * behind its instruction, is made to come again. */
static uint64_t give_up(struct capos_fault *fault)
{
	if (fault->cause == CAPOS_FAULT_BREAKPOINT)
		fault->frame.rip -= *(const uint8_t *)(fault->frame.rip - 1) == INT3 ? 1 : 2;
	return 0;
}

uint64_t posix_fault(struct capos_fault *fault, const void *fxsave)
{
	const struct signal_thread *t = signal_here();
	const struct signal_action *action = &signals.actions[signal_of(fault)];
	uint64_t fixup = user_fixup(fault->frame.rip), top = fault->frame.rsp - RED_ZONE;

	(void)fxsave;
	if (fixup) {
		fault->frame.rip = fixup;
		signal_catch_faults();
		return 0;
	}
	if (fault->upcall_mask || action->handler == SIG_DFL || action->handler == SIG_IGN ||
	    t->blocked & SIGNAL_BIT(signal_of(fault)))
		return give_up(fault);
	if (action->flags & SA_ONSTACK && !(t->stack.flags & SS_DISABLE) &&
	    !signal_on_stack(&t->stack, fault->frame.rsp))
		top = (uint64_t)t->stack.base + t->stack.size;
	return top & ~(uint64_t)(STACK_ALIGN - 1);
}

void posix_fault_deliver(struct capos_upcall_frame *frame, void *fxsave)
{
	struct capos_fault fault = cap_ring()->fault;
	siginfo_t info;

	fault.frame.rip = frame->rip;
	library_lock();
	signal_catch_faults();
	fill_info(&fault, fxsave, &info);
	signal_run_handler(info.si_signo, &info, frame, fxsave, &fault);
	signal_finish_upcall(frame, fxsave);
}
