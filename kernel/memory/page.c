/* SPDX-License-Identifier: MIT */
/*
 * The page frame allocator: ranges of memory that are handed out from their start on, and a list of
 * frames that came back.  A frame that was never handed out has never been written, nor has its
 * reference count, so memory that was never asked for costs the host nothing.  Interrupts are off
 * throughout.
 */
#include "kernel.h"
#include "memory/page.h"
#include "arch.h"

#define RANGES_MAX 32 /* firmware gives around ten; the boot archive takes one more */

struct range {
	paddr_t start, end;
	paddr_t next;   /* first frame that was never handed out */
	uint32_t *refs; /* of the frames from start on; valid below next */
};

static struct range ranges[RANGES_MAX];
static unsigned range_count;
static unsigned range_fresh; /* ranges before this one have next == end */
static paddr_t free_list;    /* frames that came back; the first word of each names the next */
static uint64_t total_pages, free_pages;
static uint64_t reserved; /* free frames set aside for copies that must not fail */

static uint64_t pages_for_refs(uint64_t frames)
{
	return (frames * sizeof(uint32_t) + PAGE_SIZE - 1) / PAGE_SIZE;
}

void page_add_range(paddr_t start, paddr_t end)
{
	start = (start + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	end &= ~(PAGE_SIZE - 1);
	if (start == PADDR_NONE)
		start = PAGE_SIZE;
	if (end <= start)
		return;
	uint64_t frames = (end - start) / PAGE_SIZE;
	uint64_t overhead = pages_for_refs(frames);
	if (frames <= overhead)
		return;
	if (range_count == RANGES_MAX) {
		klog("kernel: too many memory ranges, %llu KiB left unused",
		     (unsigned long long)(end - start) >> 10);
		return;
	}
	struct range *r = &ranges[range_count++];
	r->refs = page_ptr(start);
	r->start = r->next = start + overhead * PAGE_SIZE;
	r->end = end;
	total_pages += frames - overhead;
	free_pages += frames - overhead;
}

static uint32_t *refs_of(paddr_t page)
{
	static struct range *last = ranges;

	if (page < last->start || page >= last->next) {
		for (last = ranges;; last++) {
			assert(last < ranges + range_count);
			if (page >= last->start && page < last->next)
				break;
		}
	}
	return &last->refs[(page - last->start) / PAGE_SIZE];
}

/* count adjacent frames that were never handed out: where the first is. */
static paddr_t take_fresh(uint64_t count)
{
	while (range_fresh < range_count && ranges[range_fresh].next == ranges[range_fresh].end)
		range_fresh++;
	for (unsigned i = range_fresh; i < range_count; i++) {
		struct range *r = &ranges[i];
		if (r->end - r->next >= count * PAGE_SIZE) {
			paddr_t page = r->next;
			r->next += count * PAGE_SIZE;
			return page;
		}
	}
	return PADDR_NONE;
}

static paddr_t take(bool zero)
{
	paddr_t page = free_list;

	if (page != PADDR_NONE)
		free_list = *(paddr_t *)page_ptr(page);
	else if ((page = take_fresh(1)) == PADDR_NONE)
		return PADDR_NONE;
	*refs_of(page) = 1;
	free_pages--;
	if (zero)
		memset(page_ptr(page), 0, PAGE_SIZE);
	return page;
}

paddr_t page_alloc(bool zero)
{
	return page_available() > 0 ? take(zero) : PADDR_NONE;
}

bool page_reserve(void)
{
	if (page_available() == 0)
		return false;
	reserved++;
	return true;
}

void page_unreserve(void)
{
	assert(reserved > 0);
	reserved--;
}

paddr_t page_take_reserved(bool zero)
{
	page_unreserve();
	paddr_t page = take(zero);
	assert(page != PADDR_NONE);
	return page;
}

uint64_t page_available(void)
{
	return free_pages - reserved;
}

void page_get(paddr_t page)
{
	uint32_t *refs = refs_of(page);

	assert(*refs > 0 && *refs < UINT32_MAX);
	++*refs;
}

void page_put(paddr_t page)
{
	uint32_t *refs = refs_of(page);

	assert(*refs > 0);
	if (--*refs > 0)
		return;
	*(paddr_t *)page_ptr(page) = free_list;
	free_list = page;
	free_pages++;
}

uint32_t page_refs(paddr_t page)
{
	return *refs_of(page);
}

uint64_t page_total(void)
{
	return total_pages;
}

uint64_t page_free_count(void)
{
	return free_pages;
}

bool page_adopt(paddr_t start, paddr_t end)
{
	assert(start % PAGE_SIZE == 0 && end % PAGE_SIZE == 0 && start < end);
	uint64_t frames = (end - start) / PAGE_SIZE;
	uint64_t overhead = pages_for_refs(frames);
	if (range_count == RANGES_MAX)
		return false;
	paddr_t table = take_fresh(overhead);
	if (table == PADDR_NONE)
		return false;
	/* These frames are the kernel's for good. */
	total_pages -= overhead;
	free_pages -= overhead;

	struct range *r = &ranges[range_count++];
	*r = (struct range){.start = start, .end = end, .next = end, .refs = page_ptr(table)};
	for (uint64_t i = 0; i < frames; i++)
		r->refs[i] = 1;
	total_pages += frames;
	return true;
}
