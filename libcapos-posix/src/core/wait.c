/* SPDX-License-Identifier: MIT */
/*
 * Waiting: one event, which a process has in common with its relatives, wakes it for every
 * descriptor kind.  Each watches it for itself, from the count of signals that it saw last, so that
 * every signal reaches all of them and none is lost between two waits.
 */
#include <errno.h>

#include <capos/cap.h>

#include "core/fd.h"
#include "core/self.h"
#include "core/wait.h"

static cap_t event;
static struct cap_op wait_op;
static bool in_flight;
static uint64_t seen; /* how often the event had been signalled */

uint64_t process_event(void)
{
	if (!event && cap_event_create(&event))
		event = CAP_NULL;
	return event;
}

struct capos_send_cap process_wake_cap(void)
{
	return (struct capos_send_cap){
	        .cap = process_event(), .rights = CAP_RIGHT_SIGNAL, .flags = CAPOS_SEND_HANGUP};
}

/* Whether the WAIT has completed, reaped perhaps by another call since the last wait: then there
 * may be something to see, and nothing is left in flight that would end a sleep. */
static bool woken(void)
{
	if (!in_flight || !wait_op.done)
		return false;
	in_flight = false;
	if (!wait_op.cqe.result)
		seen = wait_op.cqe.value;
	core_hooks.streams_settle(); /* the console's end signals the event, too */
	return true;
}

/* 0 or -errno.  Without an event waiting still works for time and signals. */
static int submit_wait(void)
{
	struct capos_sqe sqe = {.op = CAP_OP_WATCH, .cap = process_event(), .arg = seen};

	if (in_flight || !sqe.cap)
		return 0;
	if (cap_submit(&sqe, &wait_op))
		return -ENOMEM;
	in_flight = true;
	return 0;
}

void wait_forked(void)
{
	in_flight = false;
}

void wait_restore(cap_t carried)
{
	event = carried;
}

int process_wait(uint64_t deadline_ns)
{
	uint64_t now, left = CAPOS_FOREVER;
	int result;

	if (core_hooks.signal_waiting())
		return -EINTR;
	if (woken()) /* the caller may wait for just that */
		return 0;
	result = submit_wait();
	if (result)
		return result;
	if (deadline_ns != UINT64_MAX) {
		now = cap_now();
		left = deadline_ns > now ? deadline_ns - now : 0;
	}
	result = cap_poll(true, left);
	(void)woken();
	if (result == CAP_EINTR)
		return core_hooks.signal_waiting() ? -EINTR : 0;
	/* Time counts as passed only by the clock that the caller knows. */
	if (result == CAP_ETIMEDOUT)
		return cap_now() >= deadline_ns ? -ETIMEDOUT : 0;
	return errno_of(result);
}

static uint64_t first_deadline(const struct waiting *w)
{
	if (!w->timeout_ns)
		return UINT64_MAX;
	core_hooks.signal_no_restart();
	return deadline_after(w->timeout_ns);
}

ssize_t wait_for(const struct waiting *w)
{
	uint64_t deadline = 0;
	bool armed = false;

	for (;;) {
		ssize_t result = w->attempt(w->context);

		if (result != WAIT_NOTHING && result != WAIT_SOME)
			return result;
		if (w->nonblocking)
			return -EAGAIN;
		if (result == WAIT_SOME || !armed) { /* look again before sleeping */
			if (w->arm)
				w->arm(w->context);
			armed = result == WAIT_NOTHING;
			if (result == WAIT_SOME || w->arm)
				continue;
		}
		armed = false;
		if (!deadline)
			deadline = first_deadline(w);
		result = process_wait(deadline);
		if (result)
			return result == -ETIMEDOUT ? -EAGAIN : result;
	}
}
