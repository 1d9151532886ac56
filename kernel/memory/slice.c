/* SPDX-License-Identifier: MIT */
/*
 * Slices: objects that share the frames of another copy-on-write, made in pieces; and objects whose
 * pages are all present from the beginning.
 */
#include "kernel.h"
#include "memory/frames.h"
#include "memory/space.h"
#include "work.h"

/* The frame that a copy of the page in *slot begins with, one reference; PADDR_NONE: no memory. */
static paddr_t share(struct memobj *m, paddr_t *slot, struct memobj *copy)
{
	/* A device may write there at any time: not to be shared.  Nor are frames of what has them
	 * all from the beginning, so that they never change, however often it is mapped. */
	if (m->kind == MEMOBJ_DMA || frames_stay(m) || m->nmappings > SHARING_MAPPINGS_MAX) {
		paddr_t own = account_frame(copy->account, false);
		if (own != PADDR_NONE)
			memcpy(page_ptr(own), page_ptr(slot_frame(slot)), PAGE_SIZE);
		steps_spend(STEPS_PAGE_COPY);
		return own;
	}
	if (m->committed && !slot_reserve(slot, copy->account))
		return PADDR_NONE;
	m->shares = copy->shares = true;
	page_get(slot_frame(slot));
	return slot_frame(slot);
}

/* Shares a piece of the pages that are still to be shared: CAP_OK or CAP_ENOMEM.  What is shared is
 * protected at once, so that a store of the source's users goes to a copy of theirs. */
static int share_piece(struct slice *s)
{
	struct memobj *m = s->from;
	int error = CAP_OK;

	if (!frames_next(m, &s->index, s->end))
		return CAP_OK; /* none so far */
	uint64_t start = s->index, end = memobj_piece_end(m, s->index, s->end), shared = start;
	for (paddr_t *slot; (slot = frames_next(m, &s->index, end)); s->index++) {
		paddr_t frame = share(m, slot, s->copy);
		if (frame != PADDR_NONE && !memobj_install(s->copy, s->index - s->first, frame)) {
			page_put(frame);
			frame = PADDR_NONE;
		}
		if (frame == PADDR_NONE) {
			error = CAP_ENOMEM;
			break;
		}
		shared = s->index + 1;
		steps_spend(STEPS_SHARE);
	}
	if (m->shares && shared > start)
		space_write_protect(m, start, shared - start);
	return error;
}

/* Makes the next page of a copy present, and sets a frame aside for it when it is shared. */
static bool commit_page(struct memobj *copy, uint64_t index)
{
	uint64_t span;
	paddr_t *slot = frames_find(copy, index, &span);

	if (!slot || *slot == PADDR_NONE) {
		steps_spend(STEPS_PAGE_COPY);
		return memobj_install_copy(copy, index) != PADDR_NONE;
	}
	steps_spend(STEPS_SHARE);
	return page_refs(slot_frame(slot)) == 1 || slot_reserve(slot, copy->account);
}

int memobj_commit_some(struct memobj *m, uint64_t *present)
{
	for (; *present < m->npages; ++*present) {
		if (steps_over())
			return WORK_AGAIN;
		if (!commit_page(m, *present))
			return CAP_ENOMEM;
	}
	m->committed = true;
	return CAP_OK;
}

bool slice_begin(struct slice *s, struct memobj *m, uint64_t offset, uint64_t size,
                 struct account *account, bool committed)
{
	assert(offset % PAGE_SIZE == 0);
	if (m && m->kind == MEMOBJ_DEVICE)
		return false;
	struct memobj *copy = memobj_create(size, account);
	if (!copy)
		return false;
	uint64_t first = offset / PAGE_SIZE;
	uint64_t end = m && first < m->npages ? m->npages : first;
	if (end - first > copy->npages)
		end = first + copy->npages;
	/* Of code with nothing behind it no page is to be shared: it stands behind the copy. */
	if (m && m->kind == MEMOBJ_ANON)
		memobj_inherit(copy, m, first);
	if (copy->backing == m)
		end = first;
	copy->sparse = m && m->sparse;
	if (m)
		memobj_get(m);
	*s = (struct slice){.from = m,
	                    .copy = copy,
	                    .first = first,
	                    .index = first,
	                    .end = end,
	                    .committed = committed};
	return true;
}

uint64_t memobj_covers(const struct memobj *m, uint64_t offset, uint64_t size)
{
	uint64_t first = offset / PAGE_SIZE, count = size / PAGE_SIZE + (size % PAGE_SIZE != 0);

	if (first >= m->npages)
		return 0;
	return (count < m->npages - first ? count : m->npages - first) * PAGE_SIZE;
}

int slice_go_on(struct slice *s)
{
	while (s->index < s->end) {
		if (steps_over())
			return WORK_AGAIN;
		int error = share_piece(s);
		if (error)
			return error;
	}
	int error = s->committed ? memobj_commit_some(s->copy, &s->present) : CAP_OK;
	if (error)
		return error;
	/* The holder of the copy must not see what the source has after the range. */
	if (!memobj_zero_tail(s->copy, s->copy->size))
		return CAP_ENOMEM;
	if (s->from)
		memobj_put(s->from);
	s->from = NULL;
	return CAP_OK;
}

void slice_abandon(struct slice *s)
{
	memobj_put(s->copy);
	if (s->from)
		memobj_put(s->from);
	s->copy = s->from = NULL;
}

static struct memobj *slice(struct memobj *m, uint64_t offset, uint64_t size,
                            struct account *account, bool committed)
{
	struct slice s;
	int error;

	if (!slice_begin(&s, m, offset, size, account, committed))
		return NULL;
	while ((error = slice_go_on(&s)) == WORK_AGAIN)
		steps_renew();
	if (error)
		slice_abandon(&s);
	return s.copy;
}

struct memobj *memobj_slice(struct memobj *m, uint64_t offset, uint64_t size,
                            struct account *account)
{
	return slice(m, offset, size, account, false);
}

struct memobj *memobj_slice_committed(struct memobj *m, uint64_t offset, uint64_t size,
                                      struct account *account)
{
	return slice(m, offset, size, account, true);
}

struct memobj *memobj_create_committed(uint64_t size, struct account *account)
{
	struct memobj *m = memobj_create(size, account);
	uint64_t present = 0;
	int error;

	if (!m)
		return NULL;
	while ((error = memobj_commit_some(m, &present)) == WORK_AGAIN)
		steps_renew();
	if (!error)
		return m;
	memobj_put(m);
	return NULL;
}
