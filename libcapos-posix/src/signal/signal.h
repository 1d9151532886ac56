/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of signals: delivery around a system call, the state, sending to
 * this process.  Touched only with upcalls masked.
 */
#ifndef POSIX_SIGNAL_H
#define POSIX_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"
#include "signal/signal_state.h"

struct carried;
struct file;

extern struct signal_process signals;
extern struct signal_thread signal_first_thread;

/* Of the calling thread. */
static inline struct signal_thread *signal_here(void)
{
	struct signal_thread *t = thread_self()->signals;

	return t ? t : &signal_first_thread;
}

/* The thread of this process that has this number; NULL: none has. */
struct signal_thread *signal_thread_of(long number);

/* ---- Around every system call ---- */

/* Masks upcalls and takes the library's lock. */
void signal_call_begin(void);
/* Whether the calling thread has been asked to end: a call that is a cancellation point is over
 * before it has begun. */
bool signal_cancels(void);
/* Delivers what is pending, gives up the lock and unmasks.  frame->rax holds the result; restart:
 * the call may be made again after handlers with SA_RESTART.  True: do so. */
bool signal_call_end(struct capos_upcall_frame *frame, bool restart);

/* ---- Signals of this process ---- */

/* Most signals that wait with what siginfo says of them (RLIMIT_SIGPENDING). */
#define SIGNAL_QUEUE_DEFAULT 1024u
void signal_set_queue_limit(uint64_t most);
uint64_t signal_queue_limit(void);

/* Makes a signal pending for this process or, with to, for one thread of it; it is delivered before
 * the system call returns.  What is ignored and not blocked is dropped.  0, or -EAGAIN: a real-time
 * signal would have to be queued and the queue is full. */
int signal_post(int signal, struct signal_origin origin);
int signal_post_to(struct signal_thread *to, int signal, struct signal_origin origin);
/* As the library itself raises it.  Writers of pipes, streams and sockets return -EPIPE; write and
 * writev raise SIGPIPE for it, send* do it themselves unless MSG_NOSIGNAL. */
void signal_raise(int signal);
/* The same as kill and tkill do it; code: SI_USER or SI_TKILL; signal 0 only checks.  -EINVAL. */
long signal_self(long signal, int code);
/* What rt_sigqueueinfo hands to the receiver of the siginfo at that address of the program;
 * -EFAULT, -EINVAL. */
long signal_given_origin(long signal, long info, struct signal_origin *origin);
/* Whether it waits to be delivered, blocked or not. */
bool signal_is_pending(int signal);
/* Whether one that was posted now would be dropped. */
bool signal_would_be_ignored(int signal);
/* True when a signal that is not blocked and not ignored waits to be delivered: a blocking call
 * ends with -EINTR then.  process_wait() looks by itself. */
bool signal_waiting(void);
/* Takes what the kernel put into the ring; true: something came. */
bool signal_collect(void);
/* Takes one of the set that is pending: its number, 0: none is. */
int signal_take(uint64_t set, struct signal_origin *origin);
/* For ppoll, pselect: this set of blocked signals (0: none given) is in force until the call has
 * ended and the handlers that ended it have run.  -EINVAL when size is not 8, -EFAULT. */
int signal_mask_for_call(long set, uint64_t size);
/* The running call returns EINTR even to handlers with SA_RESTART (a socket with SO_RCVTIMEO). */
void signal_no_restart(void);
/* Ends the process as a signal's default action does. */
_Noreturn void signal_terminate(int signal);
/* What siginfo says of a signal that was taken. */
void signal_fill_info(int signal, const struct signal_origin *origin, siginfo_t *info);

/* ---- Threads ---- */

/* Of a thread that the calling one makes: 0 or -errno. */
int signal_thread_init(struct signal_thread *t);
/* By the new thread, with upcalls masked. */
void signal_thread_begin(struct signal_thread *t);
/* By a thread that ends: what it was to take others take. */
void signal_thread_end(void);
/* Releases what a thread had that does not run any more. */
void signal_thread_release(struct posix_thread *t);

/* ---- Start, fork, exec ---- */

/* Binds the signals event; without one, timers signal an event of the process's own. */
void signal_start(void);
cap_t signal_event(void); /* where a Timer signals; CAP_NULL: none could be made */
void signal_forked(cap_t own_event);
/* The calling thread gets its own faults from now on.  Every thread calls it once. */
void signal_catch_faults(void);

/* What crosses exec.  Past so many the origins of those that wait are forgotten. */
#define SIGNAL_SAVED_MAX 64
struct signal_saved {
	uint64_t blocked, ignored, pending;
	uint64_t count;
	struct {
		uint64_t signal;
		struct signal_origin origin;
	} queued[SIGNAL_SAVED_MAX];
};
void signal_save(struct signal_saved *out);
void signal_restore(const struct signal_saved *in);

typedef void signal_arrived(int signal, struct signal_origin origin);
/* What the process room does for signals. */
struct signal_world {
	/* Calls arrived for each signal of these bits of which the sender is known. */
	void (*take)(uint64_t bits, signal_arrived *arrived);
	/* Stops the process; comes back when it goes on.  own: the signal came from itself. */
	void (*stop)(int signal, bool own);
	void (*child_action)(void); /* SIGCHLD's action has changed */
	void (*report)(void);       /* another process asks for a report */
	/* To another process, as kill, with that si_code and value. */
	long (*send)(long target, int signal, int code, uint64_t value);
};
void signal_set_world(const struct signal_world *of_process);
/* After exec: 0 or -errno. */
int signalfd_restore(const struct carried *in, struct file **out);

/* And the time room.  A Timer signals SIGNAL_TIMER_BIT of the event: then look posts what is
 * due.  taken: a signal with one of these numbers or with SI_TIMER is about to be delivered; it
 * completes the origin and may start the timer again. */
/* Another process asks what this one has open: ProcessMember.ask. */
#define SIGNAL_REPORT_BIT SIGNAL_BIT(34)
/* No process sends it: musl keeps that number for itself. */
#define SIGNAL_TIMER_BIT SIGNAL_BIT(32)
void signal_set_timers(void (*look)(void), void (*taken)(int signal, struct signal_origin *origin));

#endif
