/* SPDX-License-Identifier: MIT */
/*
 * System calls that wait for signals.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <time.h>

#include <capos/cap.h>

#include "signal/internal.h"

#define SIGSET_SIZE 8

int signal_mask_for_call(long set, uint64_t size)
{
	struct signal_thread *t = signal_here();
	uint64_t bits;

	if (!set)
		return 0;
	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (user_get(&bits, set))
		return -EFAULT;
	t->saved_mask = t->blocked;
	t->has_saved_mask = true;
	t->blocked = bits & ~SIGNAL_UNBLOCKED;
	return 0;
}

void signal_no_restart(void)
{
	signal_here()->no_restart = true;
}

long sys_rt_sigsuspend(long set, long size)
{
	int result = set ? signal_mask_for_call(set, (uint64_t)size) : -EFAULT;

	while (!result)
		result = process_wait(UINT64_MAX);
	return result;
}

long sys_pause(void)
{
	int result;

	do {
		result = process_wait(UINT64_MAX);
	} while (!result);
	return result;
}

/* One of the set that is pending.  One that is neither blocked nor handled ends the process all the
 * same. */
static int take_awaited(uint64_t wanted, struct signal_origin *origin)
{
	int signal;

	signal_collect();
	signal = signal_take(wanted, origin);
	if (signal && !(signal_here()->blocked & SIGNAL_BIT(signal)) &&
	    signal_disposition(&signals, signal) == SIGNAL_TERMINATE)
		signal_terminate(signal);
	return signal;
}

static long await_one(uint64_t wanted, uint64_t deadline, struct signal_origin *origin)
{
	int result, signal;

	while (!(signal = take_awaited(wanted, origin))) {
		result = process_wait(deadline);
		if (!result)
			continue;
		signal = take_awaited(wanted, origin);
		if (signal)
			break;
		return result == -ETIMEDOUT ? -EAGAIN : result;
	}
	return signal;
}

long sys_rt_sigtimedwait(long set, long info, long timeout, long size)
{
	uint64_t wanted, deadline = UINT64_MAX, ns;
	struct signal_origin origin;
	struct timespec limit;
	siginfo_t filled;
	long result;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (user_get(&wanted, set) || (timeout && user_get(&limit, timeout)))
		return -EFAULT;
	if (timeout) {
		result = timespec_to_ns(&limit, &ns);
		if (result)
			return result;
		deadline = deadline_after(ns);
	}
	wanted &= ~SIGNAL_UNBLOCKED;
	signal_here()->awaited = wanted;
	result = await_one(wanted, deadline, &origin);
	signal_here()->awaited = 0;
	if (result <= 0 || !info)
		return result;
	signal_fill_info((int)result, &origin, &filled);
	return user_put(info, &filled) ? -EFAULT : result;
}
