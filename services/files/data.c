/* SPDX-License-Identifier: MIT */
/*
 * File contents: reading, writing and cutting the page tree.  A page is owned by the one table (or
 * root) that points to it.
 */
#include "data.h"

#include <string.h>

#include <capos/schema/status.h>

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

/* Pages that a tree of this height reaches. */
static uint64_t reach(uint32_t height)
{
	return 1ull << (9 * height);
}

static uint32_t slot_at(uint64_t index, uint32_t level)
{
	return index >> (9 * (level - 1)) & (DATA_FANOUT - 1);
}

static uint8_t *page_find(const struct data *data, uint64_t index)
{
	void *node = data->root;

	if (index >= reach(data->height))
		return NULL;
	for (uint32_t level = data->height; node && level; level--)
		node = ((void **)node)[slot_at(index, level)];
	return node;
}

void data_init(struct data *data, const uint8_t *base, uint64_t size, uint32_t crc)
{
	memset(data, 0, sizeof(*data));
	data->size = size;
	data->base = base;
	data->base_size = base ? size : 0;
	data->base_crc = crc;
	data->base_unchecked = base;
}

/* Where the file's byte at offset lies, and how many bytes on from there; NULL: zeros. */
static const uint8_t *piece(const struct data *data, uint64_t offset, uint64_t *length)
{
	uint64_t within = offset % PAGE_SIZE;
	const uint8_t *page = page_find(data, offset / PAGE_SIZE);

	*length = PAGE_SIZE - within;
	if (page)
		return page + within;
	if (offset >= data->base_size)
		return NULL;
	if (*length > data->base_size - offset)
		*length = data->base_size - offset;
	return data->base + offset;
}

uint32_t data_read(const struct data *data, uint64_t offset, void *buffer, uint32_t length)
{
	uint32_t done = 0;

	if (offset >= data->size)
		return 0;
	if (length > data->size - offset)
		length = (uint32_t)(data->size - offset);
	while (done < length) {
		uint64_t count;
		const uint8_t *from = piece(data, offset + done, &count);
		if (count > length - done)
			count = length - done;
		if (from)
			memcpy((uint8_t *)buffer + done, from, count);
		else
			memset((uint8_t *)buffer + done, 0, count);
		done += (uint32_t)count;
	}
	return done;
}

const uint8_t *data_run(const struct data *data, uint64_t offset, uint32_t length)
{
	uint64_t count;

	if (offset >= data->size || length > data->size - offset)
		return NULL;
	if (!data->root)
		return length <= data->base_size && offset <= data->base_size - length
		               ? data->base + offset
		               : NULL;
	const uint8_t *start = piece(data, offset, &count);
	for (uint64_t done = count; start && done < length; done += count) {
		if (piece(data, offset + done, &count) != start + done)
			return NULL;
	}
	return start;
}

/* Makes the tree high enough for index. */
static int grow(struct data *data, struct page_source *source, uint64_t index)
{
	while (index >= reach(data->height)) {
		if (data->root) {
			void **table = source->get(source->context);
			if (!table)
				return STATUS_NO_SPACE;
			table[0] = data->root;
			data->root = table;
		}
		data->height++;
	}
	return STATUS_OK;
}

/* The owned page of index, made from what the file holds there; NULL: no memory. */
static uint8_t *page_own(struct data *data, struct page_source *source, uint64_t index)
{
	if (grow(data, source, index))
		return NULL;
	void **place = &data->root;
	for (uint32_t level = data->height; level; level--) {
		if (!*place)
			*place = source->get(source->context);
		if (!*place)
			return NULL;
		place = (void **)*place + slot_at(index, level);
	}
	if (*place)
		return *place;
	uint8_t *page = source->get(source->context);
	if (!page)
		return NULL;
	uint64_t start = index * PAGE_SIZE;
	if (start < data->base_size) {
		uint64_t count = data->base_size - start;
		memcpy(page, data->base + start, count < PAGE_SIZE ? count : PAGE_SIZE);
		data->base_hidden++;
	}
	data->owned++;
	*place = page;
	return page;
}

int data_write(struct data *data, struct page_source *source, uint64_t offset, const void *buffer,
               uint32_t length, uint32_t *written)
{
	uint32_t done = 0;

	*written = 0;
	if (offset > DATA_SIZE_MAX || length > DATA_SIZE_MAX - offset)
		return STATUS_FILE_TOO_BIG;
	while (done < length) {
		uint64_t at = offset + done;
		uint32_t within = (uint32_t)(at % PAGE_SIZE);
		uint32_t count = PAGE_SIZE - within;
		if (count > length - done)
			count = length - done;
		uint8_t *page = page_own(data, source, at / PAGE_SIZE);
		if (!page)
			break;
		memcpy(page + within, (const uint8_t *)buffer + done, count);
		done += count;
		if (data->size < at + count)
			data->size = at + count;
	}
	*written = done;
	return done || !length ? STATUS_OK : STATUS_NO_SPACE;
}

/* Frees what lies at page index `from` (relative to this node) and beyond; true when the node
 * itself is gone.  first: the index in the file of the node's first page. */
static bool prune(struct data *data, struct page_source *source, void *node, uint32_t level,
                  uint64_t first, uint64_t from)
{
	if (level == 0) {
		data->owned--;
		if (first < pages_of(data->base_size))
			data->base_hidden--;
		source->put(source->context, node);
		return true;
	}
	void **table = node;
	uint64_t span = reach(level - 1);
	for (uint64_t slot = from / span; slot < DATA_FANOUT; slot++) {
		uint64_t below = slot * span < from ? from - slot * span : 0;
		if (table[slot] &&
		    prune(data, source, table[slot], level - 1, first + slot * span, below))
			table[slot] = NULL;
	}
	for (uint32_t slot = 0; slot < DATA_FANOUT; slot++) {
		if (table[slot])
			return false;
	}
	source->put(source->context, node);
	return true;
}

int data_truncate(struct data *data, struct page_source *source, uint64_t size)
{
	uint64_t keep = pages_of(size);

	if (size > DATA_SIZE_MAX)
		return STATUS_FILE_TOO_BIG;
	if (size < data->size) {
		if (data->root && keep < reach(data->height) &&
		    prune(data, source, data->root, data->height, 0, keep)) {
			data->root = NULL;
			data->height = 0;
		}
		uint8_t *last = size % PAGE_SIZE ? page_find(data, size / PAGE_SIZE) : NULL;
		if (last)
			memset(last + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
		if (data->base_size > size)
			data->base_size = size;
	}
	data->size = size;
	return STATUS_OK;
}

void data_free(struct data *data, struct page_source *source)
{
	if (data->root)
		prune(data, source, data->root, data->height, 0, 0);
	data_init(data, NULL, 0, 0);
}

uint64_t data_blocks(const struct data *data)
{
	return (data->owned + pages_of(data->base_size) - data->base_hidden) * (PAGE_SIZE / 512);
}
