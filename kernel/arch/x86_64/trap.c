/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts, after entry.S saved the registers.  A fault in user mode is the
 * process's affair (fault.c), a fault in the kernel is the end; interrupts come from user mode or
 * from the idle loop only.
 */
#include <capos/abi.h>
#include "fault.h"
#include "x86.h"

#define VECTOR_PAGE_FAULT      14u
#define VECTOR_FIRST_INTERRUPT 32u

#define FAULT_WRITE    (1u << 1)
#define FAULT_USER     (1u << 2)
#define FAULT_RESERVED (1u << 3)
#define FAULT_FETCH    (1u << 4)

#define BACKTRACE_MAX 16u

_Noreturn void trap_from_user(uint64_t vector, uint64_t error);
_Noreturn void trap_from_idle(uint64_t vector);
_Noreturn void trap_bad_rip(uint64_t rip);

static const struct exception exceptions[VECTOR_FIRST_INTERRUPT] = {
        [0] = {"divide error", DEATH_ARITHMETIC, CAPOS_FAULT_DIVISION},
        [1] = {"debug exception", DEATH_TRAP, CAPOS_FAULT_STEP},
        [2] = {.name = "non-maskable interrupt"},
        [3] = {"breakpoint", DEATH_TRAP, CAPOS_FAULT_BREAKPOINT},
        [4] = {.name = "overflow"},
        [5] = {.name = "bound range exceeded"},
        [6] = {"invalid opcode", DEATH_INSTRUCTION, CAPOS_FAULT_INSTRUCTION},
        [7] = {.name = "device not available"},
        [8] = {.name = "double fault"},
        [10] = {"invalid TSS"},
        [11] = {"segment not present", DEATH_MEMORY, CAPOS_FAULT_STACK},
        [12] = {"stack segment fault", DEATH_MEMORY, CAPOS_FAULT_STACK},
        [13] = {.name = "general protection fault"},
        [14] = {.name = "page fault"},
        [16] = {"floating-point error", DEATH_ARITHMETIC, CAPOS_FAULT_FLOATING},
        [17] = {"alignment check", DEATH_MEMORY, CAPOS_FAULT_ALIGNMENT},
        [18] = {.name = "machine check"},
        [19] = {"vector floating-point error", DEATH_ARITHMETIC, CAPOS_FAULT_FLOATING},
        [21] = {.name = "control protection fault"},
};

static const char *exception_name(uint64_t vector)
{
	const char *name = vector < VECTOR_FIRST_INTERRUPT ? exceptions[vector].name : NULL;
	return name ? name : "unexpected exception";
}

static _Noreturn void exception_from_user(uint64_t vector, uint64_t error)
{
	struct exception e = exceptions[vector];

	e.name = exception_name(vector);
	if (!e.death) {
		e.death = DEATH_ADDRESS;
		e.cause = CAPOS_FAULT_OTHER;
	}
	e.vector = (uint32_t)vector;
	e.error = error;
	fault_exception(&e);
}

static _Noreturn void continue_interrupted(void)
{
	struct arch_thread *thread = arch_this_cpu()->thread;

	if (thread)
		arch_resume(thread);
	kernel_go_on();
}

static _Noreturn void page_fault(uint64_t address, uint64_t error)
{
	struct page_fault fault = {.address = address,
	                           .error = error,
	                           .vector = VECTOR_PAGE_FAULT,
	                           .access = CAP_RIGHT_READ};

	if (error & FAULT_RESERVED)
		panic("page tables are damaged at 0x%lx (error 0x%lx)", address, error);
	if (error & FAULT_FETCH)
		fault.access = CAP_RIGHT_EXEC;
	else if (error & FAULT_WRITE)
		fault.access = CAP_RIGHT_WRITE;
	/* Without FAULT_USER the processor itself read there, as some emulators do for IRET and far
	 * RET in user mode, and SMAP forbids it. */
	fault.by_program = (error & FAULT_USER) != 0;
	fault_page(&fault);
}

static _Noreturn void interrupt(uint64_t vector)
{
	if (vector == VECTOR_SPURIOUS)
		continue_interrupted();
	apic_end_of_interrupt();
	clock_refine();
	if (vector == VECTOR_TIMER) {
		if (apic_timer_due())
			kernel_timer();
		continue_interrupted();
	}
	if (vector >= ARCH_VECTOR_FIRST && vector < ARCH_VECTOR_FIRST + ARCH_VECTOR_COUNT)
		kernel_interrupt((unsigned)vector);
	klog("kernel: unexpected interrupt %lu", vector);
	continue_interrupted();
}

void trap_from_user(uint64_t vector, uint64_t error)
{
	if (vector == VECTOR_PAGE_FAULT)
		page_fault(READ_REGISTER(cr2), error);
	if (vector < VECTOR_FIRST_INTERRUPT)
		exception_from_user(vector, error);
	interrupt(vector);
}

void trap_from_idle(uint64_t vector)
{
	interrupt(vector);
}

/* A thread was to be resumed at an address that is not a program's.  This comes after the kernel
 * was left, so it counts as an entry. */
void trap_bad_rip(uint64_t rip)
{
	const struct page_fault fault = {
	        .address = rip, .vector = VECTOR_PAGE_FAULT, .access = CAP_RIGHT_EXEC};
	fault_page(&fault);
}

/* ---- The end ---- */

struct kernel_frame { /* as trap_fatal in entry.S pushes it */
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

_Noreturn void trap_panic(const struct kernel_frame *f);

static uint64_t backtrace_from; /* stack pointer of the faulting code; 0: the panic's own */

_Noreturn void trap_panic(const struct kernel_frame *f)
{
	klog("kernel: rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
	klog("kernel: rsi %016lx rdi %016lx rbp %016lx rsp %016lx", f->rsi, f->rdi, f->rbp, f->rsp);
	klog("kernel: r8  %016lx r9  %016lx r10 %016lx r11 %016lx", f->r8, f->r9, f->r10, f->r11);
	klog("kernel: r12 %016lx r13 %016lx r14 %016lx r15 %016lx", f->r12, f->r13, f->r14, f->r15);
	backtrace_from = f->rsp;
	panic("%s in the kernel at rip 0x%lx (error 0x%lx, address 0x%lx, stack 0x%lx)",
	      exception_name(f->vector), f->rip, f->error, READ_REGISTER(cr2), f->rsp);
}

/* No frame pointers are kept: shows what on the stack points into the kernel's code, the newest
 * first. */
void arch_backtrace(void)
{
	uint64_t from = backtrace_from != 0 ? backtrace_from : (uint64_t)__builtin_frame_address(0);
	unsigned shown = 0;

	klog("kernel: offset of the image 0x%lx, direct map at 0x%lx; calls below as linked",
	     memory_image_offset, arch_direct_map);
	if (from <= (uint64_t)kernel_stack_guard)
		return;
	for (const uint64_t *at = (const uint64_t *)(from & ~7ull);
	     at < (const uint64_t *)kernel_stack_top && shown < BACKTRACE_MAX; at++) {
		if (*at > (uint64_t)kernel_text_start && *at < (uint64_t)kernel_text_end) {
			klog("kernel: called from 0x%lx", *at - memory_image_offset);
			shown++;
		}
	}
}
