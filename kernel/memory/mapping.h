/* SPDX-License-Identifier: MIT */
/*
 * What the files of address spaces share about one mapping; of no interest to others.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_MAPPING_H
#define KERNEL_MAPPING_H

#include <capos/abi.h>
#include <capos/layout.h>
#include "memory/slab.h"
#include "memory/space.h"

#define ACCESS_MASK   (CAP_RIGHT_READ | CAP_RIGHT_WRITE | CAP_RIGHT_EXEC)
#define STEPS_MAPPING 6u /* to make or take out one */

extern struct slab mapping_slab;

static inline uint64_t page_up(uint64_t value)
{
	return (value + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static inline uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t mapping_page(const struct mapping *m, uint64_t address)
{
	return (m->offset + (address - m->start)) / PAGE_SIZE;
}

/* space.c: the tree of a space. */
struct mapping *mapping_find(struct space *s, uint64_t address); /* of address; NULL: none */
struct mapping *mapping_next(const struct mapping *m);
/* The first one that ends above address; NULL: none. */
struct mapping *mapping_ends_above(const struct space *s, uint64_t address);
void mapping_set_start(struct mapping *m, uint64_t start);
/* Enters m, filled in but for its links, at its place; takes over one reference to its object. */
void mapping_insert(struct space *s, struct mapping *m);
/* Takes m out of the lists and frees it; its part of the page tables is empty, or goes whole. */
void mapping_drop(struct space *s, struct mapping *m);

/* A gap that holds so much, where space_map would choose; 0: none. */
uint64_t mapping_choose(const struct space *s, uint64_t size);
/* Enters *filled, all but its place and links, at *address, or where it is chosen; with the
 * caller's reference of its object on CAP_OK. */
int mapping_place(struct space *s, const struct mapping *filled, uint64_t size, uint64_t *address);
/* range.c: splits mappings so that the borders of [start, end) cut none: CAP_OK, CAP_ENOMEM, or
 * CAP_EINVAL for one that is the kernel's. */
int mapping_split(struct space *s, uint64_t start, uint64_t end);

bool mapping_range_ok(uint64_t address, uint64_t size); /* whole pages of user addresses */
/* What is left of a limit when a mapping has that access: data is not code. */
uint32_t mapping_narrowed(uint32_t limit, uint32_t access);
/* Whether an object may have so many more mappings. */
bool mapping_allowed(const struct memobj *object, uint32_t more);

#endif
