/* SPDX-License-Identifier: MIT */
/*
 * Futexes over the ring's own: waiting ends by a wake-up, a signal or a deadline.
 */
#include <errno.h>
#include <limits.h>
#include <time.h>

#include <capos/cap.h>

#include "core/core.h"
#include "signal/signal.h"

#define FUTEX_WAIT           0
#define FUTEX_WAKE           1
#define FUTEX_REQUEUE        3
#define FUTEX_CMP_REQUEUE    4
#define FUTEX_WAIT_BITSET    9
#define FUTEX_WAKE_BITSET    10
#define FUTEX_PRIVATE        128
#define FUTEX_CLOCK_REALTIME 256
#define FUTEX_ANY            UINT32_MAX /* the only bit set that the ring's futexes know */

/* Absolute deadlines of FUTEX_WAIT_BITSET are on the monotonic clock unless the flag says
 * otherwise. */
static int futex_deadline(long operation, long timeout, uint64_t *deadline)
{
	struct timespec t;
	uint64_t ns;
	int64_t now;
	int result;

	*deadline = UINT64_MAX;
	if (!timeout)
		return 0;
	if (user_get(&t, timeout))
		return -EFAULT;
	result = timespec_to_ns(&t, &ns);
	if (result)
		return result;
	if ((operation & 127) == FUTEX_WAIT) {
		*deadline = deadline_after(ns);
	} else if (operation & FUTEX_CLOCK_REALTIME) {
		now = cap_realtime();
		*deadline = deadline_after(now < 0 || ns > (uint64_t)now ? ns - (uint64_t)now : 0);
	} else {
		*deadline = ns;
	}
	return 0;
}

static long futex_wait(long address, uint32_t expected, uint64_t deadline)
{
	struct capos_sqe sqe = {
	        .op = CAP_OP_FUTEX_WAIT, .send_addr = (uint64_t)address, .arg = expected};
	struct cap_op op = {0};
	long result = errno_of(cap_submit(&sqe, &op));

	return result ? result : wait_for_op(&op, deadline);
}

/* Operations that complete at once, with a number. */
static long futex_count(struct capos_sqe *sqe)
{
	struct cap_op op = {0};
	long result = errno_of(cap_submit(sqe, &op));

	if (!result)
		result = errno_of(cap_await_uninterruptible(&op));
	return result ? result : (long)op.cqe.value;
}

static uint32_t at_most(long count)
{
	return (int)count < 0 ? INT_MAX : (uint32_t)count;
}

static long futex_wake(long address, long most)
{
	struct capos_sqe sqe = {
	        .op = CAP_OP_FUTEX_WAKE, .send_addr = (uint64_t)address, .arg = at_most(most)};

	long woken = futex_count(&sqe);

	/* Else the waker would take its lock again before the other has run, for a whole slice. */
	if (woken > 0)
		sys_sched_yield();
	return woken;
}

/* expected: what the first word has to be; NULL: it does not matter. */
static long futex_requeue(long address, long wake, long move, long to, const uint32_t *expected)
{
	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_REQUEUE,
	                        .send_addr = (uint64_t)address,
	                        .arg = at_most(wake),
	                        .recv_addr = (uint64_t)to,
	                        .recv_len = at_most(move),
	                        .flags = expected ? CAPOS_SQE_COMPARE : 0,
	                        .send_len = expected ? *expected : 0};
	uint32_t now;

	if ((int)wake < 0 || (int)move < 0)
		return -EINVAL;
	if (address != to)
		return futex_count(&sqe);
	if (expected && user_get(&now, address))
		return -EFAULT;
	return expected && now != *expected ? -EAGAIN : futex_wake(address, wake);
}

long sys_futex(long address, long operation, long value, long timeout, long address2, long value3)
{
	uint64_t deadline;
	uint32_t expected;
	int result;

	switch (operation & 127) {
	case FUTEX_WAIT_BITSET:
		if ((uint32_t)value3 != FUTEX_ANY)
			return value3 ? absent(ABSENT_FUTEX_BITS) : -EINVAL;
		__attribute__((fallthrough));
	case FUTEX_WAIT:
		result = futex_deadline(operation, timeout, &deadline);
		if (timeout) /* a handler ends it, as on Linux */
			signal_no_restart();
		return result ? result : futex_wait(address, (uint32_t)value, deadline);
	case FUTEX_WAKE_BITSET:
		if ((uint32_t)value3 != FUTEX_ANY)
			return value3 ? absent(ABSENT_FUTEX_BITS) : -EINVAL;
		__attribute__((fallthrough));
	case FUTEX_WAKE:
		return futex_wake(address, value);
	case FUTEX_REQUEUE: /* the timeout's place holds a number */
		return futex_requeue(address, value, timeout, address2, NULL);
	case FUTEX_CMP_REQUEUE:
		expected = (uint32_t)value3;
		return futex_requeue(address, value, timeout, address2, &expected);
	default:
		return absent_option(ABSENT_FUTEX, (unsigned long)operation & 127, -ENOSYS);
	}
}
