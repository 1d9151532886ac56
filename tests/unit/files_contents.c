/* SPDX-License-Identifier: MIT */
/*
 * Contents of files on the host: what the kernel's memory objects do for the files service, with
 * pages of the payer's test source.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <capos/schema/status.h>

#include "services/files/contents.h"

struct fake_page {
	uint64_t index;
	uint8_t *bytes;
};

struct fake {
	struct page_source *payer;
	const uint8_t *base;
	uint64_t base_size, size, limit, changed, loaded;
	struct fake_page *pages;
	size_t npages;
};

static uint64_t clock_now;

static struct fake *fake_of(uint64_t object)
{
	return (struct fake *)(uintptr_t)object;
}

int contents_make(struct page_source *payer, const uint8_t *base, uint64_t size, uint64_t *object)
{
	struct fake *f = calloc(1, sizeof(*f));

	f->payer = payer;
	f->base = base;
	f->base_size = f->size = base ? size : 0;
	*object = (uintptr_t)f;
	return STATUS_OK;
}

static void drop_pages(struct fake *f, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < f->npages;) {
		if (f->pages[i].index < from || f->pages[i].index >= to) {
			i++;
			continue;
		}
		f->payer->put(f->payer->context, f->pages[i].bytes);
		f->pages[i] = f->pages[--f->npages];
	}
}

void contents_drop(struct page_source *payer, uint64_t object)
{
	struct fake *f = fake_of(object);

	assert(f->payer == payer);
	drop_pages(f, 0, UINT64_MAX);
	free(f->pages);
	free(f);
}

static uint8_t *find(const struct fake *f, uint64_t index)
{
	for (size_t i = 0; i < f->npages; i++)
		if (f->pages[i].index == index)
			return f->pages[i].bytes;
	return NULL;
}

static uint8_t byte_at(const struct fake *f, uint64_t at)
{
	const uint8_t *page = find(f, at / PAGE_SIZE);

	if (page)
		return page[at % PAGE_SIZE];
	return at < f->base_size ? f->base[at] : 0;
}

static uint8_t *own(struct fake *f, uint64_t index)
{
	uint8_t *page = find(f, index);

	if (page)
		return page;
	page = f->payer->get(f->payer->context);
	if (!page)
		return NULL;
	for (uint64_t i = 0; i < PAGE_SIZE; i++)
		page[i] = byte_at(f, index * PAGE_SIZE + i);
	f->pages = realloc(f->pages, (f->npages + 1) * sizeof(*f->pages));
	f->pages[f->npages++] = (struct fake_page){index, page};
	return page;
}

int contents_load(uint64_t object, uint64_t offset, void *buffer, uint32_t length, uint32_t *loaded)
{
	struct fake *f = fake_of(object);
	uint64_t left = offset < f->size ? f->size - offset : 0;

	*loaded = length < left ? length : (uint32_t)left;
	for (uint32_t i = 0; i < *loaded; i++)
		((uint8_t *)buffer)[i] = byte_at(f, offset + i);
	if (*loaded)
		f->loaded = ++clock_now;
	return STATUS_OK;
}

int contents_store(uint64_t object, bool append, uint64_t offset, const void *buffer,
                   uint32_t length, uint32_t *stored)
{
	struct fake *f = fake_of(object);
	uint64_t end = f->size > f->limit ? f->size : f->limit;

	if (append)
		offset = f->size;
	*stored = 0;
	for (uint64_t at = offset; *stored < length && at < end; at++) {
		uint8_t *page = own(f, at / PAGE_SIZE);
		if (!page)
			return *stored ? STATUS_OK : STATUS_NO_SPACE;
		page[at % PAGE_SIZE] = ((const uint8_t *)buffer)[(*stored)++];
		if (f->size <= at)
			f->size = at + 1;
		f->changed = ++clock_now;
	}
	return STATUS_OK;
}

int contents_resize(uint64_t object, uint64_t size)
{
	struct fake *f = fake_of(object);

	if (size < f->size && size % PAGE_SIZE &&
	    (find(f, size / PAGE_SIZE) || size < f->base_size)) {
		uint8_t *page = own(f, size / PAGE_SIZE);
		if (!page)
			return STATUS_NO_SPACE;
		memset(page + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
	}
	drop_pages(f, (size + PAGE_SIZE - 1) / PAGE_SIZE, UINT64_MAX);
	if (f->base_size > size)
		f->base_size = size;
	f->size = size;
	f->changed = ++clock_now;
	return STATUS_OK;
}

int contents_set_limit(uint64_t object, uint64_t size)
{
	fake_of(object)->limit = size;
	return STATUS_OK;
}

bool contents_mapped;

int contents_get_status(uint64_t object, struct contents_status *status)
{
	const struct fake *f = fake_of(object);

	*status = (struct contents_status){.size = f->size,
	                                   .pages = f->npages,
	                                   .changed = f->changed,
	                                   .loaded = f->loaded,
	                                   .mapped = contents_mapped};
	return STATUS_OK;
}

int64_t contents_time(uint64_t changed)
{
	return (int64_t)changed;
}

int contents_discard(uint64_t object, uint64_t offset, uint64_t length)
{
	if (fake_of(object)->base)
		return STATUS_NOT_SUPPORTED;
	drop_pages(fake_of(object), (offset + PAGE_SIZE - 1) / PAGE_SIZE,
	           (offset + length) / PAGE_SIZE);
	return STATUS_OK;
}
