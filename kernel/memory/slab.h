/* SPDX-License-Identifier: MIT */
/*
 * Fixed-size kernel objects: one slab per type, carved from whole pages; objects come zeroed.
 */
#ifndef KERNEL_SLAB_H
#define KERNEL_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "list.h"

struct slab {
	const char *name;
	size_t size;       /* bytes per object, at most a page */
	void *free;        /* private */
	struct list pages; /* private */
	uint64_t live;
	struct slab *next; /* private: list of all slabs for counting */
};
#define SLAB_INIT(type)                             \
	{                                           \
		.name = #type, .size = sizeof(type) \
	}

bool slab_full(const struct slab *slab); /* the next object takes a frame */
void *slab_alloc(struct slab *slab);     /* zeroed; NULL when out of memory */
void slab_free(struct slab *slab, void *object);
/* Over all slabs, for leak tests. */
uint64_t slab_live_objects(void);
uint64_t slab_pages(void); /* that are not free because of them */

#endif
