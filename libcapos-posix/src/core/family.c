/* SPDX-License-Identifier: MIT */
/*
 * What processes that come from each other by fork have in common: the event that wakes them, and
 * locks in memory that they share.
 */
#include <errno.h>

#include <capos/cap.h>

#include "core/family.h"
#include "core/fd.h"
#include "core/self.h"
#include "core/wait.h"

void family_wake(void)
{
	if (process_event())
		cap_signal(process_event(), PROCESS_WAKE_BITS);
}

/* ---- Locks ---- */

/* A process sleeps for it; below: the holder's number. */
#define LOCK_WAITED 0x80000000u

/* Sleeps until the word is no longer what was seen, or the deadline. */
static void sleep_on(_Atomic uint32_t *word, uint32_t seen, uint64_t deadline)
{
	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_WAIT, .send_addr = (uintptr_t)word, .arg = seen};
	struct cap_op op = {0};

	if (cap_submit(&sqe, &op))
		return;
	while (!op.done) {
		uint64_t now = cap_now();

		if (now >= deadline)
			break;
		/* Signals are taken out of the ring, else waiting would end at once again. */
		if (cap_await(&op, deadline - now) == CAP_EINTR && !op.done)
			core_hooks.signal_waiting();
	}
	if (!op.done)
		cap_cancel(&op);
}

void family_lock(_Atomic uint32_t *word)
{
	const uint32_t mine = (uint32_t)process_id();
	uint64_t deadline = 0;
	uint32_t seen = 0;

	while (!atomic_compare_exchange_strong(word, &seen, mine)) {
		uint32_t waited = seen | LOCK_WAITED;

		if (!deadline)
			deadline = deadline_after(FAMILY_LOCK_NS);
		if (cap_now() >= deadline) {
			if (atomic_compare_exchange_strong(word, &seen, mine | LOCK_WAITED))
				return;
		} else if (seen == waited || atomic_compare_exchange_strong(word, &seen, waited)) {
			sleep_on(word, waited, deadline);
		}
		seen = 0;
	}
}

void family_unlock(_Atomic uint32_t *word)
{
	if (atomic_exchange(word, 0) & LOCK_WAITED) {
		struct capos_sqe sqe = {
		        .op = CAP_OP_FUTEX_WAKE, .send_addr = (uintptr_t)word, .arg = INT32_MAX};
		struct cap_op op = {0};

		if (!cap_submit(&sqe, &op))
			cap_await_uninterruptible(&op);
	}
}
