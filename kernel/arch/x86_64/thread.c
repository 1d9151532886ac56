/* SPDX-License-Identifier: MIT */
/*
 * A thread's processor state.  The general registers are in memory whenever the kernel runs;
 * floating-point and vector registers and the segment bases stay in the processor until another
 * thread needs it.
 */
#include "x86.h"

#define FPU_CONTROL \
	0x37fu /* all exceptions masked, 64-bit precision, as at a Linux program's start */
#define MXCSR_CONTROL  0x1f80u /* all masked, round to nearest */
#define FXSAVE_MXCSR   24u     /* offset in the FXSAVE area */
#define RED_ZONE       128u    /* below the stack pointer; a leaf function may use it */
#define STACK_ALIGN    16u
#define CANONICAL_USER (1ull << 47)

_Static_assert(offsetof(struct arch_thread, fpu) % 16 == 0, "FXSAVE alignment");

void arch_thread_init(struct arch_thread *t, uint64_t entry, uint64_t stack, uint64_t argument,
                      uint64_t fs_base, uint64_t gs_base)
{
	const uint16_t fcw = FPU_CONTROL;
	const uint32_t mxcsr = MXCSR_CONTROL;

	memset(t, 0, sizeof(*t));
	t->regs.rip = entry;
	t->regs.rsp = stack;
	t->regs.rdi = argument;
	t->regs.rflags = RFLAGS_RESERVED | RFLAGS_IF;
	/* Loading a base that is not an address would fault in the kernel. */
	t->fs_base = fs_base < CANONICAL_USER ? fs_base : 0;
	t->gs_base = gs_base < CANONICAL_USER ? gs_base : 0;
	memcpy(t->fpu, &fcw, sizeof(fcw));
	memcpy(t->fpu + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
}

/* In the kernel the user's GS base is the one that swapgs brings. */
void arch_thread_save(struct arch_thread *t)
{
	__asm__ volatile("fxsave64 %0" : "=m"(t->fpu));
	__asm__ volatile("rdfsbase %0" : "=r"(t->fs_base));
	uint64_t gs_base;
	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(gs_base) : : "memory");
	t->gs_base = gs_base;
}

void arch_thread_restore(struct arch_thread *t)
{
	__asm__ volatile("fxrstor64 %0" : : "m"(t->fpu));
	__asm__ volatile("wrfsbase %0" : : "r"(t->fs_base));
	__asm__ volatile("swapgs; wrgsbase %0; swapgs" : : "r"(t->gs_base) : "memory");
}

void arch_upcall(struct arch_thread *t, struct capos_upcall_frame *frame, uint64_t entry,
                 uint64_t stack)
{
	if (stack == 0)
		stack = t->regs.rsp - RED_ZONE;
	memcpy(frame, &t->regs, sizeof(*frame));
	t->regs.rip = entry;
	t->regs.rsp = stack & ~(uint64_t)(STACK_ALIGN - 1);
	t->regs.rflags &= ~(RFLAGS_DF | RFLAGS_TF | RFLAGS_AC | RFLAGS_NT);
}
