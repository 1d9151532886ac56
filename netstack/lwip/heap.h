/* SPDX-License-Identifier: MIT */
/*
 * lwIP's memory: blocks of a few sizes, each with a quota, so that no packet and no call can make
 * netstack larger than heap_plan says, and one kind of object cannot take the memory of the others.
 * Allocating and freeing take constant time.
 */
#ifndef NETSTACK_HEAP_H
#define NETSTACK_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* Sets the quotas for a machine of so many bytes of memory: the bytes that heap_start needs. */
size_t heap_plan(uint64_t machine);
/* Before anything is allocated.  memory: aligned to 64, and all there for good. */
void heap_start(void *memory);

/* Received frames have a class of their own: their blocks are of this size and no others are. */
#define HEAP_FRAME 2048u
/* Of a frame to send that waits. */
#define HEAP_SEND 1664u

/* NULL when the quota of that size is used up, or no class is large enough. */
void *heap_allocate(size_t size);
void *heap_allocate_zeroed(size_t count, size_t size);
void heap_free(void *block);

/* Blocks of the class for that size: what users of a part of them measure their part by. */
uint32_t heap_quota(size_t size);

struct heap_usage {
	uint32_t size;  /* of a block in bytes */
	uint32_t quota; /* blocks */
	uint32_t used;
	uint32_t peak;
};
/* Of the class with that number; false past the last. */
int heap_usage(unsigned number, struct heap_usage *out);

#endif
