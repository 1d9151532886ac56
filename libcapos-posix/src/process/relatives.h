/* SPDX-License-Identifier: MIT */
/*
 * The processes that a fork left in sight besides parent and children: its parent's ancestors and
 * the parent's other children.  What the parent held of them the child has too, since fork copies
 * capabilities; here it is kept, so that they can be signalled.
 */
#ifndef POSIX_RELATIVES_H
#define POSIX_RELATIVES_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/abi.h>

#include "core/core.h"

struct relative {
	uint64_t pid;  /* 0: free */
	cap_t process; /* to ask whether it is alive */
	cap_t signals; /* its signals event */
};

struct relatives_state {
	struct relative list[FAMILY_MEMBERS];
};

/* Takes both capabilities over, also when the list is full of living ones. */
void relatives_add(uint64_t pid, cap_t process, cap_t signals);
/* 0, or -ESRCH: none of that number is in sight, or it has ended. */
long relatives_signal(uint64_t pid, int signal);

void relatives_save(struct relatives_state *state);
void relatives_restore(const struct relatives_state *state);

#endif
