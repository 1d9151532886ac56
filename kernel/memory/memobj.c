/* SPDX-License-Identifier: MIT */
/*
 * Memory objects: a radix tree of frames each, whose height grows with the object and never
 * shrinks.  Every present frame and every page of the tree is charged to the object's account,
 * shared or not, so that all memory that is kept is paid for.  Interrupts are off throughout.
 */
#include "kernel.h"
#include "memory/memobj.h"
#include "memory/frames.h"
#include "memory/space.h"
#include "work.h"
#include "arch.h"

ASSERT_HEADER_FIRST(struct memobj);

static struct slab memobj_slab = SLAB_INIT(struct memobj);
static struct memobj *new_object(enum memobj_kind kind, uint64_t size, struct account *account)
{
	uint64_t npages = size / PAGE_SIZE + (size % PAGE_SIZE != 0);
	if (npages > MEMOBJ_PAGES_MAX)
		return NULL;
	struct memobj *m = account_alloc(account, &memobj_slab);
	if (!m)
		return NULL;
	*m = (struct memobj){.header = {.refs = 1, .kind = KIND_MEMORY},
	                     .kind = kind,
	                     .size = size,
	                     .npages = npages};
	m->height = frames_height(npages);
	m->account = account;
	return m;
}

/* ---- Objects ---- */

struct memobj *memobj_create(uint64_t size, struct account *account)
{
	return new_object(MEMOBJ_ANON, size, account);
}

struct memobj *memobj_create_device(paddr_t base, uint64_t size)
{
	assert(base % PAGE_SIZE == 0);
	struct memobj *m = new_object(MEMOBJ_DEVICE, size, NULL);
	if (m)
		m->device_base = base;
	return m;
}

/* Puts frame, whose reference the caller hands over, into a page that has none; false: no
 * memory. */
bool memobj_install(struct memobj *m, uint64_t index, paddr_t frame)
{
	paddr_t *slot = frames_make(m, index);
	if (!slot || !account_charge(m->account, 1))
		return false;
	assert(*slot == PADDR_NONE);
	*slot = frame;
	m->present++;
	return true;
}

static paddr_t install_zeroed(struct memobj *m, uint64_t index)
{
	paddr_t frame = account_frame(m->account, true);
	if (frame != PADDR_NONE && !memobj_install(m, index, frame)) {
		page_put(frame);
		return PADDR_NONE;
	}
	return frame;
}

/* ---- What absent pages show ---- */

static paddr_t zeroes; /* a frame of them, which belongs to no object */

static bool backed(const struct memobj *m, uint64_t index)
{
	return m->backing && index < m->backing_count;
}

/* The frame behind an absent page; PADDR_NONE: zeroes. */
static paddr_t behind(const struct memobj *m, uint64_t index)
{
	uint64_t span;

	if (!backed(m, index))
		return PADDR_NONE;
	paddr_t *slot = frames_find(m->backing, m->backing_first + index, &span);
	return slot ? slot_frame(slot) : PADDR_NONE;
}

static void set_backing(struct memobj *m, struct memobj *code, uint64_t first, uint64_t count)
{
	assert(code->code && !code->backing);
	memobj_get(code);
	m->backing = code;
	m->backing_first = first;
	m->backing_count = count;
	m->shares = true;
}

/* What a slice of m from that page on has behind it: m itself when that is code with nothing behind
 * it, so that whatever is made from what, one object stands behind another at most. */
void memobj_inherit(struct memobj *copy, struct memobj *m, uint64_t first)
{
	struct memobj *root = m->backing ? m->backing : m;
	uint64_t count = m->backing ? m->backing_count : m->npages;

	if (!root->code || first >= count)
		return;
	count -= first;
	set_backing(copy, root, first + (m->backing ? m->backing_first : 0),
	            count < copy->npages ? count : copy->npages);
}

/* The frame that reading an absent page shows; PADDR_NONE: no memory for it. */
static paddr_t shown_absent(struct memobj *m, uint64_t index)
{
	paddr_t frame = behind(m, index);

	if (frame != PADDR_NONE || (!m->sparse && !backed(m, index)))
		return frame != PADDR_NONE ? frame : install_zeroed(m, index);
	if (zeroes == PADDR_NONE)
		zeroes = page_alloc(true);
	return zeroes;
}

/* A frame of its own for an absent page, with what the page shows. */
paddr_t memobj_install_copy(struct memobj *m, uint64_t index)
{
	paddr_t from = behind(m, index), own;

	if (from == PADDR_NONE) {
		own = install_zeroed(m, index);
	} else {
		own = account_frame(m->account, false);
		if (own == PADDR_NONE)
			return PADDR_NONE;
		memcpy(page_ptr(own), page_ptr(from), PAGE_SIZE);
		if (!memobj_install(m, index, own)) {
			page_put(own);
			return PADDR_NONE;
		}
	}
	if (own != PADDR_NONE && (m->sparse || m->backing))
		space_forget_frame(m, index);
	return own;
}

bool memobj_borrows(const struct memobj *m, uint64_t index)
{
	uint64_t span;

	if (!m->backing && !m->sparse)
		return false;
	paddr_t *slot = frames_find(m, index, &span);
	return !slot || *slot == PADDR_NONE;
}

struct memobj *memobj_create_dma(uint32_t npages, struct account *account)
{
	return new_object(MEMOBJ_DMA, npages * PAGE_SIZE, account);
}

struct memobj *memobj_adopt(paddr_t start, uint64_t size)
{
	struct memobj *m = new_object(MEMOBJ_ANON, size, NULL);
	if (!m)
		return NULL;
	/* The tree first: once the frames are adopted nothing may fail. */
	for (uint64_t i = 0; i < m->npages; i++) {
		if (!frames_make(m, i)) {
			memobj_put(m);
			return NULL;
		}
	}
	if (m->npages > 0 && !page_adopt(start, start + m->npages * PAGE_SIZE)) {
		memobj_put(m);
		return NULL;
	}
	for (uint64_t i = 0; i < m->npages; i++)
		*frames_make(m, i) = start + i * PAGE_SIZE;
	m->present = m->npages;
	memobj_make_code(m);
	return m;
}

void memobj_make_code(struct memobj *m)
{
	assert(m->kind == MEMOBJ_ANON && m->header.refs == 1 && !m->mappings);
	m->code = true;
}

void memobj_get(struct memobj *m)
{
	header_get(&m->header);
}

/* After the last reference. */
static void tear_down(struct work *work)
{
	struct memobj *m = container_of(work, struct memobj, work);
	if (m->frames && !frames_drop_node(m, m->frames, m->height)) {
		work_add_rest(work, tear_down);
		return;
	}
	if (m->backing)
		memobj_put(m->backing); /* which has none: one deep */
	if (m->shown_size)
		memobj_put(m->shown_size); /* nor has that */
	account_free(m->account, &memobj_slab, m);
}

void memobj_put(struct memobj *m)
{
	if (header_put(&m->header))
		memobj_last(&m->header);
}

void memobj_last(struct object_header *header)
{
	struct memobj *m = memobj_of(header);
	assert(!m->mappings);
	tear_down(&m->work);
}

/* Pages of an object that are changed in all its mappings at once.  An object has so many mappings
 * at most that one page in all of them is within the budget. */
#define PIECE_PAGES    64u
#define PIECE_MAPPINGS OBJECT_MAPPINGS_MAX

uint64_t memobj_piece_end(const struct memobj *m, uint64_t index, uint64_t end)
{
	uint64_t pages = m->nmappings < PIECE_MAPPINGS / PIECE_PAGES
	                         ? PIECE_PAGES
	                         : PIECE_MAPPINGS / m->nmappings;
	if (pages == 0)
		pages = 1;
	return end - index < pages ? end : index + pages;
}

uint64_t memobj_discard_some(struct memobj *m, uint64_t index, uint64_t end)
{
	if (m->kind != MEMOBJ_ANON)
		return end;
	uint64_t past = end < m->npages ? end : m->npages;
	while (index < past && !steps_over()) {
		if (!frames_next(m, &index, past))
			continue;
		uint64_t piece = memobj_piece_end(m, index, past);
		space_forget_frames(m, index, piece - index);
		for (paddr_t *slot; (slot = frames_next(m, &index, piece)); index++)
			frames_drop(m, slot);
	}
	return index < past ? index : end;
}

/* Whether a page has nothing but zeroes from there on. */
static bool is_zero(paddr_t frame, uint64_t within)
{
	if (frame == PADDR_NONE)
		return true;
	const uint8_t *bytes = page_ptr(frame);
	while (within < PAGE_SIZE && !bytes[within])
		within++;
	return within == PAGE_SIZE;
}

/* Zeroes what the page that holds byte offset has from there on; false: no memory for a copy of the
 * page. */
bool memobj_zero_tail(struct memobj *m, uint64_t offset)
{
	uint64_t within = offset % PAGE_SIZE;

	if (within == 0 || is_zero(memobj_peek(m, offset / PAGE_SIZE), within))
		return true;
	paddr_t frame = memobj_frame(m, offset / PAGE_SIZE, true);
	if (frame == PADDR_NONE)
		return false;
	memset((char *)page_ptr(frame) + within, 0, PAGE_SIZE - within);
	return true;
}

struct memobj *memobj_create_sparse(uint64_t size, struct memobj *code, uint64_t offset,
                                    struct account *account)
{
	struct memobj *m = new_object(MEMOBJ_ANON, size, account);

	if (!m)
		return NULL;
	m->sparse = true;
	m->shares = true; /* the page of zeroes */
	if (!code)
		return m;
	memobj_inherit(m, code, offset / PAGE_SIZE);
	if (memobj_zero_tail(m, size)) /* what the code has behind the range is not to be seen */
		return m;
	memobj_put(m);
	return NULL;
}

/* ---- Size ---- */

static void write_shown(struct memobj *m)
{
	/* It is committed, so there is a frame whatever slices of it were made. */
	uint64_t *shown = page_ptr(memobj_frame(m->shown_size, 0, true));
	__atomic_store_n(&shown[1], m->marked, __ATOMIC_RELEASE);
	__atomic_store_n(&shown[0], m->size, __ATOMIC_RELEASE);
}

void memobj_mark(struct memobj *m, bool marked)
{
	m->marked = marked;
	if (m->shown_size)
		write_shown(m);
}

void memobj_set_size(struct memobj *m, uint64_t size, uint64_t npages)
{
	m->size = size;
	m->npages = npages;
	if (m->shown_size)
		write_shown(m);
}

bool memobj_show_size(struct memobj *m, struct account *account)
{
	if (m->shown_size)
		return true;
	m->shown_size = memobj_create_committed(PAGE_SIZE, account);
	if (!m->shown_size)
		return false;
	write_shown(m);
	return true;
}

/* Where the last piece of the pages from first on begins: some pages, or all that lie in one absent
 * part of the tree. */
static uint64_t last_piece(const struct memobj *m, uint64_t first)
{
	uint64_t last = m->npages - 1, span, start;

	if (frames_find(m, last, &span) || m->height == 0) {
		start = last & ~(uint64_t)(NODE_ENTRIES - 1);
	} else {
		/* span goes to the end of the absent part, which is as large as some node's. */
		uint64_t reach = NODE_ENTRIES;
		while (reach - (last & (reach - 1)) != span)
			reach *= NODE_ENTRIES;
		start = last & ~(reach - 1);
	}
	return start > first ? start : first;
}

/* Pages without a frame of the object's may be shown too: no more of these at once than a piece is,
 * from first on or later. */
static uint64_t forgettable(const struct memobj *m, uint64_t first)
{
	uint64_t end = space_shown_end(m), most = memobj_piece_end(m, 0, UINT64_MAX);

	if (end <= first)
		return first;
	if (end < m->npages)
		return end;
	return m->npages - first > most ? m->npages - most : first;
}

int memobj_resize_some(struct memobj *m, uint64_t size)
{
	uint64_t npages = size / PAGE_SIZE + (size % PAGE_SIZE != 0);

	if (m->kind != MEMOBJ_ANON || m->code || m->committed || npages > MEMOBJ_PAGES_MAX ||
	    !frames_grow(m, npages))
		return CAP_ENOMEM;
	/* What programs stored behind the end is not to be seen when it moves. */
	if (!memobj_zero_tail(m, size < m->size ? size : m->size))
		return CAP_ENOMEM;
	while (npages < m->npages) {
		/* Cut off from the end, so that no page past the end is ever present. */
		uint64_t piece = last_piece(m, npages);
		if (m->sparse || m->backing) {
			piece = forgettable(m, piece);
			space_forget_frames(m, piece, m->npages - piece);
		}
		if (memobj_discard_some(m, piece, m->npages) < m->npages)
			return WORK_AGAIN;
		if (m->backing_count > piece)
			m->backing_count = piece;
		memobj_set_size(m, piece * PAGE_SIZE, piece);
		steps_spend(1);
		if (npages < piece && steps_over())
			return WORK_AGAIN;
	}
	memobj_set_size(m, size, npages);
	m->changed_ns = arch_clock_ns();
	return CAP_OK;
}

bool memobj_resize(struct memobj *m, uint64_t size)
{
	int error;

	while ((error = memobj_resize_some(m, size)) == WORK_AGAIN)
		steps_renew();
	return !error;
}

paddr_t memobj_frame(struct memobj *m, uint64_t index, bool write)
{
	uint64_t span;

	assert(!write || !m->code);
	if (index >= m->npages)
		return PADDR_NONE;
	if (m->kind == MEMOBJ_DEVICE)
		return m->device_base + index * PAGE_SIZE;
	paddr_t *slot = frames_find(m, index, &span);
	if (!slot || *slot == PADDR_NONE)
		return write ? memobj_install_copy(m, index) : shown_absent(m, index);
	paddr_t shared = slot_frame(slot);
	if (!write || m->kind == MEMOBJ_DMA)
		return shared;
	if (page_refs(shared) == 1) {
		slot_unreserve(slot);
		return shared;
	}
	paddr_t own = *slot & SLOT_RESERVED ? page_take_reserved(false)
	                                    : account_frame(m->account, false);
	if (own == PADDR_NONE)
		return PADDR_NONE;
	memcpy(page_ptr(own), page_ptr(shared), PAGE_SIZE);
	*slot = own;
	space_forget_frame(m, index);
	page_put(shared);
	return own;
}

paddr_t memobj_fill(struct memobj *m, uint64_t index)
{
	if (m->sparse && memobj_borrows(m, index) && !account_may_fill(m->account))
		return PADDR_NONE;
	return memobj_frame(m, index, true);
}

paddr_t memobj_peek(struct memobj *m, uint64_t index)
{
	uint64_t span;

	if (index >= m->npages)
		return PADDR_NONE;
	if (m->kind == MEMOBJ_DEVICE)
		return m->device_base + index * PAGE_SIZE;
	paddr_t *slot = frames_find(m, index, &span);
	paddr_t own = slot ? slot_frame(slot) : PADDR_NONE;
	return own != PADDR_NONE ? own : behind(m, index);
}
