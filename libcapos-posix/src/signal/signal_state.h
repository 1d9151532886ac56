/* SPDX-License-Identifier: MIT */
/*
 * Signals of one process as data: what is pending, blocked, and to be done with each.  Pure, so
 * that it can be tested; signal.c runs handlers over it.
 */
#ifndef POSIX_SIGNAL_STATE_H
#define POSIX_SIGNAL_STATE_H

#include <stdbool.h>
#include <stdint.h>

#define SIGNAL_MAX    64 /* numbers 1 to 64, as in Linux */
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

/* What siginfo says about the sender; of one signal the first pending sender's. */
struct signal_origin {
	int code; /* SI_*, of SIGCHLD also CLD_* */
	int pid;
	int uid;
	int status; /* of SIGCHLD: si_status */
	bool own;   /* it did not come from outside the process */
	uint64_t value;
	uint64_t cpu_ns; /* of SIGCHLD: the child's */
};

struct signal_state {
	uint64_t pending;
	uint64_t blocked;
	struct signal_action actions[SIGNAL_MAX + 1];
	struct signal_origin origins[SIGNAL_MAX + 1];
};

enum signal_disposition { SIGNAL_IGNORE, SIGNAL_TERMINATE, SIGNAL_STOP, SIGNAL_HANDLE };

enum signal_disposition signal_disposition(const struct signal_state *s, int signal);
/* Makes it pending, unless it is ignored and not blocked. */
void signal_state_add(struct signal_state *s, int signal, struct signal_origin origin);
/* Next to deliver: the lowest that is not blocked, among those in `among`.  Ignored ones are
 * dropped on the way.  0: none. It stays pending. */
int signal_state_next(struct signal_state *s, uint64_t among);
/* Sets what sigaction() sets; pending signals that are now ignored are dropped.  False: that signal
 * cannot be changed. */
bool signal_state_set_action(struct signal_state *s, int signal,
                             const struct signal_action *action);

#endif
