/* SPDX-License-Identifier: MIT */
/*
 * memset(to, c, n): 8-byte stores, 64 bytes a turn; ends by stores that overlap.
 */
.text
.global memset
.type memset,@function
.balign 16
memset:
	mov %rdi,%rax
	movzbl %sil,%esi
	movabs $0x0101010101010101,%rcx
	imul %rcx,%rsi
	cmp $16,%rdx
	jb 3f
	cmp $64,%rdx
	jbe 2f
	.balign 16
1:	mov %rsi,(%rdi)
	mov %rsi,8(%rdi)
	mov %rsi,16(%rdi)
	mov %rsi,24(%rdi)
	mov %rsi,32(%rdi)
	mov %rsi,40(%rdi)
	mov %rsi,48(%rdi)
	mov %rsi,56(%rdi)
	add $64,%rdi
	sub $64,%rdx
	cmp $64,%rdx
	ja 1b
	cmp $16,%rdx
	jb 4f                   /* more than 64 in all: looking back is allowed */
2:	mov %rsi,(%rdi)         /* 16 to 64 */
	mov %rsi,8(%rdi)
	mov %rsi,-16(%rdi,%rdx)
	mov %rsi,-8(%rdi,%rdx)
	cmp $32,%rdx
	jbe 5f
	mov %rsi,16(%rdi)
	mov %rsi,24(%rdi)
	mov %rsi,-32(%rdi,%rdx)
	mov %rsi,-24(%rdi,%rdx)
	ret
3:	cmp $8,%edx
	jb 6f
	mov %rsi,(%rdi)
	mov %rsi,-8(%rdi,%rdx)
	ret
4:	mov %rsi,-16(%rdi,%rdx)
	mov %rsi,-8(%rdi,%rdx)
5:	ret
6:	cmp $4,%edx
	jb 7f
	mov %esi,(%rdi)
	mov %esi,-4(%rdi,%rdx)
	ret
7:	test %edx,%edx
	jz 5b
	mov %sil,(%rdi)
	mov %sil,-1(%rdi,%rdx)
	shr %edx
	mov %sil,(%rdi,%rdx)
	ret
.size memset,.-memset
