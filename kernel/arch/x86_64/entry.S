/* SPDX-License-Identifier: MIT */
/*
 * In and out of the kernel.  An entry from user mode saves the registers straight into the running thread's
 * struct arch_thread and continues on the one kernel stack, from its top; nothing ever returns through an
 * entry's frames: every path ends in arch_resume or arch_idle.  Interrupts are off all the while.
 */
#include "offsets.h"

	.text

/* ---- System calls ---- */

	.balign 64
	.globl syscall_entry
syscall_entry:
	swapgs
	movq %rsp, %gs:CPU_SCRATCH
	movq %gs:CPU_THREAD, %rsp
	movq %rbx, T_RBX(%rsp)
	movq %rdx, T_RDX(%rsp)
	movq %rsi, T_RSI(%rsp)
	movq %rdi, T_RDI(%rsp)
	movq %rbp, T_RBP(%rsp)
	movq %r8, T_R8(%rsp)
	movq %r9, T_R9(%rsp)
	movq %r10, T_R10(%rsp)
	movq %r12, T_R12(%rsp)
	movq %r13, T_R13(%rsp)
	movq %r14, T_R14(%rsp)
	movq %r15, T_R15(%rsp)
	movq %rcx, T_RIP(%rsp)
	movq %r11, T_RFLAGS(%rsp)
	movb $1, T_BY_SYSCALL(%rsp)
	movq %gs:CPU_SCRATCH, %rcx
	movq %rcx, T_RSP(%rsp)
	movq %gs:CPU_STACK, %rsp
	movq %rsi, %rdx
	movq %rdi, %rsi
	movq %rax, %rdi
	xorl %ebp, %ebp
	call kernel_syscall
	ud2

/* ---- Leaving ---- */

	.balign 64
	.globl arch_resume
arch_resume:
	movq %rdi, %gs:CPU_THREAD
	movq T_RIP(%rdi), %rcx
	movq %rcx, %rax
	shrq $47, %rax
	jnz bad_rip /* SYSRET and IRET would fault in the kernel */
	cmpb $0, T_BY_SYSCALL(%rdi)
	je resume_by_iret
	movq T_RFLAGS(%rdi), %r11
	movq T_RAX(%rdi), %rax
	movq T_RBX(%rdi), %rbx
	movq T_RDX(%rdi), %rdx
	movq T_RSI(%rdi), %rsi
	movq T_RBP(%rdi), %rbp
	movq T_R8(%rdi), %r8
	movq T_R9(%rdi), %r9
	movq T_R10(%rdi), %r10
	movq T_R12(%rdi), %r12
	movq T_R13(%rdi), %r13
	movq T_R14(%rdi), %r14
	movq T_R15(%rdi), %r15
	movq T_RSP(%rdi), %rsp
	movq T_RDI(%rdi), %rdi
	swapgs
	sysretq

resume_by_iret:
	movq %gs:CPU_STACK, %rsp
	pushq $SELECTOR_USER_DATA
	pushq T_RSP(%rdi)
	pushq T_RFLAGS(%rdi)
	pushq $SELECTOR_USER_CODE
	pushq %rcx
	movq T_RAX(%rdi), %rax
	movq T_RBX(%rdi), %rbx
	movq T_RCX(%rdi), %rcx
	movq T_RDX(%rdi), %rdx
	movq T_RSI(%rdi), %rsi
	movq T_RBP(%rdi), %rbp
	movq T_R8(%rdi), %r8
	movq T_R9(%rdi), %r9
	movq T_R10(%rdi), %r10
	movq T_R11(%rdi), %r11
	movq T_R12(%rdi), %r12
	movq T_R13(%rdi), %r13
	movq T_R14(%rdi), %r14
	movq T_R15(%rdi), %r15
	movq T_RDI(%rdi), %rdi
	swapgs
	iretq

bad_rip:
	movq %gs:CPU_STACK, %rsp
	xorl %ebp, %ebp
	movq %rcx, %rdi
	call trap_bad_rip
	ud2

	.globl arch_idle
arch_idle:
	movq $0, %gs:CPU_THREAD
	movq %gs:CPU_STACK, %rsp
	sti
1:	hlt
	jmp 1b

/* The instruction after sti still runs with interrupts off: they come in at the one after it. */
	.globl arch_let_interrupts_in
arch_let_interrupts_in:
	movq $0, %gs:CPU_THREAD
	movq %gs:CPU_STACK, %rsp
	sti
	nop
	nop
	cli
	xorl %ebp, %ebp
	call kernel_go_on
	ud2

/* ---- Traps and interrupts ---- */

/* One stub of 16 bytes per vector: error code (0 where the processor pushes none), vector. */
	.balign 64
	.globl trap_stubs
trap_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	pushq $0
	.endif
	pushq $vector
	.if vector == 2 || vector == 8 || vector == 18
	jmp trap_fatal
	.else
	jmp trap_common
	.endif
	.set vector, vector + 1
	.endr

	.balign 64
trap_common: /* vector, error, rip, cs, rflags, rsp, ss */
	cld
	clac
	testb $3, 24(%rsp)
	jz trap_in_kernel
	swapgs
	pushq %rax
	movq %gs:CPU_THREAD, %rax
	popq T_RAX(%rax)
	movq %rbx, T_RBX(%rax)
	movq %rcx, T_RCX(%rax)
	movq %rdx, T_RDX(%rax)
	movq %rsi, T_RSI(%rax)
	movq %rdi, T_RDI(%rax)
	movq %rbp, T_RBP(%rax)
	movq %r8, T_R8(%rax)
	movq %r9, T_R9(%rax)
	movq %r10, T_R10(%rax)
	movq %r11, T_R11(%rax)
	movq %r12, T_R12(%rax)
	movq %r13, T_R13(%rax)
	movq %r14, T_R14(%rax)
	movq %r15, T_R15(%rax)
	movq 16(%rsp), %rcx
	movq %rcx, T_RIP(%rax)
	movq 32(%rsp), %rcx
	movq %rcx, T_RFLAGS(%rax)
	movq 40(%rsp), %rcx
	movq %rcx, T_RSP(%rax)
	movb $0, T_BY_SYSCALL(%rax)
	movq (%rsp), %rdi
	movq 8(%rsp), %rsi
	movq %gs:CPU_STACK, %rsp
	xorl %ebp, %ebp
	call trap_from_user
	ud2

/* The kernel runs with interrupts off except where it is idle. */
trap_in_kernel:
	cmpq $32, (%rsp)
	jb trap_fatal
	movq (%rsp), %rdi
	movq %gs:CPU_STACK, %rsp
	xorl %ebp, %ebp
	call trap_from_idle
	ud2

/* Nothing to go on with: shows the registers.  gs may be the user's here. */
trap_fatal:
	pushq %r15
	pushq %r14
	pushq %r13
	pushq %r12
	pushq %r11
	pushq %r10
	pushq %r9
	pushq %r8
	pushq %rbp
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rbx
	pushq %rax
	movq %rsp, %rdi
	andq $-16, %rsp
	call trap_panic
	ud2

	.section .note.GNU-stack, "", @progbits
