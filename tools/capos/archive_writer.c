/* SPDX-License-Identifier: MIT */
/*
 * Writing boot archives.  What is written is a function of the items, their order and the seed
 * alone.
 */
#include "tools/capos/archive_writer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <capos/archive_reader.h>

#define PAGE 4096u

static uint64_t page_up(uint64_t size)
{
	return (size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static bool name_is_valid(const char *name)
{
	size_t length = strnlen(name, CAPOS_ARCHIVE_NAME);

	if (length == 0 || length == CAPOS_ARCHIVE_NAME)
		return false;
	while (true) {
		size_t component = strcspn(name, "/");
		if (component == 0 || (component == 1 && name[0] == '.') ||
		    (component == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		if (name[component] == '\0')
			return true;
		name += component + 1;
	}
}

const struct archive_writer_item *archive_writer_find(const struct archive_writer *writer,
                                                      const char *name)
{
	for (size_t i = 0; i < writer->count; i++) {
		if (strcmp(writer->items[i].entry.name, name) == 0)
			return &writer->items[i];
	}
	return NULL;
}

/* Where an entry of that name goes: the present one or a new one.  NULL: no memory, or too many. */
static struct archive_writer_item *item_for(struct archive_writer *writer, const char *name)
{
	struct archive_writer_item *present =
	        (struct archive_writer_item *)archive_writer_find(writer, name);

	if (present)
		return present;
	if (writer->count == ARCHIVE_COUNT_MAX)
		return NULL;
	if (writer->count == writer->allocated) {
		size_t allocated = writer->allocated == 0 ? 64 : writer->allocated * 2;
		struct archive_writer_item *items =
		        realloc(writer->items, allocated * sizeof(struct archive_writer_item));
		if (!items)
			return NULL;
		writer->items = items;
		writer->allocated = allocated;
	}
	return &writer->items[writer->count++];
}

int archive_writer_add(struct archive_writer *writer, const char *path,
                       enum capos_archive_type type, uint32_t mode, int64_t mtime, const void *data,
                       uint64_t size)
{
	while (*path == '/')
		path++;
	if (!name_is_valid(path))
		return EINVAL;

	struct archive_writer_item *item = item_for(writer, path);
	if (!item)
		return ENOMEM;
	*item = (struct archive_writer_item){
	        .entry = {.size = size,
	                  .mtime = mtime,
	                  .mode = mode & 07777,
	                  .type = type,
	                  .crc = archive_crc32(0, data, size)},
	        .data = data,
	};
	memcpy(item->entry.name, path, strlen(path));
	return 0;
}

int archive_writer_add_archive(struct archive_writer *writer, const void *bytes, uint64_t size,
                               const char **problem)
{
	struct archive base;

	if (archive_open(&base, bytes, size, problem) != CAP_OK)
		return EBADMSG;
	for (uint32_t i = 0; i < base.count; i++) {
		struct archive_file file = archive_entry(&base, i);
		if (!archive_intact(&file)) {
			*problem = "a file in it is damaged";
			return EBADMSG;
		}
		int error = archive_writer_add(writer, file.name, file.type, file.mode, file.mtime,
		                               file.data, file.size);
		if (error != 0) {
			*problem = strerror(error);
			return error;
		}
	}
	return 0;
}

static int write_all(int fd, const void *data, uint64_t size)
{
	const uint8_t *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		p += n;
		size -= (uint64_t)n;
	}
	return 0;
}

static int write_padding(int fd, uint64_t size)
{
	static const uint8_t zeros[PAGE];

	return write_all(fd, zeros, page_up(size) - size);
}

/* Header and table, with the offsets set; the caller frees it.  NULL: no memory. */
static uint8_t *build_table(struct archive_writer *writer, uint64_t *length)
{
	uint64_t table_size = writer->count * sizeof(struct capos_archive_entry);
	uint8_t *table = malloc(sizeof(struct capos_archive_header) + table_size);

	if (!table)
		return NULL;
	*length = sizeof(struct capos_archive_header) + table_size;
	uint64_t offset = page_up(*length);
	uint8_t *place = table + sizeof(struct capos_archive_header);
	for (size_t i = 0; i < writer->count; i++) {
		struct capos_archive_entry *entry = &writer->items[i].entry;
		entry->offset = offset;
		offset += page_up(entry->size);
		memcpy(place, entry, sizeof(*entry));
		place += sizeof(*entry);
	}

	struct capos_archive_header header = {
	        .magic = CAPOS_ARCHIVE_MAGIC,
	        .version = CAPOS_ARCHIVE_VERSION,
	        .count = (uint32_t)writer->count,
	        .total_size = offset,
	        .checksum = archive_crc32(0, table + sizeof(header), table_size),
	};
	memcpy(header.seed, writer->seed, sizeof(header.seed));
	memcpy(table, &header, sizeof(header));
	return table;
}

int archive_writer_finish(struct archive_writer *writer, int fd)
{
	uint64_t length = 0;
	uint8_t *table = build_table(writer, &length);

	if (!table)
		return ENOMEM;
	int error = write_all(fd, table, length);
	free(table);
	if (error == 0)
		error = write_padding(fd, length);
	for (size_t i = 0; error == 0 && i < writer->count; i++) {
		const struct archive_writer_item *item = &writer->items[i];
		error = write_all(fd, item->data, item->entry.size);
		if (error == 0)
			error = write_padding(fd, item->entry.size);
	}
	return error;
}

void archive_writer_free(struct archive_writer *writer)
{
	free(writer->items);
	*writer = (struct archive_writer){0};
}
