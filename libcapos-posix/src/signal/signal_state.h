/* SPDX-License-Identifier: MIT */
/*
 * Signals as data: what is pending for a process and for a thread, what a thread blocks, and what
 * is to be done with each signal.  Pure, so that it can be tested; signal.c runs handlers over it.
 */
#ifndef POSIX_SIGNAL_STATE_H
#define POSIX_SIGNAL_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGNAL_MAX    64 /* numbers 1 to 64, as in Linux */
#define SIGNAL_QUEUED 32 /* from here on each one that is sent is delivered */
#define SIGNAL_BIT(n) (1ull << ((n)-1))
#define SIGNAL_UNBLOCKED \
	(SIGNAL_BIT(9) | SIGNAL_BIT(19)) /* SIGKILL, SIGSTOP: never blocked or caught */

/* As Linux's struct sigaction on x86-64. */
struct signal_action {
	void (*handler)(int);
	uint64_t flags;
	void (*restorer)(void);
	uint64_t mask;
};

/* What siginfo says about the sender. */
struct signal_origin {
	int code;        /* SI_*, of SIGCHLD also CLD_* */
	int pid;         /* of SI_TIMER: the timer */
	int uid;         /* of SI_TIMER: expirations that were not delivered */
	int status;      /* of SIGCHLD: si_status */
	bool own;        /* it did not come from outside the process */
	uint64_t value;  /* si_value */
	uint64_t cpu_ns; /* of SIGCHLD: the child's */
};

/* One signal that waits. */
struct signal_entry {
	struct signal_entry *next;
	struct signal_origin origin;
};

/* Signals that wait, in the order in which they came.  Those for which no entry could be had wait
 * without one, each number once. */
struct signal_pending {
	uint64_t set;
	struct signal_entry
	        *last[SIGNAL_MAX + 1]; /* of each number: a ring, its last; NULL: none */
};

/* Of a process. */
struct signal_process {
	struct signal_action actions[SIGNAL_MAX + 1];
	struct signal_pending pending; /* for any of its threads */
};

struct signal_stack { /* sigaltstack */
	void *base;
	int flags; /* SS_DISABLE or 0 */
	size_t size;
};

/* Of a thread. */
struct signal_thread {
	uint64_t blocked;
	struct signal_pending pending; /* for it alone */
	struct signal_stack stack;
	uint64_t event; /* bound to its ring; CAP_NULL: the process's is */
	/* Of its running call: */
	uint64_t saved_mask; /* to come back to after it, when has_saved_mask */
	uint64_t awaited;    /* sigtimedwait takes these: no handler gets them */
	bool has_saved_mask;
	bool no_restart;
};

enum signal_disposition { SIGNAL_IGNORE, SIGNAL_TERMINATE, SIGNAL_STOP, SIGNAL_HANDLE };

enum signal_disposition signal_disposition(const struct signal_process *p, int signal);

/* entry NULL: there is no memory for one.  False: none could be added to those that wait. */
bool signal_pending_add(struct signal_pending *pending, int signal, struct signal_entry *entry);
/* The first of that number, which is in the set; NULL: it waits without an entry. */
struct signal_entry *signal_pending_take(struct signal_pending *pending, int signal);
/* Next to deliver of a set of candidates, 0 of none: those that faults raise, then the lowest. */
int signal_first(uint64_t candidates);
/* False: that signal cannot be changed.  The caller drops what is now ignored. */
bool signal_set_action(struct signal_process *p, int signal, const struct signal_action *action);

#endif
