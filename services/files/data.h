/* SPDX-License-Identifier: MIT */
/*
 * The contents of one file: pages of its own in a tree of tables, over bytes of the boot archive
 * that are used in place until they are written (copy-on-write, page by page), over nothing, which
 * reads as zeros.
 *
 * Always: bytes of owned pages past the size are zero, and base_size <= size.
 */
#ifndef FILES_DATA_H
#define FILES_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "pages.h"

#define DATA_FANOUT 512u /* page addresses in a table of one page */
#define DATA_HEIGHT 3u   /* levels of tables at most */
/* What three levels reach: 512 GiB, far above any machine's memory but a bound for sparse files. */
#define DATA_SIZE_MAX ((uint64_t)DATA_FANOUT * DATA_FANOUT * DATA_FANOUT * PAGE_SIZE)

struct data {
	uint64_t size;
	const uint8_t *base; /* in the archive; not owned */
	uint64_t base_size;  /* bytes of it that are still the file's */
	void *root; /* height 0: the page of index 0; else a table.  NULL: no owned pages */
	uint32_t height;
	uint32_t base_crc;
	bool base_unchecked;  /* base was not compared with base_crc yet */
	uint64_t owned;       /* data pages, tables not counted */
	uint64_t base_hidden; /* owned pages that stand in front of base */
};

void data_init(struct data *data, const uint8_t *base, uint64_t size, uint32_t crc);
void data_free(struct data *data, struct page_source *source);

/* Bytes copied to buffer: fewer than length only at the end. */
uint32_t data_read(const struct data *data, uint64_t offset, void *buffer, uint32_t length);
/* The bytes in place when length bytes at offset lie in one piece; else NULL. */
const uint8_t *data_run(const struct data *data, uint64_t offset, uint32_t length);
/* Status.  *written may be less than length when memory ends; noSpace when nothing was written. */
int data_write(struct data *data, struct page_source *source, uint64_t offset, const void *buffer,
               uint32_t length, uint32_t *written);
int data_truncate(struct data *data, struct page_source *source, uint64_t size);
/* 512-byte blocks that hold data. */
uint64_t data_blocks(const struct data *data);

#endif
