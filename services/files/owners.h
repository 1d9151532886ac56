/* SPDX-License-Identifier: MIT */
/*
 * The processes that may own locks: those that have a LockOwner, one each.
 */
#ifndef FILES_OWNERS_H
#define FILES_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "handle.h"

/* More than processes that run at a time in all sessions together.  A process can give its
 * LockOwner away, which then outlives it, so half of them are left for other sessions. */
#define OWNERS_MAX         4096u
#define OWNERS_PER_SESSION (OWNERS_MAX / 2)
#define OWNERS_BUCKETS     256u

struct owner {
	uint64_t process; /* 0: free */
	uint32_t next;    /* of its bucket, or of the free ones: index + 1 */
	uint32_t session; /* in which it was made */
};

struct owners { /* zeroed: empty */
	struct owner of[OWNERS_MAX];
	uint32_t buckets[OWNERS_BUCKETS]; /* index + 1 */
	uint32_t used, free;              /* free: index + 1 of the first */
	uint32_t of_session[HANDLE_SESSIONS_MAX];
};

/* Status: exists, noBuffers. */
int owner_add(struct owners *owners, uint64_t process, uint32_t session);
bool owner_exists(const struct owners *owners, uint64_t process);
void owner_remove(struct owners *owners, uint64_t process); /* harmless when it is none */

#endif
