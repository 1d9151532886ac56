/* SPDX-License-Identifier: MIT */
/*
 * __syscall_cp_asm(&cancel, nr, u, v, w, x, y, z): a system call that is a cancellation point.  A request that came
 * before is seen here; one that comes until the dispatcher has done its work makes that answer -EINTR, and
 * __syscall_cp_c() looks at the request then.
 */
.text
.global __cp_begin
.hidden __cp_begin
.global __cp_end
.hidden __cp_end
.global __cp_cancel
.hidden __cp_cancel
.hidden __cancel
.hidden __capos_syscall
.global __syscall_cp_asm
.hidden __syscall_cp_asm
.type __syscall_cp_asm,@function
__syscall_cp_asm:
__cp_begin:
	mov (%rdi),%eax
	test %eax,%eax
	jnz __cp_cancel
__cp_end:
	mov %rsi,%rdi
	bts $32,%rdi            /* the dispatcher looks again: a request may come before it is there */
	mov %rdx,%rsi
	mov %rcx,%rdx
	mov %r8,%rcx
	mov %r9,%r8
	mov 8(%rsp),%r9
	pushq 16(%rsp)
	call __capos_syscall
	add $8,%rsp
	ret
__cp_cancel:
	jmp __cancel
.size __syscall_cp_asm,.-__syscall_cp_asm
