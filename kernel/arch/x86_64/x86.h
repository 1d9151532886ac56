/* SPDX-License-Identifier: MIT */
/*
 * The processor as this directory's files see it: registers, instructions, per-CPU state, and what
 * the files offer each other.  Nothing outside the directory includes this.
 */
#ifndef X86_H
#define X86_H

/* All symbols are the image's own, so no address comes from a table, which relocate.c could not
 * use yet. */
#pragma GCC visibility push(hidden)

#include "kernel.h"
#include "arch.h"
#include "memory/page.h"
#include "registers.h"
#include "offsets.h"

/* ---- Control registers and MSRs ---- */

#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)

#define CR4_PGE        (1ull << 7)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)

#define MSR_APIC_BASE      0x01bu
#define MSR_TSC_DEADLINE   0x6e0u
#define MSR_X2APIC         0x800u
#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_FMASK          0xc0000084u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

#define RFLAGS_RESERVED 0x002ull /* always set */
#define RFLAGS_TF       0x100ull
#define RFLAGS_IF       0x200ull
#define RFLAGS_DF       0x400ull
#define RFLAGS_NT       0x4000ull
#define RFLAGS_AC       0x40000ull

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
	                 :
	                 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
	                 : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;
	__asm__ volatile("cpuid"
	                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
	                 : "a"(leaf), "c"(subleaf));
	return r;
}

#define READ_REGISTER(name)                                             \
	({                                                              \
		uint64_t value_;                                        \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value_)); \
		value_;                                                 \
	})
#define WRITE_REGISTER(name, value) __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory")

static inline void invlpg(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* ---- Ports ---- */

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static inline void outw(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}
static inline void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}
static inline uint8_t inb(uint16_t port)
{
	uint8_t value;
	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}
static inline uint16_t inw(uint16_t port)
{
	uint16_t value;
	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}
static inline uint32_t inl(uint16_t port)
{
	uint32_t value;
	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* ---- Per-CPU state ---- */

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map; /* at the limit: no port is the user's */
} __attribute__((packed));

#define GDT_ENTRIES 7

struct arch_cpu {
	struct arch_cpu *self;
	/* runs in user mode, or did until the kernel was entered; NULL: idle */
	struct arch_thread *thread;
	uint64_t stack_top;
	uint64_t scratch;        /* for the first instructions of an entry */
	paddr_t root;            /* loaded page tables */
	uint64_t timer_deadline; /* what arch_timer_set asked for, ns */
	uint64_t timer_armed;    /* when the hardware will interrupt, ns; UINT64_MAX: it will not */
	uint32_t apic_id;
	uint64_t gdt[GDT_ENTRIES];
	struct tss tss;
};

extern struct arch_cpu boot_cpu;

static inline struct arch_cpu *arch_this_cpu(void)
{
	struct arch_cpu *cpu;
	__asm__("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

_Static_assert(offsetof(struct arch_cpu, self) == CPU_SELF, "offsets.h");
_Static_assert(offsetof(struct arch_cpu, thread) == CPU_THREAD, "offsets.h");
_Static_assert(offsetof(struct arch_cpu, stack_top) == CPU_STACK, "offsets.h");
_Static_assert(offsetof(struct arch_cpu, scratch) == CPU_SCRATCH, "offsets.h");
_Static_assert(sizeof(struct tss) == 104, "TSS layout");
_Static_assert(offsetof(struct arch_thread, regs.rax) == T_RAX, "offsets.h");
_Static_assert(offsetof(struct arch_thread, regs.rsp) == T_RSP, "offsets.h");
_Static_assert(offsetof(struct arch_thread, regs.r8) == T_R8, "offsets.h");
_Static_assert(offsetof(struct arch_thread, regs.r15) == T_R15, "offsets.h");
_Static_assert(offsetof(struct arch_thread, regs.rip) == T_RIP, "offsets.h");
_Static_assert(offsetof(struct arch_thread, regs.rflags) == T_RFLAGS, "offsets.h");
_Static_assert(offsetof(struct arch_thread, by_syscall) == T_BY_SYSCALL, "offsets.h");
_Static_assert(sizeof(struct arch_regs) == sizeof(struct capos_upcall_frame), "frame layout");

/* ---- Page-table entries ---- */

#define PTE_PRESENT       (1ull << 0)
#define PTE_WRITE         (1ull << 1)
#define PTE_USER          (1ull << 2)
#define PTE_WRITE_THROUGH (1ull << 3)
#define PTE_UNCACHED      (1ull << 4)
#define PTE_ACCESSED      (1ull << 5)
#define PTE_DIRTY         (1ull << 6)
#define PTE_LARGE         (1ull << 7)
#define PTE_GLOBAL        (1ull << 8)
#define PTE_NO_EXECUTE    (1ull << 63)
#define PTE_FRAME         0x000ffffffffff000ull

/* Accessed and dirty are set beforehand, so that the processor need not write them back. */
#define PTE_KERNEL_DATA \
	(PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL | PTE_NO_EXECUTE)
#define PTE_KERNEL_RODATA (PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL | PTE_NO_EXECUTE)
#define PTE_KERNEL_CODE   (PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL)
#define PTE_TABLE         (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)

#define TABLE_ENTRIES   512u
#define LARGE_PAGE_SIZE (2ull << 20)
#define HUGE_PAGE_SIZE  (1ull << 30)

/* ---- Interrupt vectors ---- */

#define VECTOR_TIMER    0xf0u
#define VECTOR_ERROR    0xf1u
#define VECTOR_SPURIOUS 0xffu
_Static_assert(ARCH_VECTOR_FIRST + ARCH_VECTOR_COUNT <= VECTOR_TIMER, "device vectors");

/* ---- What the files offer each other ---- */

/* linker script */
extern const char kernel_image_start[], kernel_text_start[], kernel_text_end[], kernel_rodata_end[],
        kernel_stack_guard[], kernel_stack_top[], kernel_fault_stack_guard[],
        kernel_fault_stack_top[], kernel_image_end[];

/* Of the PVH boot protocol. */
#define START_INFO_MAGIC 0x336ec578u
struct hvm_start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp;
	uint64_t memmap; /* from version 1 on, as all below */
	uint32_t memmap_entries, reserved;
};
struct hvm_module {
	uint64_t start, size, cmdline, reserved;
};
struct hvm_memory {
	uint64_t start, size;
	uint32_t type, reserved;
};
#define MEMORY_TYPE_RAM 1u
_Static_assert(sizeof(struct hvm_start_info) == 56, "start info layout");
_Static_assert(sizeof(struct hvm_module) == 32, "module layout");
_Static_assert(sizeof(struct hvm_memory) == 24, "memory map layout");

/* relocate.c: runs before addresses are right and the stack protector has its secret. */
#define NO_STACK_PROTECTOR __attribute__((no_stack_protector))
#define SLOT_SIZE          (512ull << 30) /* one entry of the top table */
#define IMAGE_SLOT_BASE    0xffffff8000000000ull
#define IMAGE_BITS         18u
#define IMAGE_PLACES       (SLOT_SIZE / LARGE_PAGE_SIZE)
#define DIRECT_MAP_FIRST   0xffff800000000000ull /* slot 256 */
/* Slots 256 to 508, so that the second slot that it reaches into is below that of devices. */
#define DIRECT_MAP_BITS   16u /* at least */
#define DIRECT_MAP_PLACES (253 * (SLOT_SIZE / HUGE_PAGE_SIZE))
_Static_assert(1ull << IMAGE_BITS == IMAGE_PLACES && 1ull << DIRECT_MAP_BITS <= DIRECT_MAP_PLACES,
               "bits of choice");
extern uintptr_t __stack_chk_guard;  /* the stack protector's secret; the compiler's name */
extern uint64_t memory_image_offset; /* from where the image was linked to where it is */
void memory_map_first(uint64_t image);
paddr_t memory_image_paddr(const void *symbol);
/* protection.c: no page of the kernel's half is writable and executable, no constant writable. */
bool protection_tables_sound(void);

/* memory.c: kernel mappings.  memory_init takes what the loader said; boot information is gone
 * after it. */
paddr_t memory_init(paddr_t start_info); /* returns where the RSDP is */
extern paddr_t memory_kernel_root;
/* End of memory and of what firmware reserved below 4 GiB. */
extern paddr_t memory_low_top;

/* cpu.c */
void cpu_require_features(void); /* ends the machine if one is missing */
void cpu_init(void);             /* segments, traps' entry points, system calls, protections */
bool cpu_has_huge_pages(void);

/* entry.S */
extern const char trap_stubs[];
void syscall_entry(void);

/* table.c */
void table_init(paddr_t root);
/* Whether a kernel address is mapped writable. */
bool table_writable(paddr_t root, uint64_t address);

/* acpi.c: what the tables say; 0 where they say nothing. */
struct acpi_facts {
	paddr_t ecam_base;
	uint8_t ecam_first_bus, ecam_last_bus;
	uint16_t pm_timer_port;
	bool pm_timer_32bit;
	uint16_t pm1a_control_port, pm1b_control_port;
	paddr_t dsdt;
	uint8_t century_register;
};
extern struct acpi_facts acpi_facts;
void acpi_init(paddr_t rsdp_at);
/* Values to write for soft-off; false when the tables don't say in the simple way. */
bool acpi_find_s5(uint16_t *a, uint16_t *b);

/* apic.c */
void apic_init(void);
void apic_end_of_interrupt(void);
/* The timer interrupt came: whether it is time for what arch_timer_set asked, else it is armed
 * again. */
bool apic_timer_due(void);

/* clock.c */
void clock_sample_early(void); /* first pair of times; as early as can be */
void clock_init(void);         /* from here on the clock goes */
void clock_refine(void);       /* once, when some time has passed: measures the frequencies again */
/* ns to timer units, as a factor of 2^32; set by clock.c for apic.c. */
extern uint64_t clock_apic_mult;
uint64_t clock_to_tsc(uint64_t ns);

/* apic.c, for calibration: the timer's count, which goes down from UINT32_MAX. */
void apic_timer_start_count(void);
uint32_t apic_timer_count(void);

void serial_init(void);
void pci_init(void);

#pragma GCC visibility pop

#endif
