/* SPDX-License-Identifier: MIT */
/*
 * The image loader: maps an ELF file's segments copy-on-write from the object that holds the file.
 * Every field is checked before it is used; an image that is not understood whole is refused whole.
 */
#include "kernel.h"
#include "memory/slab.h"
#include "process/process.h"
#include "work.h"
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

/* ---- Loading ---- */

/* What is to be done for a segment, in this order. */
enum stage { STAGE_SLICE, STAGE_MAP, STAGE_TAIL, STAGE_ZEROES, STAGE_NEXT };

struct elf {
	struct account *account; /* pays for this */
	struct memobj *image;    /* one reference */
	uint64_t bias;
	struct elf_header header;
	struct elf_segment segments[HEADERS_MAX];
	unsigned at; /* the segment under way */
	enum stage stage;
	struct slice slice; /* of it */
	bool entry_ok;
};

static struct slab loads = SLAB_INIT(struct elf);

/* A segment's place. */
struct extent {
	uint64_t start, file_end, file_pages_end, memory_end;
};

static struct extent extent_of(const struct elf_segment *s, uint64_t bias)
{
	struct extent x = {.start = (bias + s->vaddr) & ~(PAGE_SIZE - 1),
	                   .file_end = bias + s->vaddr + s->filesz,
	                   .memory_end = bias + s->vaddr + s->memsz};
	x.file_pages_end =
	        s->filesz == 0 ? x.start : (x.file_end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	return x;
}

static uint32_t access_of(const struct elf_segment *s)
{
	uint32_t access = CAP_RIGHT_READ | ((s->flags & ELF_FLAG_WRITE) ? CAP_RIGHT_WRITE : 0) |
	                  ((s->flags & ELF_FLAG_EXEC) ? CAP_RIGHT_EXEC : 0);
	/* Code stays code; of the rest the program may make what it likes but code. */
	return access | SPACE_LIMIT(access | ((s->flags & ELF_FLAG_EXEC) ? 0 : CAP_RIGHT_WRITE));
}

static int begin_slice(struct elf *elf, const struct elf_segment *s, const struct extent *x)
{
	uint64_t offset = s->offset & ~(PAGE_SIZE - 1), size = x->file_pages_end - x->start;
	if (x->start == 0)
		return CAP_ENOEXEC;
	if (size == 0)
		return CAP_OK;
	/* An image's capability has the right EXEC: slices of it are code. */
	int error = space_check_map(elf->image, offset, size, access_of(s), true, true);
	if (!error && !slice_begin(&elf->slice, elf->image, offset, size, elf->account, false))
		error = CAP_ENOMEM;
	return error;
}

static int map_slice(struct elf *elf, struct space *space, const struct elf_segment *s,
                     const struct extent *x)
{
	uint64_t address = x->start;
	if (!elf->slice.copy)
		return CAP_OK;
	int error = elf->slice.from ? slice_go_on(&elf->slice) : CAP_OK;
	if (!error)
		error = space_map_copy(space, true, elf->slice.copy, elf->slice.copy->size,
		                       access_of(s), &address);
	if (!error)
		elf->slice.copy = NULL;
	return error;
}

/* What the file does not have of its last page. */
static int map_tail(struct space *space, const struct elf_segment *s, const struct extent *x)
{
	if (s->filesz == 0 || s->memsz == s->filesz)
		return CAP_OK;
	return zero_tail(space, x->file_end,
	                 x->memory_end < x->file_pages_end ? x->memory_end : x->file_pages_end);
}

static int map_zeroes(struct space *space, const struct elf_segment *s, const struct extent *x)
{
	uint64_t address = x->file_pages_end;
	if (x->memory_end <= x->file_pages_end)
		return CAP_OK;
	struct memobj *zeroed = memobj_create(x->memory_end - x->file_pages_end, space->account);
	if (!zeroed)
		return CAP_ENOMEM;
	int error = space_map(space, zeroed, 0, x->memory_end - x->file_pages_end, access_of(s),
	                      true, false, &address);
	memobj_put(zeroed);
	return error;
}

/* Goes on with the segment under way. */
static int map_segment(struct elf *elf, struct space *space)
{
	const struct elf_segment *s = &elf->segments[elf->at];
	const struct extent x = extent_of(s, elf->bias);
	for (int error = CAP_OK; elf->stage != STAGE_NEXT; elf->stage++) {
		if (elf->stage == STAGE_SLICE)
			error = begin_slice(elf, s, &x);
		else if (elf->stage == STAGE_MAP)
			error = map_slice(elf, space, s, &x);
		else if (elf->stage == STAGE_TAIL)
			error = map_tail(space, s, &x);
		else
			error = map_zeroes(space, s, &x);
		if (error == WORK_AGAIN || error == CAP_ENOMEM)
			return error;
		if (error)
			return CAP_ENOEXEC;
	}
	const struct elf_header *h = &elf->header;
	if ((s->flags & ELF_FLAG_EXEC) != 0 && h->entry >= s->vaddr &&
	    h->entry - s->vaddr < s->memsz)
		elf->entry_ok = true;
	return CAP_OK;
}

struct elf *elf_begin(struct account *account, struct memobj *image, uint64_t bias, int *error)
{
	struct elf *elf = account_alloc(account, &loads);
	*error = CAP_ENOMEM;
	if (!elf)
		return NULL;
	elf->account = account;
	elf->image = image;
	elf->bias = bias;
	const struct elf_header *h = &elf->header;
	if (memobj_read(image, 0, &elf->header, sizeof(*h)) && header_ok(h, image->size, bias) &&
	    memobj_read(image, h->phoff, elf->segments, h->phnum * sizeof(elf->segments[0]))) {
		memobj_get(image);
		*error = CAP_OK;
		return elf;
	}
	account_free(account, &loads, elf);
	*error = CAP_ENOEXEC;
	return NULL;
}

int elf_go_on(struct elf *elf, struct space *space, uint64_t *entry)
{
	for (; elf->at < elf->header.phnum; elf->at++, elf->stage = STAGE_SLICE) {
		const struct elf_segment *s = &elf->segments[elf->at];
		if (s->type == ELF_SEGMENT_INTERP)
			/* its interpreter is to be started instead */
			return CAP_ENOEXEC;
		if (s->type != ELF_SEGMENT_LOAD || s->memsz == 0)
			continue;
		if (!segment_ok(s, elf->bias, elf->image->size))
			return CAP_ENOEXEC;
		int error = map_segment(elf, space);
		if (error)
			return error;
	}
	*entry = elf->bias + elf->header.entry;
	return elf->entry_ok ? CAP_OK : CAP_ENOEXEC;
}

void elf_end(struct elf *elf)
{
	if (elf->slice.from)
		slice_abandon(&elf->slice);
	else if (elf->slice.copy)
		memobj_put(elf->slice.copy);
	memobj_put(elf->image);
	account_free(elf->account, &loads, elf);
}
