/* SPDX-License-Identifier: MIT */
/*
 * Where the files service's memory comes from: whole zeroed pages of a client's (or its own)
 * account, given and taken back through two callbacks, so that everything above runs on the host as
 * well.  Small objects (inodes, names, link targets) are cut from such pages by size class; a page
 * goes back as soon as nothing on it is in use.
 *
 * A page is drawn from the source of the client that is being served, and goes back to where it
 * came from, whichever client gives it up.
 */
#ifndef FILES_PAGES_H
#define FILES_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096ul

struct page_source {
	/* zeroed and page-aligned; NULL: no memory, or the limit is reached */
	void *(*get)(void *context);
	void (*put)(void *context, void *page);
	/* Pages that files' contents have or may get count as well: false: the limit. */
	bool (*charge)(void *context, uint64_t pages);
	void (*uncharge)(void *context, uint64_t pages);
	void *context;
};

/* 32, 64, 128, 256, 512, 1008 and 2016 bytes; what is larger takes a page of its own. */
#define SLAB_CLASSES 7

struct slab_page;
struct slab {
	struct page_source *source;
	struct slab_page *partial[SLAB_CLASSES]; /* pages with a free object */
	uint32_t waiters; /* for locks, whose events the service keeps (locks.c) */
};

void slab_init(struct slab *slab, struct page_source *source);
/* Zeroed; size at most PAGE_SIZE.  NULL: no memory. */
void *slab_get(struct slab *slab, size_t size);
/* size: as it was got.  The object may be of another slab.  NULL is allowed. */
void slab_put(struct slab *slab, void *object, size_t size);

#endif
