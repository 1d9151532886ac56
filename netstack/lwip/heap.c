/* SPDX-License-Identifier: MIT */
/*
 * Size classes over one area.  A block is free (linked through its first word), in use, or was
 * never taken (its class's `fresh` counts those that were); its class follows from its address.
 */
#include <stdbool.h>
#include <string.h>

#include "netstack/lwip/heap.h"

/* A machine with less memory has so much less of each class, but at least a few. */
#define WHOLE_MACHINE (64ull << 20)

struct block {
	struct block *next;
};

struct class
{
	uint32_t size, most, least;
	uint32_t quota;
	uint32_t used, peak;
	uint32_t fresh; /* blocks ever taken */
	struct block *free;
};

static struct class classes[] = {
        /* TCP segments, references to data, UDP and raw control blocks */
        {.size = 64, .most = 8192, .least = 512},
        /* headers of segments to send, acknowledgements */
        {.size = 128, .most = 4096, .least = 256},
        /* TCP connections; when they run out, lwIP recycles the oldest in TIME_WAIT */
        {.size = 320, .most = 640, .least = 64},
        /* DHCP and DNS messages, small datagrams */
        {.size = 640, .most = 128, .least = 16},
        /* frames to send that wait for a neighbour's address, loopback */
        {.size = HEAP_SEND, .most = 256, .least = 32},
        /* received frames (nic.c): what they wait for cannot starve them */
        {.size = HEAP_FRAME, .most = 384, .least = 48},
        {.size = 8448, .most = 8, .least = 2},
        /* whole large datagrams: loopback, answers to large pings */
        {.size = 66048, .most = 4, .least = 1},
};
#define NCLASSES (sizeof(classes) / sizeof(classes[0]))

static uint8_t *area;

size_t heap_plan(uint64_t machine)
{
	size_t bytes = 0;

	for (struct class *c = classes; c < classes + NCLASSES; c++) {
		c->quota = machine < WHOLE_MACHINE ? (uint32_t)(c->most * machine / WHOLE_MACHINE)
		                                   : c->most;
		if (c->quota < c->least)
			c->quota = c->least;
		bytes += (size_t)c->size * c->quota;
	}
	return bytes;
}

uint32_t heap_quota(size_t size)
{
	for (const struct class *c = classes; c < classes + NCLASSES; c++)
		if (size <= c->size)
			return c->quota;
	return 0;
}

void heap_start(void *memory)
{
	area = memory;
}

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
