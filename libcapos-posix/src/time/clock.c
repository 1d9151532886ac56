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
#include "time/internal.h"

#define CLOCK_OF_THREAD 4 /* of the three bits */
#define CLOCK_OF_FILE   3 /* the two others: a descriptor's clock, of which there are none */

/* The thread whose clock it is; NULL: it is no thread's, or of one that does not exist. */
static const struct posix_thread *thread_of_clock(long clock)
{
	long number = ~((long)(int)clock >> 3);

	if (clock == CLOCK_THREAD_CPUTIME_ID)
		return thread_self();
	if ((int)clock >= 0 || !(clock & CLOCK_OF_THREAD) ||
	    (clock & CLOCK_OF_FILE) == CLOCK_OF_FILE)
		return NULL;
	return number ? threads_find((uint64_t)number) : thread_self();
}

/* A negative number is the processor clock of a process or thread: ~number << 3, and three bits.
 * Number 0 is the caller's. */
static int clock_of_number(long clock)
{
	long number = ~((long)(int)clock >> 3);

	if (clock & CLOCK_OF_THREAD || (clock & CLOCK_OF_FILE) == CLOCK_OF_FILE)
		return thread_of_clock(clock) ? 0 : -EINVAL;
	if (!number || number == (long)process_id())
		return 0;
	return (int)absent(ABSENT_CLOCK_OF_OTHER);
}

int clock_kind_of(long clock, enum clock_kind *kind)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI: /* as on a Linux that was given no leap seconds */
		*kind = CLOCK_KIND_REALTIME;
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*kind = CLOCK_KIND_MONOTONIC;
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID: /* sleeps and timers go by the process's */
		*kind = CLOCK_KIND_CPU;
		return 0;
	default:
		*kind = CLOCK_KIND_CPU;
		if ((int)clock < 0)
			return clock_of_number(clock);
		return (int)absent_option(ABSENT_CLOCK, (unsigned long)clock, -EINVAL);
	}
}

/* Of the process.  As long as it has had one thread, that is what the thread's ring says and what
 * was used before it: the kernel is asked once. */
static int process_cpu_ns(int64_t *ns)
{
	static uint64_t before;
	static uint64_t known_of; /* a process; its child's is another */
	struct cap_process process;
	int result;

	if (threads_many || known_of != process_id()) {
		result = cap_process_status(&process);
		if (result)
			return -EINVAL;
		*ns = (int64_t)process.cpu_ns;
		before = process.cpu_ns - thread_cpu_ns(thread_self());
		known_of = threads_many ? 0 : process_id();
		return 0;
	}
	*ns = (int64_t)(before + thread_cpu_ns(thread_self()));
	return 0;
}

int clock_read(enum clock_kind kind, int64_t *ns)
{
	switch (kind) {
	case CLOCK_KIND_REALTIME:
		*ns = cap_realtime();
		break;
	case CLOCK_KIND_MONOTONIC:
		*ns = (int64_t)cap_now();
		break;
	case CLOCK_KIND_CPU:
		return process_cpu_ns(ns);
	default:
		return -EINVAL;
	}
	return 0;
}

static int read_clock(long clock, int64_t *ns)
{
	const struct posix_thread *t = thread_of_clock(clock);
	enum clock_kind kind;
	int result = clock_kind_of(clock, &kind);

	if (!t || result)
		return result ? result : clock_read(kind, ns);
	*ns = (int64_t)thread_cpu_ns(t);
	return 0;
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

/* Sleeps until the clock has that time; 0 or -EINTR.  While the process sleeps its processor clock
 * stands still, but for other threads: it is looked at again when it could be due. */
static int sleep_until(enum clock_kind kind, uint64_t deadline)
{
	uint64_t until = deadline;
	int64_t now;
	int result;

	for (;;) {
		if (kind == CLOCK_KIND_CPU) {
			if (clock_read(kind, &now))
				return -EINVAL;
			if ((uint64_t)now >= deadline)
				return 0;
			until = deadline_after(deadline - (uint64_t)now);
		}
		result = process_wait(until);
		if (result == -ETIMEDOUT && kind == CLOCK_KIND_CPU)
			continue;
		if (result)
			return result == -ETIMEDOUT ? 0 : result;
	}
}

/* remaining: where the program wants what is left; 0: nowhere. */
static int sleep_for(enum clock_kind kind, uint64_t ns, long remaining)
{
	struct timespec left;
	uint64_t deadline;
	int64_t now;
	int result = clock_read(kind, &now);

	if (result)
		return result;
	deadline = ns > UINT64_MAX - 1 - (uint64_t)now ? UINT64_MAX : (uint64_t)now + ns;
	result = sleep_until(kind, deadline);
	if (result != -EINTR || !remaining || clock_read(kind, &now))
		return result;
	ns_to_timespec(deadline > (uint64_t)now ? (int64_t)(deadline - (uint64_t)now) : 0, &left);
	return user_put(remaining, &left) ? -EFAULT : result;
}

/* 0, or why one cannot sleep on a clock. */
static int check_sleep_clock(long clock, enum clock_kind *kind)
{
	switch (clock) {
	case CLOCK_THREAD_CPUTIME_ID:
		return -EINVAL;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_REALTIME_COARSE:
		return -EOPNOTSUPP;
	default:
		return clock_kind_of(clock, kind);
	}
}

long sys_clock_nanosleep(long clock, long flags, long request, long remaining)
{
	enum clock_kind kind;
	struct timespec t;
	uint64_t ns;
	int64_t now;
	int result;

	result = check_sleep_clock(clock, &kind);
	if (result)
		return result;
	if (user_get(&t, request))
		return -EFAULT;
	result = timespec_to_ns(&t, &ns);
	if (result)
		return result;
	if (flags & TIMER_ABSTIME && kind != CLOCK_KIND_REALTIME)
		return sleep_until(kind, ns);
	if (kind == CLOCK_KIND_REALTIME)
		kind = CLOCK_KIND_MONOTONIC;
	if (!(flags & TIMER_ABSTIME))
		return sleep_for(kind, ns, remaining);
	now = cap_realtime();
	return now < 0 || ns > (uint64_t)now ? sleep_for(kind, ns - (uint64_t)now, 0) : 0;
}

/* No program holds the right to set the time. */
long sys_clock_settime(long clock, long t)
{
	struct timespec wanted;
	uint64_t ns;

	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	if (user_get(&wanted, t))
		return -EFAULT;
	return timespec_to_ns(&wanted, &ns) ? -EINVAL : -EPERM;
}

long sys_nanosleep(long request, long remaining)
{
	return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, request, remaining);
}
