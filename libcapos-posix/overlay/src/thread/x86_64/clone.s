/* SPDX-License-Identifier: MIT */
/*
 * __clone(func, stack, flags, arg, ptid, tls, ctid): SYS_clone as the dispatcher takes it.  A new process comes back
 * from it with 0, on its copy of this stack, goes over to its own and ends with what func returns.  A new thread starts
 * on its own stack, where func and arg are for it.
 */
.text
.global __clone
.hidden __clone
.type __clone,@function
__clone:
	push %rbx
	push %r12
	push %r13
	mov %rdi,%rbx           /* func */
	mov %rsi,%r12           /* stack */
	and $-16,%r12
	mov %rcx,%r13           /* arg */
	mov %r13,-8(%r12)
	mov %rbx,-16(%r12)
	mov 32(%rsp),%rax       /* ctid */
	sub $8,%rsp
	pushq $0                /* the dispatcher's seventh argument */
	mov %rdx,%rsi           /* flags */
	lea -16(%r12),%rdx      /* stack */
	mov %r8,%rcx            /* ptid */
	mov %rax,%r8            /* ctid; tls is in r9 already */
	mov $56,%edi
.hidden __capos_syscall
	call __capos_syscall
	add $16,%rsp
	test %eax,%eax
	jnz 1f
	mov %r12,%rsp
	xor %ebp,%ebp
	mov %r13,%rdi
	call *%rbx
	mov %eax,%esi
	mov $60,%edi            /* SYS_exit */
	sub $8,%rsp
	pushq $0
	call __capos_syscall
	ud2
1:	pop %r13
	pop %r12
	pop %rbx
	ret
.size __clone,.-__clone
