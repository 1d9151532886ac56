/* SPDX-License-Identifier: MIT */
/*
 * memcmp(a, b, n): 8 bytes at a time; the first differing word, put in the order of its bytes, decides.
 */
.text
.global memcmp
.type memcmp,@function
.balign 16
memcmp:
	cmp $8,%rdx
	jb 3f
	.balign 16
1:	mov (%rdi),%rax
	mov (%rsi),%rcx
	cmp %rcx,%rax
	jne 4f
	add $8,%rdi
	add $8,%rsi
	sub $8,%rdx
	cmp $8,%rdx
	jae 1b
	test %edx,%edx
	jz 2f
	mov -8(%rdi,%rdx),%rax  /* the last 8, the first of them compared already */
	mov -8(%rsi,%rdx),%rcx
	cmp %rcx,%rax
	jne 4f
2:	xor %eax,%eax
	ret
3:	test %edx,%edx
	jz 2b
	movzbl (%rdi),%eax
	movzbl (%rsi),%ecx
	inc %rdi
	inc %rsi
	dec %edx
	sub %ecx,%eax
	jz 3b
	ret
4:	bswap %rax
	bswap %rcx
	cmp %rcx,%rax
	sbb %eax,%eax
	or $1,%eax
	ret
.size memcmp,.-memcmp
