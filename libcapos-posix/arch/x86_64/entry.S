/* SPDX-License-Identifier: MIT */
/*
 * How a program's registers become a struct capos_upcall_frame and back: on a system call, and when a signal
 * interrupts a computation.  Between entry and exit the frame is the program's truth: what a signal handler changes in
 * its context is what goes on.
 *
 * Offsets are those of struct capos_upcall_frame (abi.h), checked in signal_frame.c.
 */
#define RAX 0
#define RBX 8
#define RCX 16
#define RDX 24
#define RSI 32
#define RDI 40
#define RBP 48
#define RSP 56
#define R8 64
#define R9 72
#define R10 80
#define R11 88
#define R12 96
#define R13 104
#define R14 112
#define R15 120
#define RIP 128
#define RFLAGS 136
#define FRAME_SIZE 144

#define RING_UPCALL_FRAME 128
#define RING_FAULT 328
#define RING_FAULT_FRAME 368
#define FXSAVE_SIZE 512

	.text

/*
 * long __capos_syscall(long number, long a, long b, long c, long d, long e, long f): an ordinary C function to its
 * caller.  In C: void posix_syscall(struct capos_upcall_frame *), whose rdi, rsi, rdx, rcx, r8, r9 and the word at rsp
 * are the arguments, rax the result; rip and rsp are as they will be after the return.
 */
	.globl __capos_syscall
	.hidden __capos_syscall
	.type __capos_syscall, @function
__capos_syscall:
	lea 8(%rsp), %rax
	sub $(FRAME_SIZE + 8), %rsp
	mov %rbx, RBX(%rsp)
	mov %rcx, RCX(%rsp)
	mov %rdx, RDX(%rsp)
	mov %rsi, RSI(%rsp)
	mov %rdi, RDI(%rsp)
	mov %rbp, RBP(%rsp)
	mov %rax, RSP(%rsp)
	mov %r8, R8(%rsp)
	mov %r9, R9(%rsp)
	mov %r12, R12(%rsp)
	mov %r13, R13(%rsp)
	mov %r14, R14(%rsp)
	mov %r15, R15(%rsp)
	mov -8(%rax), %rax
	mov %rax, RIP(%rsp)
	pushf
	pop %rax
	mov %rax, RFLAGS(%rsp)
	mov %rsp, %rdi
	.hidden posix_syscall
	call posix_syscall
	mov RBX(%rsp), %rbx
	mov RDX(%rsp), %rdx
	mov RSI(%rsp), %rsi
	mov RDI(%rsp), %rdi
	mov RBP(%rsp), %rbp
	mov R12(%rsp), %r12
	mov R13(%rsp), %r13
	mov R14(%rsp), %r14
	mov R15(%rsp), %r15
	mov RAX(%rsp), %rax
	mov RIP(%rsp), %rcx
	mov RSP(%rsp), %rsp
	jmp *%rcx
	.size __capos_syscall, . - __capos_syscall

/*
 * Where the kernel continues a thread that has signals pending (Event.bindUpcall): upcalls are masked, rsp is aligned to
 * 16 bytes below the red zone.  In C: void posix_upcall(struct capos_upcall_frame *, void *fxsave), which unmasks.  From
 * then on another upcall may come, also between any two instructions below: it keeps its own frame further down.
 */
	.globl posix_upcall_entry
	.hidden posix_upcall_entry
	.type posix_upcall_entry, @function
posix_upcall_entry:
	sub $(FRAME_SIZE + FXSAVE_SIZE), %rsp
	fxsave64 FRAME_SIZE(%rsp)
	cld
	mov %gs:0, %rsi
	add $RING_UPCALL_FRAME, %rsi
	xor %ecx, %ecx
1:	mov (%rsi, %rcx), %rax
	mov %rax, (%rsp, %rcx)
	add $8, %ecx
	cmp $FRAME_SIZE, %ecx
	jne 1b
	mov %rsp, %rdi
	lea FRAME_SIZE(%rsp), %rsi
	.hidden posix_upcall
	call posix_upcall
resume_interrupted:
	fxrstor64 FRAME_SIZE(%rsp)
	/*
	 * Back without IRET, which emulators get wrong in user mode under SMAP: flags and address go right below the red
	 * zone of the interrupted code (where the FXSAVE area ended), and RET drops the red zone's 128 bytes too.
	 */
	mov RSP(%rsp), %rbx
	mov RIP(%rsp), %rax
	mov %rax, -136(%rbx)
	mov RFLAGS(%rsp), %rax
	mov %rax, -144(%rbx)
	sub $144, %rbx
	mov %rbx, RSP(%rsp)
	mov RAX(%rsp), %rax
	mov RBX(%rsp), %rbx
	mov RCX(%rsp), %rcx
	mov RDX(%rsp), %rdx
	mov RSI(%rsp), %rsi
	mov RDI(%rsp), %rdi
	mov RBP(%rsp), %rbp
	mov R8(%rsp), %r8
	mov R9(%rsp), %r9
	mov R10(%rsp), %r10
	mov R11(%rsp), %r11
	mov R12(%rsp), %r12
	mov R13(%rsp), %r13
	mov R14(%rsp), %r14
	mov R15(%rsp), %r15
	mov RSP(%rsp), %rsp
	popfq
	ret $128
	.size posix_upcall_entry, . - posix_upcall_entry

/*
 * Where the kernel continues a thread that has faulted (abi.h, "Faults"): on the small stack in its ring, with upcalls
 * masked; another fault before the library asks for them again ends the process.  In C: uint64_t posix_fault(struct
 * capos_fault *, const void *fxsave) returns 0 when the thread is to go on with the frame as it now is; else the end of
 * a stack for a handler, to which the state is moved before posix_fault_deliver(struct capos_upcall_frame *, void
 * *fxsave) runs it there.  Going on uses no memory but the ring's.
 */
	.globl posix_fault_entry
	.hidden posix_fault_entry
	.type posix_fault_entry, @function
posix_fault_entry:
	sub $FXSAVE_SIZE, %rsp
	fxsave64 (%rsp)
	cld
	mov %gs:0, %rdi
	add $RING_FAULT, %rdi
	mov %rsp, %rsi
	.hidden posix_fault
	call posix_fault
	mov %gs:0, %rdi
	add $RING_FAULT_FRAME, %rdi
	test %rax, %rax
	jz 3f
	mov %rsp, %rsi
	lea -(FRAME_SIZE + FXSAVE_SIZE)(%rax), %rsp
	xor %ecx, %ecx
1:	mov (%rdi, %rcx), %rax
	mov %rax, (%rsp, %rcx)
	add $8, %ecx
	cmp $FRAME_SIZE, %ecx
	jne 1b
	xor %ecx, %ecx
2:	mov (%rsi, %rcx), %rax
	mov %rax, FRAME_SIZE(%rsp, %rcx)
	add $8, %ecx
	cmp $FXSAVE_SIZE, %ecx
	jne 2b
	mov %rsp, %rdi
	lea FRAME_SIZE(%rsp), %rsi
	.hidden posix_fault_deliver
	call posix_fault_deliver
	jmp resume_interrupted
3:	fxrstor64 (%rsp)
	pushq RFLAGS(%rdi)
	popfq
	mov RAX(%rdi), %rax
	mov RBX(%rdi), %rbx
	mov RCX(%rdi), %rcx
	mov RDX(%rdi), %rdx
	mov RSI(%rdi), %rsi
	mov RBP(%rdi), %rbp
	mov R8(%rdi), %r8
	mov R9(%rdi), %r9
	mov R10(%rdi), %r10
	mov R11(%rdi), %r11
	mov R12(%rdi), %r12
	mov R13(%rdi), %r13
	mov R14(%rdi), %r14
	mov R15(%rdi), %r15
	mov RSP(%rdi), %rsp
	mov RDI(%rdi), %rdi
	jmp *%gs:(RING_FAULT_FRAME + RIP)
	.size posix_fault_entry, . - posix_fault_entry

/*
 * posix_call_handler(handler, signal, siginfo, context, stack): calls the handler, on the given stack unless that is 0.
 */
	.globl posix_call_handler
	.hidden posix_call_handler
	.type posix_call_handler, @function
posix_call_handler:
	push %rbp
	mov %rsp, %rbp
	mov %rdi, %rax
	mov %esi, %edi
	mov %rdx, %rsi
	mov %rcx, %rdx
	test %r8, %r8
	cmovnz %r8, %rsp
	and $-16, %rsp
	call *%rax
	leave
	ret
	.size posix_call_handler, . - posix_call_handler

/*
 * long posix_fork_here(long (*make)(uint64_t stack, void *argument), void *argument): answers what make does.  A process
 * made to start at posix_fork_entry with that stack, of which it has a copy, comes back here with 1.
 */
	.globl posix_fork_here
	.hidden posix_fork_here
	.type posix_fork_here, @function
posix_fork_here:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	sub $8, %rsp
	mov %rdi, %rax
	mov %rsp, %rdi
	call *%rax
1:	add $8, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret
	.globl posix_fork_entry
	.hidden posix_fork_entry
posix_fork_entry:
	mov $1, %eax
	jmp 1b
	.size posix_fork_here, . - posix_fork_here

/*
 * A new thread: its struct posix_thread in rdi; on its stack, which is aligned, function and argument as __clone left
 * them.
 */
	.globl posix_thread_entry
	.hidden posix_thread_entry
	.type posix_thread_entry, @function
posix_thread_entry:
	xor %ebp, %ebp
	.hidden posix_thread_begin
	call posix_thread_begin
	pop %rax
	pop %rdi
	call *%rax
	mov %eax, %esi
	mov $60, %edi		/* SYS_exit */
	sub $8, %rsp
	pushq $0
	call __capos_syscall
	ud2
	.size posix_thread_entry, . - posix_thread_entry

	.section .note.GNU-stack, "", @progbits
