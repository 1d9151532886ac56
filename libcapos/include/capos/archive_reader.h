/* SPDX-License-Identifier: MIT */
/*
 * Reads a boot archive (archive.h): every field is checked once, when it is opened, and what is
 * handed out afterwards is inside the archive.  Pure: works on bytes that the caller mapped and
 * keeps unchanged, makes no calls and allocates nothing.
 */
#ifndef CAPOS_ARCHIVE_READER_H
#define CAPOS_ARCHIVE_READER_H

#include <stdbool.h>

#include <capos/abi.h>
#include <capos/archive.h>

/* More entries than any image has; bounds the work on a false header. */
#define ARCHIVE_COUNT_MAX 65536u

struct archive {
	const uint8_t *base;
	uint64_t size; /* bytes, as the header says; no more than what is mapped */
	uint32_t count;
};

struct archive_file {
	const char *name; /* path without a leading slash, with no empty, "." or ".." component */
	enum capos_archive_type type;
	const uint8_t *data; /* of a symlink: its target, without a final NUL */
	/* Of data, from the archive's start; of a regular file a multiple of the page size. */
	uint64_t offset;
	uint64_t size; /* bytes */
	int64_t mtime; /* Unix time, seconds */
	uint32_t mode; /* permission bits */
	uint32_t crc;
};

/* CAP_OK or CAP_EMESSAGE; *why, unless why is NULL, then says what is wrong. */
int archive_open(struct archive *archive, const void *memory, uint64_t size, const char **why);
/* The index-th entry; index < archive->count. */
struct archive_file archive_entry(const struct archive *archive, uint32_t index);
/* CAP_OK or CAP_ENOENT. */
int archive_find(const struct archive *archive, const char *name, struct archive_file *out);
/* Whether the data has the checksum that the entry says; reads all of it. */
bool archive_intact(const struct archive_file *file);

/* CRC-32 of IEEE 802.3; crc: 0, or the result for the bytes before. */
uint32_t archive_crc32(uint32_t crc, const void *data, uint64_t size);

#endif
