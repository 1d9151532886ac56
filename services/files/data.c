/* SPDX-License-Identifier: MIT */
/*
 * File contents: which of archive and object holds the bytes, and how many pages the payer counts
 * for them.
 */
#include "data.h"

#include <string.h>

#include <capos/schema/status.h>

#include "contents.h"

/* How much more than what is asked for a file may grow without asking again: an eighth of it,
 * within these bounds.  It is counted until the file is closed, not used. */
#define SLACK_MIN 65536ull
#define SLACK_MAX 1048576ull

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

void data_init(struct data *data, const uint8_t *base, uint64_t size, uint32_t crc)
{
	memset(data, 0, sizeof(*data));
	data->size = base ? size : 0;
	data->base = base;
	data->base_crc = crc;
	data->base_unchecked = base;
}

/* Counts so many pages for the file; false: the payer may not have more. */
static bool count(struct data *data, uint64_t pages)
{
	struct page_source *payer = data->payer;

	if (pages > data->counted && !payer->charge(payer->context, pages - data->counted))
		return false;
	if (pages < data->counted)
		payer->uncharge(payer->context, data->counted - pages);
	data->counted = pages;
	return true;
}

static void drop_object(struct data *data)
{
	if (!data->payer)
		return;
	(void)count(data, 0);
	contents_drop(data->payer, data->object);
	data->payer = NULL;
	data->object = data->limit = data->pages = data->changed = data->loaded = 0;
	data->stale = data->marked = data->mapped = false;
}

void data_free(struct data *data)
{
	drop_object(data);
	data_init(data, NULL, 0, 0);
}

int data_own(struct data *data, struct page_source *source)
{
	int status;

	if (data->payer)
		return STATUS_OK;
	status = contents_make(source, data->base, data->size, &data->object);
	if (status)
		return status;
	data->payer = source;
	data->limit = data->size;
	data->stale = true;
	return STATUS_OK;
}

static void refresh(struct data *data, bool open)
{
	struct contents_status status;

	if (!data->payer || !(data->stale || data->mapped || open))
		return;
	if (contents_get_status(data->object, &status))
		return;
	data->news.changed |= status.changed != data->changed;
	data->news.loaded |= status.loaded != data->loaded;
	if (status.changed != data->changed)
		data->base = NULL;
	data->size = status.size;
	data->pages = status.pages;
	data->changed = status.changed;
	data->loaded = status.loaded;
	data->mapped = status.mapped;
	data->stale = false;
}

struct data_news data_refresh(struct data *data, bool open)
{
	struct data_news news;

	refresh(data, open);
	news = data->news;
	data->news = (struct data_news){false, false};
	return news;
}

bool data_look_later(struct data *data)
{
	if (!data->payer || data->writers || data->mapped || data->base || !data->size ||
	    data->limit != data->size || data->counted != data->pages)
		return false;
	data->stale = true;
	return true;
}

void data_settle(struct data *data)
{
	if (!data->payer)
		return;
	refresh(data, data->writers);
	if (!data->mapped && ((data->base && !data->kept) || !data->size)) {
		drop_object(data);
		return;
	}
	if (data->limit != data->size && !contents_set_limit(data->object, data->size))
		data->limit = data->size;
	(void)count(data, data->pages);
}

/* ---- Reading ---- */

const uint8_t *data_run(const struct data *data, uint64_t offset, uint32_t length)
{
	if (!data->base || data->payer || offset >= data->size || length > data->size - offset)
		return NULL;
	return data->base + offset;
}

uint32_t data_read(struct data *data, uint64_t offset, void *buffer, uint32_t length)
{
	uint32_t done;

	if (data->payer)
		return contents_load(data->object, offset, buffer, length, &done) ? 0 : done;
	if (offset >= data->size)
		return 0;
	if (length > data->size - offset)
		length = (uint32_t)(data->size - offset);
	memcpy(buffer, data->base + offset, length);
	return length;
}

/* ---- Writing ---- */

/* Makes stores up to `limit` possible; what is before `from` is there, or a hole. */
static int set_limit(struct data *data, uint64_t from, uint64_t limit)
{
	int status;

	if (!count(data, data->pages + pages_of(limit) - from / PAGE_SIZE))
		return STATUS_NO_SPACE;
	status = contents_set_limit(data->object, limit);
	if (!status)
		data->limit = limit;
	return status;
}

int data_grow(struct data *data, struct page_source *source, uint64_t offset, uint64_t length)
{
	uint64_t end, slack, from;
	int status = data_own(data, source);

	if (status)
		return status;
	if (offset > DATA_SIZE_MAX || length > DATA_SIZE_MAX - offset)
		return STATUS_FILE_TOO_BIG;
	end = offset + length;
	if (end <= data->limit)
		return STATUS_OK;
	data->stale = true;
	refresh(data, true);
	if (end <= data->size)
		return STATUS_OK;
	from = offset > data->size ? offset : data->size;
	slack = end / 8 < SLACK_MIN ? SLACK_MIN : end / 8 < SLACK_MAX ? end / 8 : SLACK_MAX;
	if (slack > DATA_SIZE_MAX - end)
		slack = 0;
	status = set_limit(data, from, end + slack);
	return status ? set_limit(data, from, end) : STATUS_OK;
}

/* As much of the range as can be had. */
static int grow_some(struct data *data, struct page_source *source, uint64_t offset,
                     uint32_t length)
{
	int status = data_grow(data, source, offset, length);
	uint32_t less = PAGE_SIZE - (uint32_t)(offset % PAGE_SIZE);

	return status == STATUS_NO_SPACE && less < length ? data_grow(data, source, offset, less)
	                                                  : status;
}

int data_write(struct data *data, struct page_source *source, bool append, uint64_t offset,
               const void *buffer, uint32_t length, uint32_t *written)
{
	int status;

	*written = 0;
	if (append && data->writers)
		refresh(data, true);
	if (append)
		offset = data->size;
	status = length ? grow_some(data, source, offset, length) : STATUS_OK;
	if (status || !length)
		return status;
	status = contents_store(data->object, append, offset, buffer, length, written);
	if (status || !*written)
		return status ? status : STATUS_NO_SPACE;
	data->base = NULL;
	data->stale = true;
	if (data->size < offset + *written)
		data->size = offset + *written;
	return STATUS_OK;
}

int data_truncate(struct data *data, struct page_source *source, uint64_t size)
{
	int status;

	if (size > DATA_SIZE_MAX)
		return STATUS_FILE_TOO_BIG;
	if (!size && !data->payer) {
		data->base = NULL;
		data->size = 0;
		return STATUS_OK;
	}
	status = data_own(data, source);
	if (!status)
		status = contents_resize(data->object, size);
	if (status)
		return status;
	data->base = NULL;
	data->size = size;
	data->stale = true;
	return STATUS_OK;
}

int data_punch(struct data *data, struct page_source *source, uint64_t offset, uint64_t length)
{
	static const uint8_t zeroes[PAGE_SIZE];
	uint64_t end = offset + length;
	uint32_t head = (uint32_t)(-offset % PAGE_SIZE), tail = (uint32_t)(end % PAGE_SIZE), done;
	int status = data_own(data, source);

	if (status)
		return status;
	data->base = NULL;
	data->stale = true;
	if (head > length)
		head = (uint32_t)length;
	if (head)
		status = contents_store(data->object, false, offset, zeroes, head, &done);
	if (!status && tail && end - tail >= offset + head)
		status = contents_store(data->object, false, end - tail, zeroes, tail, &done);
	return status ? status : contents_discard(data->object, offset, length);
}

uint64_t data_blocks(const struct data *data)
{
	/* What shows the archive has no memory of its own, and no holes. */
	uint64_t pages = data->base ? pages_of(data->size) : data->pages;

	return pages * (PAGE_SIZE / 512);
}
