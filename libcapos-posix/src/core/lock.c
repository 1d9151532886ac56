/* SPDX-License-Identifier: MIT */
/*
 * Robust locks in shared memory.  A word is among those that the thread has registered in its ring
 * from before it first tries to take it until after it has given it up and woken the next one.
 */
#include <errno.h>

#include <capos/cap.h>

#include "core/lock.h"
#include "core/threads.h"
#include "core/wait.h"

/* What an honest holder does takes less.  Signals are left pending for so long: a call that finds
 * the lock taken for a moment is not one that waits. */
#define PATIENCE_NS 100000000ull

static uint64_t *registered(const void *word)
{
	struct capos_thread_end *end = &cap_ring()->end;
	uint64_t *place = end->held;

	while (place < end->held + CAPOS_LOCKS_HELD && *place != (uintptr_t)word)
		place++;
	/* More at once than there are places is against the lock order of threads.h. */
	if (place == end->held + CAPOS_LOCKS_HELD)
		__builtin_trap();
	return place;
}

/* Until op is done or the time has come; signals that came are put back. */
static void await_patiently(struct cap_op *op, uint64_t until)
{
	struct capos_ring *ring = cap_ring();
	uint64_t signals = 0, now;

	while (!op->done && (now = cap_now()) < until && cap_await(op, until - now) == CAP_EINTR)
		signals |= __atomic_exchange_n(&ring->upcall_bits, 0, __ATOMIC_ACQ_REL);
	if (signals)
		__atomic_fetch_or(&ring->upcall_bits, signals, __ATOMIC_ACQ_REL);
}

/* 0, when it is worth looking again, -EINTR or -ETIMEDOUT. */
static int sleep_on(_Atomic uint32_t *word, uint32_t seen, uint64_t patient_until,
                    uint64_t deadline)
{
	int result;

	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_WAIT, .send_addr = (uintptr_t)word, .arg = seen};
	struct cap_op op = {0};
	bool left;

	if (cap_submit(&sqe, &op)) { /* too much in flight: make room */
		cap_poll(false, 0);
		return 0;
	}
	left = library_leave();
	await_patiently(&op, patient_until);
	library_return(left);
	result = op.done ? 0 : wait_for_op(&op, deadline);
	return result == -EINTR || result == -ETIMEDOUT ? result : 0;
}

int shared_lock(_Atomic uint32_t *word)
{
	return shared_lock_until(word, UINT64_MAX);
}

int shared_lock_until(_Atomic uint32_t *word, uint64_t deadline)
{
	uint32_t mine = (uint32_t)cap_ring()->thread_id & CAPOS_LOCK_OWNER, seen = 0;
	uint64_t patient_until = 0;

	*registered(NULL) = (uintptr_t)word;
	atomic_signal_fence(memory_order_seq_cst);
	while (!atomic_compare_exchange_strong(word, &seen, mine | (seen & CAPOS_LOCK_WAITED))) {
		uint32_t waited = seen | CAPOS_LOCK_WAITED;
		int result = 0;

		if (!(seen & CAPOS_LOCK_OWNER))
			continue; /* its holder has ended: it is taken as it is now */
		if (!patient_until)
			patient_until = cap_now() + PATIENCE_NS;
		if (seen == waited || atomic_compare_exchange_strong(word, &seen, waited))
			result = sleep_on(word, waited, patient_until, deadline);
		if (!result && cap_now() >= deadline)
			result = -ETIMEDOUT;
		if (result) {
			*registered(word) = 0;
			return result;
		}
		/* Others may wait besides this one. */
		mine |= CAPOS_LOCK_WAITED;
		seen = 0;
	}
	return seen & CAPOS_LOCK_DIED ? SHARED_LOCK_DIED : 0;
}

void shared_unlock(_Atomic uint32_t *word)
{
	if (atomic_exchange(word, 0) & CAPOS_LOCK_WAITED) {
		struct capos_sqe sqe = {
		        .op = CAP_OP_FUTEX_WAKE, .send_addr = (uintptr_t)word, .arg = 1};
		struct cap_op op = {0};

		while (cap_submit(&sqe, &op))
			cap_poll(true, CAPOS_FOREVER);
		cap_await_uninterruptible(&op);
	}
	atomic_signal_fence(memory_order_seq_cst);
	*registered(word) = 0;
}
