/* SPDX-License-Identifier: MIT */
/*
 * The state of an open file description that changes: its offset and the flags that F_SETFL sets.
 * It is the process's own until a child is made; from then on it is in memory that exactly those
 * who hold the description map, and that goes with the last of them.
 */
#ifndef POSIX_DESCRIPTION_H
#define POSIX_DESCRIPTION_H

#include <stdatomic.h>
#include <sys/types.h>

#include <capos/abi.h>

struct file;

/* In the shared memory.  Relatives trust each other with it. */
struct description {
	off_t offset;
	_Atomic int flags;
};

struct shared_description {
	struct description *at; /* NULL: it is this process's alone */
	cap_t memory;
};

/* Makes it common, as it is now, if it is not.  0 or -errno. */
int description_share(struct file *f);
/* After exec: maps it again. */
int description_restore(struct shared_description *shared);
void description_drop(struct shared_description *shared);

/* All flags, as F_GETFL has them. */
int file_flags(const struct file *f);
/* Sets those of mask that may be set. */
void file_set_flags(struct file *f, int mask, int flags);

/* Where the next read or write is. */
off_t *file_offset(struct file *f);

#endif
