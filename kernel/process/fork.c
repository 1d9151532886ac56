/* SPDX-License-Identifier: MIT */
/*
 * Process.fork: a second process with the memory and capabilities of the first.  All of it is made
 * before anybody sees it, or nothing is.  Both draw on one
 * account from then on.
 */
#include "object/event.h"
#include "kernel.h"
#include "process/process.h"
#include "process/thread.h"

/* The caller's memory, capabilities and registers that are not given anew. */
static int copy_into(struct process *child, struct thread *caller, const struct fork *fork,
                     struct thread **out)
{
	struct process *p = caller->process;
	int error = space_fork(&child->space, &p->space);
	if (error)
		return error;
	uint64_t clock = CAPOS_CLOCK_ADDR;
	error = space_map(&child->space, arch_clock_object(), 0, PAGE_SIZE, CAP_RIGHT_READ, false,
	                  true, &clock);
	if (!error)
		error = cap_table_fork(&child->caps, &p->caps);
	if (error)
		return error;
	arch_thread_save(&caller->arch); /* it is the current one: they are in the processor */
	error = thread_create(child, fork->entry, fork->stack, fork->argument, caller->arch.fs_base,
	                      out);
	if (!error)
		memcpy((*out)->arch.fpu, caller->arch.fpu, sizeof(caller->arch.fpu));
	return error;
}

int process_fork(struct thread *caller, const struct fork *fork, struct process **out)
{
	const struct process *p = caller->process;
	struct thread *t;
	assert(kernel_locked() && caller == current_thread());
	struct process *child;
	int error =
	        process_create(p->name, (uint32_t)strlen(p->name), p->account, p->service, &child);
	if (error)
		return error;
	error = copy_into(child, caller, fork, &t);
	if (error) {
		process_end(child, 0, NULL);
		return error == CAP_ENOSLOT ? CAP_ENOMEM : error;
	}
	if (fork->end_event) {
		event_get(fork->end_event);
		child->end_event = fork->end_event;
		child->end_bits = fork->end_bits;
	}
	sched_wake(t);
	process_get(child);
	*out = child;
	return CAP_OK;
}
