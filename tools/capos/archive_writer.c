/* SPDX-License-Identifier: MIT */
/*
 * Writing boot archives.  What is written is a function of the items, their order and the seed
 * alone.  Each file's checksum is made of the very bytes that are written, so a file that another
 * process changes meanwhile cannot make the archive inconsistent.
 */
#include "tools/capos/archive_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <capos/archive_reader.h>

#define PAGE  4096u
#define PIECE (256u << 10) /* bytes read and written at a time */

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

/* ---- The items, found by name ---- */

/* The place in the index of the name's item, or the free place where it would be. */
static size_t place_of(const struct archive_writer *writer, const char *name, size_t length)
{
	size_t mask = 2 * writer->allocated - 1; /* allocated is a power of two */
	size_t place = archive_crc32(0, name, length) & mask;

	while (writer->index[place] != 0) {
		const char *other = writer->items[writer->index[place] - 1].entry.name;
		if (strncmp(other, name, length) == 0 && other[length] == '\0')
			break;
		place = (place + 1) & mask;
	}
	return place;
}

static struct archive_writer_item *find(const struct archive_writer *writer, const char *name,
                                        size_t length)
{
	if (writer->allocated == 0 || length >= CAPOS_ARCHIVE_NAME)
		return NULL;
	uint32_t number = writer->index[place_of(writer, name, length)];
	return number != 0 ? &writer->items[number - 1] : NULL;
}

const struct archive_writer_item *archive_writer_find(const struct archive_writer *writer,
                                                      const char *name)
{
	return find(writer, name, strlen(name));
}

static bool grow(struct archive_writer *writer)
{
	size_t allocated = writer->allocated == 0 ? 64 : writer->allocated * 2;
	struct archive_writer_item *items =
	        realloc(writer->items, allocated * sizeof(struct archive_writer_item));

	if (!items)
		return false;
	writer->items = items;
	uint32_t *index = calloc(2 * allocated, sizeof(*index));
	if (!index)
		return false;
	free(writer->index);
	writer->index = index;
	writer->allocated = allocated;
	for (size_t i = 0; i < writer->count; i++) {
		const char *name = items[i].entry.name;
		index[place_of(writer, name, strlen(name))] = (uint32_t)i + 1;
	}
	return true;
}

/* Where an entry of that name goes: the present one or a new one.  NULL: no memory, or too many. */
static struct archive_writer_item *item_for(struct archive_writer *writer, const char *name)
{
	struct archive_writer_item *present = find(writer, name, strlen(name));

	if (present)
		return present;
	if (writer->count == ARCHIVE_COUNT_MAX)
		return NULL;
	if (writer->count == writer->allocated && !grow(writer))
		return NULL;
	writer->index[place_of(writer, name, strlen(name))] = (uint32_t)writer->count + 1;
	return &writer->items[writer->count++];
}

static int add(struct archive_writer *writer, const char *name,
               const struct capos_archive_entry *entry, const void *data, const char *path)
{
	while (*name == '/')
		name++;
	if (!name_is_valid(name))
		return EINVAL;

	struct archive_writer_item *item = item_for(writer, name);
	if (!item)
		return writer->count == ARCHIVE_COUNT_MAX ? EMFILE : ENOMEM;
	*item = (struct archive_writer_item){.entry = *entry, .data = data, .path = path};
	item->entry.mode &= 07777;
	memcpy(item->entry.name, name, strlen(name));
	return 0;
}

int archive_writer_add(struct archive_writer *writer, const char *path,
                       enum capos_archive_type type, uint32_t mode, int64_t mtime, const void *data,
                       uint64_t size)
{
	struct capos_archive_entry entry = {
	        .size = size, .mtime = mtime, .mode = mode, .type = type};

	return add(writer, path, &entry, data, NULL);
}

int archive_writer_add_path(struct archive_writer *writer, const char *name, uint32_t mode,
                            int64_t mtime, const char *path, uint64_t size)
{
	struct capos_archive_entry entry = {
	        .size = size, .mtime = mtime, .mode = mode, .type = CAPOS_ARCHIVE_FILE};

	return add(writer, name, &entry, NULL, path);
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

/* The item that is above the named one in the tree and no directory, or NULL. */
static const struct archive_writer_item *obstacle_of(const struct archive_writer *writer,
                                                     const char *name)
{
	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		const struct archive_writer_item *above =
		        find(writer, name, (size_t)(slash - name));
		if (above && above->entry.type != CAPOS_ARCHIVE_DIRECTORY)
			return above;
	}
	return NULL;
}

const char *archive_writer_obstacle(const struct archive_writer *writer)
{
	const struct archive_writer_item *end = writer->items + writer->count;

	for (const struct archive_writer_item *item = writer->items; item < end; item++) {
		const struct archive_writer_item *above = obstacle_of(writer, item->entry.name);
		if (above)
			return above->entry.name;
	}
	return NULL;
}

/* ---- Writing ---- */

static uint64_t table_length(const struct archive_writer *writer)
{
	return sizeof(struct capos_archive_header) +
	       writer->count * sizeof(struct capos_archive_entry);
}

/* Whether the item's data stands behind the table and not in pages of its own. */
static bool is_packed(const struct archive_writer_item *item)
{
	return item->entry.type == CAPOS_ARCHIVE_SYMLINK && item->data;
}

/* The table, and the packed data behind it. */
static uint64_t head_length(const struct archive_writer *writer)
{
	uint64_t length = table_length(writer);

	for (size_t i = 0; i < writer->count; i++)
		if (is_packed(&writer->items[i]))
			length += writer->items[i].entry.size;
	return length;
}

uint64_t archive_writer_size(const struct archive_writer *writer)
{
	uint64_t size = page_up(head_length(writer));

	for (size_t i = 0; i < writer->count; i++)
		if (!is_packed(&writer->items[i]))
			size += page_up(writer->items[i].entry.size);
	return size;
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

static int write_zeros(int fd, uint64_t size)
{
	static const uint8_t zeros[PAGE];
	int error = 0;

	for (; size > 0 && error == 0; size -= size < PAGE ? size : PAGE)
		error = write_all(fd, zeros, size < PAGE ? size : PAGE);
	return error;
}

static void report(const struct archive_writer *writer, uint64_t done)
{
	if (writer->progress)
		writer->progress(writer->context, done, writer->total);
}

/* Copies a host file of exactly the entry's size. */
static int write_path(struct archive_writer *writer, struct archive_writer_item *item, int fd)
{
	static uint8_t piece[PIECE];
	uint64_t done = 0;
	ssize_t n = 0;
	int error = 0;
	int in = open(item->path, O_RDONLY | O_CLOEXEC);

	writer->culprit = item->path;
	if (in < 0)
		return errno;
	while (error == 0 && (n = read(in, piece, sizeof(piece))) != 0) {
		if (n < 0) {
			error = errno == EINTR ? 0 : errno;
			continue;
		}
		done += (uint64_t)n;
		if (done > item->entry.size)
			break;
		item->entry.crc = archive_crc32(item->entry.crc, piece, (uint64_t)n);
		error = write_all(fd, piece, (uint64_t)n);
		report(writer, item->entry.offset + done);
	}
	close(in);
	if (error == 0 && done != item->entry.size)
		error = ESTALE;
	if (error == 0)
		writer->culprit = NULL;
	return error;
}

static int write_item(struct archive_writer *writer, struct archive_writer_item *item, int fd)
{
	int error;

	item->entry.crc = 0;
	if (item->data) {
		item->entry.crc = archive_crc32(0, item->data, item->entry.size);
		error = write_all(fd, item->data, item->entry.size);
	} else {
		error = write_path(writer, item, fd);
	}
	if (error == 0)
		error = write_zeros(fd, page_up(item->entry.size) - item->entry.size);
	return error;
}

/* Gives the packed items their places, behind the table. */
static void pack(struct archive_writer *writer, uint8_t *head)
{
	uint64_t offset = table_length(writer);

	for (size_t i = 0; i < writer->count; i++) {
		struct archive_writer_item *item = &writer->items[i];
		if (!is_packed(item))
			continue;
		memcpy(head + offset, item->data, item->entry.size);
		item->entry.crc = archive_crc32(0, item->data, item->entry.size);
		item->entry.offset = offset;
		offset += item->entry.size;
	}
}

/* Header, table and packed data.  The other items' offsets and checksums are known now. */
static int write_head(struct archive_writer *writer, int fd)
{
	uint64_t length = head_length(writer), table_end = table_length(writer);
	uint8_t *head = malloc(length);

	if (!head)
		return ENOMEM;
	pack(writer, head);
	uint8_t *entries = head + sizeof(struct capos_archive_header);
	for (size_t i = 0; i < writer->count; i++)
		memcpy(entries + i * sizeof(struct capos_archive_entry), &writer->items[i].entry,
		       sizeof(struct capos_archive_entry));

	struct capos_archive_header header = {
	        .magic = CAPOS_ARCHIVE_MAGIC,
	        .version = CAPOS_ARCHIVE_VERSION,
	        .count = (uint32_t)writer->count,
	        .total_size = archive_writer_size(writer),
	        .checksum = archive_crc32(0, entries, table_end - sizeof(header)),
	};
	memcpy(header.seed, writer->seed, sizeof(header.seed));
	memcpy(head, &header, sizeof(header));
	int error = lseek(fd, 0, SEEK_SET) == 0 ? write_all(fd, head, length) : errno;
	free(head);
	return error;
}

int archive_writer_finish(struct archive_writer *writer, int fd)
{
	uint64_t offset = page_up(head_length(writer));
	int error = lseek(fd, 0, SEEK_SET) == 0 ? write_zeros(fd, offset) : errno;

	writer->culprit = NULL;
	writer->total = archive_writer_size(writer);
	for (size_t i = 0; error == 0 && i < writer->count; i++) {
		struct archive_writer_item *item = &writer->items[i];
		if (is_packed(item))
			continue;
		item->entry.offset = offset;
		offset += page_up(item->entry.size);
		error = write_item(writer, item, fd);
		report(writer, offset);
	}
	return error != 0 ? error : write_head(writer, fd);
}

void archive_writer_free(struct archive_writer *writer)
{
	free(writer->items);
	free(writer->index);
	*writer = (struct archive_writer){0};
}
