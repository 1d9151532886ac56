/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of a process lie: image, mappings and stack each begin at a random page of a
 * range of their own, so that knowing one address tells nothing of the others.  The process that
 * starts an image chooses its place and the stack's (it writes addresses into the start block); the
 * kernel chooses where mappings begin, rings among them.
 *
 * The clock page stays where it is: it is read on every question for the time, holds no address and
 * no code, and only the kernel writes it.
 */
#ifndef CAPOS_LAYOUT_H
#define CAPOS_LAYOUT_H

#include <stdint.h>
#include <capos/abi.h>

#define CAPOS_LAYOUT_SPAN (1ull << 43) /* of each range: 31 bits of choice in pages */
#define CAPOS_LAYOUT_BITS 31u
/* Ranges of the image's load bias, the address below which mappings are chosen, and the stack's
 * top.  Between them is room for what begins at their ends. */
#define CAPOS_IMAGE_FIRST 0x500000000000ull
#define CAPOS_MAP_FIRST   0x600000000000ull
#define CAPOS_STACK_FIRST 0x700001000000ull

_Static_assert(CAPOS_LAYOUT_SPAN / CAPOS_PAGE_SIZE == 1ull << CAPOS_LAYOUT_BITS, "bits of choice");
_Static_assert(CAPOS_IMAGE_FIRST + CAPOS_LAYOUT_SPAN < CAPOS_MAP_FIRST, "ranges");
_Static_assert(CAPOS_MAP_FIRST + CAPOS_LAYOUT_SPAN < CAPOS_STACK_FIRST - CAPOS_STACK_SIZE,
               "ranges");
_Static_assert(CAPOS_STACK_FIRST + CAPOS_LAYOUT_SPAN < CAPOS_CLOCK_ADDR, "ranges");

/* The random page of the range that begins at first. */
static inline uint64_t capos_layout_choose(uint64_t first, uint64_t random)
{
	return first + (random & (CAPOS_LAYOUT_SPAN - 1) & ~(uint64_t)(CAPOS_PAGE_SIZE - 1));
}

#endif
