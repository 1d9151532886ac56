/* SPDX-License-Identifier: MIT */
/*
 * Timers that a program makes: each has a place in a table, which is its number, and posts one
 * signal at a time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <time.h>

#include <capos/cap.h>

#include "time/internal.h"

#define TIMERS_MAX 256 /* of a process; Linux counts them among the signals that may be queued */

static struct timer *timers[TIMERS_MAX];
static int last_mark; /* of the signals of one timer, so that no other is taken for it */

/* As Linux's struct sigevent on x86-64. */
struct event {
	uint64_t value;
	int signal, notify, thread;
	int reserved[11];
};

struct timer *posix_timer_of(int number)
{
	return number >= 0 && number < TIMERS_MAX ? timers[number] : NULL;
}

void posix_timers_forget(void)
{
	for (int i = 0; i < TIMERS_MAX; i++) {
		posix_free(timers[i]);
		timers[i] = NULL;
	}
}

static int free_number(void)
{
	for (int i = 0; i < TIMERS_MAX; i++) {
		if (!timers[i])
			return i;
	}
	return -EAGAIN;
}

/* Whom and with what it signals. */
static int read_event(long from, int number, struct timer *t)
{
	struct event event = {.signal = SIGALRM, .notify = SIGEV_SIGNAL, .value = (unsigned)number};

	if (from && user_get(&event, from))
		return -EFAULT;
	t->silent = event.notify == SIGEV_NONE;
	if (t->silent)
		return 0;
	if (event.signal < 1 || event.signal > SIGNAL_MAX)
		return -EINVAL;
	if (event.notify == SIGEV_THREAD_ID)
		t->to = signal_thread_of(event.thread);
	else if (event.notify != SIGEV_SIGNAL && event.notify != SIGEV_THREAD)
		return -EINVAL;
	if (event.notify == SIGEV_THREAD_ID && !t->to)
		return -EINVAL;
	t->signal = event.signal;
	t->origin = (struct signal_origin){.code = SI_TIMER,
	                                   .pid = number,
	                                   .status = last_mark += 1 << 16,
	                                   .own = true,
	                                   .value = event.value};
	return 0;
}

long sys_timer_create(long clock, long event, long number_at)
{
	enum clock_kind kind;
	int number, result = clock_kind_of(clock, &kind);
	struct timer *t;

	if (result)
		return result;
	if (clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE ||
	    clock == CLOCK_MONOTONIC_RAW)
		return -EOPNOTSUPP;
	number = free_number();
	if (number < 0)
		return number;
	t = posix_alloc(sizeof(*t));
	if (!t)
		return -EAGAIN;
	t->cpu = kind == CLOCK_KIND_CPU;
	t->realtime = kind == CLOCK_KIND_REALTIME;
	result = read_event(event, number, t);
	if (!result)
		result = user_put(number_at, &number);
	if (result)
		posix_free(t);
	else
		timers[number] = t;
	return result;
}

static void left_of(struct timer *t, struct itimerspec *out)
{
	uint64_t ns, interval;

	timer_left(t, &ns, &interval);
	ns_to_timespec((int64_t)ns, &out->it_value);
	ns_to_timespec((int64_t)interval, &out->it_interval);
}

/* An absolute time by the timer's clock as its deadline; one that is past is due now. */
static uint64_t deadline_of(const struct timer *t, uint64_t ns)
{
	int64_t now = cap_realtime();

	if (!t->realtime)
		return ns ? ns : 1;
	return now < 0 || ns > (uint64_t)now ? deadline_after(ns - (uint64_t)now) : cap_now();
}

long sys_timer_settime(long number, long flags, long new, long old)
{
	struct timer *t = posix_timer_of((int)number);
	struct itimerspec wanted, previous;
	uint64_t ns, interval;
	int result;

	if (!new)
		return -EINVAL;
	if (user_get(&wanted, new))
		return -EFAULT;
	result = timespec_to_ns(&wanted.it_value, &ns);
	if (!result)
		result = timespec_to_ns(&wanted.it_interval, &interval);
	if (result || !t)
		return -EINVAL;
	left_of(t, &previous);
	if (ns && flags & TIMER_ABSTIME)
		result = timer_set_until(t, deadline_of(t, ns), interval);
	else
		result = timer_set(t, ns, interval);
	return !result && old ? user_put(old, &previous) : result;
}

long sys_timer_gettime(long number, long out)
{
	struct timer *t = posix_timer_of((int)number);
	struct itimerspec now;

	if (!t)
		return -EINVAL;
	left_of(t, &now);
	return user_put(out, &now);
}

long sys_timer_getoverrun(long number)
{
	const struct timer *t = posix_timer_of((int)number);

	return t ? (long)t->overrun : -EINVAL;
}

long sys_timer_delete(long number)
{
	struct timer *t = posix_timer_of((int)number);

	if (!t)
		return -EINVAL;
	if (t->deadline)
		(void)timer_set(t, 0, 0);
	timers[number] = NULL;
	posix_free(t);
	return 0;
}
