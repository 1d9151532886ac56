/* SPDX-License-Identifier: MIT */
/*
 * Memory objects: a radix tree of frames each, whose height grows with the object and never
 * shrinks.  Every present frame and every page of the tree is charged to the object's account,
 * shared or not, so that all memory that is kept is paid for.  Interrupts are off throughout.
 */
#include "kernel.h"
#include "memory/memobj.h"
#include "memory/slab.h"
#include "memory/space.h"
#include "work.h"
#include "arch.h"

#define NODE_BITS    9
#define NODE_ENTRIES 512u

/* A tree of height 0: objects of up to this many pages, which most are, need no page for their
 * table. */
#define SMALL_PAGES 16u
struct small_table {
	paddr_t frames[SMALL_PAGES];
};

_Static_assert(NODE_ENTRIES * sizeof(paddr_t) == PAGE_SIZE, "a node is a page");
_Static_assert(NODE_ENTRIES == 1u << NODE_BITS, "a node's index");

ASSERT_HEADER_FIRST(struct memobj);

static struct slab memobj_slab = SLAB_INIT(struct memobj);
static struct slab small_slab = SLAB_INIT(struct small_table);

/* In a slot of the tree beside its frame: a frame is set aside for the copy of this page. */
#define SLOT_RESERVED ((paddr_t)1)

static paddr_t frame_in(const paddr_t *slot)
{
	return *slot & ~SLOT_RESERVED;
}

static void unreserve(paddr_t *slot)
{
	if (*slot & SLOT_RESERVED)
		page_unreserve();
	*slot &= ~SLOT_RESERVED;
}

/* Sets a frame aside for the page's copy; payer: that of the object made by sharing it. */
static bool reserve(paddr_t *slot, const struct account *payer)
{
	if (*slot & SLOT_RESERVED)
		return true;
	if (!account_reserve(payer))
		return false;
	*slot |= SLOT_RESERVED;
	return true;
}

static unsigned height_for(uint64_t npages)
{
	unsigned height = 0;

	for (uint64_t reach = SMALL_PAGES; reach < npages; reach = 1ull << (NODE_BITS * height))
		height++;
	return height;
}

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
	m->height = height_for(npages);
	m->account = account;
	return m;
}

/* ---- The tree ---- */

/* The slot of page index; NULL when its node is absent, with *span: how many pages from index on
 * lack one. */
static paddr_t *find_slot(const struct memobj *m, uint64_t index, uint64_t *span)
{
	paddr_t *node = m->frames;

	*span = 1;
	if (m->height == 0) {
		*span = SMALL_PAGES - index;
		return node ? &node[index] : NULL;
	}
	for (unsigned shift = NODE_BITS * (m->height - 1);; shift -= NODE_BITS) {
		if (!node) {
			uint64_t reach = 1ull << (shift + NODE_BITS);
			*span = reach - (index & (reach - 1));
			return NULL;
		}
		paddr_t *entry = &node[(index >> shift) % NODE_ENTRIES];
		if (shift == 0)
			return entry;
		node = *entry != PADDR_NONE ? page_ptr(*entry) : NULL;
	}
}

/* The slot of page index, its nodes made where they lack; NULL: no memory. */
static paddr_t *make_slot(struct memobj *m, uint64_t index)
{
	if (!m->frames) {
		if (m->height == 0) {
			m->frames = account_alloc(m->account, &small_slab);
		} else {
			paddr_t root = account_page(m->account, true);
			m->frames = root != PADDR_NONE ? page_ptr(root) : NULL;
		}
		if (!m->frames)
			return NULL;
	}
	paddr_t *node = m->frames;
	if (m->height == 0)
		return &node[index];
	for (unsigned shift = NODE_BITS * (m->height - 1);; shift -= NODE_BITS) {
		paddr_t *entry = &node[(index >> shift) % NODE_ENTRIES];
		if (shift == 0)
			return entry;
		if (*entry == PADDR_NONE && (*entry = account_page(m->account, true)) == PADDR_NONE)
			return NULL;
		node = page_ptr(*entry);
	}
}

/* Slots that are looked at in search of one that is present, before the budget is looked at. */
#define SEARCH_MAX       512u
#define SLOTS_PER_STEP   16u
#define STEPS_FRAME      3u /* to give one up */
#define STEPS_SHARE      6u
#define STEPS_SMALL_NODE 2u
#define STEPS_NODE       60u

/* The slot of the next present frame in [*index, end), moving *index there.  NULL: none; or, with
 * *index below end, none so far. */
static paddr_t *next_present(const struct memobj *m, uint64_t *index, uint64_t end)
{
	unsigned looked = 0;

	for (; *index < end && looked < SEARCH_MAX; looked++) {
		uint64_t span;
		paddr_t *slot = find_slot(m, *index, &span);
		if (slot && *slot != PADDR_NONE) {
			steps_spend(looked / SLOTS_PER_STEP);
			return slot;
		}
		*index += slot ? 1 : span;
	}
	steps_spend(looked / SLOTS_PER_STEP);
	return NULL;
}

static void drop_frame(struct memobj *m, paddr_t *slot)
{
	unreserve(slot);
	page_put(*slot);
	*slot = PADDR_NONE;
	m->present--;
	account_release(m->account, 1);
	steps_spend(STEPS_FRAME);
}

/* Gives up what a node leads to, and the node, as far as the budget goes; false: something is
 * left.  Calls itself once for each level of the tree. */
static bool drop_node(struct memobj *m, paddr_t *node, unsigned height)
{
	unsigned entries = m->height == 0 ? SMALL_PAGES : NODE_ENTRIES;

	for (unsigned i = 0; i < entries; i++) {
		if (node[i] == PADDR_NONE)
			continue;
		if (steps_over())
			return false;
		if (height <= 1)
			drop_frame(m, &node[i]);
		else if (!drop_node(m, page_ptr(node[i]), height - 1))
			return false;
		node[i] = PADDR_NONE;
	}
	if (m->height == 0) {
		account_free(m->account, &small_slab, node);
		steps_spend(STEPS_SMALL_NODE);
		return true;
	}
	page_put(page_of_ptr(node));
	account_release(m->account, 1);
	steps_spend(STEPS_NODE);
	return true;
}

/* Makes the tree high enough for npages; on failure it is as good as before, though perhaps
 * higher. */
static bool grow_tree(struct memobj *m, uint64_t npages)
{
	unsigned height = height_for(npages);

	if (!m->frames && m->height < height)
		m->height = height;
	while (m->height < height) {
		paddr_t page = account_page(m->account, true);
		if (page == PADDR_NONE)
			return false;
		paddr_t *node = page_ptr(page);
		if (m->height == 0) {
			memcpy(node, m->frames, sizeof(struct small_table));
			account_free(m->account, &small_slab, m->frames);
		} else {
			node[0] = page_of_ptr(m->frames);
		}
		m->frames = node;
		m->height++;
	}
	return true;
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
static bool install(struct memobj *m, uint64_t index, paddr_t frame)
{
	paddr_t *slot = make_slot(m, index);
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
	if (frame != PADDR_NONE && !install(m, index, frame)) {
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
	paddr_t *slot = find_slot(m->backing, m->backing_first + index, &span);
	return slot ? frame_in(slot) : PADDR_NONE;
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
static void inherit_backing(struct memobj *copy, struct memobj *m, uint64_t first)
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
static paddr_t install_copy(struct memobj *m, uint64_t index)
{
	paddr_t from = behind(m, index), own;

	if (from == PADDR_NONE) {
		own = install_zeroed(m, index);
	} else {
		own = account_frame(m->account, false);
		if (own == PADDR_NONE)
			return PADDR_NONE;
		memcpy(page_ptr(own), page_ptr(from), PAGE_SIZE);
		if (!install(m, index, own)) {
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
	paddr_t *slot = find_slot(m, index, &span);
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
		if (!make_slot(m, i)) {
			memobj_put(m);
			return NULL;
		}
	}
	if (m->npages > 0 && !page_adopt(start, start + m->npages * PAGE_SIZE)) {
		memobj_put(m);
		return NULL;
	}
	for (uint64_t i = 0; i < m->npages; i++)
		*make_slot(m, i) = start + i * PAGE_SIZE;
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
	if (m->frames && !drop_node(m, m->frames, m->height)) {
		work_add_rest(work, tear_down);
		return;
	}
	if (m->backing)
		memobj_put(m->backing); /* which has none: one deep */
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

static uint64_t piece_end(const struct memobj *m, uint64_t index, uint64_t end)
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
		if (!next_present(m, &index, past))
			continue;
		uint64_t piece = piece_end(m, index, past);
		space_forget_frames(m, index, piece - index);
		for (paddr_t *slot; (slot = next_present(m, &index, piece)); index++)
			drop_frame(m, slot);
	}
	return index < past ? index : end;
}

void memobj_discard(struct memobj *m, uint64_t index, uint64_t count)
{
	uint64_t end = count < UINT64_MAX - index ? index + count : UINT64_MAX;
	while ((index = memobj_discard_some(m, index, end)) < end)
		steps_renew();
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
static bool zero_tail(struct memobj *m, uint64_t offset)
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
	inherit_backing(m, code, offset / PAGE_SIZE);
	if (zero_tail(m, size)) /* what the code has behind the range is not to be seen */
		return m;
	memobj_put(m);
	return NULL;
}

/* The frame that a copy of the page in *slot begins with, one reference; PADDR_NONE: no memory. */
static paddr_t share(struct memobj *m, paddr_t *slot, struct memobj *copy)
{
	/* A device may write there at any time: not to be shared. */
	if (m->kind == MEMOBJ_DMA || m->nmappings > SHARING_MAPPINGS_MAX) {
		paddr_t own = account_frame(copy->account, false);
		if (own != PADDR_NONE)
			memcpy(page_ptr(own), page_ptr(frame_in(slot)), PAGE_SIZE);
		steps_spend(STEPS_PAGE_COPY);
		return own;
	}
	if (m->committed && !reserve(slot, copy->account))
		return PADDR_NONE;
	m->shares = copy->shares = true;
	page_get(frame_in(slot));
	return frame_in(slot);
}

/* Shares a piece of the pages that are still to be shared: CAP_OK or CAP_ENOMEM.  What is shared is
 * protected at once, so that a store of the source's users goes to a copy of theirs. */
static int share_piece(struct slice *s)
{
	struct memobj *m = s->from;
	uint64_t start = s->index, end = piece_end(m, s->index, s->end);
	int error = CAP_OK;

	for (paddr_t *slot; (slot = next_present(m, &s->index, end)); s->index++) {
		paddr_t frame = share(m, slot, s->copy);
		if (frame != PADDR_NONE && !install(s->copy, s->index - s->first, frame)) {
			page_put(frame);
			frame = PADDR_NONE;
		}
		if (frame == PADDR_NONE) {
			error = CAP_ENOMEM;
			break;
		}
		steps_spend(STEPS_SHARE);
	}
	if (m->shares && s->index > start)
		space_write_protect(m, start, s->index - start);
	return error;
}

/* Makes the next page of a copy present, and sets a frame aside for it when it is shared. */
static bool commit_page(struct memobj *copy, uint64_t index)
{
	uint64_t span;
	paddr_t *slot = find_slot(copy, index, &span);

	if (!slot || *slot == PADDR_NONE) {
		steps_spend(STEPS_PAGE_COPY);
		return install_copy(copy, index) != PADDR_NONE;
	}
	steps_spend(STEPS_SHARE);
	return page_refs(frame_in(slot)) == 1 || reserve(slot, copy->account);
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
		inherit_backing(copy, m, first);
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
	if (!zero_tail(s->copy, s->copy->size))
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

/* Where the last piece of the pages from first on begins: some pages, or all that lie in one absent
 * part of the tree. */
static uint64_t last_piece(const struct memobj *m, uint64_t first)
{
	uint64_t last = m->npages - 1, span, start;

	if (find_slot(m, last, &span) || m->height == 0) {
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
	uint64_t end = space_shown_end(m), most = piece_end(m, 0, UINT64_MAX);

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
	    !grow_tree(m, npages))
		return CAP_ENOMEM;
	/* What programs stored behind the end is not to be seen when it moves. */
	if (!zero_tail(m, size < m->size ? size : m->size))
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
		m->npages = piece;
		m->size = piece * PAGE_SIZE;
		steps_spend(1);
		if (npages < piece && steps_over())
			return WORK_AGAIN;
	}
	m->size = size;
	m->npages = npages;
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
	paddr_t *slot = find_slot(m, index, &span);
	if (!slot || *slot == PADDR_NONE)
		return write ? install_copy(m, index) : shown_absent(m, index);
	paddr_t shared = frame_in(slot);
	if (!write || m->kind == MEMOBJ_DMA)
		return shared;
	if (page_refs(shared) == 1) {
		unreserve(slot);
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

paddr_t memobj_peek(struct memobj *m, uint64_t index)
{
	uint64_t span;

	if (index >= m->npages)
		return PADDR_NONE;
	if (m->kind == MEMOBJ_DEVICE)
		return m->device_base + index * PAGE_SIZE;
	paddr_t *slot = find_slot(m, index, &span);
	paddr_t own = slot ? frame_in(slot) : PADDR_NONE;
	return own != PADDR_NONE ? own : behind(m, index);
}

static bool in_range(const struct memobj *m, uint64_t offset, uint64_t length)
{
	return m->kind != MEMOBJ_DEVICE && offset <= m->size && length <= m->size - offset;
}

bool memobj_read(struct memobj *m, uint64_t offset, void *to, uint64_t length)
{
	if (!in_range(m, offset, length))
		return false;
	while (length > 0) {
		uint64_t within = offset % PAGE_SIZE;
		uint64_t chunk = length < PAGE_SIZE - within ? length : PAGE_SIZE - within;
		paddr_t frame = memobj_peek(m, offset / PAGE_SIZE);
		if (frame != PADDR_NONE)
			memcpy(to, (char *)page_ptr(frame) + within, chunk);
		else
			memset(to, 0, chunk);
		to = (char *)to + chunk;
		offset += chunk;
		length -= chunk;
	}
	return true;
}

bool memobj_write(struct memobj *m, uint64_t offset, const void *from, uint64_t length)
{
	if (!in_range(m, offset, length))
		return false;
	while (length > 0) {
		uint64_t within = offset % PAGE_SIZE;
		uint64_t chunk = length < PAGE_SIZE - within ? length : PAGE_SIZE - within;
		paddr_t frame = memobj_frame(m, offset / PAGE_SIZE, true);
		if (frame == PADDR_NONE)
			return false;
		memcpy((char *)page_ptr(frame) + within, from, chunk);
		from = (const char *)from + chunk;
		offset += chunk;
		length -= chunk;
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
	return CAP_OK;
}

/* Makes the object so long, when it may be; what lay behind its end reads as zeroes. */
static bool lengthen(struct memobj *m, uint64_t size)
{
	uint64_t npages = (size + PAGE_SIZE - 1) / PAGE_SIZE;

	if (size <= m->size)
		return true;
	if ((m->nmappings > 0 && !zero_tail(m, m->size)) || !grow_tree(m, npages))
		return false;
	m->npages = npages;
	m->size = size;
	return true;
}

/* Takes that back, with what was copied to the page. */
static void shorten(struct memobj *m, uint64_t page, uint64_t size, uint64_t npages)
{
	uint64_t span;
	paddr_t *slot = find_slot(m, page, &span);

	if (size == m->size)
		return;
	if (page >= npages && slot && *slot != PADDR_NONE)
		drop_frame(m, slot);
	m->size = size;
	m->npages = npages;
	(void)zero_tail(m, size);
}

int memobj_store(struct memobj *m, struct memobj_copy *copy)
{
	uint64_t end = m->size > m->limit ? m->size : m->limit;

	for (uint64_t chunk; (chunk = piece_of_copy(copy, end)) > 0; copy->done += chunk) {
		uint64_t at = copy->offset + copy->done, size = m->size, npages = m->npages;
		if (steps_over())
			return WORK_AGAIN;
		paddr_t frame = lengthen(m, at + chunk) ? memobj_frame(m, at / PAGE_SIZE, true)
		                                        : PADDR_NONE;
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
