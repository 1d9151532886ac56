/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: a better class always runs first, though a running thread of a worse class may
 * finish its batch; within a class those that woke with time left in their slice go before those
 * that used theirs up.
 *
 * The hardware timer is set only for a deadline that matters: the queue's first, and the end of a
 * slice or batch when a thread waits for it.  A timer that was set for something no longer wanted
 * is left to fire once, but for an idle processor, which it would only disturb.
 */
#include "cpu.h"
#include "arch.h"
#include "process/process.h"
#include "process/thread.h"
#include "process/timeout.h"
#include "work.h"

struct cpu the_cpu;

/* Does the work that entries into the kernel left over.  It has neither process nor registers: its
 * turn in the queue is a turn of the kernel's, so that work gets its share beside programs that
 * run, and all of the processor when none does. */
static struct thread worker = {.rank = RANK_PROGRAM, .slice_left = CAPOS_SLICE_NS};

void sched_init(void)
{
	struct cpu *cpu = this_cpu();
	list_init(&worker.run);
	for (int rank = 0; rank < RANK_COUNT; rank++) {
		list_init(&cpu->woken[rank]);
		list_init(&cpu->expired[rank]);
	}
	cpu->preempt_at = cpu->timer_at = UINT64_MAX;
	cpu->locked = true;
}

/* ---- Interrupts off ---- */

void kernel_enter(enum entry_kind kind)
{
	struct cpu *cpu = this_cpu();
	assert(!kernel_locked());
	cpu->locked = true;
	steps_spent = 0;
	if (!cpu->measures)
		return;
	cpu->entered_at = arch_clock_ns();
	cpu->entry = (struct entry){.kind = kind};
}

/* Interrupts may come in from now on. */
static void leave_kernel(struct cpu *cpu)
{
	cpu->locked = false;
	if (!cpu->measures || cpu->entered_at == 0)
		return;
	uint64_t passed = arch_clock_ns() - cpu->entered_at;
	if (passed <= cpu->longest_ns)
		return;
	cpu->longest_ns = passed;
	cpu->longest = cpu->entry;
}

static _Noreturn void let_interrupts_in(struct cpu *cpu)
{
	leave_kernel(cpu);
	arch_let_interrupts_in();
}

/* ---- Queues ---- */

static bool rank_waits(const struct cpu *cpu, int rank)
{
	return !list_empty(&cpu->woken[rank]) || !list_empty(&cpu->expired[rank]);
}

/* slice_left 0: begins a new slice behind those that have time left. */
static void enqueue(struct cpu *cpu, struct thread *t, bool front)
{
	struct list *queue = &cpu->woken[t->rank];
	if (t->slice_left == 0) {
		t->slice_left = CAPOS_SLICE_NS;
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
	thread_become(t, THREAD_RUNNABLE);
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
	if (t->process) {
		t->process->cpu_ns += used;
		t->cpu_ns += used;
		thread_runs_since(t, now);
	}
	t->slice_left = now >= cpu->slice_end ? 0 : cpu->slice_end - now;
	cpu->switched_at = now;
}

void sched_account(void)
{
	struct cpu *cpu = this_cpu();
	assert(kernel_locked());
	if (cpu->current)
		account_time(cpu, cpu->current, arch_clock_ns());
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

/* Puts the current thread back into its queue when another's turn has come. */
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
	thread_become(t, THREAD_RUNNABLE);
	enqueue(cpu, t, preempted);
	cpu->current = NULL;
}

void sched_pass(struct thread *t)
{
	struct cpu *cpu = this_cpu();
	assert(kernel_locked() && cpu->current == t);
	if (!rank_waits(cpu, t->rank))
		return;
	account_time(cpu, t, arch_clock_ns());
	t->slice_left = 0;
	thread_become(t, THREAD_RUNNABLE);
	enqueue(cpu, t, false);
	cpu->current = NULL;
}

static void switch_to(struct cpu *cpu, struct thread *t)
{
	list_remove(&t->run);
	thread_become(t, THREAD_RUNNING);
	cpu->current = t;
	cpu->switched_at = arch_clock_ns();
	if (t->process)
		thread_runs_since(t, cpu->switched_at);
	cpu->slice_end = cpu->switched_at + t->slice_left;
	cpu->preempt_at = UINT64_MAX;
	if (t->rank != RANK_SERVICE && rank_waits(cpu, RANK_SERVICE))
		cpu->preempt_at = cpu->switched_at;
	cpu->context_switches++;
	if (cpu->loaded == t || t == &worker)
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

static void wake_worker(void)
{
	if (worker.state != THREAD_WAITING)
		return;
	sched_wake(&worker);
	/* It goes on with what the last to run began. */
	sched_hand_over(&worker);
}

static _Noreturn void run_worker(struct cpu *cpu)
{
	work_run();
	if (!work_pending()) {
		sched_block(&worker);
		thread_become(&worker, THREAD_WAITING);
	}
	let_interrupts_in(cpu);
}

/* Resumes a thread or goes idle; but when the kernel has used up its budget, or still has something
 * to do for the thread that runs, it lets interrupts in and comes back by kernel_go_on. */
static _Noreturn void leave(void)
{
	struct cpu *cpu = this_cpu();
	if (steps_over())
		let_interrupts_in(cpu);
	if (work_pending())
		wake_worker();
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
		leave_kernel(cpu);
		arch_idle();
	}
	if (t == &worker)
		run_worker(cpu);
	arch_table_load(t->process->space.root);
	if (t->enter == ENTER_SUBMITTING) {
		submit_go_on(t);
		let_interrupts_in(cpu);
	}
	thread_before_user(t);
	leave_kernel(cpu);
	arch_resume(&t->arch);
}

_Noreturn void sched_leave(void)
{
	work_run_fresh();
	leave();
}

_Noreturn void kernel_go_on(void)
{
	kernel_enter(ENTRY_WORK);
	leave();
}

_Noreturn void kernel_timer(void)
{
	struct cpu *cpu = this_cpu();
	kernel_enter(ENTRY_TIMER);
	cpu->interrupts++;
	cpu->timer_at = UINT64_MAX;
	timeout_run(arch_clock_ns());
	sched_leave();
}
