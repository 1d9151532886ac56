/* SPDX-License-Identifier: MIT */
/*
 * A thread's registers: what struct thread keeps of this architecture, and all that files outside
 * this directory include of it.
 */
#ifndef X86_REGISTERS_H
#define X86_REGISTERS_H

#include <stdint.h>

struct arch_regs { /* order known to entry.S */
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
};

struct arch_thread {
	struct arch_regs regs; /* user registers, valid while it is not running in user mode */
	uint64_t fs_base, gs_base;
	uint8_t by_syscall; /* entered by `syscall`: rcx and r11 need not be restored (sysret) */
	uint8_t fpu[512] __attribute__((aligned(16))); /* FXSAVE area */
};

static inline void arch_set_result(struct arch_thread *t, int64_t result)
{
	t->regs.rax = (uint64_t)result;
}

#endif
