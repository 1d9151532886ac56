/* SPDX-License-Identifier: MIT */
/*
 * The processor's own settings: segments, the interrupt table, system call registers and the
 * protections that the kernel relies on.  A processor without one of them is refused, never worked
 * around.
 */
#include "x86.h"

struct arch_cpu boot_cpu = {
        .self = &boot_cpu,
        .stack_top = (uint64_t)kernel_stack_top,
        .timer_deadline = UINT64_MAX,
        .timer_armed = UINT64_MAX,
};

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "gate layout");

#define GATE_INTERRUPT 0x8e /* present, interrupts off */
#define GATE_USER      0x60 /* user mode may use it by instruction */
#define IST_FATAL      1    /* stack for what may come at any time and is the end */
#define STUB_SIZE      16

static struct gate idt[256] __attribute__((aligned(16)));

struct descriptor_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* ---- Features ---- */

static const struct feature {
	const char *name;
	uint32_t leaf;
	uint8_t reg; /* 1: ebx, 2: ecx, 3: edx */
	uint8_t bit;
} needed[] = {
        {"FPU", 1, 3, 0},
        {"TSC", 1, 3, 4},
        {"MSR", 1, 3, 5},
        {"APIC", 1, 3, 9},
        {"PGE", 1, 3, 13},
        {"FXSAVE", 1, 3, 24},
        {"SSE2", 1, 3, 26},
        {"FSGSBASE", 7, 1, 0},
        {"SMEP", 7, 1, 7},
        {"SMAP", 7, 1, 20},
        {"SYSCALL", 0x80000001, 3, 11},
};

static bool has_feature(uint32_t leaf, unsigned reg, unsigned bit)
{
	if (cpuid(leaf & 0x80000000u, 0).eax < leaf)
		return false;
	struct cpuid id = cpuid(leaf, 0);
	uint32_t word = reg == 1 ? id.ebx : reg == 2 ? id.ecx : id.edx;
	return (word >> bit & 1) != 0;
}

/* No panic(): where the kernel was called from says nothing here, and all that is missing is named
 * at once. */
void cpu_require_features(void)
{
	char line[160];
	int length = 0;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		const struct feature *f = &needed[i];
		if (!has_feature(f->leaf, f->reg, f->bit))
			length += fmt_snprintf(line + length, sizeof(line) - (size_t)length, "%s%s",
			                       length > 0 ? ", " : "", f->name);
	}
	if (length == 0)
		return;
	klog("PANIC: this processor is too old for capOS: it lacks %s\n", line);
	arch_halt_after_panic();
}

bool cpu_has_huge_pages(void)
{
	return has_feature(0x80000001, 3, 26);
}

/* ---- Tables ---- */

static void load_segments(struct arch_cpu *cpu)
{
	uint64_t tss = (uint64_t)&cpu->tss;

	cpu->gdt[1] = 0x00209b0000000000; /* kernel code, 64-bit */
	cpu->gdt[2] = 0x0000930000000000; /* kernel data */
	cpu->gdt[3] = 0x0000f30000000000; /* user data */
	cpu->gdt[4] = 0x0020fb0000000000; /* user code, 64-bit */
	cpu->gdt[5] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 |
	              (tss >> 24 & 0xff) << 56;
	cpu->gdt[6] = tss >> 32;
	cpu->tss.rsp[0] = cpu->stack_top;
	cpu->tss.ist[IST_FATAL - 1] = (uint64_t)kernel_fault_stack_top;
	cpu->tss.io_map = sizeof(struct tss);

	struct descriptor_pointer pointer = {sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt};
	__asm__ volatile("lgdt %0\n\t"
	                 "pushq %1\n\t"
	                 "leaq 1f(%%rip), %%rax\n\t"
	                 "pushq %%rax\n\t"
	                 "lretq\n"
	                 "1:\tmovw %w2, %%ss\n\t"
	                 "ltr %w3"
	                 :
	                 : "m"(pointer), "i"(SELECTOR_KERNEL_CODE), "r"(SELECTOR_KERNEL_DATA),
	                   "r"(SELECTOR_TSS)
	                 : "rax", "memory");
}

static void load_traps(void)
{
	for (unsigned vector = 0; vector < 256; vector++) {
		uint64_t stub = (uint64_t)trap_stubs + (uint64_t)vector * STUB_SIZE;
		bool fatal = vector == 2 || vector == 8 || vector == 18;
		idt[vector] = (struct gate){
		        .offset_low = (uint16_t)stub,
		        .offset_middle = (uint16_t)(stub >> 16),
		        .offset_high = (uint32_t)(stub >> 32),
		        .selector = SELECTOR_KERNEL_CODE,
		        .ist = fatal ? IST_FATAL : 0,
		        .type = vector == 3 ? GATE_INTERRUPT | GATE_USER : GATE_INTERRUPT,
		};
	}
	struct descriptor_pointer pointer = {sizeof(idt) - 1, (uint64_t)idt};
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void cpu_init(void)
{
	load_segments(&boot_cpu);
	load_traps();

	wrmsr(MSR_STAR, (uint64_t)SELECTOR_KERNEL_CODE << 32 | (uint64_t)(SELECTOR_USER_DATA - 8)
	                                                               << 48);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_CSTAR, 0);
	wrmsr(MSR_FMASK, RFLAGS_IF | RFLAGS_TF | RFLAGS_DF | RFLAGS_AC | RFLAGS_NT);

	WRITE_REGISTER(cr0, (READ_REGISTER(cr0) | CR0_MP | CR0_NE | CR0_WP) & ~(CR0_EM | CR0_TS));
	uint64_t cr4 = READ_REGISTER(cr4) | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE |
	               CR4_SMEP | CR4_SMAP;
	if (has_feature(7, 2, 2))
		cr4 |= CR4_UMIP;
	WRITE_REGISTER(cr4, cr4);
}
