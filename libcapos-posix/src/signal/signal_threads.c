/* SPDX-License-Identifier: MIT */
/*
 * Signals among the threads of a process.  Those of the process come to the ring of its first
 * thread, which has its event; every other thread has an event of its own, by which it is asked to
 * look.  What waits for the process is taken by a thread that does not block it, whichever looks
 * first.
 */
#include <errno.h>
#include <signal.h>

#include <capos/cap.h>
#include <capos/object.h>

#include "signal/internal.h"

static struct signal_thread *signals_of(const struct posix_thread *t)
{
	return t->signals ? t->signals : &signal_first_thread;
}

struct signal_thread *signal_thread_of(long number)
{
	const struct posix_thread *t = threads_find((uint64_t)number);

	return t ? signals_of(t) : NULL;
}

bool signal_thread_exists(const struct signal_thread *t)
{
	const struct posix_thread *self = thread_self(), *each = self;

	do {
		if (!each->ended && signals_of(each) == t)
			return true;
		each = each->next;
	} while (each != self);
	return false;
}

/* ---- Asking to look ---- */

static bool takes(const struct signal_thread *t, int signal)
{
	return (~t->blocked | t->awaited) & SIGNAL_BIT(signal);
}

static void ask(const struct signal_thread *t)
{
	cap_signal(t->event ? t->event : signal_event(), SIGNAL_LOOK_BIT);
}

void signal_interrupt_others(void)
{
	const struct posix_thread *self = thread_self();

	for (const struct posix_thread *t = self->next; t != self; t = t->next) {
		if (!t->ended)
			ask(signals_of(t));
	}
}

/* Of every signalfd that was made; one that is closed costs a look, no more. */
static uint64_t of_descriptors;

void signal_of_descriptor(uint64_t set)
{
	of_descriptors |= set;
}

void signal_notify(int signal)
{
	const struct posix_thread *self = thread_self();

	if (!(signals.pending.set & SIGNAL_BIT(signal)))
		return;
	if (!self->ended && takes(signals_of(self), signal))
		return; /* it looks before its call ends */
	for (const struct posix_thread *t = self->next; t != self; t = t->next) {
		if (!t->ended && takes(signals_of(t), signal)) {
			ask(signals_of(t));
			return;
		}
	}
	if (of_descriptors & SIGNAL_BIT(signal))
		signal_interrupt_others(); /* any of them may poll the signalfd */
}

void signal_pass_on(uint64_t set)
{
	for (uint64_t rest = signals.pending.set & set; rest && !threads_alone(); rest &= rest - 1)
		signal_notify(__builtin_ctzll(rest) + 1);
}

void signal_notify_thread(struct signal_thread *to, int signal)
{
	if (to != signal_here() && to->pending.set & SIGNAL_BIT(signal) && takes(to, signal))
		ask(to);
}

/* ---- Life ---- */

int signal_thread_init(struct signal_thread *t)
{
	*t = (struct signal_thread){.blocked = signal_here()->blocked,
	                            .stack = {.flags = SS_DISABLE}};
	return errno_of(cap_event_create(&t->event));
}

void signal_thread_begin(struct signal_thread *t)
{
	signal_catch_faults();
	cap_event_bind_upcall(t->event, (uint64_t)posix_upcall_entry);
}

void signal_thread_end(void)
{
	struct signal_thread *t = signal_here();
	uint64_t taken = ~t->blocked;

	t->blocked = UINT64_MAX;
	signal_pass_on(taken);
	signal_drop_of(t);
}

void signal_thread_release(struct posix_thread *t)
{
	struct signal_thread *s = t->signals;

	if (!s)
		return;
	signal_drop_of(s);
	cap_release(s->event);
}
