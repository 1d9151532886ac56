/* SPDX-License-Identifier: MIT */
/*
 * Size classes over one static area.  A block is free (linked through its first word), in use, or
 * was never taken and lies past its class's `fresh`; its class follows from its address.
 */
#include <stdbool.h>
#include <string.h>

#include "netstack/lwip/heap.h"

/*      bytes, blocks */
#define HEAP_CLASSES(X)                                                                         \
	X(64, 8192)  /* TCP segments, references to data, UDP and raw control blocks */         \
	X(128, 4096) /* headers of segments to send, acknowledgements */                        \
	X(320,                                                                                  \
	  640) /* TCP connections; when they run out, lwIP recycles the oldest in TIME_WAIT */  \
	X(640, 128)        /* DHCP and DNS messages, small datagrams */                         \
	X(1664, 256)       /* frames to send that wait for a neighbour's address, loopback */   \
	X(HEAP_FRAME, 384) /* received frames (nic.c): what they wait for cannot starve them */ \
	X(8448, 8)                                                                              \
	X(66048, 4) /* whole large datagrams: loopback, answers to large pings */

#define AREA(size, count)  +(size_t)(size) * (count)
#define CLASS(size, count) {size, count, 0, 0, 0, 0, NULL},

struct block {
	struct block *next;
};

struct class
{
	uint32_t size, quota;
	uint32_t used, peak;
	uint32_t fresh; /* blocks ever taken */
	uint32_t reserved;
	struct block *free;
};

static struct class classes[] = {HEAP_CLASSES(CLASS)};
#define NCLASSES (sizeof(classes) / sizeof(classes[0]))

static _Alignas(64) uint8_t area[0 HEAP_CLASSES(AREA)];

void *heap_allocate(size_t size)
{
	uint8_t *base = area;

	for (struct class *c = classes; c < classes + NCLASSES; c++) {
		struct block *b = c->free;

		if (size > c->size) {
			base += (size_t)c->size * c->quota;
			continue;
		}
		if (c->used == c->quota)
			return NULL;
		if (b)
			c->free = b->next;
		else
			b = (struct block *)(base + (size_t)c->fresh++ * c->size);
		if (++c->used > c->peak)
			c->peak = c->used;
		return b;
	}
	return NULL;
}

void *heap_allocate_zeroed(size_t count, size_t size)
{
	void *block;

	if (size && count > SIZE_MAX / size)
		return NULL;
	block = heap_allocate(count * size);
	return block ? memset(block, 0, count * size) : NULL;
}

void heap_free(void *block)
{
	size_t place = (size_t)((uint8_t *)block - area);
	struct block *b = block;

	if (!block)
		return;
	for (struct class *c = classes; c < classes + NCLASSES; c++) {
		size_t length = (size_t)c->size * c->quota;

		if (place >= length) {
			place -= length;
			continue;
		}
		b->next = c->free;
		c->free = b;
		c->used--;
		return;
	}
}

int heap_usage(unsigned number, struct heap_usage *out)
{
	if (number >= NCLASSES)
		return false;
	*out = (struct heap_usage){classes[number].size, classes[number].quota,
	                           classes[number].used, classes[number].peak};
	return true;
}
