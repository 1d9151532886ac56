/* SPDX-License-Identifier: MIT */
/*
 * Children of this process: waiting for them, and their places in what relatives share.
 */
#ifndef POSIX_CHILDREN_H
#define POSIX_CHILDREN_H

#include <stdint.h>

#include <capos/abi.h>

#include "core/core.h"

struct rusage;

/* What the children that were waited for have used, and theirs. */
void children_usage(struct rusage *usage);

/* ---- Places (family.h) ---- */

struct child {
	cap_t process; /* CAP_NULL: free */
	struct membership membership;
};
struct children_state {
	struct child children[FAMILY_MEMBERS];
};
/* NULL: as many as there may be. */
struct child *children_new(void);
void children_forked(void); /* in the child: its parent's children are not its own */
void children_save(struct children_state *state);
void children_restore(const struct children_state *state);

#endif
