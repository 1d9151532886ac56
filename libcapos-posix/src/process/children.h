/* SPDX-License-Identifier: MIT */
/*
 * The processes that this one made by fork, until it has waited for them, and the one that made it.
 */
#ifndef POSIX_CHILDREN_H
#define POSIX_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/abi.h>

#include "core/core.h"
#include "process/process.h"
#include "process/relatives.h"

struct rusage;

struct child {
	uint64_t pid;  /* 0: free */
	cap_t process; /* all rights */
	cap_t signals; /* its signals event */
	struct membership membership;
	bool ended;    /* it has not been waited for */
	bool reported; /* a SIGCHLD has named it */
};

/* NULL: as many as there may be. */
struct child *children_new(void);
/* Releases everything that names it. */
void child_forget(struct child *c);
bool child_known(long pid);

/* 0 or -errno. */
long children_signal(long pid, int signal);
void children_signal_all(int signal);
void children_usage(struct rusage *usage); /* of those waited for */

/* Who made this process, and what it holds of that one. */
struct parent {
	uint64_t pid;  /* 0: this is a first program, whose parent is not in sight */
	cap_t process; /* to ask whether it is alive */
	cap_t signals;
};
/* In the child: its parent's children are not its own, but stay in sight (relatives.h). */
void children_forked(const struct parent *of_child);

struct children_state {
	struct parent parent;
	struct relatives_state relatives;
	struct child children[FAMILY_MEMBERS];
};
void children_save(struct children_state *state);
void children_restore(const struct children_state *state);

/* The process group that this one and its relatives are. */
uint64_t process_group(void);
void process_set_group(uint64_t carried);

#endif
