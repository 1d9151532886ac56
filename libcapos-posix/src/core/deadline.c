/* SPDX-License-Identifier: MIT */
/*
 * Times of POSIX and deadlines of the monotonic clock.  Pure but for the clock page.
 */
#include <errno.h>
#include <time.h>

#include <capos/cap.h>

#include "core/wait.h"

#define NS_PER_SECOND 1000000000ll

void ns_to_timespec(int64_t ns, struct timespec *t)
{
	int64_t seconds = ns / NS_PER_SECOND, rest = ns % NS_PER_SECOND;

	if (rest < 0) {
		seconds--;
		rest += NS_PER_SECOND;
	}
	t->tv_sec = seconds;
	t->tv_nsec = rest;
}

int timespec_to_ns(const struct timespec *t, uint64_t *ns)
{
	if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= NS_PER_SECOND)
		return -EINVAL;
	if ((uint64_t)t->tv_sec >= UINT64_MAX / NS_PER_SECOND)
		*ns = UINT64_MAX; /* five centuries: for ever */
	else
		*ns = (uint64_t)t->tv_sec * NS_PER_SECOND + (uint64_t)t->tv_nsec;
	return 0;
}

uint64_t deadline_after(uint64_t ns)
{
	uint64_t now = cap_now();

	return ns > UINT64_MAX - 1 - now ? UINT64_MAX : now + ns;
}

struct timespec boot_time(void)
{
	static time_t seconds; /* it is the same for all that ask this process */
	int64_t now = (int64_t)cap_now();

	if (!seconds)
		seconds = (time_t)((cap_realtime() - now) / 1000000000);
	return (struct timespec){.tv_sec = seconds};
}
