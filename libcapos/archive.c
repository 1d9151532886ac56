/* SPDX-License-Identifier: MIT */
/*
 * The boot archive's reader: no entry is handed out before all entries were found sound, so users
 * need no checks of their own.
 */
#include <capos/archive_reader.h>

#include <string.h>

/* Tables for eight bytes a step; made at first use, since 8 KiB of constants are quicker made than
 * read. */
static uint32_t crc_tables[8][256];

static void crc_prepare(void)
{
	if (crc_tables[0][1])
		return;
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
		crc_tables[0][i] = crc;
	}
	for (int t = 1; t < 8; t++) {
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t below = crc_tables[t - 1][i];
			crc_tables[t][i] = below >> 8 ^ crc_tables[0][below & 0xff];
		}
	}
}

uint32_t archive_crc32(uint32_t crc, const void *data, uint64_t size)
{
	const uint8_t *p = data;

	crc_prepare();
	crc = ~crc;
	for (; size >= 8; size -= 8, p += 8) {
		uint64_t word;
		memcpy(&word, p, 8);
		word ^= crc;
		crc = 0;
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			crc ^= crc_tables[7 - i][word >> (8 * i) & 0xff];
	}
	while (size--)
		crc = crc >> 8 ^ crc_tables[0][(crc ^ *p++) & 0xff];
	return ~crc;
}

static bool name_sound(const char name[CAPOS_ARCHIVE_NAME])
{
	if (!name[0] || !memchr(name, 0, CAPOS_ARCHIVE_NAME))
		return false;
	for (const char *part = name;; part++) {
		size_t length = strcspn(part, "/");
		if (length == 0 || (length == 1 && part[0] == '.') ||
		    (length == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		part += length;
		if (!*part)
			return true;
	}
}

static const char *entry_fault(const struct capos_archive_entry *entry, uint64_t start,
                               uint64_t end)
{
	if (!name_sound(entry->name))
		return "an entry's name is not a path";
	if (entry->type < CAPOS_ARCHIVE_FILE || entry->type > CAPOS_ARCHIVE_SYMLINK)
		return "an entry's type is unknown";
	if (entry->mode & ~07777u)
		return "an entry's mode has more than permission bits";
	if (entry->type == CAPOS_ARCHIVE_DIRECTORY)
		return entry->size ? "a directory has data" : NULL;
	if (entry->size == 0)
		return entry->type == CAPOS_ARCHIVE_SYMLINK ? "a symlink has no target" : NULL;
	if (entry->type == CAPOS_ARCHIVE_FILE && entry->offset % CAPOS_PAGE_SIZE)
		return "a file does not begin on a page";
	if (entry->offset < start || entry->offset > end || entry->size > end - entry->offset)
		return "an entry's data is outside the archive";
	return NULL;
}

static const char *archive_fault(const uint8_t *base, uint64_t size)
{
	struct capos_archive_header header;

	if (size < sizeof(header))
		return "shorter than its header";
	memcpy(&header, base, sizeof(header));
	if (header.magic != CAPOS_ARCHIVE_MAGIC)
		return "no capOS archive";
	if (header.version != CAPOS_ARCHIVE_VERSION)
		return "of another version";
	if (header.total_size > size || header.total_size % CAPOS_PAGE_SIZE)
		return "cut short";
	if (header.count > ARCHIVE_COUNT_MAX)
		return "too many entries";
	uint64_t table = (uint64_t)header.count * sizeof(struct capos_archive_entry);
	if (header.total_size < sizeof(header) || table > header.total_size - sizeof(header))
		return "its table is cut short";
	if (archive_crc32(0, base + sizeof(header), table) != header.checksum)
		return "its table's checksum is wrong";
	const struct capos_archive_entry *entries = (const void *)(base + sizeof(header));
	for (uint32_t i = 0; i < header.count; i++) {
		const char *fault =
		        entry_fault(&entries[i], sizeof(header) + table, header.total_size);
		if (fault)
			return fault;
	}
	return NULL;
}

int archive_open(struct archive *archive, const void *memory, uint64_t size, const char **why)
{
	const char *fault = archive_fault(memory, size);

	if (why)
		*why = fault;
	if (fault)
		return CAP_EMESSAGE;
	const struct capos_archive_header *header = memory;
	*archive = (struct archive){
	        .base = memory, .size = header->total_size, .count = header->count};
	return CAP_OK;
}

struct archive_file archive_entry(const struct archive *archive, uint32_t index)
{
	const struct capos_archive_entry *entries =
	        (const void *)(archive->base + sizeof(struct capos_archive_header));
	const struct capos_archive_entry *entry = &entries[index];

	return (struct archive_file){
	        .name = entry->name,
	        .type = (enum capos_archive_type)entry->type,
	        .data = archive->base + (entry->size ? entry->offset : 0),
	        .offset = entry->size ? entry->offset : 0,
	        .size = entry->size,
	        .mtime = entry->mtime,
	        .mode = entry->mode,
	        .crc = entry->crc,
	};
}

int archive_find(const struct archive *archive, const char *name, struct archive_file *out)
{
	for (uint32_t i = 0; i < archive->count; i++) {
		*out = archive_entry(archive, i);
		if (!strcmp(out->name, name))
			return CAP_OK;
	}
	return CAP_ENOENT;
}

bool archive_intact(const struct archive_file *file)
{
	return archive_crc32(0, file->data, file->size) == file->crc;
}
