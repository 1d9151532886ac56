/* SPDX-License-Identifier: MIT */
/*
 * Small objects of the files service: each page holds objects of one class, and is on its class's
 * list exactly while one of them is free.
 */
#include "pages.h"

#include <string.h>

struct slab_page {
	struct slab *owner;             /* whose list, and whose source's page */
	struct slab_page *next, **link; /* on the class's list; link NULL: full, not on it */
	void *free;                     /* first free object; each holds the next one's address */
	uint16_t used, untouched; /* objects in use; objects behind them that were never in use */
};

#define SLAB_ROOM (PAGE_SIZE - sizeof(struct slab_page))

static const uint16_t class_size[SLAB_CLASSES] = {32, 64, 128, 256, 512, 1008, 2016};
_Static_assert(SLAB_ROOM >= 2 * 2016, "two objects of the largest class fit");

static int class_of(size_t size)
{
	for (int c = 0; c < SLAB_CLASSES; c++) {
		if (size <= class_size[c])
			return c;
	}
	return -1;
}

static struct slab_page *page_of(void *object)
{
	return (struct slab_page *)((uintptr_t)object & ~(uintptr_t)(PAGE_SIZE - 1));
}

static void list_add(struct slab *slab, int c, struct slab_page *page)
{
	page->next = slab->partial[c];
	page->link = &slab->partial[c];
	if (page->next)
		page->next->link = &page->next;
	slab->partial[c] = page;
}

static void list_remove(struct slab_page *page)
{
	*page->link = page->next;
	if (page->next)
		page->next->link = page->link;
	page->link = NULL;
}

void slab_init(struct slab *slab, struct page_source *source)
{
	memset(slab, 0, sizeof(*slab));
	slab->source = source;
}

void *slab_get(struct slab *slab, size_t size)
{
	int c = class_of(size);

	if (c < 0)
		return slab->source->get(slab->source->context);
	struct slab_page *page = slab->partial[c];
	if (!page) {
		page = slab->source->get(slab->source->context);
		if (!page)
			return NULL;
		page->owner = slab;
		page->untouched = (uint16_t)(SLAB_ROOM / class_size[c]);
		list_add(slab, c, page);
	}
	void *object = page->free;
	if (object) {
		memcpy(&page->free, object, sizeof(page->free));
		memset(object, 0, class_size[c]);
	} else {
		uint32_t index = (uint32_t)(SLAB_ROOM / class_size[c]) - page->untouched--;
		object = (uint8_t *)(page + 1) + (size_t)index * class_size[c];
	}
	page->used++;
	if (!page->free && !page->untouched)
		list_remove(page);
	return object;
}

void slab_put(struct slab *slab, void *object, size_t size)
{
	int c = class_of(size);

	if (!object)
		return;
	if (c < 0) {
		slab->source->put(slab->source->context, object);
		return;
	}
	struct slab_page *page = page_of(object);
	memcpy(object, &page->free, sizeof(page->free));
	page->free = object;
	if (!page->link)
		list_add(page->owner, c, page);
	if (--page->used == 0) {
		list_remove(page);
		slab->source->put(slab->source->context, page);
	}
}
