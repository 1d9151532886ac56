/* SPDX-License-Identifier: MIT */
/*
 * The bytes of memory objects: read by the kernel, and copied from and to a program's memory in
 * pieces.
 */
#include "kernel.h"
#include "arch.h"
#include "memory/frames.h"
#include "memory/space.h"
#include "work.h"

static bool in_range(const struct memobj *m, uint64_t offset, uint64_t length)
{
	return m->kind != MEMOBJ_DEVICE && offset <= m->size && length <= m->size - offset;
}

bool memobj_read(struct memobj *m, uint64_t offset, void *to, uint64_t length)
{
	char *own = to;

	if (!in_range(m, offset, length))
		return false;
	for (uint64_t done = 0, chunk; done < length; done += chunk) {
		uint64_t within = (offset + done) % PAGE_SIZE;
		chunk = length - done < PAGE_SIZE - within ? length - done : PAGE_SIZE - within;
		paddr_t frame = memobj_peek(m, (offset + done) / PAGE_SIZE);
		if (frame != PADDR_NONE)
			memcpy(own + done, (char *)page_ptr(frame) + within, chunk);
		else
			memset(own + done, 0, chunk);
	}
	return true;
}

/* ---- Copies from and to a program's memory ---- */

/* Bytes of the object that lie in one page, of those that are still to be copied up to end. */
static uint64_t piece_of_copy(const struct memobj_copy *copy, uint64_t end)
{
	uint64_t at = copy->offset + copy->done, left = copy->length - copy->done;
	uint64_t chunk = PAGE_SIZE - at % PAGE_SIZE;

	if (at >= end)
		return 0;
	if (chunk > left)
		chunk = left;
	return chunk < end - at ? chunk : end - at;
}

static int end_of_copy(const struct memobj_copy *copy, int error)
{
	return copy->done > 0 ? CAP_OK : error;
}

int memobj_load(struct memobj *m, struct memobj_copy *copy)
{
	static const uint8_t nothing[PAGE_SIZE];

	for (uint64_t chunk; (chunk = piece_of_copy(copy, m->size)) > 0; copy->done += chunk) {
		uint64_t at = copy->offset + copy->done;
		if (steps_over())
			return WORK_AGAIN;
		paddr_t frame = memobj_peek(m, at / PAGE_SIZE);
		const char *from = frame != PADDR_NONE ? page_ptr(frame) : (const char *)nothing;
		int error = space_copy_out(copy->space, copy->address + copy->done,
		                           from + at % PAGE_SIZE, chunk);
		if (error)
			return end_of_copy(copy, error);
		steps_spend(STEPS_PAGE_COPY);
	}
	if (copy->done > 0)
		m->loaded_ns = arch_clock_ns();
	return CAP_OK;
}

/* Makes the object so long, when it may be; what lay behind its end reads as zeroes. */
static bool lengthen(struct memobj *m, uint64_t size)
{
	uint64_t npages = (size + PAGE_SIZE - 1) / PAGE_SIZE;

	if (size <= m->size)
		return true;
	if ((m->nmappings > 0 && !memobj_zero_tail(m, m->size)) || !frames_grow(m, npages))
		return false;
	memobj_set_size(m, size, npages);
	return true;
}

/* Takes that back, with what was copied to the page.  The copy may have read its source from the
 * page itself, through a mapping that reaches behind the end. */
static void shorten(struct memobj *m, uint64_t page, uint64_t size, uint64_t npages)
{
	uint64_t span;
	paddr_t *slot = frames_find(m, page, &span);

	if (size == m->size)
		return;
	if (page >= npages && slot && *slot != PADDR_NONE) {
		space_forget_frame(m, page);
		frames_drop(m, slot);
	}
	memobj_set_size(m, size, npages);
	(void)memobj_zero_tail(m, size);
}

int memobj_store(struct memobj *m, struct memobj_copy *copy)
{
	uint64_t end = m->size > m->limit ? m->size : m->limit;

	for (uint64_t chunk; (chunk = piece_of_copy(copy, end)) > 0; copy->done += chunk) {
		uint64_t at = copy->offset + copy->done, size = m->size, npages = m->npages;
		if (steps_over())
			return WORK_AGAIN;
		paddr_t frame =
		        lengthen(m, at + chunk) ? memobj_fill(m, at / PAGE_SIZE) : PADDR_NONE;
		int error = frame != PADDR_NONE
		                    ? space_copy_in(copy->space,
		                                    (char *)page_ptr(frame) + at % PAGE_SIZE,
		                                    copy->address + copy->done, chunk)
		                    : CAP_ENOMEM;
		if (error) {
			shorten(m, at / PAGE_SIZE, size, npages);
			return end_of_copy(copy, error);
		}
		steps_spend(STEPS_PAGE_COPY);
	}
	if (copy->done > 0)
		m->changed_ns = arch_clock_ns();
	return CAP_OK;
}

bool memobj_append_begin(struct memobj *m, uint64_t offset, uint64_t length)
{
	if (offset < m->size) /* it has begun */
		return true;
	return offset <= m->limit && length <= m->limit - offset && lengthen(m, offset + length);
}
