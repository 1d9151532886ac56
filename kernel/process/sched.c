/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: the share of the services always runs first, though a running thread of another
 * may finish its batch; the other shares take turns, and within a share its threads.  Both levels
 * go by one rule: who woke with time left in its slice goes before those that used theirs up.
 * But a service that no process waits for, as it only has to hear what was released, runs when
 * no program does, or after a slice: a switch for each release would cost more than the release.
 *
 * The hardware timer is set only for a deadline that matters: the queue's first, and the end of a
 * slice, turn or batch when a thread waits for it.  A timer that was set for something no longer
 * wanted is left to fire once, but for an idle processor, which it would only disturb.
 */
#include "cpu.h"
#include "arch.h"
#include "process/process.h"
#include "process/thread.h"
#include "process/timeout.h"
#include "work.h"

struct cpu the_cpu;

/* Does the work that entries into the kernel left over.  It has neither process nor registers: its
 * turn is a turn of the kernel's, so that work gets its share beside programs that run, and all of
 * the processor when none does. */
/* The services' turn takes longer than any machine runs. */
#define NO_END_NS (1ull << 62)

static struct share kernels;
static struct thread worker = {.share = &kernels,
                               .base = LEVEL_WOKEN,
                               .slice = CAPOS_SLICE_NS,
                               .slice_left = CAPOS_SLICE_NS};

void sched_init(void)
{
	struct cpu *cpu = this_cpu();
	list_init(&worker.run);
	share_init(&kernels);
	share_init(&cpu->services);
	cpu->services.slice_left = NO_END_NS;
	share_init(&cpu->unhurried);
	list_init(&cpu->woken);
	list_init(&cpu->expired);
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

static void note_time(struct cpu *cpu)
{
	uint64_t passed = arch_clock_ns() - cpu->entered_at;
	if (passed <= cpu->longest_ns)
		return;
	cpu->longest_ns = passed;
	cpu->longest = cpu->entry;
}

/* Interrupts may come in from now on. */
static inline void leave_kernel(struct cpu *cpu)
{
	cpu->locked = false;
	cpu->stopped_at = 0;
	if (cpu->measures && cpu->entered_at != 0)
		note_time(cpu);
}

static _Noreturn void let_interrupts_in(struct cpu *cpu)
{
	leave_kernel(cpu);
	arch_let_interrupts_in();
}

/* ---- The threads of a share ---- */

static bool share_waits(const struct share *s)
{
	return s->waits != 0;
}

static inline void insert(struct thread *t, bool front)
{
	struct share *s = t->share;
	struct list *queue = &s->level[t->level];
	this_cpu()->runnable++;
	if (t->level <= LEVEL_WOKEN) {
		s->waits |= 1ull << t->level;
	} else {
		s->waits |= WAITS_ABOVE;
		s->above[t->level / 64] |= 1ull << t->level % 64;
	}
	if (front)
		list_prepend(queue, &t->run);
	else
		list_append(queue, &t->run);
}

static void level_emptied(struct share *s, unsigned level)
{
	s->above[level / 64] &= ~(1ull << level % 64);
	if (!(s->above[0] | s->above[1]))
		s->waits &= ~(uint64_t)WAITS_ABOVE;
}

static inline void take_out(struct thread *t)
{
	this_cpu()->runnable--;
	list_remove(&t->run);
	struct share *s = t->share;
	if (!list_empty(&s->level[t->level]))
		return;
	if (t->level <= LEVEL_WOKEN)
		s->waits &= ~(1ull << t->level);
	else
		level_emptied(s, t->level);
}

/* slice_left 0: begins a new slice behind those that have time left. */
static inline void enqueue(struct thread *t, unsigned level, bool front)
{
	t->level = (uint8_t)level;
	if (level != LEVEL_URGENT)
		t->overdue_ns = 0;
	if (t->slice_left == 0) {
		t->slice_left = t->slice;
		if (level == LEVEL_WOKEN)
			t->level = LEVEL_EXPIRED;
	}
	insert(t, front);
}

/* Where threads wait in it. */
static inline unsigned top_level(const struct share *s)
{
	if (s->waits < WAITS_ABOVE)
		return s->waits == 1u << LEVEL_EXPIRED ? LEVEL_EXPIRED : LEVEL_WOKEN;
	return s->above[1] ? 127u - (unsigned)__builtin_clzll(s->above[1])
	                   : 63u - (unsigned)__builtin_clzll(s->above[0]);
}

static struct thread *first_thread(const struct share *s)
{
	return list_entry(list_first(&s->level[top_level(s)]), struct thread, run);
}

/* Of one that runs.  Who holds what all threads of its process need goes before those that would
 * only wait for it. */
static unsigned level_of(const struct thread *t)
{
	bool urgent = t->process && __atomic_load_n(&t->ring.header->urgent, __ATOMIC_RELAXED);
	/* It may say so for ever, and be of another user than those that wait. */
	if (urgent && t->overdue_ns && arch_clock_ns() - t->overdue_ns >= CAPOS_SLICE_NS)
		urgent = false;
	return urgent ? LEVEL_URGENT : t->base;
}

/* Others wait for it to give up what they need. */
static void is_overdue(struct thread *t)
{
	t->ring.header->overdue = 1;
	if (!t->overdue_ns)
		t->overdue_ns = arch_clock_ns();
}

/* What waits in its share for a thread that runs to stop. */
enum rival { RIVAL_NONE, RIVAL_EQUAL, RIVAL_HIGHER };

static enum rival rival_above(struct thread *t)
{
	unsigned top = top_level(t->share), own = level_of(t);
	if (top > own)
		return RIVAL_HIGHER;
	if (top > t->base)
		is_overdue(t);
	return top == own ? RIVAL_EQUAL : RIVAL_NONE;
}

static inline enum rival rival_of(struct thread *t)
{
	uint64_t waits = t->share->waits;
	if (waits >= WAITS_ABOVE)
		return rival_above(t);
	return waits != 0 && t->base == LEVEL_WOKEN ? RIVAL_EQUAL : RIVAL_NONE;
}

/* ---- Turns of shares ---- */

static bool is_service(const struct cpu *cpu, const struct thread *t)
{
	return t->share == &cpu->services;
}

static bool turns_wait(const struct cpu *cpu)
{
	return !list_empty(&cpu->woken) || !list_empty(&cpu->expired) ||
	       share_waits(&cpu->unhurried);
}

/* front: its turn is not over yet. */
static void line_up(struct cpu *cpu, struct share *s, bool front)
{
	if (s->slice_left == 0) {
		s->slice_left = CAPOS_SLICE_NS;
		list_append(&cpu->expired, &s->turn);
	} else if (front) {
		list_prepend(&cpu->woken, &s->turn);
	} else {
		list_append(&cpu->woken, &s->turn);
	}
}

/* The share goes next, but for one that waits for a slice: else those that are handed much would
 * get more than their turns. */
static void take_turn(struct cpu *cpu, struct share *s)
{
	struct share *last = cpu->turn;
	if (last == s || s->slice_left == CAPOS_SLICE_NS)
		return;
	list_remove(&s->turn);
	cpu->turn = s;
	if (last && share_waits(last))
		line_up(cpu, last, true);
}

/* Whose thread goes on; NULL: nobody's. */
static struct share *pick_share(struct cpu *cpu)
{
	struct share *last = cpu->turn;
	if (share_waits(&cpu->services))
		return &cpu->services;
	bool late = share_waits(&cpu->unhurried);
	if (late && arch_clock_ns() >= cpu->hurry_at)
		return &cpu->unhurried;
	if (last && share_waits(last)) {
		if (last->slice_left > 0)
			return last;
		line_up(cpu, last, false);
	}
	struct list *node = list_first(&cpu->woken);
	if (!node)
		node = list_first(&cpu->expired);
	if (!node)
		return late ? &cpu->unhurried : NULL;
	list_remove(node);
	cpu->turn = list_entry(node, struct share, turn);
	return cpu->turn;
}

/* ---- Waking, waiting, yielding ---- */

static void wait_for_turn(struct cpu *cpu, struct share *s)
{
	if (s != cpu->turn && list_empty(&s->turn))
		line_up(cpu, s, false);
}

/* Sets when a service that is runnable takes over. */
static void preempt_for(struct cpu *cpu, const struct thread *service)
{
	if (!cpu->current || is_service(cpu, cpu->current) || cpu->preempt_at != UINT64_MAX)
		return;
	cpu->preempt_at = arch_clock_ns();
	if (cpu->preempt_at - service->slept_at < QUIET_NS)
		cpu->preempt_at += BATCH_NS;
}

void sched_wake(struct thread *t)
{
	struct cpu *cpu = this_cpu();
	assert(kernel_locked() && t->state == THREAD_WAITING);
	thread_become(t, THREAD_RUNNABLE);
	enqueue(t, t->base, false);
	if (is_service(cpu, t))
		preempt_for(cpu, t);
	else
		wait_for_turn(cpu, t->share);
}

bool sched_hurries(const struct thread *t)
{
	return t->state != THREAD_WAITING && t->share != &this_cpu()->unhurried;
}

void sched_put_off(struct thread *t)
{
	struct cpu *cpu = this_cpu();
	assert(kernel_locked());
	if (t->state != THREAD_RUNNABLE || !is_service(cpu, t))
		return;
	take_out(t);
	t->share = &cpu->unhurried;
	if (!share_waits(t->share))
		cpu->hurry_at = arch_clock_ns() + CAPOS_SLICE_NS;
	insert(t, false);
	if (!share_waits(&cpu->services))
		cpu->preempt_at = UINT64_MAX;
}

void sched_hurry(struct thread *t)
{
	struct cpu *cpu = this_cpu();
	assert(kernel_locked());
	if (t->share != &cpu->unhurried)
		return;
	assert(t->state == THREAD_RUNNABLE);
	take_out(t);
	t->share = &cpu->services;
	insert(t, false);
	preempt_for(cpu, t);
}

void sched_hand_over(struct thread *t)
{
	struct cpu *cpu = this_cpu();
	assert(kernel_locked() && t->state == THREAD_RUNNABLE);
	if (t->level <= LEVEL_WOKEN) {
		take_out(t);
		t->level = LEVEL_WOKEN;
		insert(t, true);
	}
	if (!is_service(cpu, t) && (!cpu->current || is_service(cpu, cpu->current)))
		take_turn(cpu, t->share);
}

static uint64_t left_until(uint64_t end, uint64_t now)
{
	return now >= end ? 0 : end - now;
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
	t->slice_left = left_until(cpu->slice_end, now);
	t->share->slice_left = left_until(cpu->turn_end, now);
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
		t->slept_at = cpu->stopped_at = cpu->switched_at;
		cpu->current = NULL;
	} else if (!list_empty(&t->run)) {
		take_out(t);
		if (!share_waits(t->share))
			list_remove(&t->share->turn);
	}
}

void sched_end(struct thread *t)
{
	struct cpu *cpu = this_cpu();
	sched_block(t);
	bool runs = cpu->current && cpu->current->share == t->share;
	/* The account may go with its last thread; one that runs comes back to its turn. */
	if (cpu->turn == t->share && !runs && !share_waits(t->share))
		cpu->turn = NULL;
	/* Calls of what it served hurry its process's threads until they are freed. */
	if (t->share == &cpu->unhurried)
		t->share = &cpu->services;
}

static uint64_t stop_for_others(const struct cpu *cpu)
{
	uint64_t at = cpu->preempt_at;
	enum rival rival = rival_of(cpu->current);
	if (rival == RIVAL_HIGHER)
		return 0;
	if (cpu->slice_end < at && rival == RIVAL_EQUAL)
		at = cpu->slice_end;
	if (cpu->turn_end < at && turns_wait(cpu))
		at = cpu->turn_end;
	return at;
}

/* When the current thread has to stop for another that waits; UINT64_MAX: none does. */
static inline uint64_t stop_at(const struct cpu *cpu)
{
	return cpu->runnable == 0 ? UINT64_MAX : stop_for_others(cpu);
}

/* Puts the current thread back into its queue, with what is left of its slice. */
static void put_back(struct cpu *cpu, struct thread *t, bool front)
{
	thread_become(t, THREAD_RUNNABLE);
	enqueue(t, level_of(t), front);
	cpu->stopped_at = cpu->switched_at;
	cpu->current = NULL;
}

/* Whether its slice is over and it is left alone all the same: it has been told, and stops when it
 * has given up what the others need. */
static bool keeps_slice(struct cpu *cpu, struct thread *t, uint64_t now)
{
	if (now < cpu->slice_end || level_of(t) != LEVEL_URGENT)
		return false;
	is_overdue(t);
	cpu->slice_end = now + BATCH_NS;
	return now < stop_at(cpu);
}

/* Lets another run when its time has come. */
static void yield_if_due(struct cpu *cpu)
{
	struct thread *t = cpu->current;
	uint64_t at = stop_at(cpu);
	if (at == UINT64_MAX)
		return;
	uint64_t now = arch_clock_ns();
	if (now < at || keeps_slice(cpu, t, now))
		return;
	bool slice_over = now >= cpu->slice_end && rival_of(t) == RIVAL_EQUAL;
	account_time(cpu, t, now);
	put_back(cpu, t, !slice_over);
}

void sched_pass(struct thread *t)
{
	struct cpu *cpu = this_cpu();
	assert(kernel_locked() && cpu->current == t);
	bool within = rival_of(t) != RIVAL_NONE;
	bool alone = t->base > LEVEL_WOKEN || is_service(cpu, t) || !turns_wait(cpu);
	if (!within && alone)
		return;
	account_time(cpu, t, arch_clock_ns());
	if (level_of(t) == LEVEL_URGENT)
		is_overdue(t);
	if (within)
		t->slice_left = 0;
	else
		t->share->slice_left = 0;
	put_back(cpu, t, false);
}

void sched_change(struct thread *t, uint8_t base, uint64_t slice)
{
	struct cpu *cpu = this_cpu();
	bool runs = cpu->current == t, moves = base != t->base, lower = base < t->base;
	t->base = base;
	t->slice = slice;
	if (runs)
		account_time(cpu, t, arch_clock_ns());
	/* Nobody gains time by being changed, but for what real time needs. */
	if (base > LEVEL_WOKEN || t->slice_left > slice)
		t->slice_left = slice;
	if (runs)
		cpu->slice_end = cpu->switched_at + t->slice_left;
	if (!moves || list_empty(&t->run))
		return;
	take_out(t);
	t->level = base;
	insert(t, lower);
}

static void switch_to(struct cpu *cpu, struct thread *t)
{
	take_out(t);
	if (t->share == &cpu->unhurried)
		t->share = &cpu->services;
	thread_become(t, THREAD_RUNNING);
	cpu->current = t;
	cpu->switched_at = cpu->stopped_at ? cpu->stopped_at : arch_clock_ns();
	if (t->process)
		thread_runs_since(t, cpu->switched_at);
	cpu->slice_end = cpu->switched_at + t->slice_left;
	cpu->turn_end = cpu->switched_at + t->share->slice_left;
	cpu->preempt_at = UINT64_MAX;
	if (!is_service(cpu, t) && share_waits(&cpu->services))
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
		uint64_t at = stop_at(cpu);
		if (at < deadline)
			deadline = at;
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
		const struct share *next = pick_share(cpu);
		if (next)
			switch_to(cpu, first_thread(next));
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
	if (work_pending_fresh())
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
