/* SPDX-License-Identifier: MIT */
/*
 * From the loader to C.  PVH enters here: 32-bit protected mode, paging off, ebx the physical address of the
 * start info.  The image lies where it was loaded, at KERNEL_PHYSICAL, and is position-independent: here it runs
 * at its physical address, through page tables that map the first 4 GiB as they are.  boot_relocate (relocate.c)
 * then chooses where in the kernel's half it will be, and from boot_main on it is there.
 */
#include <capos/panic.h>

#include "offsets.h"

/* A symbol's physical address, as an operand, with ebp at boot_entry. */
#define AT(symbol) (symbol - boot_entry)(%ebp)

#define CR0_PG      0x80000000
#define CR0_WP_MP_PE 0x00010003
#define CR4_PAE     0x20
#define EFER_MSR    0xc0000080
#define EFER_SCE_LME_NXE 0x901
#define CPUID_LM    (1 << 29)
#define CPUID_NX    (1 << 20)
#define PRESENT_WRITE 3
#define PRESENT_WRITE_LARGE 0x83

	.section .boot, "ax"
	.code32
	.globl boot_entry
boot_entry:
	cli
	cld
	movl %ebx, %edi
	movl $KERNEL_PHYSICAL, %ebp
	leal AT(kernel_stack_top), %esp

	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb not_64bit
	movl $0x80000001, %eax
	cpuid
	andl $(CPUID_LM | CPUID_NX), %edx
	cmpl $(CPUID_LM | CPUID_NX), %edx
	jne not_64bit

	/* Four page directories of 2 MiB pages: 4 GiB. */
	leal AT(boot_pd), %ecx
	movl $PRESENT_WRITE_LARGE, %eax
1:	movl %eax, (%ecx)
	addl $8, %ecx
	addl $0x200000, %eax
	jnc 1b

	leal AT(boot_pdpt), %ecx
	leal AT(boot_pd), %eax
	orl $PRESENT_WRITE, %eax
	movl $4, %edx
1:	movl %eax, (%ecx)
	addl $8, %ecx
	addl $4096, %eax
	decl %edx
	jnz 1b

	leal AT(boot_pdpt), %eax
	orl $PRESENT_WRITE, %eax
	movl %eax, AT(kernel_pml4)

	leal AT(kernel_pml4), %eax
	movl %eax, %cr3
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $EFER_MSR, %ecx
	xorl %edx, %edx
	movl $EFER_SCE_LME_NXE, %eax
	wrmsr
	movl $(CR0_PG | CR0_WP_MP_PE), %eax
	movl %eax, %cr0

	leal AT(boot_gdt), %eax
	subl $8, %esp
	movw $(boot_gdt_end - boot_gdt - 1), (%esp)
	movl %eax, 2(%esp)
	lgdt (%esp)
	leal AT(boot_64), %eax
	pushl $SELECTOR_KERNEL_CODE
	pushl %eax
	lretl

/* Nothing of C works yet: the line goes out by hand. */
not_64bit:
	leal AT(no_64bit_text), %esi
1:	movw $0x3fd, %dx
2:	inb %dx, %al
	testb $0x20, %al
	jz 2b
	lodsb
	testb %al, %al
	jz 3f
	movw $0x3f8, %dx
	outb %al, %dx
	jmp 1b
3:	movb $CAPOS_PANIC_VALUE, %al
	outb %al, $CAPOS_PANIC_PORT
	movb $0x06, %al /* reset */
	movw $0xcf9, %dx
	outb %al, %dx
	movb $0xfe, %al
	outb %al, $0x64
4:	hlt
	jmp 4b

	.code64
boot_64:
	movl $SELECTOR_KERNEL_DATA, %eax
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	leaq kernel_stack_top(%rip), %rsp
	movl %edi, %ebx
	movl %edi, %edi
	xorl %ebp, %ebp
	call boot_relocate /* rax: from physical addresses of the image to where it will be */
	leaq kernel_stack_top(%rip), %rsp
	addq %rax, %rsp
	leaq boot_main(%rip), %rcx
	addq %rax, %rcx
	movl %ebx, %edi
	call *%rcx
	ud2

	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00209b0000000000 /* 64-bit code */
	.quad 0x0000930000000000 /* data */
boot_gdt_end:
no_64bit_text:
	.asciz "PANIC: this processor is too old for capOS: it lacks 64-bit mode or no-execute pages\n"

	.section .bss
	.balign 4096
	.globl kernel_pml4, boot_pdpt, boot_pd
kernel_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_pd:
	.skip 4 * 4096

	.section .note.GNU-stack, "", @progbits
