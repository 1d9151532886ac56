/* SPDX-License-Identifier: MIT */
/*
 * The page source of the running service: pages of MemoryObjects, chunk by chunk, up to a share of
 * the machine's memory.
 */
#ifndef FILES_STORE_H
#define FILES_STORE_H

#include "pages.h"

/* Pages for files at most: one half of the machine's, so that programs are not starved by what they
 * write; Linux's tmpfs has the same. */
#define STORE_SHARE 2u

void store_init(struct page_source *source);
void store_space(uint64_t *pages, uint64_t *free);

#endif
