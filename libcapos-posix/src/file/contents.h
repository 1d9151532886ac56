/* SPDX-License-Identifier: MIT */
/*
 * The bytes of an open regular file: loaded from and stored to the file's MemoryObject by the
 * kernel, without a message to the files service, which is asked only to let the file grow, and
 * where it gave no object.
 */
#ifndef POSIX_FILE_CONTENTS_H
#define POSIX_FILE_CONTENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <capos/abi.h>
#include <capos/schema/service.h>

#include "core/core.h"

struct iovec;

struct contents {
	cap_t file;   /* File */
	cap_t object; /* MemoryObject; CAP_NULL: not known */
	bool asked;   /* for the object, in vain perhaps */
	struct window window;
	struct file_stat stat; /* what the service said last */
	bool marked;           /* the last load or store found that it is watched */
	bool locked;           /* by its description, perhaps */
	bool untold; /* it was opened ahead: who watches it is not told when it is closed */
};

/* It is going to be read in memory, of which the service does not learn: its access time shows
 * it. */
void contents_note_read(struct contents *c);
/* As pread: bytes, 0 at the end, or -errno. */
ssize_t contents_read(struct contents *c, const struct iovec *iov, int n, uint64_t offset);
/* As pwrite; append: at the file's end, as one piece.  *end: the offset behind what was written. */
ssize_t contents_write(struct contents *c, bool append, const struct iovec *iov, int n,
                       uint64_t offset, uint64_t *end);
/* 0 or -errno: -EOPNOTSUPP where there is no object. */
int contents_size(struct contents *c, uint64_t *size);
/* The object, for a shared mapping: a capability of the caller's.  0 or -errno. */
/* Whether there is one: not of a volume's file. */
bool contents_is_memory(struct contents *c);
int contents_object(struct contents *c, cap_t *object);
/* Who watches it from now on is told when it is closed. */
void contents_tell_close(struct contents *c);
/* quietly: nobody waits for it to be closed. */
void contents_release(struct contents *c, bool quietly);

#endif
