/* SPDX-License-Identifier: MIT */
/*
 * Chunks of pages: made when no page is free, given back when all of one are.  A chunk is one
 * MemoryObject, whose pages the kernel takes from the machine only when they are first touched.
 */
#include "store.h"

#include <string.h>

#include <capos/cap.h>
#include <capos/clock.h>

#define CHUNK_PAGES 64u /* one bit of a word each; 256 KiB */
#define CHUNK_SIZE  (CHUNK_PAGES * PAGE_SIZE)
/* 2 GiB of files; the table takes 40 bytes a chunk. */
#define CHUNKS_MAX 8192u
/* Chunk n is mapped at STORE_BASE + n * CHUNK_SIZE: far from where the kernel puts what is mapped
 * without an address. */
#define STORE_BASE 0x0000200000000000ull

struct chunk {
	cap_t object;     /* CAP_NULL: not there */
	uint64_t free;    /* bit n: page n is not in use */
	uint64_t touched; /* bit n: page n was in use before, and is not zero any more */
};

static struct {
	struct chunk chunks[CHUNKS_MAX];
	uint32_t used; /* chunks at higher indices were never there */
	uint32_t hint; /* no chunk below has a free page */
	/* chunks without a page in use: at most one is kept, so that a file that comes and goes
	 * does not map and unmap */
	uint32_t all_free;
	uint64_t pages; /* in use */
	uint64_t pages_max;
} store;

static uint8_t *chunk_memory(const struct chunk *chunk)
{
	return (uint8_t *)(STORE_BASE + (uint64_t)(chunk - store.chunks) * CHUNK_SIZE);
}

static bool chunk_make(struct chunk *chunk)
{
	cap_t object;

	if (cap_memory_create(CHUNK_SIZE, &object))
		return false;
	if (cap_memory_map_at(object, 0, CHUNK_SIZE, CAP_RIGHT_READ | CAP_RIGHT_WRITE, false,
	                      (uint64_t)(uintptr_t)chunk_memory(chunk))) {
		cap_release(object);
		return false;
	}
	*chunk = (struct chunk){.object = object, .free = UINT64_MAX};
	store.all_free++;
	return true;
}

static void chunk_drop(struct chunk *chunk)
{
	cap_memory_unmap(chunk_memory(chunk), CHUNK_SIZE);
	cap_release(chunk->object);
	*chunk = (struct chunk){.object = CAP_NULL};
	store.all_free--;
}

/* A chunk with a free page, or NULL. */
static struct chunk *chunk_find(void)
{
	struct chunk *absent = NULL;

	for (; store.hint < store.used; store.hint++) {
		struct chunk *chunk = &store.chunks[store.hint];
		if (chunk->free)
			return chunk;
		if (!chunk->object) {
			absent = chunk;
			break;
		}
	}
	for (uint32_t i = store.hint; absent && i < store.used; i++) {
		if (store.chunks[i].free)
			return &store.chunks[i];
	}
	if (!absent && store.used < CHUNKS_MAX)
		absent = &store.chunks[store.used++];
	return absent && chunk_make(absent) ? absent : NULL;
}

static void *store_get(void *context)
{
	(void)context;
	if (store.pages >= store.pages_max)
		return NULL;
	struct chunk *chunk = chunk_find();
	if (!chunk)
		return NULL;
	uint32_t index = (uint32_t)__builtin_ctzll(chunk->free);
	uint64_t bit = 1ull << index;
	uint8_t *page = chunk_memory(chunk) + (uint64_t)index * PAGE_SIZE;
	if (chunk->free == UINT64_MAX)
		store.all_free--;
	chunk->free &= ~bit;
	if (chunk->touched & bit)
		memset(page, 0, PAGE_SIZE);
	chunk->touched |= bit;
	store.pages++;
	return page;
}

static void store_put(void *context, void *page)
{
	uint64_t offset = (uint64_t)(uintptr_t)page - STORE_BASE;
	struct chunk *chunk = &store.chunks[offset / CHUNK_SIZE];

	(void)context;
	chunk->free |= 1ull << (offset % CHUNK_SIZE / PAGE_SIZE);
	store.pages--;
	if (offset / CHUNK_SIZE < store.hint)
		store.hint = (uint32_t)(offset / CHUNK_SIZE);
	if (chunk->free == UINT64_MAX && store.all_free++)
		chunk_drop(chunk);
}

void store_init(struct page_source *source)
{
	const struct capos_clock_page *clock = (const void *)CAPOS_CLOCK_ADDR;

	store.pages_max = clock->memory_pages / STORE_SHARE;
	if (store.pages_max > (uint64_t)CHUNKS_MAX * CHUNK_PAGES)
		store.pages_max = (uint64_t)CHUNKS_MAX * CHUNK_PAGES;
	*source = (struct page_source){.get = store_get, .put = store_put};
}

void store_space(uint64_t *pages, uint64_t *free)
{
	*pages = store.pages_max;
	*free = store.pages_max - store.pages;
}
