/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts, after entry.S saved the registers.  A fault in user mode is the
 * process's affair, a fault in the kernel is the end; interrupts come from user mode or from the
 * idle loop only.
 */
#include <capos/abi.h>
#include "memory/space.h"
#include "x86.h"

#define VECTOR_PAGE_FAULT      14u
#define VECTOR_FIRST_INTERRUPT 32u

#define FAULT_WRITE (1u << 1)
#define FAULT_USER  (1u << 2)
#define FAULT_FETCH (1u << 4)

#define BACKTRACE_MAX 16u

_Noreturn void trap_from_user(uint64_t vector, uint64_t error);
_Noreturn void trap_from_idle(uint64_t vector);
_Noreturn void trap_bad_rip(uint64_t rip);

static const char *const exception_names[VECTOR_FIRST_INTERRUPT] = {
        [0] = "divide error",
        [1] = "debug exception",
        [2] = "non-maskable interrupt",
        [3] = "breakpoint",
        [4] = "overflow",
        [5] = "bound range exceeded",
        [6] = "invalid opcode",
        [7] = "device not available",
        [8] = "double fault",
        [10] = "invalid TSS",
        [11] = "segment not present",
        [12] = "stack segment fault",
        [13] = "general protection fault",
        [14] = "page fault",
        [16] = "floating-point error",
        [17] = "alignment check",
        [18] = "machine check",
        [19] = "vector floating-point error",
        [21] = "control protection fault",
};

static const char *exception_name(uint64_t vector)
{
	const char *name = vector < VECTOR_FIRST_INTERRUPT ? exception_names[vector] : NULL;
	return name ? name : "unexpected exception";
}

static _Noreturn void continue_interrupted(void)
{
	struct arch_thread *thread = arch_this_cpu()->thread;

	if (thread)
		arch_resume(thread);
	arch_idle();
}

static _Noreturn void page_fault(uint64_t address, uint64_t error)
{
	uint32_t access = (error & FAULT_FETCH) != 0   ? CAP_RIGHT_EXEC
	                  : (error & FAULT_WRITE) != 0 ? CAP_RIGHT_WRITE
	                                               : CAP_RIGHT_READ;
	struct space *space = kernel_current_space();
	bool no_memory = false;

	/*
	 * Not FAULT_USER: the processor itself read there on the program's behalf, as some
	 * emulators do for IRET and far RET in user mode, and SMAP forbids it.  Trying again would
	 * never end.
	 */
	if (address < CAPOS_USER_MAX && space && (error & FAULT_USER) != 0 &&
	    space_resolve(space, address, access, &no_memory) != PADDR_NONE)
		arch_resume(arch_this_cpu()->thread);
	kernel_user_fault(address, access, error, no_memory ? "out of memory" : NULL);
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
		kernel_user_fault(0, 0, error, exception_name(vector));
	interrupt(vector);
}

void trap_from_idle(uint64_t vector)
{
	interrupt(vector);
}

/* A thread was to be resumed at what is no user address. */
void trap_bad_rip(uint64_t rip)
{
	kernel_user_fault(rip, CAP_RIGHT_EXEC, 0, NULL);
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

	if (from <= (uint64_t)kernel_stack_guard)
		return;
	for (const uint64_t *at = (const uint64_t *)(from & ~7ull);
	     at < (const uint64_t *)kernel_stack_top && shown < BACKTRACE_MAX; at++) {
		if (*at > (uint64_t)kernel_text_start && *at < (uint64_t)kernel_text_end) {
			klog("kernel: called from 0x%lx", *at);
			shown++;
		}
	}
}
