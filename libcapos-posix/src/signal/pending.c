/* SPDX-License-Identifier: MIT */
/*
 * What waits to be delivered: posted here or come by the ring, kept in order with what siginfo says
 * of it, and bounded.  What is ignored is dropped when it comes or when its turn has come.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <capos/cap.h>

#include "signal/internal.h"

#define STOPS \
	(SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define TIMERS (SIGNAL_BIT(SIGALRM) | SIGNAL_BIT(SIGVTALRM) | SIGNAL_BIT(SIGPROF))

#define NS_PER_TICK 10000000u /* of clock_t: AT_CLKTCK is 100 */

struct signal_process signals;
struct signal_thread signal_first_thread = {.stack = {.flags = SS_DISABLE}};

static uint64_t queued, queue_limit = SIGNAL_QUEUE_DEFAULT;

/* Of the process room and of the time room, once they take part. */
static struct signal_world world;

static void (*timers_look)(void);
static void (*timer_taken)(int signal, struct signal_origin *origin);

void signal_set_world(const struct signal_world *of_process)
{
	world = *of_process;
}

long signal_another(long target, int signal, int code, uint64_t value)
{
	return world.send(target, signal, code, value);
}

void signal_child_action(void)
{
	world.child_action();
}

void signal_set_timers(void (*look)(void), void (*taken)(int signal, struct signal_origin *origin))
{
	timers_look = look;
	timer_taken = taken;
}

void signal_set_queue_limit(uint64_t most)
{
	queue_limit = most;
}

uint64_t signal_queue_limit(void)
{
	return queue_limit;
}

/* ---- Posting ---- */

/* Of one that is pending. */
static void take_from(struct signal_pending *pending, int signal, struct signal_origin *origin)
{
	struct signal_entry *entry = signal_pending_take(pending, signal);

	*origin = (struct signal_origin){.code = SI_USER};
	if (entry) {
		*origin = entry->origin;
		queued--;
		posix_free(entry);
	}
	if (origin->code == SI_TIMER || TIMERS & SIGNAL_BIT(signal))
		timer_taken(signal, origin);
}

static void drop(struct signal_pending *pending, uint64_t set)
{
	for (uint64_t rest = set & pending->set; rest; rest &= rest - 1) {
		int signal = __builtin_ctzll(rest) + 1;
		struct signal_origin origin;

		while (pending->set & SIGNAL_BIT(signal))
			take_from(pending, signal, &origin);
	}
}

void signal_drop(uint64_t set)
{
	drop(&signals.pending, set);
	drop(&signal_here()->pending, set);
}

void signal_forget_pending(void)
{
	signal_drop(UINT64_MAX);
}

void signal_drop_of(struct signal_thread *t)
{
	drop(&t->pending, UINT64_MAX);
}

static bool ignores(const struct signal_thread *t, int signal)
{
	return !(t->blocked & SIGNAL_BIT(signal)) &&
	       signal_disposition(&signals, signal) == SIGNAL_IGNORE;
}

bool signal_would_be_ignored(int signal)
{
	return ignores(signal_here(), signal);
}

/* Of real-time signals only what the kernel or plain kill sends may wait without an origin. */
static int post(struct signal_pending *pending, const struct signal_thread *to, int signal,
                struct signal_origin origin)
{
	struct signal_entry *entry = NULL;

	if (SIGNAL_BIT(signal) & STOPS)
		signal_drop(SIGNAL_BIT(SIGCONT));
	if (signal == SIGCONT)
		signal_drop(STOPS);
	if (ignores(to, signal))
		return 0;
	if (signal < SIGNAL_QUEUED && pending->set & SIGNAL_BIT(signal) && origin.code != SI_TIMER)
		return 0; /* but each timer has one of its own */
	if (queued < queue_limit || (signal < SIGNAL_QUEUED && origin.code > 0))
		entry = posix_alloc(sizeof(*entry));
	if (!entry && (signal >= SIGNAL_QUEUED || origin.code == SI_TIMER) &&
	    origin.code != SI_USER)
		return -EAGAIN;
	if (entry)
		entry->origin = origin;
	if (signal_pending_add(pending, signal, entry))
		queued += entry ? 1 : 0;
	return 0;
}

int signal_post(int signal, struct signal_origin origin)
{
	int result = post(&signals.pending, signal_here(), signal, origin);

	signal_notify(signal);
	return result;
}

int signal_post_to(struct signal_thread *to, int signal, struct signal_origin origin)
{
	int result;

	if (!signal_thread_exists(to))
		return 0;
	result = post(&to->pending, to, signal, origin);
	signal_notify_thread(to, signal);
	return result;
}

void signal_raise(int signal)
{
	signal_post_to(signal_here(), signal,
	               (struct signal_origin){.code = SI_USER, .pid = (int)process_id()});
}

/* Those whose sender matters: what is ignored leaves no trace. */
static uint64_t of_interest(uint64_t bits)
{
	uint64_t interest = 0;

	for (uint64_t rest = bits; rest; rest &= rest - 1) {
		int signal = __builtin_ctzll(rest) + 1;

		if (!signal_would_be_ignored(signal))
			interest |= SIGNAL_BIT(signal);
	}
	return interest;
}

/* How often a collection looks for notices that came meanwhile; a sender cannot hold it longer. */
#define ROUNDS_MAX 8

static uint64_t arrived; /* of the bits that are being collected */

static void note_arrival(int signal, struct signal_origin origin)
{
	arrived |= SIGNAL_BIT(signal);
	signal_post(signal, origin);
}

bool signal_collect(void)
{
	uint64_t *place = &cap_ring()->upcall_bits;
	uint64_t bits;

	if (!__atomic_load_n(place,
	                     __ATOMIC_RELAXED)) /* the exchange alone would cost every call */
		return false;
	bits = __atomic_exchange_n(place, 0, __ATOMIC_ACQ_REL) & ~SIGNAL_LOOK_BIT;
	thread_self()->came = true;
	if (!bits)
		return false;
	if (bits & SIGNAL_TIMER_BIT)
		timers_look();
	if (bits & SIGNAL_REPORT_BIT)
		world.report();
	bits &= ~(SIGNAL_TIMER_BIT | SIGNAL_REPORT_BIT);
	arrived = 0;
	/* What is taken may have come after the bits were read.  Its notice is here by now, as the
	 * service gives notice before it answers; left here it would look like another signal. */
	for (uint64_t wanted = of_interest(bits), n = 0; wanted && n < ROUNDS_MAX; n++) {
		world.take(wanted, note_arrival);
		wanted = __atomic_load_n(place, __ATOMIC_RELAXED) & arrived;
		if (wanted)
			__atomic_fetch_and(place, ~wanted, __ATOMIC_ACQ_REL);
	}
	/* Of those of the machine's owner nothing is known. */
	for (uint64_t rest = bits & ~arrived; rest; rest &= rest - 1)
		signal_post(__builtin_ctzll(rest) + 1, (struct signal_origin){.code = SI_KERNEL});
	return true;
}

/* ---- Taking ---- */

static uint64_t pending_set(void)
{
	return signals.pending.set | signal_here()->pending.set;
}

bool signal_is_pending(int signal)
{
	return pending_set() & SIGNAL_BIT(signal);
}

bool signal_any_pending(uint64_t set)
{
	return (pending_set() & set) != 0;
}

uint64_t signal_pending_blocked(void)
{
	signal_collect();
	return pending_set() & signal_here()->blocked;
}

/* What waits for the thread comes first. */
static void take(int signal, struct signal_origin *origin)
{
	struct signal_pending *own = &signal_here()->pending;

	take_from(own->set & SIGNAL_BIT(signal) ? own : &signals.pending, signal, origin);
}

int signal_take(uint64_t set, struct signal_origin *origin)
{
	int signal = signal_first(pending_set() & set);

	if (signal)
		take(signal, origin);
	return signal;
}

/* The next that is not blocked and not ignored; the others are dropped on the way. */
static int next(void)
{
	const struct signal_thread *t = signal_here();
	int signal;

	while ((signal = signal_first(pending_set() & ~t->blocked & ~t->awaited)) != 0) {
		if (signal_disposition(&signals, signal) != SIGNAL_IGNORE)
			break;
		signal_drop(SIGNAL_BIT(signal));
	}
	return signal;
}

int signal_take_deliverable(struct signal_origin *origin)
{
	int signal = next();

	if (signal)
		take(signal, origin);
	return signal;
}

void signal_stop(int signal, const struct signal_origin *origin)
{
	/* The others wait for the library's lock until the process goes on. */
	signal_interrupt_others();
	world.stop(signal, origin->own);
	signal_collect();
}

bool signal_waiting(void)
{
	struct signal_origin origin;
	int signal;

	signal_collect();
	/* A stop is not seen by the call that it came during. */
	while ((signal = next()) != 0 && signal_disposition(&signals, signal) == SIGNAL_STOP) {
		take(signal, &origin);
		signal_stop(signal, &origin);
	}
	return signal != 0;
}

void signal_fill_info(int signal, const struct signal_origin *origin, siginfo_t *info)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = signal;
	info->si_code = origin->code;
	info->si_pid = origin->pid;
	info->si_uid = (uid_t)origin->uid;
	if (signal == SIGCHLD && origin->code > 0) { /* else they share their place with si_value */
		info->si_status = origin->status;
		info->si_utime = (clock_t)(origin->cpu_ns / NS_PER_TICK);
	} else {
		info->si_value.sival_ptr = (void *)origin->value;
	}
}

/* ---- exec ---- */

static void save_pending(const struct signal_pending *pending, struct signal_saved *out)
{
	out->pending |= pending->set;
	for (uint64_t signal = 1; signal <= SIGNAL_MAX; signal++) {
		const struct signal_entry *last = pending->last[signal], *entry = last;

		while (entry && out->count < SIGNAL_SAVED_MAX) {
			entry = entry->next;
			out->queued[out->count].signal = signal;
			out->queued[out->count++].origin = entry->origin;
			if (entry == last)
				break;
		}
	}
}

void signal_save(struct signal_saved *out)
{
	signal_collect();
	*out = (struct signal_saved){.blocked = signal_here()->blocked};
	save_pending(&signals.pending, out);
	save_pending(&signal_here()->pending, out);
	for (int i = 1; i <= SIGNAL_MAX; i++) {
		if (signals.actions[i].handler == SIG_IGN)
			out->ignored |= SIGNAL_BIT(i);
	}
}

void signal_restore(const struct signal_saved *in)
{
	signal_here()->blocked = in->blocked;
	for (int i = 1; i <= SIGNAL_MAX; i++) {
		if (in->ignored & SIGNAL_BIT(i))
			signals.actions[i].handler = SIG_IGN;
	}
	for (uint64_t i = 0; i < in->count; i++)
		signal_post((int)in->queued[i].signal, in->queued[i].origin);
	signals.pending.set |= in->pending;
}
