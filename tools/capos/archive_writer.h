/* SPDX-License-Identifier: MIT */
/*
 * Writing boot archives (kernel/abi/capos/archive.h).  An archive under construction refers to its
 * files' bytes and never copies them: they stay the caller's and unchanged until
 * archive_writer_finish has returned.
 */
#ifndef CAPOS_TOOLS_ARCHIVE_WRITER_H
#define CAPOS_TOOLS_ARCHIVE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include <capos/archive.h>

struct archive_writer_item {
	struct capos_archive_entry entry; /* offset is set by archive_writer_finish */
	const void *data;
};

/* Zeroed: an empty archive. */
struct archive_writer {
	struct archive_writer_item *items;
	size_t count;
	size_t allocated;
	uint8_t seed[CAPOS_ARCHIVE_SEED];
};

/*
 * Adds an entry, or replaces the one of that name.  path: leading slashes are dropped; a name that
 * is empty, too long or has a component ".", ".." or "" is refused with EINVAL.  0 or an errno
 * value.
 */
int archive_writer_add(struct archive_writer *writer, const char *path,
                       enum capos_archive_type type, uint32_t mode, int64_t mtime, const void *data,
                       uint64_t size);

/*
 * Adds every entry of a finished archive.  0, ENOMEM, or EBADMSG when the bytes are not an archive;
 * *problem then says why.
 */
int archive_writer_add_archive(struct archive_writer *writer, const void *bytes, uint64_t size,
                               const char **problem);

/* The entry of that name (without leading slash), or NULL. */
const struct archive_writer_item *archive_writer_find(const struct archive_writer *writer,
                                                      const char *name);

/* Writes the archive to a file descriptor from its current offset on.  0 or an errno value. */
int archive_writer_finish(struct archive_writer *writer, int fd);

void archive_writer_free(struct archive_writer *writer);

#endif
