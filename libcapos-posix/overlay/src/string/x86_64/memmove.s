/* SPDX-License-Identifier: MIT */
/*
 * memmove(to, from, n): as memcpy, in the direction that reads every byte before it is written.  What does not overlap is
 * memcpy's.
 */
.text
.global memmove
.type memmove,@function
.balign 16
memmove:
	mov %rdi,%rax
	mov %rdi,%rcx
	sub %rsi,%rcx           /* to - from */
	cmp %rdx,%rcx
	jb 5f                   /* to is inside [from, from + n): from the end */
	neg %rcx
	cmp %rdx,%rcx
	jae memcpy
	jmp 2f

	.balign 16
1:	mov (%rsi),%rcx         /* forward */
	mov 8(%rsi),%r8
	mov 16(%rsi),%r9
	mov 24(%rsi),%r10
	mov %rcx,(%rdi)
	mov %r8,8(%rdi)
	mov %r9,16(%rdi)
	mov %r10,24(%rdi)
	add $32,%rsi
	add $32,%rdi
	sub $32,%rdx
2:	cmp $32,%rdx
	jae 1b
3:	cmp $8,%rdx
	jb 4f
	mov (%rsi),%rcx
	add $8,%rsi
	mov %rcx,(%rdi)
	add $8,%rdi
	sub $8,%rdx
	jmp 3b
4:	test %edx,%edx
	jz 9f
	movzbl (%rsi),%ecx
	inc %rsi
	mov %cl,(%rdi)
	inc %rdi
	dec %edx
	jmp 4b

5:	cmp $32,%rdx            /* backward: rdx is what is left, at the front */
	jb 7f
	.balign 16
6:	mov -8(%rsi,%rdx),%rcx
	mov -16(%rsi,%rdx),%r8
	mov -24(%rsi,%rdx),%r9
	mov -32(%rsi,%rdx),%r10
	mov %rcx,-8(%rdi,%rdx)
	mov %r8,-16(%rdi,%rdx)
	mov %r9,-24(%rdi,%rdx)
	mov %r10,-32(%rdi,%rdx)
	sub $32,%rdx
	cmp $32,%rdx
	jae 6b
7:	cmp $8,%rdx
	jb 8f
	mov -8(%rsi,%rdx),%rcx
	mov %rcx,-8(%rdi,%rdx)
	sub $8,%rdx
	jmp 7b
8:	test %edx,%edx
	jz 9f
	movzbl -1(%rsi,%rdx),%ecx
	mov %cl,-1(%rdi,%rdx)
	dec %edx
	jmp 8b
9:	ret
.size memmove,.-memmove
