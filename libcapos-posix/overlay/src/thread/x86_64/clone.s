/* SPDX-License-Identifier: MIT */
/*
 * __clone(func, stack, flags, arg, ptid, tls, ctid): SYS_clone as the dispatcher takes it, which answers -ENOSYS.
 */
.text
.global __clone
.hidden __clone
.type __clone,@function
__clone:
	pushq $0                /* the dispatcher's seventh argument */
	mov %rsi,%rax
	mov %rdx,%rsi           /* flags */
	mov %rax,%rdx           /* stack */
	mov %r8,%rcx            /* ptid */
	mov 16(%rsp),%r8        /* ctid */
	                        /* tls is in r9 already */
	mov $56,%edi
.hidden __capos_syscall
	call __capos_syscall
	add $8,%rsp
	ret
.size __clone,.-__clone
