/* SPDX-License-Identifier: MIT */
/*
 * Guarded access to the program's memory: a fault of an instruction between two labels here goes on at the range's
 * fixup (posix_fixups), with the registers as they were.  Nothing outside these ranges survives a bad pointer, so every
 * access to an address that the program gave goes through this file.  No instruction is spent on the check.
 */
	.text

/*
 * size_t posix_user_copy(void *to, const void *from, size_t n): copies upwards; returns how many bytes were not copied,
 * 0 when all were.  What lies before the first byte that faults has been copied.
 */
	.globl posix_user_copy
	.hidden posix_user_copy
	.type posix_user_copy, @function
	.balign 16
posix_user_copy:
words_begin:
	cmp $64, %rdx
	jb 2f
	.balign 16
1:	mov (%rsi), %rax
	mov 8(%rsi), %rcx
	mov 16(%rsi), %r8
	mov 24(%rsi), %r9
	mov %rax, (%rdi)
	mov %rcx, 8(%rdi)
	mov %r8, 16(%rdi)
	mov %r9, 24(%rdi)
	mov 32(%rsi), %rax
	mov 40(%rsi), %rcx
	mov 48(%rsi), %r8
	mov 56(%rsi), %r9
	mov %rax, 32(%rdi)
	mov %rcx, 40(%rdi)
	mov %r8, 48(%rdi)
	mov %r9, 56(%rdi)
	add $64, %rsi
	add $64, %rdi
	sub $64, %rdx
	cmp $64, %rdx
	jae 1b
2:	cmp $8, %rdx
	jb 4f
3:	mov (%rsi), %rax
	mov %rax, (%rdi)
	add $8, %rsi
	add $8, %rdi
	sub $8, %rdx
	cmp $8, %rdx
	jae 3b
4:	cmp $4, %rdx
	jb rest
	mov (%rsi), %eax
	mov %eax, (%rdi)
	add $4, %rsi
	add $4, %rdi
	sub $4, %rdx
words_end:
rest:	test %rdx, %rdx
	jz done
bytes_begin:
	movzbl (%rsi), %eax
	mov %al, (%rdi)
	inc %rsi
	inc %rdi
	dec %rdx
	jnz bytes_begin
bytes_end:
done:	mov %rdx, %rax
	ret
	.size posix_user_copy, . - posix_user_copy

/*
 * long posix_user_length(const char *s, size_t most): bytes before the 0 that ends the string, most when there is none
 * among so many, -1 when a byte before either cannot be read.
 */
	.globl posix_user_length
	.hidden posix_user_length
	.type posix_user_length, @function
	.balign 16
posix_user_length:
	xor %eax, %eax
length_begin:
	cmp %rsi, %rax
	jae 1f
	cmpb $0, (%rdi, %rax)
	je 1f
	inc %rax
	jmp length_begin
length_end:
1:	ret
length_bad:
	mov $-1, %rax
	ret
	.size posix_user_length, . - posix_user_length

/*
 * int posix_user_exchange(uint32_t *word, uint32_t *old, uint32_t new): when the word is *old it becomes new: 1; else
 * *old is what it is: 0.  -1: it cannot be written.
 */
	.globl posix_user_exchange
	.hidden posix_user_exchange
	.type posix_user_exchange, @function
	.balign 16
posix_user_exchange:
	mov (%rsi), %eax
exchange_begin:
	lock cmpxchg %edx, (%rdi)
exchange_end:
	mov %eax, (%rsi)
	sete %al
	movzbl %al, %eax
	ret
exchange_bad:
	mov $-1, %eax
	ret
	.size posix_user_exchange, . - posix_user_exchange

/* struct fixup of core/user.c: begin and end of a range and where it goes on, each relative to its own place. */
	.macro fixup begin, end, target
	.long \begin - ., \end - ., \target - .
	.endm
	.section .rodata
	.balign 4
	.globl posix_fixups, posix_fixups_end
	.hidden posix_fixups, posix_fixups_end
posix_fixups:
	/* Words that fault are tried again byte by byte, up to the one that faults. */
	fixup words_begin, words_end, rest
	fixup bytes_begin, bytes_end, done
	fixup length_begin, length_end, length_bad
	fixup exchange_begin, exchange_end, exchange_bad
posix_fixups_end:

	.section .note.GNU-stack, "", @progbits
