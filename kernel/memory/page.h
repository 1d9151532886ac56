/* SPDX-License-Identifier: MIT */
/*
 * Physical page frames: every frame in use has a reference count; at 0 it is free.  Frames are seen
 * by the kernel through the direct map.  Contract everywhere in the kernel: interrupts are off
 * (kernel_locked()).
 */
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include "arch.h"
#include "kernel.h"

/* Adds usable physical memory (boot only).  Frames are handed out from ranges lazily, so memory
 * that is never used is never touched. */
void page_add_range(paddr_t start, paddr_t end);

paddr_t page_alloc(bool zero); /* count 1; PADDR_NONE when there is none */
/* Sets one frame aside: page_alloc leaves it.  False: none is left.  It is given back by
 * page_unreserve or used by page_take_reserved, which cannot fail. */
bool page_reserve(void);
void page_unreserve(void);
paddr_t page_take_reserved(bool zero);
uint64_t page_available(void); /* frames that page_alloc can still hand out */
void page_get(paddr_t page);   /* one more reference */
void page_put(paddr_t page);   /* one fewer; frees at 0 */
uint32_t page_refs(paddr_t page);
uint64_t page_total(void);
uint64_t page_free_count(void);
/* Marks frames of a range that came from elsewhere (the boot archive) as in use with count 1, so
 * that page_put frees them. Returns false when there is no memory for the bookkeeping. */
bool page_adopt(paddr_t start, paddr_t end);

/* Through the direct map. */
static inline void *page_ptr(paddr_t page)
{
	return (void *)(page + ARCH_DIRECT_MAP);
}

static inline paddr_t page_of_ptr(const void *direct_map_pointer)
{
	return (paddr_t)direct_map_pointer - ARCH_DIRECT_MAP;
}

/* The first of the words from i on that is not 0; count, a multiple of 8: there is none. */
static inline unsigned page_next_word(const uint64_t *words, unsigned i, unsigned count)
{
	for (; i < count; i++) {
		const uint64_t *w = &words[i];
		/* Most of a sparse page is empty. */
		if (i % 8 == 0 && !(w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7]))
			i += 7;
		else if (*w)
			break;
	}
	return i;
}

#endif
