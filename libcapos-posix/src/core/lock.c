/* SPDX-License-Identifier: MIT */
/*
 * Robust locks in shared memory.  A word is among those that the thread has registered in its ring
 * from before it first tries to take it until after it has given it up and woken the next one.
 */
#include <capos/cap.h>

#include "core/lock.h"

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

static void sleep_on(_Atomic uint32_t *word, uint32_t seen)
{
	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_WAIT, .send_addr = (uintptr_t)word, .arg = seen};
	struct cap_op op = {0};

	if (!cap_submit(&sqe, &op))
		cap_await_uninterruptible(&op);
	else /* too much in flight: make room */
		cap_poll(false, 0);
}

bool shared_lock(_Atomic uint32_t *word)
{
	uint32_t mine = (uint32_t)cap_ring()->thread_id & CAPOS_LOCK_OWNER, seen = 0;

	*registered(NULL) = (uintptr_t)word;
	atomic_signal_fence(memory_order_seq_cst);
	while (!atomic_compare_exchange_strong(word, &seen, mine | (seen & CAPOS_LOCK_WAITED))) {
		uint32_t waited = seen | CAPOS_LOCK_WAITED;

		if (!(seen & CAPOS_LOCK_OWNER))
			continue; /* its holder has ended: it is taken as it is now */
		if (seen == waited || atomic_compare_exchange_strong(word, &seen, waited))
			sleep_on(word, waited);
		/* Others may wait besides this one. */
		mine |= CAPOS_LOCK_WAITED;
		seen = 0;
	}
	return seen & CAPOS_LOCK_DIED;
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
