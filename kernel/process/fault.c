/* SPDX-License-Identifier: MIT */
/*
 * Faults of programs.  A page fault is tried again only when space_resolve has just made the page
 * present with the access that failed, and the access was the program's own: so what is tried again
 * succeeds, and no fault repeats for ever.  A spurious fault (the tables allow the access, the
 * processor had not seen it yet) takes the same path, since entering a page anew is harmless.
 *
 * The kernel itself never faults: it reaches the memory of programs through the direct map, with
 * space_copy_*, so a page fault in kernel mode is a panic (trap_fatal in entry.S).
 */
#include "fault.h"
#include "kernel.h"
#include "process/process.h"
#include "process/thread.h"
#include "work.h"

static _Noreturn void end(enum death death, const char *reason)
{
	process_end(current_thread()->process, CAPOS_EXIT_STATUS(0, death), reason);
	sched_leave();
}

void fault_page(const struct page_fault *fault)
{
	kernel_enter(ENTRY_FAULT);
	struct thread *t = current_thread();
	bool no_memory = false;
	if (fault->address < CAPOS_USER_MAX && fault->by_program &&
	    space_resolve(&t->process->space, fault->address, fault->access, &no_memory) !=
	            PADDR_NONE)
		sched_leave();
	if (no_memory && work_pending()) { /* frees some, and the program tries again */
		work_run();
		sched_leave();
	}
	char reason[PROCESS_REASON_MAX];
	fmt_snprintf(reason, sizeof(reason), "%s at 0x%lx (rip 0x%lx, error 0x%lx)",
	             no_memory ? "out of memory" : "page fault", fault->address, t->arch.regs.rip,
	             fault->error);
	end(no_memory ? DEATH_NO_MEMORY : DEATH_ADDRESS, reason);
}

void fault_exception(const char *name, enum death death, uint64_t error)
{
	kernel_enter(ENTRY_FAULT);
	char reason[PROCESS_REASON_MAX];
	fmt_snprintf(reason, sizeof(reason), "%s (rip 0x%lx, error 0x%lx)", name,
	             current_thread()->arch.regs.rip, error);
	end(death, reason);
}
