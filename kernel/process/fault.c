/* SPDX-License-Identifier: MIT */
/*
 * Faults of programs.  A page fault is tried again only when space_resolve has just made the page
 * present with the access that failed, and the access was the program's own: so what is tried again
 * succeeds, and no fault repeats for ever.  A spurious fault (the tables allow the access, the
 * processor had not seen it yet) takes the same path, since entering a page anew is harmless.  Any
 * other fault goes to the thread, if it asked for it (abi.h, "Faults"), or ends the process.
 *
 * The kernel itself never faults: it reaches the memory of programs through the direct map, with
 * space_copy_*, so a page fault in kernel mode is a panic (trap_fatal in entry.S).
 */
#include "fault.h"
#include "kernel.h"
#include "process/process.h"
#include "process/shortage.h"
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
	struct space *space = &t->process->space;
	bool no_memory = false;
	if (fault->address < CAPOS_USER_MAX && fault->by_program &&
	    space_resolve(space, fault->address, fault->access, &no_memory) != PADDR_NONE) {
		t->shortage.account = NULL;
		sched_leave();
	}
	if (no_memory && work_pending()) { /* frees some, and the program tries again */
		work_run();
		sched_leave();
	}
	if (no_memory && shortage_relieved(t, fault->address))
		sched_leave();
	struct capos_fault record = {
	        .address = fault->address,
	        .error = fault->error,
	        .vector = fault->vector,
	        .cause = space_fault_cause(space, fault->address, fault->access)};
	if (!no_memory && thread_fault(t, &record))
		sched_leave();
	char reason[PROCESS_REASON_MAX];
	fmt_snprintf(reason, sizeof(reason), "%s at 0x%lx (rip 0x%lx, error 0x%lx)",
	             no_memory ? "out of memory" : "page fault", fault->address, t->arch.regs.rip,
	             fault->error);
	if (no_memory)
		end(DEATH_NO_MEMORY, reason);
	end(record.cause == CAPOS_FAULT_BEYOND ? DEATH_MEMORY : DEATH_ADDRESS, reason);
}

void fault_exception(const struct exception *e)
{
	kernel_enter(ENTRY_FAULT);
	struct thread *t = current_thread();
	struct capos_fault record = {.error = e->error, .vector = e->vector, .cause = e->cause};
	if (thread_fault(t, &record))
		sched_leave();
	char reason[PROCESS_REASON_MAX];
	fmt_snprintf(reason, sizeof(reason), "%s (rip 0x%lx, error 0x%lx)", e->name,
	             t->arch.regs.rip, e->error);
	end(e->death, reason);
}
