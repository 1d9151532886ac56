/* SPDX-License-Identifier: MIT */
/*
 * The image loader: maps an ELF file's segments copy-on-write from the object that holds the file.
 * Every field is checked before it is used; an image that is not understood whole is refused whole.
 */
#include "kernel.h"
#include "process/process.h"
#include <capos/elf.h>

#define HEADERS_MAX 32u /* program headers; linkers make about ten */

static bool header_ok(const struct elf_header *h, uint64_t size, uint64_t bias)
{
	if (!elf_header_ok(h, size, HEADERS_MAX) || h->version != 1)
		return false;
	if (h->type != ELF_TYPE_DYN && !(h->type == ELF_TYPE_EXEC && bias == 0))
		return false;
	return bias % PAGE_SIZE == 0 && bias < CAPOS_USER_MAX;
}

static bool segment_ok(const struct elf_segment *s, uint64_t bias, uint64_t image_size)
{
	const uint32_t access = ELF_FLAG_READ | ELF_FLAG_WRITE | ELF_FLAG_EXEC;

	if (s->filesz > s->memsz || s->offset > image_size || s->filesz > image_size - s->offset)
		return false;
	if (s->vaddr >= CAPOS_USER_MAX || s->memsz > CAPOS_USER_MAX - s->vaddr ||
	    bias > CAPOS_USER_MAX - s->vaddr - s->memsz)
		return false;
	if ((s->vaddr - s->offset) % PAGE_SIZE != 0 || (s->flags & access) == 0)
		return false;
	if ((s->flags & ELF_FLAG_WRITE) != 0 && (s->flags & ELF_FLAG_EXEC) != 0)
		return false;
	/* The zeroes after the file's bytes are written into the mapping. */
	return s->filesz == s->memsz || (s->flags & ELF_FLAG_WRITE) != 0;
}

static int zero_tail(struct space *space, uint64_t from, uint64_t to)
{
	static const uint8_t zeroes[PAGE_SIZE];
	return from < to ? space_copy_out(space, from, zeroes, to - from) : CAP_OK;
}

static int map_segment(struct space *space, struct memobj *image, const struct elf_segment *s,
                       uint64_t bias)
{
	uint32_t access = CAP_RIGHT_READ | ((s->flags & ELF_FLAG_WRITE) ? CAP_RIGHT_WRITE : 0) |
	                  ((s->flags & ELF_FLAG_EXEC) ? CAP_RIGHT_EXEC : 0);
	/* Code stays code; of the rest the program may make what it likes but code. */
	access |= SPACE_LIMIT(access | ((s->flags & ELF_FLAG_EXEC) ? 0 : CAP_RIGHT_WRITE));
	uint64_t start = (bias + s->vaddr) & ~(PAGE_SIZE - 1);
	uint64_t file_end = bias + s->vaddr + s->filesz, memory_end = bias + s->vaddr + s->memsz;
	uint64_t file_pages_end = (file_end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	int error = CAP_OK;
	if (start == 0)
		return CAP_ENOEXEC;
	if (s->filesz == 0)
		file_pages_end = start;
	else
		error = space_map(space, image, s->offset & ~(PAGE_SIZE - 1),
		                  file_pages_end - start, access, true, false, &start);
	if (!error && s->memsz > s->filesz && s->filesz > 0)
		error = zero_tail(space, file_end,
		                  memory_end < file_pages_end ? memory_end : file_pages_end);
	if (error || memory_end <= file_pages_end)
		return error;
	struct memobj *zeroed = memobj_create(memory_end - file_pages_end, space->account);
	if (!zeroed)
		return CAP_ENOMEM;
	error = space_map(space, zeroed, 0, memory_end - file_pages_end, access, true, false,
	                  &file_pages_end);
	memobj_put(zeroed);
	return error;
}

int elf_load(struct space *space, struct memobj *image, uint64_t bias, uint64_t *entry)
{
	struct elf_header h;
	struct elf_segment segments[HEADERS_MAX];
	bool entry_ok = false;
	if (!memobj_read(image, 0, &h, sizeof(h)) || !header_ok(&h, image->size, bias))
		return CAP_ENOEXEC;
	if (!memobj_read(image, h.phoff, segments, h.phnum * sizeof(segments[0])))
		return CAP_ENOEXEC;
	for (const struct elf_segment *s = segments; s < segments + h.phnum; s++) {
		if (s->type == ELF_SEGMENT_INTERP)
			/* its interpreter is to be started instead, by whoever has it */
			return CAP_ENOEXEC;
		if (s->type != ELF_SEGMENT_LOAD || s->memsz == 0)
			continue;
		if (!segment_ok(s, bias, image->size))
			return CAP_ENOEXEC;
		int error = map_segment(space, image, s, bias);
		if (error)
			return error == CAP_ENOMEM ? CAP_ENOMEM : CAP_ENOEXEC;
		if ((s->flags & ELF_FLAG_EXEC) != 0 && h.entry >= s->vaddr &&
		    h.entry - s->vaddr < s->memsz)
			entry_ok = true;
	}
	*entry = bias + h.entry;
	return entry_ok ? CAP_OK : CAP_ENOEXEC;
}
