/* SPDX-License-Identifier: MIT */
/*
 * Waiting: one event of the process's own wakes it for every kind of descriptor.
 */
#ifndef POSIX_WAIT_H
#define POSIX_WAIT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <capos/abi.h>

/* Waiting: every fd kind is woken through the process's one event.  Sleeps until the event is
 * signalled, the deadline (monotonic ns, UINT64_MAX none) passes: -ETIMEDOUT, or a signal is
 * pending: -EINTR.  Usage: loop { look at the shared words; arm (want_data, ...); look again;
 * process_wait }.  Spurious wake-ups happen. */
int process_wait(uint64_t deadline_ns);
/* Sleeps until the operation has completed, which it then has in any case: its result as 0 or
 * -errno, -ETIMEDOUT or -EINTR when it was cancelled.  Not woken by the event. */
struct cap_op;
int wait_for_op(struct cap_op *op, uint64_t deadline_ns);
/* The event as it is sent to servers: they may signal it, and their end signals it too, so that no
 * wait outlasts the server (chan.h finds out which one it was). */
struct capos_send_cap process_wake_cap(void);
/* What to hand to servers as wakeIndex / wakeBits.  Any bit wakes all threads of all processes that
 * share the event by fork. */
uint64_t process_event(void); /* cap_t of the process's event; send a copy with CAP_RIGHT_SIGNAL */
#define PROCESS_WAKE_BITS UINT64_MAX

/* ---- Calls that wait ---- */

/* What an attempt returns besides a result: nothing could be done; some of it was done, so another
 * attempt must come before sleeping. */
#define WAIT_NOTHING (-EAGAIN)
#define WAIT_SOME    (-ERESTART)

struct waiting {
	/* One attempt: a result >= 0, -errno, WAIT_NOTHING or WAIT_SOME. */
	ssize_t (*attempt)(void *context);
	/* Asks to be woken when another attempt may do more.  NULL: the attempt does that. */
	void (*arm)(void *context);
	void *context;
	bool nonblocking;
	uint64_t timeout_ns;  /* as SO_RCVTIMEO: a signal's handler ends the call; 0: none */
	uint64_t deadline_ns; /* in its place: monotonic, the call may be restarted; 0: none */
};

/* Attempts until one has a result: that result; -EAGAIN when nonblocking, or after the timeout;
 * -ETIMEDOUT after the deadline; -EINTR. */
ssize_t wait_for(const struct waiting *w);

/* ---- Time ---- */

struct timespec;
/* Monotonic deadline so many nanoseconds from now, UINT64_MAX when that is beyond the clock's
 * end. */
uint64_t deadline_after(uint64_t ns);
/* -EINVAL when t is no valid interval (negative, nanoseconds of a second or more). */
int timespec_to_ns(const struct timespec *t, uint64_t *ns);
void ns_to_timespec(int64_t ns, struct timespec *t);
/* In whole seconds: the time of what is made by nobody, as the files of /proc. */
struct timespec boot_time(void);

/* ---- fork and exec ---- */

void wait_restore(cap_t carried);
void wait_end(void); /* the calling thread waits no more */

#endif
