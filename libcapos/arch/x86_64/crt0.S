/* SPDX-License-Identifier: MIT */
/*
 * Entry point of native processes: makes the image right for its address, hands the start block to
 * start_init, runs main(argc, argv, envp) and ends the process with its result.  The stack pointer
 * stands at the start block's first byte.
 */
	.text
	.globl	_start
	.hidden	_start
	.type	_start, @function
_start:
	xorl	%ebp, %ebp		/* the outermost frame */
	movq	%rsp, %rbx
	andq	$-16, %rsp
	leaq	__ehdr_start(%rip), %rdi
	leaq	_DYNAMIC(%rip), %rsi
	call	image_relocate
	movq	%rbx, %rdi
	call	image_set_guard
	movq	%rbx, %rdi
	call	start_init
	leaq	__ehdr_start(%rip), %rdi
	call	image_protect
	movq	(%rbx), %rdi		/* argc */
	leaq	8(%rbx), %rsi		/* argv */
	leaq	8(%rsi,%rdi,8), %rdx	/* envp, behind argv's NULL */
	call	main
	movzbl	%al, %edi		/* CAPOS_EXIT_STATUS(code, 0) */
	call	cap_exit
	ud2
	.size	_start, . - _start
	.hidden	__ehdr_start, _DYNAMIC
	.section .note.GNU-stack, "", @progbits
