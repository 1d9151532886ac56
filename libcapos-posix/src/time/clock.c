/* SPDX-License-Identifier: MIT */
/*
 * Clocks and sleeping.  The time comes from the clock page, without entering the kernel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/time.h>
#include <time.h>

#include <capos/cap.h>

#include "core/core.h"

#define NS_PER_SECOND 1000000000ll

/* A negative number is the processor clock of a process, ~pid << 3 | kind. */
static int unknown_clock(long clock)
{
	if ((int)clock < 0)
		return (int)absent(ABSENT_CLOCK_OF_OTHER);
	return (int)absent_option(ABSENT_CLOCK, (unsigned long)clock, -EINVAL);
}

/* A clock's time in nanoseconds. */
static int read_clock(long clock, int64_t *ns)
{
	struct cap_process process;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI: /* as on a Linux that was given no leap seconds */
		*ns = cap_realtime();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*ns = (int64_t)cap_now();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID: /* one thread: the same */
		if (cap_process_status(&process))
			return -EINVAL;
		*ns = (int64_t)process.cpu_ns;
		return 0;
	default:
		return unknown_clock(clock);
	}
}

long sys_clock_gettime(long clock, long t)
{
	struct timespec now;
	int64_t ns;
	int result = read_clock(clock, &ns);

	if (result)
		return result;
	ns_to_timespec(ns, &now);
	return user_put(t, &now);
}

long sys_clock_getres(long clock, long t)
{
	const struct timespec one = {.tv_nsec = 1};
	int64_t ns;
	int result = read_clock(clock, &ns);

	return !result && t ? user_put(t, &one) : result;
}

long sys_gettimeofday(long tv, long tz)
{
	const struct timezone zone = {0};
	int64_t us = cap_realtime() / 1000;
	const struct timeval now = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};

	if ((tv && user_put(tv, &now)) || (tz && user_put(tz, &zone)))
		return -EFAULT;
	return 0;
}

long sys_time(long t)
{
	time_t now = cap_realtime() / NS_PER_SECOND;

	return t && user_put(t, &now) ? -EFAULT : now;
}

/* Sleeps until the monotonic deadline; 0 or -EINTR. */
static int sleep_until(uint64_t deadline)
{
	int result;

	do {
		result = process_wait(deadline);
	} while (!result);
	return result == -ETIMEDOUT ? 0 : result;
}

/* remaining: where the program wants what is left; 0: nowhere. */
static int sleep_for(uint64_t ns, long remaining)
{
	uint64_t deadline = deadline_after(ns), now;
	int result = sleep_until(deadline);
	struct timespec left;

	if (result != -EINTR || !remaining)
		return result;
	now = cap_now();
	ns_to_timespec(deadline > now ? (int64_t)(deadline - now) : 0, &left);
	return user_put(remaining, &left) ? -EFAULT : result;
}

/* 0, or why one cannot sleep on a clock. */
static int check_sleep_clock(long clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_TAI:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		return (int)absent(ABSENT_SLEEP_CPU_CLOCK);
	case CLOCK_THREAD_CPUTIME_ID:
		return -EINVAL;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_REALTIME_COARSE:
		return -EOPNOTSUPP;
	default:
		return unknown_clock(clock);
	}
}

long sys_clock_nanosleep(long clock, long flags, long request, long remaining)
{
	struct timespec t;
	uint64_t ns;
	int64_t now;
	int result;

	result = check_sleep_clock(clock);
	if (result)
		return result;
	if (user_get(&t, request))
		return -EFAULT;
	result = timespec_to_ns(&t, &ns);
	if (result)
		return result;
	if (!(flags & TIMER_ABSTIME))
		return sleep_for(ns, remaining);
	if (clock != CLOCK_REALTIME && clock != CLOCK_TAI)
		return sleep_until(ns);
	now = cap_realtime();
	return now < 0 || ns > (uint64_t)now ? sleep_for(ns - (uint64_t)now, 0) : 0;
}

long sys_nanosleep(long request, long remaining)
{
	return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, request, remaining);
}
