/* SPDX-License-Identifier: MIT */
/*
 * Offsets of open files that processes have in common.
 */
#ifndef POSIX_OFFSET_H
#define POSIX_OFFSET_H

#include <sys/types.h>

#include <capos/abi.h>

/* In memory that all who have the description map; it goes with the last of them. */
struct shared_offset {
	off_t *at; /* NULL: it is this process's alone */
	cap_t memory;
};

/* Makes it common, from this value on, if it is not.  0 or -errno. */
int offset_share(struct shared_offset *offset, off_t value);
/* After exec: maps it again. */
int offset_restore(struct shared_offset *offset);
void offset_drop(struct shared_offset *offset);

#endif
