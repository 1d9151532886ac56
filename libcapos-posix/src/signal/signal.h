/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of signals: delivery around a system call, the state, raising.
 * Touched only with upcalls masked.
 */
#ifndef POSIX_SIGNAL_H
#define POSIX_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capos/abi.h>

#include "signal/signal_state.h"

struct signal_stack { /* sigaltstack */
	void *base;
	int flags; /* SS_DISABLE or 0 */
	size_t size;
};

extern struct signal_state signals;
extern struct signal_stack signal_stack;

/* ---- Around every system call ---- */

/* Masks upcalls. */
void signal_call_begin(void);
/* Delivers what is pending and unmasks.  frame->rax holds the result; restart: the call may be made
 * again after handlers with SA_RESTART.  True: do so. */
bool signal_call_end(struct capos_upcall_frame *frame, bool restart);

/* ---- Signals of this process ---- */

/* Makes a signal pending for this process, delivered before the system call returns.  Writers of
 * pipes, streams and sockets return -EPIPE; write and writev raise SIGPIPE for it, send* do it
 * themselves unless MSG_NOSIGNAL. */
void signal_raise(int signal);
/* The same as kill and tkill do it; code: SI_USER or SI_TKILL; signal 0 only checks.  -EINVAL. */
long signal_self(long signal, int code);
/* True when a signal that is not blocked and not ignored waits to be delivered: a blocking call
 * ends with -EINTR then.  process_wait() looks by itself. */
bool signal_waiting(void);
/* Takes what the kernel put into the ring; true: something came. */
bool signal_collect(void);
/* For ppoll, pselect: this set of blocked signals (NULL: none given) is in force until the call has
 * ended and the handlers that ended it have run.  -EINVAL when size is not 8. */
int signal_mask_for_call(const uint64_t *set, uint64_t size);
/* The running call returns EINTR even to handlers with SA_RESTART (a socket with SO_RCVTIMEO). */
void signal_no_restart(void);
/* Ends the process as a signal's default action does. */
_Noreturn void signal_terminate(int signal);

/* ---- Start, fork ---- */

/* Binds the signals event; without one, timers signal an event of the process's own. */
void signal_start(void);
cap_t signal_event(void); /* where a Timer signals; CAP_NULL: none could be made */
void signal_forked(cap_t own_event);
typedef void signal_arrived(int signal, struct signal_origin origin);
/* What the process room does for signals. */
struct signal_world {
	/* Calls arrived for each signal of these bits of which the sender is known. */
	void (*take)(uint64_t bits, signal_arrived *arrived);
	/* Stops the process; comes back when it goes on.  own: the signal came from itself. */
	void (*stop)(int signal, bool own);
	void (*child_ended)(void);  /* SIGCHLD came */
	void (*child_action)(void); /* SIGCHLD's action has changed */
};
void signal_set_world(const struct signal_world *of_process);
void signal_child_action(void);
/* Fills in what siginfo says of a signal that is delivered now. */
void signal_fill_info(int signal, siginfo_t *info);

#endif
