/* SPDX-License-Identifier: MIT */
/*
 * Interval timers: by the time of day, and by the processor time of the process, which is not told
 * apart into the program's and the system's.
 */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>

#include <capos/cap.h>

#include "time/internal.h"
#include "time/time.h"

#define NS_PER_US  1000ull
#define US_PER_SEC 1000000ull
#define ITIMERS    3

static struct timer itimers[ITIMERS] = {
        [ITIMER_REAL] = {.signal = SIGALRM, .origin = {.code = SI_KERNEL}},
        [ITIMER_VIRTUAL] = {.signal = SIGVTALRM, .origin = {.code = SI_KERNEL}, .cpu = true},
        [ITIMER_PROF] = {.signal = SIGPROF, .origin = {.code = SI_KERNEL}, .cpu = true},
};

static void read_timer(long which, struct itimerval *out)
{
	uint64_t ns, interval;

	timer_left(&itimers[which], &ns, &interval);
	ns = (ns + NS_PER_US - 1) / NS_PER_US; /* what is armed never reads as 0 */
	interval /= NS_PER_US;
	out->it_value = (struct timeval){.tv_sec = (time_t)(ns / US_PER_SEC),
	                                 .tv_usec = (long)(ns % US_PER_SEC)};
	out->it_interval = (struct timeval){.tv_sec = (time_t)(interval / US_PER_SEC),
	                                    .tv_usec = (long)(interval % US_PER_SEC)};
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

long sys_setitimer(long which, long new, long old)
{
	struct itimerval value = {0}, previous;
	uint64_t ns, interval_ns;
	int result;

	if (which < 0 || which >= ITIMERS)
		return -EINVAL;
	if (new &&user_get(&value, new))
		return -EFAULT;
	result = timeval_to_ns(&value.it_value, &ns);
	if (!result)
		result = timeval_to_ns(&value.it_interval, &interval_ns);
	if (result)
		return result;
	read_timer(which, &previous);
	result = timer_set(&itimers[which], ns, ns ? interval_ns : 0);
	return !result && old ? user_put(old, &previous) : result;
}

long sys_getitimer(long which, long value)
{
	struct itimerval now;

	if (which < 0 || which >= ITIMERS)
		return -EINVAL;
	read_timer(which, &now);
	return user_put(value, &now);
}

long sys_alarm(long seconds)
{
	uint64_t left, interval, second_ns = NS_PER_US * US_PER_SEC;
	int result;

	timer_left(&itimers[ITIMER_REAL], &left, &interval);
	result = timer_set(&itimers[ITIMER_REAL], (unsigned)seconds * second_ns, 0);
	return result ? result : (long)((left + second_ns - 1) / second_ns);
}

/* ---- exec ---- */

void timers_save(struct timers_state *state)
{
	state->timer = timers_kernel;
	for (int i = 0; i < ITIMERS; i++) {
		state->interval[i].deadline = itimers[i].deadline;
		state->interval[i].interval = itimers[i].interval;
		state->interval[i].waiting = itimers[i].waiting;
	}
}

void timers_restore(const struct timers_state *state)
{
	timers_kernel = state->timer;
	for (int i = 0; i < ITIMERS; i++) {
		if (!state->interval[i].deadline)
			continue;
		(void)timer_set_until(&itimers[i], state->interval[i].deadline,
		                      state->interval[i].interval);
		itimers[i].waiting = state->interval[i].waiting;
	}
}
