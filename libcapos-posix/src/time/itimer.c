/* SPDX-License-Identifier: MIT */
/*
 * ITIMER_REAL: a Timer of the process's own that signals SIGALRM's bit of the signals event.
 */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>

#include <capos/cap.h>
#include <capos/start.h>

#include "core/core.h"
#include "signal/signal.h"
#include "time/time.h"

#define NS_PER_US  1000ull
#define US_PER_SEC 1000000ull

static cap_t timer; /* made at the first use from the Timer that the process was given */

cap_t itimer_timer(void)
{
	return timer;
}

void itimer_restore(cap_t carried)
{
	timer = carried;
}

void itimer_forked(void)
{
	cap_release(timer);
	timer = CAP_NULL;
}

static int own_timer(void)
{
	cap_t given;

	if (timer)
		return 0;
	given = start_cap("timer");
	if (!given || !signal_event())
		return -EPERM;
	return errno_of(cap_timer_create(given, &timer));
}

static void to_itimerval(struct itimerval *out, uint64_t remaining_ns, uint64_t interval_ns)
{
	uint64_t us =
	        (remaining_ns + NS_PER_US - 1) / NS_PER_US; /* what is armed never reads as 0 */
	uint64_t interval_us = interval_ns / NS_PER_US;

	out->it_value = (struct timeval){.tv_sec = (time_t)(us / US_PER_SEC),
	                                 .tv_usec = (long)(us % US_PER_SEC)};
	out->it_interval = (struct timeval){.tv_sec = (time_t)(interval_us / US_PER_SEC),
	                                    .tv_usec = (long)(interval_us % US_PER_SEC)};
}

static int timeval_to_ns(const struct timeval *t, uint64_t *ns)
{
	if (t->tv_sec < 0 || t->tv_usec < 0 || t->tv_usec >= (long)US_PER_SEC)
		return -EINVAL;
	if ((uint64_t)t->tv_sec >= UINT64_MAX / NS_PER_US / US_PER_SEC)
		*ns = UINT64_MAX;
	else
		*ns = ((uint64_t)t->tv_sec * US_PER_SEC + (uint64_t)t->tv_usec) * NS_PER_US;
	return 0;
}

/* Returns what was set before. */
static int set_timer(uint64_t ns, uint64_t interval_ns, uint64_t *old_ns, uint64_t *old_interval_ns)
{
	int result = own_timer();

	if (result)
		return result;
	result = cap_timer_disarm(timer, old_ns, old_interval_ns);
	if (!result && ns)
		result = cap_timer_arm(timer, deadline_after(ns), interval_ns, signal_event(),
		                       SIGNAL_BIT(SIGALRM));
	return errno_of(result);
}

long sys_setitimer(long which, long new, long old)
{
	struct itimerval value = {0}, previous;
	uint64_t ns, interval_ns, old_ns, old_interval_ns;
	int result;

	if (which != ITIMER_REAL)
		return absent_option(ABSENT_ITIMER, (unsigned long)which, -EINVAL);
	if (new &&user_get(&value, new))
		return -EFAULT;
	result = timeval_to_ns(&value.it_value, &ns);
	if (!result)
		result = timeval_to_ns(&value.it_interval, &interval_ns);
	if (!result)
		result = set_timer(ns, interval_ns, &old_ns, &old_interval_ns);
	if (result || !old)
		return result;
	to_itimerval(&previous, old_ns, old_interval_ns);
	return user_put(old, &previous);
}

long sys_getitimer(long which, long value)
{
	uint64_t ns = 0, interval_ns = 0;
	struct itimerval now;
	int result;

	if (which != ITIMER_REAL)
		return absent_option(ABSENT_ITIMER, (unsigned long)which, -EINVAL);
	if (timer) {
		result = cap_timer_remaining(timer, &ns, &interval_ns);
		if (result)
			return errno_of(result);
	}
	to_itimerval(&now, ns, interval_ns);
	return user_put(value, &now);
}

long sys_alarm(long seconds)
{
	uint64_t old_ns, old_interval_ns;
	uint64_t second_ns = NS_PER_US * US_PER_SEC;
	int result = set_timer((unsigned)seconds * second_ns, 0, &old_ns, &old_interval_ns);

	return result ? result : (long)((old_ns + second_ns - 1) / second_ns);
}
