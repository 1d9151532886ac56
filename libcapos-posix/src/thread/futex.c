/* SPDX-License-Identifier: MIT */
/*
 * Futexes over the ring's own: waiting ends by a wake-up, a signal or a deadline.
 */
#include <errno.h>
#include <limits.h>
#include <time.h>

#include <capos/cap.h>

#include "core/core.h"

#define FUTEX_WAIT           0
#define FUTEX_WAKE           1
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

	if (result)
		return result;
	while (!op.done) {
		result = process_wait(deadline);
		if (!result || op.done)
			continue;
		cap_cancel(&op);
		return op.cqe.result == CAP_ECANCELED ? result : errno_of(op.cqe.result);
	}
	return errno_of(op.cqe.result);
}

static long futex_wake(long address, long most)
{
	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_WAKE,
	                        .send_addr = (uint64_t)address,
	                        .arg = most < 0 ? INT_MAX : (uint64_t)most};
	struct cap_op op = {0};
	long result = errno_of(cap_submit(&sqe, &op));

	if (!result)
		result = errno_of(cap_await_uninterruptible(&op));
	return result ? result : (long)op.cqe.value;
}

long sys_futex(long address, long operation, long value, long timeout, long address2, long value3)
{
	uint64_t deadline;
	int result;

	(void)address2;
	switch (operation & 127) {
	case FUTEX_WAIT_BITSET:
		if ((uint32_t)value3 != FUTEX_ANY)
			return value3 ? absent(ABSENT_FUTEX_BITS) : -EINVAL;
		__attribute__((fallthrough));
	case FUTEX_WAIT:
		result = futex_deadline(operation, timeout, &deadline);
		return result ? result : futex_wait(address, (uint32_t)value, deadline);
	case FUTEX_WAKE_BITSET:
		if ((uint32_t)value3 != FUTEX_ANY)
			return value3 ? absent(ABSENT_FUTEX_BITS) : -EINVAL;
		__attribute__((fallthrough));
	case FUTEX_WAKE:
		return futex_wake(address, value);
	default:
		return absent_option(ABSENT_FUTEX, (unsigned long)operation & 127, -ENOSYS);
	}
}
