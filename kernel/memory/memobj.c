/* SPDX-License-Identifier: MIT */
/*
 * Memory objects: a radix tree of frames each, whose height grows with the object and never
 * shrinks.  Every present frame and every page of the tree is charged to the object's account,
 * shared or not, so that nobody keeps memory that nobody pays for.  Interrupts are off throughout.
 */
#include "kernel.h"
#include "memory/memobj.h"
#include "memory/slab.h"
#include "memory/space.h"

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
	*m = (struct memobj){.refs = 1, .kind = kind, .size = size, .npages = npages};
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

/* The slot of the next present frame in [*index, end), moving *index there; NULL: none. */
static paddr_t *next_present(const struct memobj *m, uint64_t *index, uint64_t end)
{
	while (*index < end) {
		uint64_t span;
		paddr_t *slot = find_slot(m, *index, &span);
		if (slot && *slot != PADDR_NONE)
			return slot;
		*index += slot ? 1 : span;
	}
	return NULL;
}

/* Frees the nodes of a tree whose frames are gone already. */
static void free_nodes(struct memobj *m, paddr_t *node, unsigned height)
{
	for (unsigned i = 0; height > 1 && i < NODE_ENTRIES; i++)
		if (node[i] != PADDR_NONE)
			free_nodes(m, page_ptr(node[i]), height - 1);
	page_put(page_of_ptr(node));
	account_release(m->account, 1);
}

static void free_tree(struct memobj *m)
{
	if (!m->frames)
		return;
	if (m->height == 0)
		account_free(m->account, &small_slab, m->frames);
	else
		free_nodes(m, m->frames, m->height);
	m->frames = NULL;
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

struct memobj *memobj_create_dma(uint32_t npages, struct account *account)
{
	struct memobj *m = new_object(MEMOBJ_DMA, npages * PAGE_SIZE, account);

	for (uint64_t i = 0; m && i < npages; i++) {
		if (install_zeroed(m, i) == PADDR_NONE) {
			memobj_put(m);
			return NULL;
		}
	}
	return m;
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
	memobj_make_code(m);
	return m;
}

void memobj_make_code(struct memobj *m)
{
	assert(m->kind == MEMOBJ_ANON && m->refs == 1 && !m->mappings);
	m->code = true;
}

void memobj_get(struct memobj *m)
{
	assert(m->refs > 0 && m->refs < UINT32_MAX);
	m->refs++;
}

static void drop_frames(struct memobj *m, uint64_t index, uint64_t end)
{
	uint64_t dropped = 0;

	if (m->kind == MEMOBJ_DEVICE)
		return;
	for (paddr_t *slot; (slot = next_present(m, &index, end)); index++) {
		unreserve(slot);
		page_put(*slot);
		*slot = PADDR_NONE;
		dropped++;
	}
	account_release(m->account, dropped);
}

void memobj_put(struct memobj *m)
{
	assert(m->refs > 0);
	if (--m->refs > 0)
		return;
	assert(!m->mappings);
	drop_frames(m, 0, m->npages);
	free_tree(m);
	account_free(m->account, &memobj_slab, m);
}

void memobj_discard(struct memobj *m, uint64_t index, uint64_t count)
{
	if (m->kind != MEMOBJ_ANON || index >= m->npages)
		return;
	if (count > m->npages - index)
		count = m->npages - index;
	space_forget_frames(m, index, count);
	drop_frames(m, index, index + count);
}

/* Zeroes what the page that holds byte offset has from there on; false: no memory for a copy of the
 * page. */
static bool zero_tail(struct memobj *m, uint64_t offset)
{
	uint64_t within = offset % PAGE_SIZE;

	if (within == 0 || memobj_peek(m, offset / PAGE_SIZE) == PADDR_NONE)
		return true;
	paddr_t frame = memobj_frame(m, offset / PAGE_SIZE, true);
	if (frame == PADDR_NONE)
		return false;
	memset((char *)page_ptr(frame) + within, 0, PAGE_SIZE - within);
	return true;
}

/* The frame that a copy of the page in *slot begins with, one reference; PADDR_NONE: no memory. */
static paddr_t share(struct memobj *m, paddr_t *slot, const struct account *payer)
{
	if (m->kind == MEMOBJ_DMA) {
		/* A device may write there at any time: not to be shared. */
		paddr_t copy = account_frame(payer, false);
		if (copy != PADDR_NONE)
			memcpy(page_ptr(copy), page_ptr(*slot), PAGE_SIZE);
		return copy;
	}
	if (m->committed && !reserve(slot, payer))
		return PADDR_NONE;
	page_get(frame_in(slot));
	return frame_in(slot);
}

/* Shares the pages [first, end) of m that are present with copy, which is empty. */
static bool share_range(struct memobj *m, uint64_t first, uint64_t end, struct memobj *copy)
{
	uint64_t index = first;

	for (paddr_t *slot; (slot = next_present(m, &index, end)); index++) {
		paddr_t frame = share(m, slot, copy->account);
		if (frame == PADDR_NONE)
			return false;
		if (!install(copy, index - first, frame)) {
			page_put(frame);
			return false;
		}
	}
	return true;
}

/* Makes all pages of a fresh copy present, and sets a frame aside for each that is shared. */
static bool commit(struct memobj *copy)
{
	uint64_t span;

	for (uint64_t i = 0; i < copy->npages; i++) {
		paddr_t *slot = find_slot(copy, i, &span);
		if (!slot || *slot == PADDR_NONE) {
			if (install_zeroed(copy, i) == PADDR_NONE)
				return false;
		} else if (page_refs(frame_in(slot)) > 1 && !reserve(slot, copy->account)) {
			return false;
		}
	}
	copy->committed = true;
	return true;
}

static struct memobj *slice(struct memobj *m, uint64_t offset, uint64_t size,
                            struct account *account, bool committed)
{
	assert(offset % PAGE_SIZE == 0);
	if (m->kind == MEMOBJ_DEVICE)
		return NULL;
	struct memobj *copy = memobj_create(size, account);
	if (!copy)
		return NULL;
	uint64_t first = offset / PAGE_SIZE;
	uint64_t end = first < m->npages ? m->npages : first;
	if (end - first > copy->npages)
		end = first + copy->npages;

	bool done = share_range(m, first, end, copy) && (!committed || commit(copy));
	if (done && m->kind == MEMOBJ_ANON)
		space_write_protect(m, first, end - first);
	/* The holder of the copy must not see what the source has after the range. */
	if (done && zero_tail(copy, size))
		return copy;
	/* Frames shared meanwhile may stay mapped writable in the source: they are its own
	 * again. */
	memobj_put(copy);
	return NULL;
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
	if (m && !commit(m)) {
		memobj_put(m);
		return NULL;
	}
	return m;
}

bool memobj_resize(struct memobj *m, uint64_t size)
{
	uint64_t npages = size / PAGE_SIZE + (size % PAGE_SIZE != 0);

	if (m->kind != MEMOBJ_ANON || m->code || m->committed || npages > MEMOBJ_PAGES_MAX ||
	    !grow_tree(m, npages))
		return false;
	if (size < m->size) {
		if (!zero_tail(m, size))
			return false;
		memobj_discard(m, npages, m->npages);
	}
	m->size = size;
	m->npages = npages;
	return true;
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
		return install_zeroed(m, index);
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
	return slot ? frame_in(slot) : PADDR_NONE;
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
