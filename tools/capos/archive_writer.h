/* SPDX-License-Identifier: MIT */
/*
 * Writing boot archives (kernel/abi/capos/archive.h).  An archive under construction refers to its
 * files' bytes, or to the host's files, and never copies them: they stay the caller's until
 * archive_writer_finish has returned.
 */
#ifndef CAPOS_TOOLS_ARCHIVE_WRITER_H
#define CAPOS_TOOLS_ARCHIVE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include <capos/archive.h>

struct archive_writer_item {
	struct capos_archive_entry entry; /* offset and crc are set by archive_writer_finish */
	const void *data;                 /* NULL: the bytes of the host's file at path */
	const char *path;
};

/* Zeroed: an empty archive. */
struct archive_writer {
	struct archive_writer_item *items;
	size_t count;
	size_t allocated;
	uint32_t
	        *index; /* hash table of item numbers + 1; 0: free.  Twice as large as allocated. */
	uint8_t seed[CAPOS_ARCHIVE_SEED];
	/* Called while the archive is written, if set. */
	void (*progress)(void *context, uint64_t done, uint64_t total);
	void *context;
	uint64_t total;      /* bytes of the whole, for progress */
	const char *culprit; /* the entry or file at which archive_writer_finish failed, or NULL */
};

/*
 * Adds an entry, or replaces the one of that name.  path: leading slashes are dropped; a name that
 * is empty, too long or has a component ".", ".." or "" is refused with EINVAL.  0 or an errno
 * value.
 */
int archive_writer_add(struct archive_writer *writer, const char *path,
                       enum capos_archive_type type, uint32_t mode, int64_t mtime, const void *data,
                       uint64_t size);

/* The same for a regular file of the host, whose bytes are read by archive_writer_finish; path
 * stays the caller's until then. */
int archive_writer_add_path(struct archive_writer *writer, const char *name, uint32_t mode,
                            int64_t mtime, const char *path, uint64_t size);

/*
 * Adds every entry of a finished archive.  0, ENOMEM, or EBADMSG when the bytes are not an archive;
 * *problem then says why.
 */
int archive_writer_add_archive(struct archive_writer *writer, const void *bytes, uint64_t size,
                               const char **problem);

/* The entry of that name (without leading slash), or NULL. */
const struct archive_writer_item *archive_writer_find(const struct archive_writer *writer,
                                                      const char *name);

/* The entry whose name is a part of another's path and which is no directory, or NULL: nothing can
 * be below it. */
const char *archive_writer_obstacle(const struct archive_writer *writer);

/* Bytes of the archive as it would be written now. */
uint64_t archive_writer_size(const struct archive_writer *writer);

/*
 * Writes the archive to a file descriptor that can seek, from its start on.  0 or an errno value,
 * ESTALE when a host file's size is not what it was; writer->culprit then names the file.
 */
int archive_writer_finish(struct archive_writer *writer, int fd);

void archive_writer_free(struct archive_writer *writer);

#endif
