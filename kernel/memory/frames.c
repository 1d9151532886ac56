/* SPDX-License-Identifier: MIT */
/*
 * The radix tree of a memory object's frames: its height grows with the object and never shrinks.
 * Every present frame and every page of the tree is charged to the object's account.
 */
#include "kernel.h"
#include "memory/frames.h"
#include "work.h"

#define NODE_BITS 9

/* A tree of height 0: objects of up to this many pages, which most are, need no page for their
 * table. */
#define SMALL_PAGES 16u
struct small_table {
	paddr_t frames[SMALL_PAGES];
};

_Static_assert(NODE_ENTRIES * sizeof(paddr_t) == PAGE_SIZE, "a node is a page");
_Static_assert(NODE_ENTRIES == 1u << NODE_BITS, "a node's index");

static struct slab small_slab = SLAB_INIT(struct small_table);

/* Slots that are looked at in search of one that is present, before the budget is looked at. */
#define SEARCH_MAX       512u
#define SLOTS_PER_STEP   16u
#define STEPS_FRAME      3u /* to give one up */
#define STEPS_SMALL_NODE 2u
#define STEPS_NODE       60u

paddr_t slot_frame(const paddr_t *slot)
{
	return *slot & ~SLOT_RESERVED;
}

void slot_unreserve(paddr_t *slot)
{
	if (*slot & SLOT_RESERVED)
		page_unreserve();
	*slot &= ~SLOT_RESERVED;
}

/* Sets a frame aside for the page's copy; payer: that of the object made by sharing it. */
bool slot_reserve(paddr_t *slot, const struct account *payer)
{
	if (*slot & SLOT_RESERVED)
		return true;
	if (!account_reserve(payer))
		return false;
	*slot |= SLOT_RESERVED;
	return true;
}

unsigned frames_height(uint64_t npages)
{
	unsigned height = 0;

	for (uint64_t reach = SMALL_PAGES; reach < npages; reach = 1ull << (NODE_BITS * height))
		height++;
	return height;
}

/* The slot of page index; NULL when its node is absent, with *span: how many pages from index on
 * lack one. */
paddr_t *frames_find(const struct memobj *m, uint64_t index, uint64_t *span)
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
paddr_t *frames_make(struct memobj *m, uint64_t index)
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

/* The slot of the next present frame in [*index, end), moving *index there.  NULL: none; or, with
 * *index below end, none so far. */
paddr_t *frames_next(const struct memobj *m, uint64_t *index, uint64_t end)
{
	const uint64_t entries = m->height == 0 ? SMALL_PAGES : NODE_ENTRIES;
	unsigned looked = 0;
	paddr_t *slot = NULL;

	while (!slot && *index < end && looked < SEARCH_MAX) {
		uint64_t span;
		slot = frames_find(m, *index, &span);
		looked++;
		if (!slot) {
			*index += span;
			continue;
		}
		/* Those of one node lie side by side. */
		unsigned in_node = (unsigned)(*index % entries);
		unsigned most =
		        (unsigned)(end - *index < entries - in_node ? in_node + (end - *index)
		                                                    : entries);
		unsigned found = page_next_word(slot - in_node, in_node, most);
		found = found < most ? found : most;
		looked += (found - in_node) / 8;
		*index += found - in_node;
		slot = found < most ? slot + (found - in_node) : NULL;
	}
	steps_spend(looked / SLOTS_PER_STEP);
	return slot;
}

void frames_drop(struct memobj *m, paddr_t *slot)
{
	slot_unreserve(slot);
	page_put(*slot);
	*slot = PADDR_NONE;
	m->present--;
	account_release(m->account, 1);
	steps_spend(STEPS_FRAME);
}

/* Gives up what a node leads to, and the node, as far as the budget goes; false: something is
 * left.  Calls itself once for each level of the tree. */
bool frames_drop_node(struct memobj *m, paddr_t *node, unsigned height)
{
	unsigned entries = m->height == 0 ? SMALL_PAGES : NODE_ENTRIES;

	for (unsigned i = 0; (i = page_next_word(node, i, entries)) < entries; i++) {
		if (steps_over())
			return false;
		if (height <= 1)
			frames_drop(m, &node[i]);
		else if (!frames_drop_node(m, page_ptr(node[i]), height - 1))
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
bool frames_grow(struct memobj *m, uint64_t npages)
{
	unsigned height = frames_height(npages);

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
