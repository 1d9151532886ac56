/* SPDX-License-Identifier: MIT */
/*
 * Slabs: objects of one size carved from pages.  Each page begins with a header and knows how many
 * of its objects live; a page without any goes back to the page allocator unless it is the slab's
 * last with room. Interrupts are off throughout.
 */
#include "kernel.h"
#include "memory/page.h"
#include "memory/slab.h"

/* Objects are aligned to this, as FXSAVE areas inside them need. */
#define OBJECT_ALIGN 16u

/* At the start of every page of objects.  In the slab's list exactly when it has a free object. */
struct slab_page {
	struct slab *slab;
	void *free; /* free objects, linked by their first word */
	struct list of_slab;
	uint64_t live;
	uint64_t pad[3];
};
_Static_assert(sizeof(struct slab_page) == 64, "objects start on a cache line");

static struct slab *all_slabs;
static uint64_t object_pages;

static size_t stride(const struct slab *slab)
{
	return (slab->size + OBJECT_ALIGN - 1) & ~(size_t)(OBJECT_ALIGN - 1);
}

/* An object too large to share a page with the header has a page alone, without a header. */
static bool is_whole_page(const struct slab *slab)
{
	return stride(slab) > PAGE_SIZE - sizeof(struct slab_page);
}

/* Its pages with a free object; a slab begins as zeroes. */
static struct list *pages_of(struct slab *slab)
{
	if (!slab->pages.next)
		list_init(&slab->pages);
	return &slab->pages;
}

static struct slab_page *new_page(struct slab *slab)
{
	paddr_t frame = page_alloc(false);
	if (frame == PADDR_NONE)
		return NULL;
	object_pages++;
	char *base = page_ptr(frame);
	struct slab_page *page = (struct slab_page *)base;
	size_t step = stride(slab);

	*page = (struct slab_page){.slab = slab};
	list_prepend(pages_of(slab), &page->of_slab);
	size_t count = (PAGE_SIZE - sizeof(*page)) / step;
	for (size_t i = count; i > 0; i--) {
		void **object = (void **)(base + sizeof(*page) + (i - 1) * step);
		*object = page->free;
		page->free = object;
	}
	return page;
}

static void count_live(struct slab *slab)
{
	if (slab->live++ == 0) {
		for (struct slab *s = all_slabs; s; s = s->next)
			if (s == slab)
				return;
		slab->next = all_slabs;
		all_slabs = slab;
	}
}

bool slab_full(const struct slab *slab)
{
	return is_whole_page(slab) || !slab->pages.next || list_empty(&slab->pages);
}

void *slab_alloc(struct slab *slab)
{
	assert(slab->size > 0 && slab->size <= PAGE_SIZE);
	if (is_whole_page(slab)) {
		paddr_t frame = page_alloc(true);
		if (frame == PADDR_NONE)
			return NULL;
		object_pages++;
		count_live(slab);
		return page_ptr(frame);
	}
	struct list *first = list_first(pages_of(slab));
	struct slab_page *page =
	        first ? list_entry(first, struct slab_page, of_slab) : new_page(slab);
	if (!page)
		return NULL;
	void **object = page->free;
	assert(object); /* only pages with a free object are listed */
	page->free = *object;
	page->live++;
	if (!page->free)
		list_remove(&page->of_slab);
	count_live(slab);
	return memset(object, 0, stride(slab));
}

void slab_free(struct slab *slab, void *object)
{
	assert(slab->live > 0);
	slab->live--;
	if (is_whole_page(slab)) {
		page_put(page_of_ptr(object));
		object_pages--;
		return;
	}
	struct slab_page *page = (struct slab_page *)((uintptr_t)object & ~(PAGE_SIZE - 1));
	assert(page->slab == slab && page->live > 0);
	*(void **)object = page->free;
	page->free = object;
	page->live--;
	if (list_empty(&page->of_slab))
		list_prepend(&slab->pages, &page->of_slab);
	if (page->live == 0 && slab->pages.next != slab->pages.prev) {
		list_remove(&page->of_slab);
		page_put(page_of_ptr(page));
		object_pages--;
	}
}

uint64_t slab_live_objects(void)
{
	uint64_t live = 0;

	for (struct slab *s = all_slabs; s; s = s->next)
		live += s->live;
	return live;
}

uint64_t slab_pages(void)
{
	return object_pages;
}
