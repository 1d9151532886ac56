/* SPDX-License-Identifier: MIT */
/*
 * The dynamic linker goes into an image only when a program in it needs it: it is a fifth of what
 * the smallest machine has.  Files of the host are read here, so nothing in them is trusted.
 */
#include "tools/capos/linker.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#define SEGMENTS_MAX 64u /* program headers that are looked at; linkers write a dozen */

static bool read_at(int fd, void *buffer, size_t size, uint64_t offset)
{
	return offset <= INT64_MAX && pread(fd, buffer, size, (off_t)offset) == (ssize_t)size;
}

static bool names_linker(int fd, const Elf64_Phdr *segment)
{
	char name[sizeof(LINKER_PATH)];

	return segment->p_type == PT_INTERP && segment->p_filesz == sizeof(name) &&
	       read_at(fd, name, sizeof(name), segment->p_offset) &&
	       memcmp(name, LINKER_PATH, sizeof(name)) == 0;
}

static bool is_dynamic_program(int fd)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	if (!read_at(fd, &header, sizeof(header), 0) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(segment))
		return false;
	for (uint32_t i = 0; i < header.e_phnum && i < SEGMENTS_MAX; i++) {
		if (!read_at(fd, &segment, sizeof(segment), header.e_phoff + i * sizeof(segment)))
			return false;
		if (names_linker(fd, &segment))
			return true;
	}
	return false;
}

/* An item that cannot be opened is reported when the archive is written. */
static bool needs_linker(const struct archive_writer_item *item)
{
	bool needs;
	int fd;

	if (!item->path || (item->entry.mode & 0111) == 0)
		return false;
	fd = open(item->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	needs = is_dynamic_program(fd);
	close(fd);
	return needs;
}

int linker_add(struct archive_writer *writer, const char *library, bool wanted)
{
	struct stat st;

	if (archive_writer_find(writer, LINKER_PATH + 1))
		return 0;
	for (size_t i = 0; i < writer->count && !wanted; i++)
		wanted = needs_linker(&writer->items[i]);
	if (!wanted)
		return 0;
	if (stat(library, &st) != 0)
		return errno;
	return archive_writer_add_path(writer, LINKER_PATH, 0755, st.st_mtime, library,
	                               (uint64_t)st.st_size);
}
