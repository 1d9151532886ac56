/* SPDX-License-Identifier: MIT */
/*
 * Locks on files: ranges that processes or open files hold, and whole files that open files hold.
 * A lock that is in the way is waited for outside: the waiter is signalled when it is worth trying
 * again, and stands in the list until it does, so that circles of waiters are seen.
 *
 * Always: ranges of one owner do not overlap, and no two locks of different owners conflict.
 */
#ifndef FILES_LOCKS_H
#define FILES_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "pages.h"

/* Locks of one file, and those who wait for one: the lists are gone through. */
#define LOCKS_PER_FILE_MAX 1024u
/* Those who wait in all files, of one slab: the service keeps an event for each. */
#define LOCK_WAITERS_MAX 4096u
#define LOCK_END_MAX     (UINT64_MAX >> 1) /* the last byte of "to the end" */

enum lock_owner_kind { LOCK_OF_PROCESS, LOCK_OF_DESCRIPTION, LOCK_OF_WHOLE };

struct lock_request {
	enum lock_owner_kind kind;
	uint64_t owner; /* the process, or the open file's handle */
	uint64_t start, end;
	bool write;
	uint32_t number; /* what the owner's process calls itself; for others to see */
};

struct lock {
	struct lock *next; /* of the file, by start */
	struct lock_request what;
};

struct lock_waiter {
	struct lock_waiter *next; /* of the file, first come first */
	struct lock_request what;
	uint64_t handle; /* that it came through */
	uint64_t event;  /* the caller's capability to signal; owned */
	uint64_t bits;
	struct slab *payer; /* that it is of, and counts in */
};

/* Of one file; exists while it has a lock or a waiter. */
struct lock_list {
	struct lock_list *next, **link; /* of all files */
	struct lock_list **of_file;     /* that points here */
	struct lock *locks;
	struct lock_waiter *waiters;
	uint32_t count; /* of both */
};

struct locks {
	struct lock_list *files;
	/* Wakes a waiter, or (bits 0) gives its event up. */
	void (*signal)(uint64_t event, uint64_t bits);
};

/* Takes the lock, in place of what the owner held of the range.  Status: wouldBlock (*conflict, if
 * not NULL, is in the way), noBuffers. */
int locks_take(struct locks *all, struct lock_list **file, struct slab *slab,
               const struct lock_request *what, struct lock_request *conflict);
/* Gives up what the owner holds of the range.  noBuffers: a lock could not be divided. */
int locks_give_up(struct locks *all, struct lock_list **file, struct slab *slab,
                  const struct lock_request *what);
/* What is in the way of the request; false: nothing. */
bool locks_find(const struct lock_list *file, const struct lock_request *what,
                struct lock_request *conflict);
/* Enters a waiter, whose event it takes over on success.  Status: wouldDeadlock, noBuffers. */
int locks_wait(struct locks *all, struct lock_list **file, struct slab *slab,
               const struct lock_waiter *waiter);
/* The owner waits for that file no more. */
void locks_stop_waiting(struct locks *all, struct lock_list **file, struct slab *slab,
                        enum lock_owner_kind kind, uint64_t owner);
/* All that an owner holds of a file, and waits for. */
void locks_drop(struct locks *all, struct lock_list **file, struct slab *slab,
                enum lock_owner_kind kind, uint64_t owner);
/* Of all files. */
void locks_drop_process(struct locks *all, struct slab *slab, uint64_t process);
/* The open file is closed: its locks, and who waited through it. */
void locks_close(struct locks *all, struct lock_list **file, struct slab *slab, uint64_t handle);
/* The file goes. */
void locks_free(struct locks *all, struct lock_list **file, struct slab *slab);

#endif
