/* SPDX-License-Identifier: MIT */
/*
 * Timer objects.  One that repeats never fires again before the present has passed it: missed times
 * are dropped, so that no setting can keep the processor in the kernel.
 */
#include "object/event.h"
#include "object/kcall.h"
#include "kernel.h"
#include "memory/slab.h"
#include "process/process.h"
#include "object/timer.h"
#include "process/timeout.h"

/* Shortest interval that can be asked for, and the least time between two signals of one timer, in
 * nanoseconds. */
#define INTERVAL_MIN 1000u
#define GAP_MIN      50000u
/* And this much for each timer that repeats: all together fire at most 200000 times a second,
 * however many are made. */
#define GAP_EACH 5000u

struct timer {
	struct object_header header;
	struct account *account;
	struct timeout timeout;
	struct event *event; /* one count while armed */
	uint64_t bits;
	uint64_t interval; /* nanoseconds; 0: once */
};

ASSERT_HEADER_FIRST(struct timer);

static struct slab timers = SLAB_INIT(struct timer);
static uint64_t repeating; /* timers with an interval */

static void disarm(struct timer *t)
{
	timeout_cancel(&t->timeout);
	if (t->event)
		event_put(t->event);
	t->event = NULL;
	repeating -= t->interval != 0;
	t->interval = 0;
}

static void fire(struct timeout *timeout)
{
	struct timer *t = container_of(timeout, struct timer, timeout);
	event_signal(t->event, t->bits);
	if (t->interval == 0) {
		disarm(t);
		return;
	}
	uint64_t gap = repeating * GAP_EACH > GAP_MIN ? repeating * GAP_EACH : GAP_MIN;
	uint64_t earliest = arch_clock_ns() + gap;
	uint64_t next = t->timeout.deadline + t->interval;
	if (next < earliest)
		next += (earliest - next + t->interval - 1) / t->interval * t->interval;
	timeout_set(timeout, next);
}

int timer_create(struct account *account, struct timer **out)
{
	if (!account_count(account, ACCOUNT_TIMERS))
		return CAP_EAGAIN;
	struct timer *t = account_alloc(account, &timers);
	if (!t) {
		account_uncount(account, ACCOUNT_TIMERS);
		return CAP_ENOMEM;
	}
	t->header = (struct object_header){.refs = 1, .kind = KIND_TIMER};
	t->account = account;
	t->timeout.fire = fire;
	*out = t;
	return CAP_OK;
}

void timer_last(struct object_header *header)
{
	struct timer *t = timer_of(header);
	assert(kernel_locked());
	disarm(t);
	account_uncount(t->account, ACCOUNT_TIMERS);
	account_free(t->account, &timers, t);
}

static uint64_t remaining(const struct timer *t)
{
	uint64_t now = arch_clock_ns();
	if (!t->timeout.queued)
		return 0;
	return t->timeout.deadline > now ? t->timeout.deadline - now
	                                 : 1; /* due, and 0 would say not armed */
}

static int timer_arm_method(void *timer, struct msg_call *msg,
                            const struct timer_arm_params *params)
{
	struct timer *t = timer;
	struct cap event;
	int error =
	        kcall_arg(kcall_of(msg), params->event_index, KIND_EVENT, CAP_RIGHT_SIGNAL, &event);
	if (error)
		return error;
	/* Half the range of the clock is some centuries: sums of a deadline and an interval cannot
	 * wrap. */
	if ((params->interval_ns != 0 && params->interval_ns < INTERVAL_MIN) ||
	    params->interval_ns > INT64_MAX / 2)
		return CAP_EINVAL;
	event_get(event_of(event.object));
	disarm(t);
	t->event = event_of(event.object);
	t->bits = params->bits;
	t->interval = params->interval_ns;
	repeating += t->interval != 0;
	uint64_t deadline = params->deadline_ns < INT64_MAX ? params->deadline_ns : INT64_MAX;
	t->timeout.deadline = deadline;
	if (deadline <= arch_clock_ns())
		fire(&t->timeout);
	else
		timeout_set(&t->timeout, deadline);
	return CAP_OK;
}

static int timer_disarm_method(void *timer, struct msg_call *msg,
                               struct timer_disarm_results *results)
{
	struct timer *t = timer;
	(void)msg;
	results->remaining_ns = remaining(t);
	results->interval_ns = t->interval;
	disarm(t);
	return CAP_OK;
}

static int timer_create_method(void *timer, struct msg_call *msg,
                               struct timer_create_results *results)
{
	(void)timer;
	struct timer *made;
	int error = timer_create(kcall_of(msg)->caller->process->account, &made);
	if (error)
		return error;
	results->timer_index = kcall_give(kcall_of(msg), KIND_TIMER, &made->header,
	                                  CAP_RIGHT_CALL | CAP_RIGHT_COPY);
	return CAP_OK;
}

static int timer_remaining_method(void *timer, struct msg_call *msg,
                                  struct timer_remaining_results *results)
{
	struct timer *t = timer;
	(void)msg;
	results->remaining_ns = remaining(t);
	results->interval_ns = t->interval;
	return CAP_OK;
}

int timer_call(struct object_header *header, struct msg_call *msg)
{
	static const struct timer_ops ops = {
	        .arm = timer_arm_method,
	        .disarm = timer_disarm_method,
	        .create = timer_create_method,
	        .remaining = timer_remaining_method,
	};
	return timer_dispatch(&ops, timer_of(header), msg);
}
