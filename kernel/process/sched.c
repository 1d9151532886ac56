/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: a better class always runs first, though a running thread of a worse class may
 * finish its batch; within a class those that woke with time left in their slice go before those
 * that used theirs up.
 *
 * The hardware timer is set only for a deadline that matters: the queue's first, and the end of a
 * slice or batch when somebody waits for it.  A timer that was set for something no longer wanted
 * is left to fire once, but for an idle processor, which it would only disturb.
 */
#include "cpu.h"
#include "arch/x86_64/arch.h"
#include "object/endpoint.h"
#include "process/process.h"
#include "process/thread.h"
#include "object/timer.h"

struct cpu the_cpu;

void sched_init(void)
{
	struct cpu *cpu = this_cpu();
	for (int rank = 0; rank < RANK_COUNT; rank++) {
		list_init(&cpu->woken[rank]);
		list_init(&cpu->expired[rank]);
	}
	cpu->preempt_at = cpu->timer_at = UINT64_MAX;
	cpu->locked = true;
}

void kernel_enter(void)
{
	assert(!kernel_locked());
	this_cpu()->locked = true;
}

static bool rank_waits(const struct cpu *cpu, int rank)
{
	return !list_empty(&cpu->woken[rank]) || !list_empty(&cpu->expired[rank]);
}

/* slice_left 0: begins a new slice behind those that have time left. */
static void enqueue(struct cpu *cpu, struct thread *t, bool front)
{
	struct list *queue = &cpu->woken[t->rank];
	if (t->slice_left == 0) {
		t->slice_left = SLICE_NS;
		queue = &cpu->expired[t->rank];
	}
	if (front)
		list_prepend(queue, &t->run);
	else
		list_append(queue, &t->run);
}

void sched_wake(struct thread *t)
{
	struct cpu *cpu = this_cpu();
	assert(kernel_locked() && t->state == THREAD_WAITING);
	t->state = THREAD_RUNNABLE;
	enqueue(cpu, t, false);
	if (!cpu->current || t->rank >= cpu->current->rank || cpu->preempt_at != UINT64_MAX)
		return;
	cpu->preempt_at = arch_clock_ns();
	if (cpu->preempt_at - t->slept_at < QUIET_NS)
		cpu->preempt_at += BATCH_NS;
}

void sched_hand_over(struct thread *t)
{
	assert(kernel_locked() && t->state == THREAD_RUNNABLE);
	list_remove(&t->run);
	list_prepend(&this_cpu()->woken[t->rank], &t->run);
}

/* Charges the time since it was switched to. */
static void account_time(struct cpu *cpu, struct thread *t, uint64_t now)
{
	uint64_t used = now - cpu->switched_at;
	t->process->cpu_ns += used;
	t->slice_left = now >= cpu->slice_end ? 0 : cpu->slice_end - now;
	cpu->switched_at = now;
}

void sched_block(struct thread *t)
{
	struct cpu *cpu = this_cpu();
	assert(kernel_locked());
	if (cpu->current == t) {
		account_time(cpu, t, arch_clock_ns());
		t->slept_at = cpu->switched_at;
		cpu->current = NULL;
	}
	list_remove(&t->run);
}

static struct thread *pick(struct cpu *cpu)
{
	for (int rank = 0; rank < RANK_COUNT; rank++) {
		struct list *node = list_first(&cpu->woken[rank]);
		if (!node)
			node = list_first(&cpu->expired[rank]);
		if (node)
			return list_entry(node, struct thread, run);
	}
	return NULL;
}

/* Puts the current thread back into its queue when somebody else's turn has come. */
static void yield_if_due(struct cpu *cpu)
{
	struct thread *t = cpu->current;
	bool better = t->rank == RANK_PROGRAM && rank_waits(cpu, RANK_SERVICE);
	bool equal = rank_waits(cpu, t->rank);
	if (!better && !equal)
		return;
	uint64_t now = arch_clock_ns();
	bool preempted = better && now >= cpu->preempt_at;
	if (!preempted && !(equal && now >= cpu->slice_end))
		return;
	account_time(cpu, t, now);
	t->state = THREAD_RUNNABLE;
	enqueue(cpu, t, preempted);
	cpu->current = NULL;
}

static void switch_to(struct cpu *cpu, struct thread *t)
{
	list_remove(&t->run);
	t->state = THREAD_RUNNING;
	cpu->current = t;
	cpu->switched_at = arch_clock_ns();
	cpu->slice_end = cpu->switched_at + t->slice_left;
	cpu->preempt_at = UINT64_MAX;
	if (t->rank != RANK_SERVICE && rank_waits(cpu, RANK_SERVICE))
		cpu->preempt_at = cpu->switched_at;
	cpu->context_switches++;
	/* What is made in the program's name and not charged to it leaves services theirs as
	 * well. */
	page_hold_back(t->rank == RANK_SERVICE ? 0 : page_total() / SERVICE_SHARE);
	if (cpu->loaded == t)
		return;
	if (cpu->loaded)
		arch_thread_save(&cpu->loaded->arch);
	arch_thread_restore(&t->arch);
	cpu->loaded = t;
}

static void set_timer(struct cpu *cpu)
{
	uint64_t deadline = timeout_first();
	const struct thread *t = cpu->current;
	if (t) {
		if (cpu->preempt_at < deadline)
			deadline = cpu->preempt_at;
		if (rank_waits(cpu, t->rank) && cpu->slice_end < deadline)
			deadline = cpu->slice_end;
	}
	if (deadline < cpu->timer_at || (!t && deadline != cpu->timer_at)) {
		cpu->timer_at = deadline;
		arch_timer_set(deadline);
	}
}

_Noreturn void sched_leave(void)
{
	struct cpu *cpu = this_cpu();
	endpoint_reap();
	if (cpu->current)
		yield_if_due(cpu);
	if (!cpu->current) {
		struct thread *next = pick(cpu);
		if (next)
			switch_to(cpu, next);
	}
	set_timer(cpu);
	struct thread *t = cpu->current;
	if (!t) {
		cpu->locked = false;
		arch_idle();
	}
	arch_table_load(t->process->space.root);
	thread_before_user(t);
	cpu->locked = false;
	arch_resume(&t->arch);
}

_Noreturn void kernel_timer(void)
{
	struct cpu *cpu = this_cpu();
	kernel_enter();
	cpu->interrupts++;
	cpu->timer_at = UINT64_MAX;
	timeout_run(arch_clock_ns());
	sched_leave();
}
