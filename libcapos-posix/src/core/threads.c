/* SPDX-License-Identifier: MIT */
/*
 * The threads of this process in a ring, and the library's lock.  Before it is given up nothing
 * that this thread has submitted is left in its ring unseen by the kernel, so that what another
 * thread releases then is not named by a submission any more.
 */
#include <stddef.h>

#include <capos/cap.h>
#include <capos/object.h>

#include "core/fair.h"
#include "core/fd.h"
#include "core/self.h"
#include "core/threads.h"

bool threads_many;

#define TIMER_SLACK_NS 50000u /* as Linux has it at first */

static struct posix_thread first = {.next = &first,
                                    .previous = &first,
                                    .timer_slack_ns = TIMER_SLACK_NS,
                                    .timer_slack_usual_ns = TIMER_SLACK_NS};
static uint32_t running = 1; /* those that run the program */

struct posix_thread *thread_first(void)
{
	cap_ring()->user_word[0] = (uint64_t)&first;
	first.ring = cap_ring();
	return &first;
}

uint64_t thread_number(const struct posix_thread *t)
{
	return t->number ? t->number : process_id();
}

/* Again when the caller was interrupted in between.  Another thread than the caller's does not run
 * now, on this one processor. */
uint64_t thread_cpu_ns(const struct posix_thread *t)
{
	const struct capos_ring *ring = t->ring;
	uint64_t since, used;

	if (!ring)
		return 0; /* it has not begun */
	do {
		since = __atomic_load_n(&ring->runs_since_ns, __ATOMIC_ACQUIRE);
		used = __atomic_load_n(&ring->cpu_ns, __ATOMIC_ACQUIRE);
		if (ring == cap_ring())
			used += cap_now() - since;
	} while (since != __atomic_load_n(&ring->runs_since_ns, __ATOMIC_ACQUIRE));
	return used;
}

/* ---- The lock ---- */

static uint32_t word, turn;

static bool fair_sleep(uint32_t *at, uint32_t value)
{
	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_WAIT, .send_addr = (uintptr_t)at, .arg = value};
	struct cap_op done = {0};

	if (!cap_submit(&sqe, &done))
		return !cap_await_uninterruptible(&done);
	cap_poll(false, 0); /* too much in flight: make room */
	cap_enter(0, 0);
	return false;
}

static void fair_wake(uint32_t *at, bool all)
{
	struct capos_sqe sqe = {
	        .op = CAP_OP_FUTEX_WAKE, .send_addr = (uintptr_t)at, .arg = all ? UINT32_MAX : 1};

	while (cap_submit_quiet(&sqe))
		cap_enter(0, 0);
	cap_enter(0, 0);
}

/* As long as it holds the lock no other thread of the process goes before it: one with a higher
 * priority would soon wait for the lock, and one between the two keep both from running. */
void library_lock_slowly(void)
{
	cap_ring()->urgent = 1;
	fair_lock(&word, &turn);
	thread_self()->locks = true;
}

/* Completions stay unread, so that a wait that follows ends with them. */
static void submit_all(void)
{
	const struct capos_ring *ring = cap_ring();

	if (ring->sq_tail != __atomic_load_n(&ring->sq_head, __ATOMIC_ACQUIRE))
		cap_enter(0, 0);
}

void library_unlock_slowly(void)
{
	thread_self()->locks = false;
	library_unlock_last();
}

void library_unlock_last(void)
{
	struct capos_ring *ring = cap_ring();
	bool woken, overdue;

	submit_all();
	woken = fair_unlock(&word, &turn);
	__atomic_store_n(&ring->urgent, 0, __ATOMIC_SEQ_CST);
	overdue = __atomic_exchange_n(&ring->overdue, 0, __ATOMIC_SEQ_CST);
	if (thread_is_realtime()) {
		if (overdue)
			cap_enter(0, 1); /* no yield: those of a higher priority run */
	} else if (woken || overdue) {
		cap_enter(0, 0); /* else the lock may be taken again before the other has run */
	}
}

bool library_leave(void)
{
	bool held = threads_many && thread_self()->locks;

	core_hooks.resting();
	if (held)
		library_unlock_slowly();
	return held;
}

void library_return(bool left)
{
	if (left)
		library_lock_slowly();
}

/* ---- The list ---- */

void threads_begin(void)
{
	if (threads_many)
		return;
	threads_many = true;
	cap_ring()->urgent = 1;
	__atomic_store_n(&word, FAIR_HELD, __ATOMIC_SEQ_CST);
	thread_self()->locks = true;
}

void threads_add(struct posix_thread *t)
{
	t->next = &first;
	t->previous = first.previous;
	first.previous->next = t;
	first.previous = t;
	running++;
}

void threads_remove(struct posix_thread *t)
{
	running--;
	t->ended = true;
	if (t == &first)
		return; /* the ring hangs on it */
	t->previous->next = t->next;
	t->next->previous = t->previous;
}

bool threads_alone(void)
{
	return running == 1;
}

struct posix_thread *threads_find(uint64_t number)
{
	struct posix_thread *t = &first;

	do {
		if (!t->ended && thread_number(t) == number)
			return t;
		t = t->next;
	} while (t != &first);
	return NULL;
}

/* Gives back what the others had; they run no more. */
static void forget_others(void)
{
	struct posix_thread *self = thread_self(), *next;

	for (struct posix_thread *t = first.next; t != &first; t = next) {
		next = t->next;
		if (t == self)
			continue;
		core_hooks.thread_release(t);
		posix_free(t);
	}
	first.next = first.previous = &first;
	running = 0;
	if (self == &first)
		running = 1;
	else
		threads_add(self);
	first.ended = self != &first;
}

void threads_end_others(void)
{
	if (!threads_many || threads_alone())
		return;
	cap_threads_end();
	/* The caller has it, and those that waited do not exist. */
	__atomic_store_n(&word, FAIR_HELD, __ATOMIC_SEQ_CST);
}

void threads_forked(struct posix_thread *self)
{
	cap_ring()->user_word[0] = (uint64_t)self;
	self->ring = cap_ring();
	if (threads_many)
		forget_others();
	self->number = self->kernel_id = 0;
	self->timer_slack_usual_ns = self->timer_slack_ns;
	self->watching = false;
	self->locks = false;
	threads_many = false;
	__atomic_store_n(&word, 0, __ATOMIC_SEQ_CST);
}
