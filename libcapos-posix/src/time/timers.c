/* SPDX-License-Identifier: MIT */
/*
 * All timers of this process run by one Timer of the kernel, which is set for the first that is due
 * and signals a bit of the signals event.  A timer whose signal has been posted does not run until
 * it is delivered, so a program that blocks it is not woken for each interval.
 *
 * Timers of processor time are looked at when they could be due at the earliest, had the process
 * run all the time, and again for what is left then.
 */
#include <errno.h>
#include <signal.h>

#include <capos/cap.h>
#include <capos/start.h>

#include "time/internal.h"
#include "time/time.h"

/* How soon again after a signal that was ignored, or for which no memory was left: a tick. */
#define RETRY_NS 10000000ull
/* Processor time is not looked at more often than this. */
#define LOOK_NS 100000ull

cap_t timers_kernel; /* made at the first use from the Timer that the process was given */

static struct timer *running; /* and waiting; in no order */
static uint64_t armed_for = UINT64_MAX;

static int own_timer(void)
{
	cap_t given;

	if (timers_kernel)
		return 0;
	given = start_cap("timer");
	if (!given || !signal_event())
		return -EPERM;
	return errno_of(cap_timer_create(given, &timers_kernel));
}

static uint64_t clock_now(const struct timer *t)
{
	int64_t ns = 0;

	(void)clock_read(t->cpu ? CLOCK_KIND_CPU : CLOCK_KIND_MONOTONIC, &ns);
	return (uint64_t)ns;
}

/* ---- The kernel's Timer ---- */

static uint64_t first_due(void)
{
	uint64_t first = UINT64_MAX, now = 0, cpu = 0;

	for (const struct timer *t = running; t; t = t->next) {
		uint64_t due = t->deadline;

		if (t->waiting || t->silent)
			continue;
		if (t->cpu && !now) {
			now = cap_now();
			cpu = clock_now(t);
		}
		if (t->cpu)
			due = now + (t->deadline > cpu + LOOK_NS ? t->deadline - cpu : LOOK_NS);
		if (due < first)
			first = due;
	}
	return first;
}

static int arm(void)
{
	uint64_t due = first_due(), left, interval;

	if (due == armed_for)
		return 0;
	armed_for = due;
	if (due == UINT64_MAX)
		return errno_of(cap_timer_disarm(timers_kernel, &left, &interval));
	return errno_of(cap_timer_arm(timers_kernel, due, 0, signal_event(), SIGNAL_TIMER_BIT));
}

/* ---- Running ---- */

static void unlink_timer(struct timer *t)
{
	struct timer **link = &running;

	while (*link && *link != t)
		link = &(*link)->next;
	if (*link)
		*link = t->next;
}

/* Goes on to the first deadline that is not past: how many passed besides the one that it had. */
static uint32_t forward(struct timer *t, uint64_t now)
{
	uint64_t passed = now > t->deadline ? (now - t->deadline) / t->interval : 0;

	t->deadline += (passed + 1) * t->interval;
	return passed < INT32_MAX ? (uint32_t)passed : INT32_MAX;
}

static void expire(struct timer *t, uint64_t now)
{
	bool ignored = signal_would_be_ignored(t->signal);
	int result = 0;

	if (!ignored)
		result = t->to ? signal_post_to(t->to, t->signal, t->origin)
		               : signal_post(t->signal, t->origin);
	if (!ignored && !result) {
		t->waiting = true;
		return;
	}
	if (ignored && !t->interval) {
		t->deadline = 0;
		unlink_timer(t);
		return;
	}
	if (ignored)
		(void)forward(t, now);
	if (t->deadline < now + RETRY_NS)
		t->deadline = now + RETRY_NS;
}

/* The kernel's Timer has fired, perhaps for what is set to another time by now. */
void timers_look(void)
{
	armed_for = UINT64_MAX;
	for (struct timer *t = running, *next; t; t = next) {
		uint64_t now = clock_now(t);

		next = t->next;
		if (!t->waiting && !t->silent && t->deadline <= now)
			expire(t, now);
	}
	(void)arm();
}

static struct timer *taken_timer(int signal, const struct signal_origin *origin)
{
	struct timer *t;

	if (origin->code == SI_TIMER) {
		t = posix_timer_of(origin->pid);
		return t && t->waiting && t->origin.status == origin->status ? t : NULL;
	}
	for (t = running; t; t = t->next) {
		if (t->waiting && t->signal == signal && t->origin.code != SI_TIMER)
			return t;
	}
	return NULL;
}

void timers_taken(int signal, struct signal_origin *origin)
{
	struct timer *t = taken_timer(signal, origin);

	if (!t)
		return;
	t->waiting = false;
	t->overrun = 0;
	if (t->interval) {
		t->overrun = forward(t, clock_now(t));
	} else {
		t->deadline = 0;
		unlink_timer(t);
	}
	if (origin->code == SI_TIMER)
		origin->uid = (int)t->overrun;
	(void)arm();
}

int timer_set_until(struct timer *t, uint64_t deadline, uint64_t interval)
{
	int result = own_timer();

	if (result)
		return result;
	unlink_timer(t);
	t->deadline = deadline;
	t->interval = interval;
	t->waiting = false;
	t->overrun = 0;
	t->origin.status++; /* what was posted before is another's */
	if (deadline) {
		t->next = running;
		running = t;
	}
	return arm();
}

int timer_set(struct timer *t, uint64_t ns, uint64_t interval)
{
	uint64_t now = clock_now(t);

	return timer_set_until(t,
	                       !ns                         ? 0
	                       : ns > UINT64_MAX - 1 - now ? UINT64_MAX - 1
	                                                   : now + ns,
	                       interval);
}

void timer_left(struct timer *t, uint64_t *ns, uint64_t *interval)
{
	uint64_t now = clock_now(t), deadline = t->deadline;

	*interval = t->interval;
	*ns = 0;
	if (!deadline)
		return;
	if (deadline <= now && t->interval)
		deadline += ((now - deadline) / t->interval + 1) * t->interval;
	/* What runs and is due has 1 left, until its signal is posted. */
	*ns = deadline > now ? deadline - now : t->waiting || t->silent ? 0 : 1;
}

/* ---- fork ---- */

void timers_forked(void)
{
	cap_release(timers_kernel);
	timers_kernel = CAP_NULL;
	armed_for = UINT64_MAX;
	for (struct timer *t = running, *next; t; t = next) {
		next = t->next;
		t->deadline = t->interval = 0;
		t->waiting = false;
	}
	running = NULL;
	posix_timers_forget();
}
