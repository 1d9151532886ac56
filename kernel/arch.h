/* SPDX-License-Identifier: MIT */
/*
 * What the rest of the kernel may ask of the architecture.  Everything x86-64 stays behind this
 * header: the page tables' format, traps, the interrupt controller, the clock, PCI's configuration
 * access.
 *
 * The kernel runs with interrupts off, on one stack per CPU; a thread in the kernel never sleeps
 * there.  Entry saves the thread's registers in its struct arch_thread, and arch_resume() leaves
 * for good.
 */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <capos/abi.h>
#include "kernel.h"

struct arch_thread; /* arch/x86_64/registers.h */

/* All physical memory that the kernel may touch is seen at its address plus this. */
#ifndef ARCH_DIRECT_MAP
extern uint64_t arch_direct_map; /* drawn at boot */
#define ARCH_DIRECT_MAP arch_direct_map
#endif

/* ---- Provided by arch/x86_64 ---- */
void arch_thread_init(struct arch_thread *t, uint64_t entry, uint64_t stack, uint64_t argument,
                      uint64_t fs_base, uint64_t gs_base);
void arch_thread_save(
        struct arch_thread *t); /* FPU, FS and GS bases, when another thread will run */
void arch_thread_restore(struct arch_thread *t); /* the same, before resuming it */
_Noreturn void arch_resume(struct arch_thread *t);
_Noreturn void
arch_idle(void); /* waits for an interrupt on an empty stack, which then calls into the kernel */
/* Lets interrupts that wait come in, on an empty stack.  Each calls into the kernel as from an idle
 * processor; when none is left, kernel_go_on is called. */
_Noreturn void arch_let_interrupts_in(void);
/* Upcall: stores the frame and redirects the thread; see abi.h.  stack 0: it goes on on its own,
 * below the red zone. */
void arch_upcall(struct arch_thread *t, struct capos_upcall_frame *frame, uint64_t entry,
                 uint64_t stack);

/* Page tables of one address space; level-4 root; kernel half shared. */
paddr_t arch_table_create(void);
/* As far as the budget goes; false: some is left, and it is to be called again. */
bool arch_table_destroy(paddr_t root);
/* 0: no memory; else 1 + the number of frames it took for tables (at most ARCH_TABLE_LEVELS -
 * 1). */
unsigned arch_table_map(paddr_t root, uint64_t address, paddr_t frame, uint32_t access,
                        bool device);
#define ARCH_TABLE_LEVELS 4
/* The last-level table that shows address, which is mapped, and so what is beside it, within the
 * same 2 MiB. */
struct arch_table_part {
	paddr_t root;
	uint64_t *entries;
};
struct arch_table_part arch_table_part(paddr_t root, uint64_t address);
bool arch_table_part_has(const struct arch_table_part *part, uint64_t address);
/* Where nothing is mapped yet. */
void arch_table_part_enter(const struct arch_table_part *part, uint64_t address, paddr_t frame,
                           uint32_t access);
/* Of [start, end): absent parts cost nothing; also flush when root is loaded. */
void arch_table_unmap_range(paddr_t root, uint64_t start, uint64_t end);
/* As arch_table_unmap_range, but goes through a bounded number of entries: where it stopped. */
uint64_t arch_table_unmap_some(paddr_t root, uint64_t start, uint64_t end);
void arch_table_write_protect_range(paddr_t root, uint64_t start, uint64_t end);
/* The frame that user code would reach there (for writing), or PADDR_NONE; never device memory. */
paddr_t arch_table_lookup(paddr_t root, uint64_t address, bool write);
void arch_table_load(paddr_t root); /* no-op when loaded already */

/* Time.  arch_clock_ns: monotonic.  arch_timer_set: one interrupt at or soon after that time;
 * UINT64_MAX: none. */
uint64_t arch_clock_ns(void);
void arch_timer_set(uint64_t deadline_ns);
struct memobj *arch_clock_object(void); /* the clock page, to map read-only in every process */

/* Interrupt vectors for devices.  Delivery calls interrupt_deliver(vector). */
#define ARCH_VECTOR_FIRST 48
#define ARCH_VECTOR_COUNT 160
/* What a device must write to raise vector on this CPU. */
void arch_msi_message(unsigned vector, uint64_t *address, uint32_t *data);

uint32_t arch_pci_read(uint16_t address, uint16_t offset, unsigned width); /* bus<<8|dev<<3|fn */
void arch_pci_write(uint16_t address, uint16_t offset, unsigned width, uint32_t value);
/* First free physical window for BARs that firmware left unassigned (PVH boot has no firmware that
 * assigns them). */
void arch_pci_window(uint64_t *start, uint64_t *end);
/* Kernel mapping of device memory (MSI-X tables); NULL when there is no room. */
volatile void *arch_map_device(paddr_t base, uint64_t size);

void arch_random_seed(
        uint8_t *buffer,
        size_t size); /* RDSEED/RDRAND and timing, as much as there is; mixed by entropy.c */
_Noreturn void arch_shutdown(void);
_Noreturn void arch_halt_after_panic(void); /* resets, so that `-no-reboot` ends the emulator */
void arch_backtrace(void); /* for panic: what on the stack looks like return addresses */
void arch_serial_write(const char *text, size_t length);

/* A protection as it is now: bits is how many chance decides, 0 where that is not the question. */
struct arch_protection {
	const char *name;
	bool on;
	unsigned bits;
};
#define ARCH_PROTECTIONS 9u
unsigned arch_protections(struct arch_protection *out); /* fills that many; how many */

/* Boot facts, filled before kernel_main. */
struct arch_boot {
	paddr_t archive_start;
	uint64_t archive_size;
	char command_line[256];
};
extern struct arch_boot arch_boot;

/* ---- Provided by the rest of the kernel ---- */
_Noreturn void kernel_main(void); /* memory ranges added, traps and clock ready, interrupts off */
/* Each ends by resuming some thread. */
_Noreturn void kernel_syscall(uint64_t number, uint64_t a, uint64_t b); /* of the current thread */
_Noreturn void kernel_timer(void);
_Noreturn void kernel_go_on(void); /* with what was under way: no thread is in user mode */
_Noreturn void kernel_interrupt(unsigned vector);
/* Exceptions of programs: fault.h. */

#endif
