/* SPDX-License-Identifier: MIT */
/*
 * What the files of memory objects share: the tree of frames, and what pages without one show; of
 * no interest to others.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_FRAMES_H
#define KERNEL_FRAMES_H

#include "memory/memobj.h"
#include "memory/slab.h"

#define NODE_ENTRIES 512u
#define STEPS_SHARE  6u

/* ---- frames.c: the tree ---- */

/* In a slot of the tree beside its frame: a frame is set aside for the copy of this page. */
#define SLOT_RESERVED ((paddr_t)1)

paddr_t slot_frame(const paddr_t *slot);
/* Sets a frame aside for the page's copy; payer: that of the object made by sharing it. */
bool slot_reserve(paddr_t *slot, const struct account *payer);
void slot_unreserve(paddr_t *slot);
unsigned frames_height(uint64_t npages);
/* The slot of page index; NULL when its node is absent, with *span: how many pages from index on
 * lack one. */
paddr_t *frames_find(const struct memobj *m, uint64_t index, uint64_t *span);
/* The slot of page index, its nodes made where they lack; NULL: no memory. */
paddr_t *frames_make(struct memobj *m, uint64_t index);
/* The slot of the next present frame in [*index, end), moving *index there.  NULL: none; or, with
 * *index below end, none so far. */
paddr_t *frames_next(const struct memobj *m, uint64_t *index, uint64_t end);
void frames_drop(struct memobj *m, paddr_t *slot);
/* Gives up what a node leads to, and the node, as far as the budget goes; false: something is
 * left. */
bool frames_drop_node(struct memobj *m, paddr_t *node, unsigned height);
/* Makes the tree high enough for npages; on failure it is as good as before, though perhaps
 * higher. */
bool frames_grow(struct memobj *m, uint64_t npages);

/* ---- memobj.c: pages ---- */

/* Puts frame, whose reference the caller hands over, into a page that has none; false: no
 * memory. */
bool memobj_install(struct memobj *m, uint64_t index, paddr_t frame);
/* A frame of its own for an absent page, with what the page shows. */
paddr_t memobj_install_copy(struct memobj *m, uint64_t index);
/* What a slice of m from that page on has behind it. */
void memobj_inherit(struct memobj *copy, struct memobj *m, uint64_t first);
/* Zeroes what the page that holds byte offset has from there on; false: no memory for a copy. */
bool memobj_zero_tail(struct memobj *m, uint64_t offset);
/* The end of the pages from index on that are changed in all mappings at once. */
uint64_t memobj_piece_end(const struct memobj *m, uint64_t index, uint64_t end);

#endif
