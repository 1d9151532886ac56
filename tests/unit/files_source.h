/* SPDX-License-Identifier: MIT */
/*
 * A page source for tests of the files service: pages from the host's allocator, with a limit and a
 * count of what is out, so that every test can end by finding that nothing leaked.
 */
#ifndef TESTS_FILES_SOURCE_H
#define TESTS_FILES_SOURCE_H

#include <stdlib.h>
#include <string.h>

#include "services/files/pages.h"

struct test_pages {
	size_t out, limit;
	uint64_t charged, most; /* for contents; most 0: no limit */
};

/* Behind each page: whose it is. */
static inline struct test_pages **test_page_owner(void *page)
{
	return (struct test_pages **)((char *)page + PAGE_SIZE);
}

static inline void *test_page_get(void *context)
{
	struct test_pages *pages = context;
	void *page;

	if (pages->out >= pages->limit)
		return NULL;
	page = aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE);
	memset(page, 0, PAGE_SIZE);
	*test_page_owner(page) = pages;
	pages->out++;
	return page;
}

static inline void test_page_put(void *context, void *page)
{
	(void)context; /* a page goes back to where it came from */
	(*test_page_owner(page))->out--;
	free(page);
}

static inline bool test_charge(void *context, uint64_t n)
{
	struct test_pages *pages = context;

	if (pages->most && n > pages->most - pages->charged)
		return false;
	pages->charged += n;
	return true;
}

static inline void test_uncharge(void *context, uint64_t n)
{
	((struct test_pages *)context)->charged -= n;
}

static inline struct page_source test_source(struct test_pages *pages)
{
	return (struct page_source){.get = test_page_get,
	                            .put = test_page_put,
	                            .charge = test_charge,
	                            .uncharge = test_uncharge,
	                            .context = pages};
}

/* What contents_get_status says of all that there are. */
extern bool contents_mapped;

#endif
