/* SPDX-License-Identifier: MIT */
/*
 * The boot archive: one header, a table of entries, the targets of symbolic links one behind the
 * other (a page for each would be half of a small system), then the files, each from the start of a
 * page so that its pages can be mapped as they lie.  All integers are little-endian; every offset
 * and size is checked against the archive's size before use.
 */
#ifndef CAPOS_ARCHIVE_H
#define CAPOS_ARCHIVE_H

#include <stdint.h>

#define CAPOS_ARCHIVE_MAGIC   0x3152414353504143ull /* "CAPSCAR1" */
#define CAPOS_ARCHIVE_VERSION 1u
#define CAPOS_ARCHIVE_SEED    64u
#define CAPOS_ARCHIVE_NAME    200u

/* Bytes 0-127 of the archive. */
struct capos_archive_header {
	uint64_t magic;
	uint32_t version;
	uint32_t count;      /* entries, which follow the header */
	uint64_t total_size; /* bytes of the whole archive, a multiple of the page size */
	uint32_t checksum;   /* CRC-32 (IEEE 802.3) of the entry table */
	uint32_t reserved;
	/* fresh random bytes from the host; the kernel wipes them */
	uint8_t seed[CAPOS_ARCHIVE_SEED];
	uint8_t pad[32];
};

enum capos_archive_type {
	CAPOS_ARCHIVE_FILE = 1,
	CAPOS_ARCHIVE_DIRECTORY = 2,
	CAPOS_ARCHIVE_SYMLINK = 3, /* the data is the target, without a final NUL */
};

/* 256 bytes.  name: path without a leading slash, NUL-terminated; parents need no entries. */
struct capos_archive_entry {
	uint64_t offset; /* of the data, from the archive's start; of a file: of whole pages */
	uint64_t size;   /* bytes */
	int64_t mtime;   /* Unix time, seconds */
	uint32_t mode;   /* permission bits, 07777 */
	uint32_t type;   /* enum capos_archive_type */
	uint32_t crc;    /* CRC-32 of the data */
	uint32_t reserved[5];
	char name[CAPOS_ARCHIVE_NAME];
};

/*
 * The least memory in MiB of a machine that starts from an archive of so many bytes.  Beside the
 * archive: the share of all memory that the kernel keeps for services (1/32 of the whole is 1/31
 * of the rest), and what kernel, init and the standard services use themselves, which was measured.
 * That grows with the machine up to 64 MiB (memory_portion in start.h): 4.5 MiB and 8.5 for each
 * 64, so the whole is the rest times 64 / (64 - 8.5).
 */
static inline uint32_t capos_memory_needed(uint64_t archive_size)
{
	uint64_t rest = archive_size + archive_size / 31, mib = 1ull << 20;
	uint64_t small = (rest + 9 * mib / 2) * 128 / 111, large = rest + 13 * mib;

	return (uint32_t)(((small < large ? small : large) + mib - 1) / mib);
}

_Static_assert(sizeof(struct capos_archive_header) == 128, "archive header layout");
_Static_assert(sizeof(struct capos_archive_entry) == 256, "archive entry layout");

#endif
