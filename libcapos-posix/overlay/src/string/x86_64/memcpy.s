/* SPDX-License-Identifier: MIT */
/*
 * memcpy(to, from, n): plain 8-byte moves, 64 bytes a turn.  Under software emulation a string instruction costs 3 to
 * 20 times as much; on hardware this is within a factor of two of the best.  Ends are done by moves that overlap, so that
 * there is no loop over single bytes.
 */
.text
.global memcpy
.type memcpy,@function
.balign 16
memcpy:
	mov %rdi,%rax
	cmp $16,%rdx
	jb 3f
	cmp $32,%rdx
	ja 1f
	mov (%rsi),%rcx         /* 16 to 32 */
	mov 8(%rsi),%r8
	mov -16(%rsi,%rdx),%r9
	mov -8(%rsi,%rdx),%r10
	mov %rcx,(%rdi)
	mov %r8,8(%rdi)
	mov %r9,-16(%rdi,%rdx)
	mov %r10,-8(%rdi,%rdx)
	ret
1:	cmp $64,%rdx
	jbe 2f
	.balign 16
0:	mov (%rsi),%rcx
	mov 8(%rsi),%r8
	mov 16(%rsi),%r9
	mov 24(%rsi),%r10
	mov %rcx,(%rdi)
	mov %r8,8(%rdi)
	mov %r9,16(%rdi)
	mov %r10,24(%rdi)
	mov 32(%rsi),%rcx
	mov 40(%rsi),%r8
	mov 48(%rsi),%r9
	mov 56(%rsi),%r10
	mov %rcx,32(%rdi)
	mov %r8,40(%rdi)
	mov %r9,48(%rdi)
	mov %r10,56(%rdi)
	add $64,%rsi
	add $64,%rdi
	sub $64,%rdx
	cmp $64,%rdx
	ja 0b
	cmp $32,%rdx
	jbe 4f
2:	mov (%rsi),%rcx         /* the first 32 of 33 to 64 */
	mov 8(%rsi),%r8
	mov 16(%rsi),%r9
	mov 24(%rsi),%r10
	mov %rcx,(%rdi)
	mov %r8,8(%rdi)
	mov %r9,16(%rdi)
	mov %r10,24(%rdi)
4:	mov -32(%rsi,%rdx),%rcx /* the last 32, of more than 32 in all */
	mov -24(%rsi,%rdx),%r8
	mov -16(%rsi,%rdx),%r9
	mov -8(%rsi,%rdx),%r10
	mov %rcx,-32(%rdi,%rdx)
	mov %r8,-24(%rdi,%rdx)
	mov %r9,-16(%rdi,%rdx)
	mov %r10,-8(%rdi,%rdx)
	ret
3:	cmp $8,%edx
	jb 5f
	mov (%rsi),%rcx         /* 8 to 15 */
	mov -8(%rsi,%rdx),%r8
	mov %rcx,(%rdi)
	mov %r8,-8(%rdi,%rdx)
	ret
5:	cmp $4,%edx
	jb 6f
	mov (%rsi),%ecx         /* 4 to 7 */
	mov -4(%rsi,%rdx),%r8d
	mov %ecx,(%rdi)
	mov %r8d,-4(%rdi,%rdx)
	ret
6:	test %edx,%edx
	jz 7f
	movzbl (%rsi),%ecx      /* 1 to 3: first, middle and last, all read before any is written */
	movzbl -1(%rsi,%rdx),%r8d
	mov %rdx,%r10
	shr %r10d
	movzbl (%rsi,%r10),%r9d
	mov %cl,(%rdi)
	mov %r9b,(%rdi,%r10)
	mov %r8b,-1(%rdi,%rdx)
7:	ret
.size memcpy,.-memcpy
