/* SPDX-License-Identifier: MIT */
/*
 * Futexes over the ring's own: waiting ends by a wake-up, a signal or a deadline.
 */
#include <errno.h>
#include <time.h>

#include <capos/cap.h>

#include "core/core.h"
#include "signal/signal.h"

#define FUTEX_WAIT           0
#define FUTEX_WAKE           1
#define FUTEX_REQUEUE        3
#define FUTEX_CMP_REQUEUE    4
#define FUTEX_WAKE_OP        5
#define FUTEX_WAIT_BITSET    9
#define FUTEX_WAKE_BITSET    10
#define FUTEX_PRIVATE        128
#define FUTEX_CLOCK_REALTIME 256
#define FUTEX_ANY            UINT32_MAX

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

static long futex_wait(long address, uint32_t expected, uint32_t bits, uint64_t deadline)
{
	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_WAIT,
	                        .send_addr = (uint64_t)address,
	                        .arg = expected,
	                        .send_ncaps = bits};
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

/* Without a yield.  Linux wakes one when it is asked for none. */
static long wake_bits(long address, long most, uint32_t bits)
{
	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_WAKE,
	                        .send_addr = (uint64_t)address,
	                        .arg = (int)most < 1 ? 1 : (uint32_t)most,
	                        .send_ncaps = bits};

	return futex_count(&sqe);
}

/* Else the waker would take its lock again before the other has run, for a whole slice.  By real
 * time the priorities decide. */
static long let_run(long woken)
{
	if (woken > 0 && !thread_is_realtime())
		sys_sched_yield();
	return woken;
}

static long futex_wake(long address, long most, uint32_t bits)
{
	return bits ? let_run(wake_bits(address, most, bits)) : -EINVAL;
}

/* expected: what the first word has to be; NULL: it does not matter. */
static long futex_requeue(long address, long wake, long move, long to, const uint32_t *expected)
{
	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_REQUEUE,
	                        .send_addr = (uint64_t)address,
	                        .arg = (uint32_t)wake,
	                        .recv_addr = (uint64_t)to,
	                        .recv_len = (uint32_t)move,
	                        .flags = expected ? CAPOS_SQE_COMPARE : 0,
	                        .send_len = expected ? *expected : 0};
	uint32_t now;

	if ((int)wake < 0 || (int)move < 0)
		return -EINVAL;
	if (address != to)
		return futex_count(&sqe);
	if (expected && user_get(&now, address))
		return -EFAULT;
	if (expected && now != *expected)
		return -EAGAIN;
	return wake ? futex_wake(address, wake, FUTEX_ANY) : 0;
}

/* ---- FUTEX_WAKE_OP ---- */

/* What value3 says: an operation on the second word, and a comparison with what it was. */
struct word_operation {
	unsigned operation, comparison;
	int32_t operand, compared;
};

#define OPERAND_IS_SHIFT 8u

static int32_t signed_12_bits(uint32_t bits)
{
	return (int32_t)(bits << 20) >> 20;
}

static struct word_operation decode(uint32_t code)
{
	struct word_operation o = {.operation = code >> 28 & 7,
	                           .comparison = code >> 24 & 15,
	                           .operand = signed_12_bits(code >> 12),
	                           .compared = signed_12_bits(code)};

	if (code >> 28 & OPERAND_IS_SHIFT)
		o.operand = (int32_t)(1u << (o.operand & 31));
	return o;
}

static uint32_t operated(const struct word_operation *o, uint32_t word)
{
	const uint32_t operand = (uint32_t)o->operand;

	switch (o->operation) {
	case 0:
		return operand;
	case 1:
		return word + operand;
	case 2:
		return word | operand;
	case 3:
		return word & ~operand;
	default:
		return word ^ operand;
	}
}

static bool compares(const struct word_operation *o, int32_t word)
{
	switch (o->comparison) {
	case 0:
		return word == o->compared;
	case 1:
		return word != o->compared;
	case 2:
		return word < o->compared;
	case 3:
		return word <= o->compared;
	case 4:
		return word > o->compared;
	default:
		return word >= o->compared;
	}
}

/* Changes the word in one step: what it was is in *old.  0 or -EFAULT. */
static int operate(const struct word_operation *o, long address, uint32_t *old)
{
	int done;

	if (user_get(old, address))
		return -EFAULT;
	do
		done = posix_user_exchange((uint32_t *)address, old, operated(o, *old));
	while (!done);
	return done < 0 ? -EFAULT : 0;
}

static long futex_wake_op(long address, long most, long most2, long address2, uint32_t code)
{
	const struct word_operation o = decode(code);
	uint32_t old;
	long woken, second;

	if ((address | address2) & 3)
		return -EINVAL;
	if (o.operation > 4 || o.comparison > 5)
		return -ENOSYS;
	if (operate(&o, address2, &old))
		return -EFAULT;
	woken = wake_bits(address, most, FUTEX_ANY);
	if (woken >= 0 && compares(&o, (int32_t)old)) {
		second = wake_bits(address2, most2, FUTEX_ANY);
		woken = second < 0 ? second : woken + second;
	}
	return let_run(woken);
}

long sys_futex(long address, long operation, long value, long timeout, long address2, long value3)
{
	uint64_t deadline;
	uint32_t expected;
	int result;

	switch (operation & 127) {
	case FUTEX_WAIT:
		value3 = FUTEX_ANY;
		__attribute__((fallthrough));
	case FUTEX_WAIT_BITSET:
		if (!(uint32_t)value3)
			return -EINVAL;
		result = futex_deadline(operation, timeout, &deadline);
		if (timeout) /* a handler ends it, as on Linux */
			signal_no_restart();
		return result ? result
		              : futex_wait(address, (uint32_t)value, (uint32_t)value3, deadline);
	case FUTEX_WAKE:
		return futex_wake(address, value, FUTEX_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(address, value, (uint32_t)value3);
	case FUTEX_WAKE_OP: /* the timeout's place holds a number */
		return futex_wake_op(address, value, timeout, address2, (uint32_t)value3);
	case FUTEX_REQUEUE: /* here too */
		return futex_requeue(address, value, timeout, address2, NULL);
	case FUTEX_CMP_REQUEUE:
		expected = (uint32_t)value3;
		return futex_requeue(address, value, timeout, address2, &expected);
	default:
		return absent_option(ABSENT_FUTEX, (unsigned long)operation & 127, -ENOSYS);
	}
}
