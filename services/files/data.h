/* SPDX-License-Identifier: MIT */
/*
 * What one file holds: bytes of the boot archive that are used in place as long as nobody opens the
 * file; then an object (contents.h) that shows them; nothing, while it is empty.
 *
 * Always: without an object, size is exact, and 0 unless base is set.  With one, size, pages and
 * changed are as they were at the last data_refresh, and exact as long as no client may store: one
 * that has it open to write, or mapped.
 */
#ifndef FILES_DATA_H
#define FILES_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "pages.h"

/* 512 GiB: far above any machine's memory, but a bound for sparse files. */
#define DATA_SIZE_MAX (1ull << 39)

struct data_news {
	bool changed; /* bytes: data->changed says when */
	bool loaded;  /* bytes were read: data->loaded */
};

struct data {
	uint64_t size;
	const uint8_t *base; /* in the archive; not owned; NULL: not the file's, or not any more */
	uint32_t base_crc;
	uint32_t checked_crc; /* of the first base_checked bytes */
	uint64_t base_checked;
	bool base_unchecked;       /* base was not compared with base_crc yet */
	bool base_broken;          /* it was, and differs */
	struct page_source *payer; /* of the object; NULL: none exists */
	uint64_t object;
	uint64_t limit; /* stores may make it so long */
	uint64_t
	        counted; /* pages that the payer counts for it: those it has, and may get by that */
	uint64_t pages, changed, loaded;
	struct data_news news; /* that data_refresh did not give yet */
	uint32_t writers;      /* open files whose clients may store to it */
	bool stale;            /* it was changed since the last data_refresh */
	bool kept;             /* clients may have mapped it to store to it */
	bool mapped;           /* they had, at the last refresh */
	bool marked;           /* load and store of the object say that it is watched */
};

void data_init(struct data *data, const uint8_t *base, uint64_t size, uint32_t crc);
void data_free(struct data *data);

/* Makes sure that there is an object, which source pays for.  Status; noSpace. */
int data_own(struct data *data, struct page_source *source);
/* What clients did since the last time.  open: one may have it. */
struct data_news data_refresh(struct data *data, bool open);
/* After the last open file, for data_settle: there is nothing to be settled, and what has happened
 * is that it was read, at most.  The next data_refresh finds that out. */
bool data_look_later(struct data *data);
/* After the last open file: nothing more than what it holds is counted, and what shows the archive
 * unchanged is given up. */
void data_settle(struct data *data);

/* Bytes copied to buffer: fewer than length only at the end. */
uint32_t data_read(struct data *data, uint64_t offset, void *buffer, uint32_t length);
/* The bytes in place, or NULL: they are not in the archive. */
const uint8_t *data_run(const struct data *data, uint64_t offset, uint32_t length);
/* Stores to that range may make it longer from now on.  Status: noSpace, fileTooBig. */
int data_grow(struct data *data, struct page_source *source, uint64_t offset, uint64_t length);
/* Status.  *written may be less than length when memory ends; noSpace when nothing was written.
 * append: at the end, whatever the offset. */
int data_write(struct data *data, struct page_source *source, bool append, uint64_t offset,
               const void *buffer, uint32_t length, uint32_t *written);
int data_truncate(struct data *data, struct page_source *source, uint64_t size);
/* The range, which is within it, reads as zeroes, and its whole pages have no memory.
 * notSupported: it was the archive's. */
int data_punch(struct data *data, struct page_source *source, uint64_t offset, uint64_t length);
/* 512-byte blocks that hold data, as of the last refresh. */
uint64_t data_blocks(const struct data *data);

#endif
