/* SPDX-License-Identifier: MIT */
/*
 * Numbers that assembly and C must agree on; x86.h checks each against its structure.
 */
#ifndef X86_OFFSETS_H
#define X86_OFFSETS_H

/* struct arch_thread */
#define T_RAX        0
#define T_RBX        8
#define T_RCX        16
#define T_RDX        24
#define T_RSI        32
#define T_RDI        40
#define T_RBP        48
#define T_RSP        56
#define T_R8         64
#define T_R9         72
#define T_R10        80
#define T_R11        88
#define T_R12        96
#define T_R13        104
#define T_R14        112
#define T_R15        120
#define T_RIP        128
#define T_RFLAGS     136
#define T_BY_SYSCALL 160

/* struct arch_cpu, which gs points to in the kernel */
#define CPU_SELF    0
#define CPU_THREAD  8
#define CPU_STACK   16
#define CPU_SCRATCH 24

/* Where the kernel image is loaded; it is linked for KERNEL_BASE plus that and runs anywhere in the
 * top slot of the address space (relocate.c). */
#define KERNEL_PHYSICAL 0x100000
#define KERNEL_BASE     0xffffffff80000000

/* Segment selectors; their order is what SYSCALL and SYSRET ask for. */
#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA   0x1b
#define SELECTOR_USER_CODE   0x23
#define SELECTOR_TSS         0x28

#endif
