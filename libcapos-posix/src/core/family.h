/* SPDX-License-Identifier: MIT */
/*
 * What processes that come from each other by fork share: one event that wakes them all, a page
 * table of members, the offsets of open files, and locks.  A member that dies is found out by its
 * token and leaves nothing that others would wait for.
 *
 * The members trust each other: they are one program's, with the same capabilities at first.
 */
#ifndef POSIX_FAMILY_H
#define POSIX_FAMILY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <capos/abi.h>

/* Each member has one bit of the event, so that one signal of all bits wakes every member. */
#define FAMILY_MEMBERS 64u

struct family_offset;

/* One membership, and how long it lasts: a token is never used twice. */
struct membership {
	uint32_t member; /* bit of the event */
	uint64_t token;
};

/* Makes the shared memory if there is none yet: 0 or -errno. */
int family_ensure(void);
bool family_exists(void);
/* This process's place; before there is a family it is member 0. */
struct membership family_self(void);
uint64_t family_wait_bit(void);
void family_wake(void); /* all others: they look again at what they wait for */

/* For a child that is about to be made: -EAGAIN when all places are taken. */
int family_join(struct membership *child);
/* It has ended, or was not made.  Others are not woken. */
void family_leave(struct membership m);
bool family_alive(struct membership m);
void family_become(struct membership m); /* in the child */

/* An offset that is shared from now on: of this process and the child that is being made.  *slot is
 * NULL when it was not shared before.  -ENFILE. */
int family_share_offset(struct family_offset **slot, off_t offset, struct membership child);
off_t *family_offset_of(struct family_offset *slot);
void family_drop_offset(struct family_offset *slot);
uint32_t family_offset_number(const struct family_offset *slot); /* for exec */
struct family_offset *family_offset_at(uint32_t number);         /* NULL: no such */

/*
 * A lock in shared memory, held for a copy and never while waiting.  A member that died with it
 * held it for FAMILY_LOCK_NS at most: then another takes it over.  Signals are left pending.
 */
#define FAMILY_LOCK_NS 1000000000ull
void family_lock(_Atomic uint32_t *word);
void family_unlock(_Atomic uint32_t *word);

/* For exec: what the next image needs to be the same member. */
struct family_state {
	cap_t memory; /* CAP_NULL: there is no family */
	struct membership self;
};
struct family_state family_save(void);
int family_restore(const struct family_state *state); /* 0 or -errno */

#endif
