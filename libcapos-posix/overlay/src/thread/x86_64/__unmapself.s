/* SPDX-License-Identifier: MIT */
/*
 * __unmapself(base, size): the end of a detached thread, which cannot run on the stack that it unmaps.  A stack in
 * static memory serves instead; musl calls this with its thread list lock held, so one thread at a time is on it.
 */
.text
.global __unmapself
.hidden __unmapself
.type __unmapself,@function
__unmapself:
	lea stack_end(%rip),%rsp
	mov %rsi,%rdx
	mov %rdi,%rsi
	mov $11,%edi            /* SYS_munmap */
	sub $8,%rsp
	pushq $0
.hidden __capos_syscall
	call __capos_syscall
	xor %esi,%esi
	mov $60,%edi            /* SYS_exit */
	call __capos_syscall
	ud2
.size __unmapself,.-__unmapself

.bss
.balign 16
	.skip 16384
stack_end:
