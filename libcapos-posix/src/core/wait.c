/* SPDX-License-Identifier: MIT */
/*
 * Waiting: one event, which a process has in common with its relatives, wakes it for every
 * descriptor kind.  Each thread watches it for itself, from the count of signals that it saw last,
 * so that every signal reaches all of them and none is lost between two waits.
 */
#include <errno.h>

#include <capos/cap.h>

#include "core/fd.h"
#include "core/self.h"
#include "core/threads.h"
#include "core/wait.h"

static cap_t event;

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

/* Whether the event was signalled since the last wait of this thread: then there may be something
 * to see.  Its WATCH has been reaped, perhaps by another call, and is submitted again by the next
 * wait with the count that this one saw, so nothing that comes in between is missed. */
static bool woken(struct posix_thread *t)
{
	if (!t->watching || !t->watch.done)
		return false;
	t->watching = false;
	if (!t->watch.cqe.result)
		t->signals_seen = t->watch.cqe.value;
	core_hooks.streams_settle(); /* the console's end signals the event, too */
	return true;
}

/* Whether the ring's bits were taken since the last wait of this thread: what they stood for is
 * blocked, and yet may be what sigwait, a poll of a signalfd or of a timerfd waits for. */
static bool came(struct posix_thread *t)
{
	bool result = t->came;

	t->came = false;
	return result;
}

/* 0 or -errno.  Without an event waiting still works for time and signals. */
static int watch_event(struct posix_thread *t)
{
	struct capos_sqe sqe = {.op = CAP_OP_WATCH, .cap = process_event(), .arg = t->signals_seen};

	if (t->watching || !sqe.cap)
		return 0;
	if (cap_submit(&sqe, &t->watch))
		return -ENOMEM;
	t->watching = true;
	return 0;
}

void wait_restore(cap_t carried)
{
	event = carried;
}

void wait_end(void)
{
	struct posix_thread *t = thread_self();

	if (t->watching)
		cap_cancel(&t->watch);
	t->watching = false;
}

static uint64_t time_left(uint64_t deadline_ns)
{
	uint64_t now;

	if (deadline_ns == UINT64_MAX)
		return CAPOS_FOREVER;
	now = cap_now();
	return deadline_ns > now ? deadline_ns - now : 0;
}

static int wait_result(int result, uint64_t deadline_ns)
{
	/* Signals that are ignored may come faster than this thread runs, too. */
	if (result == CAP_EINTR && core_hooks.signal_waiting())
		return -EINTR;
	if (result == CAP_EINTR)
		return cap_now() >= deadline_ns ? -ETIMEDOUT : 0;
	/* Time counts as passed only by the clock that the caller knows. */
	if (result == CAP_ETIMEDOUT)
		return cap_now() >= deadline_ns ? -ETIMEDOUT : 0;
	return errno_of(result);
}

/* After the event was signalled: 0, for the caller to look.  The event is all relatives' and may be
 * signalled faster than this thread runs, so that no wait would ever see its deadline: past that
 * the caller looks once more. */
static int look_again(struct posix_thread *t, uint64_t deadline_ns)
{
	if (cap_now() < deadline_ns)
		return 0;
	if (t->late == deadline_ns)
		return -ETIMEDOUT;
	t->late = deadline_ns;
	return 0;
}

int process_wait(uint64_t deadline_ns)
{
	struct posix_thread *t = thread_self();
	bool left;
	int result;

	if (core_hooks.signal_waiting())
		return -EINTR;
	if (came(t) || woken(t)) /* the caller may wait for just that */
		return look_again(t, deadline_ns);
	result = watch_event(t);
	if (result)
		return result;
	left = library_leave();
	result = cap_poll(true, time_left(deadline_ns));
	library_return(left);
	if (woken(t) && !result)
		return look_again(t, deadline_ns);
	result = wait_result(result, deadline_ns);
	if (!result)
		t->came = false; /* the caller looks now */
	return result;
}

int wait_for_op(struct cap_op *op, uint64_t deadline_ns)
{
	int result = 0;

	while (!op->done && !result) {
		bool left;

		if (core_hooks.signal_waiting()) {
			result = -EINTR;
			break;
		}
		left = library_leave();
		result = cap_await(op, time_left(deadline_ns));
		library_return(left);
		result = wait_result(result, deadline_ns);
	}
	if (!op->done)
		cap_cancel(op);
	return op->cqe.result == CAP_ECANCELED ? result : errno_of(op->cqe.result);
}

static uint64_t first_deadline(const struct waiting *w)
{
	if (!w->timeout_ns)
		return w->deadline_ns ? w->deadline_ns : UINT64_MAX;
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
			return result == -ETIMEDOUT && w->timeout_ns ? -EAGAIN : result;
	}
}
