/* SPDX-License-Identifier: MIT */
/*
 * Process.fork: a second process with the memory and capabilities of the first.  All of it is made
 * before any of it can be seen, or nothing is.  Both draw on one account from then on.
 */
#include "kernel.h"
#include "process/process.h"
#include "process/thread.h"
#include "memory/slab.h"
#include "work.h"

/* A fork under way. */
struct fork_job {
	struct job job; /* first */
	struct account *account;
	struct process *child; /* not visible yet to others; one count: its being alive */
	struct space_fork space;
	bool space_done, clock_done;
};

static struct slab jobs = SLAB_INIT(struct fork_job);

static void free_job(struct fork_job *j)
{
	account_free(j->account, &jobs, j);
}

static void abandon(struct job *job)
{
	struct fork_job *j = (struct fork_job *)job;
	space_fork_abandon(&j->space);
	process_end(j->child, 0, NULL);
	free_job(j);
}

static int begin(struct thread *caller, struct fork_job **out)
{
	struct process *p = caller->process;
	struct fork_job *j = account_alloc(p->account, &jobs);
	if (!j)
		return CAP_ENOMEM;
	j->job.abandon = abandon;
	j->account = p->account;
	int error = process_create(p->name, (uint32_t)strlen(p->name), p->account, p->service,
	                           &j->child);
	if (error) {
		free_job(j);
		return error;
	}
	j->space.to = &j->child->space;
	j->space.from = &p->space;
	caller->job = &j->job;
	*out = j;
	return CAP_OK;
}

/* The caller's memory and capabilities, as far as the budget goes. */
static int copy_some(struct fork_job *j, const struct process *p)
{
	int error = j->space_done ? CAP_OK : space_fork(&j->space);
	if (error)
		return error;
	j->space_done = true;
	if (!j->clock_done) {
		error = process_map_clock(&j->child->space);
		if (error)
			return error;
		j->clock_done = true;
	}
	return cap_table_fork(&j->child->caps, &p->caps);
}

int process_fork_copy(struct thread *caller)
{
	struct fork_job *j = (struct fork_job *)caller->job;
	assert(kernel_locked() && caller == current_thread());
	int error = j ? CAP_OK : begin(caller, &j);
	if (!error)
		error = copy_some(j, caller->process);
	return error == CAP_ENOSLOT ? CAP_ENOMEM : error;
}

int process_fork_start(struct thread *caller, const struct fork *fork, struct process **out)
{
	struct fork_job *j = (struct fork_job *)caller->job;
	struct thread *t;
	assert(kernel_locked() && caller == current_thread());
	arch_thread_save(&caller->arch); /* they are in the processor */
	int error = thread_create(j->child, fork->entry, fork->stack, fork->argument,
	                          caller->arch.fs_base, &t);
	if (error)
		return error;
	memcpy(t->arch.fpu, caller->arch.fpu, sizeof(caller->arch.fpu));
	thread_inherit(t, caller);
	struct process *child = j->child;
	caller->job = NULL;
	free_job(j);
	cap_get(fork->end_event);
	child->end_event = fork->end_event;
	child->end_bits = fork->end_bits;
	sched_wake(t);
	child->label_length = caller->process->label_length;
	memcpy(child->label, caller->process->label, sizeof(child->label));
	child->priority_most = caller->process->priority_most;
	child->nice_least = caller->process->nice_least;
	process_get(child);
	*out = child;
	return CAP_OK;
}
