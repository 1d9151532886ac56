/* SPDX-License-Identifier: MIT */
/*
 * Chunks of pages: drawn when the store has no page free, given back when all of one are.  A chunk
 * is one MemoryObject of its client's account, at a fixed place of the address space, so a page's
 * address leads to its chunk and that to its store.
 *
 * A chunk is on its store's list exactly while it has a free page.
 */
#include "store.h"

#include <string.h>

#include <capos/clock.h>
#include <capos/start.h>

#define CHUNK_PAGES 64u /* one bit of a word each; 256 KiB */
#define CHUNK_SIZE  (CHUNK_PAGES * PAGE_SIZE)
/* A client that has little draws little: its first chunk, and what is tried when a whole one is not
 * to be had. */
#define SMALL_PAGES 8u
/* 2 GiB of files; the table takes 48 bytes a chunk. */
#define CHUNKS_MAX 8192u
/* In a small machine each page may be a chunk of its own, when no larger one is to be had. */
#define CHUNKS_LEAST 1024u
/* Chunk n is mapped at STORE_BASE + n * CHUNK_SIZE: far from where the kernel puts what is mapped
 * without an address. */
#define STORE_BASE 0x0000200000000000ull

struct chunk {
	struct store *store; /* NULL: the place is not in use */
	cap_t object;
	uint64_t free;       /* bit n: page n is not in use */
	uint64_t touched;    /* bit n: page n was in use before, and is not zero any more */
	uint32_t next, prev; /* of the store's list, index + 1; next also of the unused places */
	uint32_t npages;
};

static struct {
	struct chunk *chunks; /* nchunks: as many as the machine's memory may fill */
	uint32_t nchunks;
	uint32_t used;   /* places at higher indices were never in use */
	uint32_t unused; /* index + 1 of the first place that was given back */
	uint64_t pages;  /* in use, of all stores */
	uint64_t pages_max;
} all;

static uint32_t link_of(const struct chunk *chunk)
{
	return (uint32_t)(chunk - all.chunks) + 1;
}

static uint8_t *chunk_memory(const struct chunk *chunk)
{
	return (uint8_t *)(STORE_BASE + (uint64_t)(chunk - all.chunks) * CHUNK_SIZE);
}

static uint64_t all_free(const struct chunk *chunk)
{
	return UINT64_MAX >> (CHUNK_PAGES - chunk->npages);
}

/* ---- A store's list ---- */

static void list_add(struct chunk *chunk)
{
	struct store *store = chunk->store;

	chunk->prev = 0;
	chunk->next = store->partial;
	if (chunk->next)
		all.chunks[chunk->next - 1].prev = link_of(chunk);
	store->partial = link_of(chunk);
}

static void list_remove(struct chunk *chunk)
{
	if (chunk->prev)
		all.chunks[chunk->prev - 1].next = chunk->next;
	else
		chunk->store->partial = chunk->next;
	if (chunk->next)
		all.chunks[chunk->next - 1].prev = chunk->prev;
}

/* ---- Chunks ---- */

static bool draw(struct chunk *chunk, cap_t account, uint32_t npages)
{
	uint64_t size = npages * PAGE_SIZE;

	if (cap_account_create_memory(account, size, &chunk->object))
		return false;
	if (cap_memory_map_at(chunk->object, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, false,
	                      (uint64_t)(uintptr_t)chunk_memory(chunk))) {
		cap_release(chunk->object);
		return false;
	}
	chunk->npages = npages;
	return true;
}

/* A chunk without a page in use, on the store's list; NULL: nothing more is to be had. */
static struct chunk *chunk_make(struct store *store)
{
	struct chunk *chunk;

	if (store->account == CAP_NULL || (!all.unused && all.used == all.nchunks))
		return NULL;
	chunk = &all.chunks[all.unused ? all.unused - 1 : all.used];
	if ((!store->chunks || !draw(chunk, store->account, CHUNK_PAGES)) &&
	    !draw(chunk, store->account, SMALL_PAGES) && !draw(chunk, store->account, 1))
		return NULL;
	if (all.unused)
		all.unused = chunk->next;
	else
		all.used++;
	chunk->store = store;
	chunk->free = all_free(chunk);
	chunk->touched = 0;
	store->chunks++;
	store->empty++;
	list_add(chunk);
	return chunk;
}

static void chunk_drop(struct chunk *chunk)
{
	list_remove(chunk);
	chunk->store->chunks--;
	chunk->store->empty--;
	cap_memory_unmap(chunk_memory(chunk), chunk->npages * PAGE_SIZE);
	cap_release(chunk->object);
	*chunk = (struct chunk){.next = all.unused};
	all.unused = link_of(chunk);
}

/* ---- Pages ---- */

static bool may_have(const struct store *store, uint64_t pages)
{
	return pages <= all.pages_max - all.pages &&
	       (!store->pages_max || pages <= store->pages_max - store->pages);
}

static bool store_charge(void *context, uint64_t pages)
{
	struct store *store = context;

	if (!may_have(store, pages))
		return false;
	store->pages += pages;
	all.pages += pages;
	return true;
}

static void store_uncharge(void *context, uint64_t pages)
{
	((struct store *)context)->pages -= pages;
	all.pages -= pages;
}

static void *store_get(void *context)
{
	struct store *store = context;
	struct chunk *chunk;
	uint32_t index;
	uint64_t bit;
	uint8_t *page;

	if (!may_have(store, 1))
		return NULL;
	chunk = store->partial ? &all.chunks[store->partial - 1] : chunk_make(store);
	if (!chunk)
		return NULL;
	index = (uint32_t)__builtin_ctzll(chunk->free);
	bit = 1ull << index;
	page = chunk_memory(chunk) + (uint64_t)index * PAGE_SIZE;
	if (chunk->free == all_free(chunk))
		store->empty--;
	chunk->free &= ~bit;
	if (!chunk->free)
		list_remove(chunk);
	if (chunk->touched & bit)
		memset(page, 0, PAGE_SIZE);
	chunk->touched |= bit;
	store->pages++;
	all.pages++;
	return page;
}

static void store_put(void *context, void *page)
{
	uint64_t offset = (uint64_t)(uintptr_t)page - STORE_BASE;
	struct chunk *chunk = &all.chunks[offset / CHUNK_SIZE];
	struct store *store = chunk->store; /* not the context: any client may give the page up */

	(void)context;
	if (!chunk->free)
		list_add(chunk);
	chunk->free |= 1ull << (offset % CHUNK_SIZE / PAGE_SIZE);
	store->pages--;
	all.pages--;
	if (chunk->free == all_free(chunk) && (store->empty++ || store->account == CAP_NULL))
		chunk_drop(chunk);
}

/* ---- Stores ---- */

/* Enough for pages_max pages in chunks of the smaller size. */
static uint32_t places_for(uint64_t pages_max)
{
	uint64_t n = pages_max / SMALL_PAGES;

	if (n < CHUNKS_LEAST)
		n = CHUNKS_LEAST;
	return n < CHUNKS_MAX ? (uint32_t)n : CHUNKS_MAX;
}

int store_init(void)
{
	const struct capos_clock_page *clock = (const void *)CAPOS_CLOCK_ADDR;

	all.pages_max = clock->memory_pages / STORE_SHARE;
	if (all.pages_max > (uint64_t)CHUNKS_MAX * CHUNK_PAGES)
		all.pages_max = (uint64_t)CHUNKS_MAX * CHUNK_PAGES;
	all.nchunks = places_for(all.pages_max);
	uint64_t bytes = all.nchunks * sizeof(struct chunk);
	void *table;
	int result = memory_make((bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), &table);

	all.chunks = table;
	return result;
}

void store_open(struct store *store, cap_t account, uint64_t pages_max)
{
	*store = (struct store){
	        .account = account,
	        .source = {.get = store_get,
	                   .put = store_put,
	                   .charge = store_charge,
	                   .uncharge = store_uncharge,
	                   .context = store},
	        .pages_max = pages_max,
	};
}

void store_close(struct store *store)
{
	uint32_t at = store->partial;

	cap_release(store->account);
	store->account = CAP_NULL;
	while (at) {
		struct chunk *chunk = &all.chunks[at - 1];

		at = chunk->next;
		if (chunk->free == all_free(chunk))
			chunk_drop(chunk);
	}
}

bool store_is_gone(const struct store *store)
{
	return store->account == CAP_NULL && !store->chunks && !store->objects;
}

void store_space(uint64_t *pages, uint64_t *free)
{
	*pages = all.pages_max;
	*free = all.pages_max - all.pages;
}
