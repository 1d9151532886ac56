/* SPDX-License-Identifier: MIT */
/*
 * Memory for the library's own tables: blocks of a few sizes, cut from chunks that are never given
 * back when first needed, and kept on free lists; what is larger than the largest block has pages
 * of its own.  Pure over pages.h.  Runs with upcalls masked.
 */
#include <stdint.h>
#include <string.h>

#include "core/fd.h"
#include "core/pages.h"

#define BLOCK_MIN_SHIFT 6  /* 64 bytes, the header included */
#define BLOCK_MAX_SHIFT 11 /* half a page */
#define BLOCK_SIZES     (BLOCK_MAX_SHIFT - BLOCK_MIN_SHIFT + 1)
#define CHUNK_SIZE      16384u
#define OWN_PAGES       UINT32_MAX /* header.size_class of such a block */

/* Before what posix_alloc returns; keeps it aligned to 16 bytes. */
struct header {
	_Alignas(16) uint64_t bytes; /* of the whole, with the header */
	uint32_t size_class;
};

struct free_block {
	struct header header;
	struct free_block *next;
};

static struct free_block *free_blocks[BLOCK_SIZES];

/* What is left of the chunk that blocks are cut from, zeroes.  The first is enough for most
 * programs, whose start it spares a mapping. */
static _Alignas(16) char first_chunk[CHUNK_SIZE];
static char *uncut = first_chunk;
static uint32_t uncut_size = CHUNK_SIZE;

/* What the old chunk lacks for this block, less than half a page, stays unused. */
static struct free_block *cut_block(uint32_t size_class)
{
	const uint32_t size = 1u << (BLOCK_MIN_SHIFT + size_class);
	struct free_block *b;

	if (uncut_size < size) {
		char *chunk = pages_map(CHUNK_SIZE);

		if (!chunk)
			return NULL;
		uncut = chunk;
		uncut_size = CHUNK_SIZE;
	}
	b = (struct free_block *)uncut;
	uncut += size;
	uncut_size -= size;
	b->header = (struct header){.bytes = size, .size_class = size_class};
	return b;
}

static void *alloc_pages(size_t bytes)
{
	struct header *h = pages_map(PAGES_SIZE(bytes));

	if (!h)
		return NULL;
	*h = (struct header){.bytes = PAGES_SIZE(bytes), .size_class = OWN_PAGES};
	return h + 1;
}

void *posix_alloc(size_t size)
{
	uint32_t size_class = 0;
	struct free_block *b;

	if (size > SIZE_MAX - PAGE_BYTES - sizeof(struct header))
		return NULL;
	size += sizeof(struct header);
	if (size > 1u << BLOCK_MAX_SHIFT)
		return alloc_pages(size);
	while (size > 1u << (BLOCK_MIN_SHIFT + size_class))
		size_class++;
	b = free_blocks[size_class];
	if (!b) {
		b = cut_block(size_class);
		return b ? &b->header + 1 : NULL;
	}
	free_blocks[size_class] = b->next;
	memset(&b->header + 1, 0, b->header.bytes - sizeof(struct header));
	return &b->header + 1;
}

void posix_free(void *p)
{
	struct free_block *b;

	if (!p)
		return;
	b = (struct free_block *)((struct header *)p - 1);
	if (b->header.size_class == OWN_PAGES) {
		pages_unmap(b, b->header.bytes);
		return;
	}
	b->next = free_blocks[b->header.size_class];
	free_blocks[b->header.size_class] = b;
}
