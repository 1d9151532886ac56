/* SPDX-License-Identifier: MIT */
/*
 * The device's side of virtqueues, for tests: it sees memory only by device addresses, which are
 * scattered, and may lie.  It reads descriptors as a device does, so what the driver wrote there is
 * tested too.
 */
#ifndef TESTS_VIRTIO_FAKE_H
#define TESTS_VIRTIO_FAKE_H

#include <stdlib.h>
#include <string.h>

#include <capos/abi.h>

#include "drivers/virtio/virtqueue.h"

#define FAKE_AREAS_MAX 16
#define FAKE_CHAIN_MAX 64

/* Memory that the device may reach: page i of base is called pages[i]. */
struct fake_area {
	uint8_t *base;
	uint64_t *pages;
	uint32_t npages;
};

struct fake_device {
	struct fake_area areas[FAKE_AREAS_MAX];
	uint32_t nareas;
	uint64_t next_page;
};

/* Zeroed pages under addresses that are mostly not neighbours. */
static inline void *fake_memory(struct fake_device *d, uint32_t npages, uint64_t **pages)
{
	struct fake_area *a = &d->areas[d->nareas++];

	assert_true(d->nareas <= FAKE_AREAS_MAX);
	a->npages = npages;
	a->base = aligned_alloc(CAPOS_PAGE_SIZE, (size_t)npages * CAPOS_PAGE_SIZE);
	a->pages = calloc(npages, sizeof(*a->pages));
	assert_true(a->base && a->pages);
	memset(a->base, 0, (size_t)npages * CAPOS_PAGE_SIZE);
	if (d->next_page == 0)
		d->next_page = 0x100000;
	for (uint32_t i = 0; i < npages; i++) {
		d->next_page += i % 3 == 1 ? 1 : 7; /* every third is its predecessor's neighbour */
		a->pages[i] = d->next_page * CAPOS_PAGE_SIZE;
	}
	*pages = a->pages;
	return a->base;
}

static inline void fake_free(struct fake_device *d)
{
	for (uint32_t i = 0; i < d->nareas; i++) {
		free(d->areas[i].base);
		free(d->areas[i].pages);
	}
	*d = (struct fake_device){0};
}

/* The byte at a device address, which must belong to the device. */
static inline uint8_t *fake_byte(const struct fake_device *d, uint64_t address)
{
	for (uint32_t i = 0; i < d->nareas; i++)
		for (uint32_t p = 0; p < d->areas[i].npages; p++)
			if (d->areas[i].pages[p] == (address & ~(uint64_t)(CAPOS_PAGE_SIZE - 1)))
				return d->areas[i].base + (size_t)p * CAPOS_PAGE_SIZE +
				       address % CAPOS_PAGE_SIZE;
	fail_msg("the driver gave an address that is not the device's: %llx",
	         (unsigned long long)address);
	return NULL;
}

static inline void fake_copy(const struct fake_device *d, uint64_t address, uint8_t *bytes,
                             uint32_t length, bool to_memory)
{
	for (uint32_t i = 0; i < length; i++) {
		uint8_t *p = fake_byte(d, address + i);

		if (to_memory)
			*p = bytes[i];
		else
			bytes[i] = *p;
	}
}

struct fake_chain {
	uint16_t id;
	uint32_t count;
	struct virtqueue_descriptor parts[FAKE_CHAIN_MAX];
	uint32_t readable, writable; /* bytes */
};

/* Its own indices; begins anew when the driver initialised the queue anew. */
struct fake_queue {
	struct virtqueue *q;
	uint16_t available, used;
};

static inline uint16_t fake_waiting(const struct fake_queue *f)
{
	return (uint16_t)(atomic_load(&f->q->available->index) - f->available);
}

/* Takes the next chain, checking its descriptors. */
static inline bool fake_pop(struct fake_queue *f, struct fake_chain *c)
{
	struct virtqueue *q = f->q;
	bool writable = false;

	if (fake_waiting(f) == 0)
		return false;
	*c = (struct fake_chain){.id = atomic_load(&q->available->ring[f->available % q->size])};
	f->available++;
	for (uint16_t at = c->id;; at = c->parts[c->count - 1].next) {
		assert_true(at < q->size && c->count < FAKE_CHAIN_MAX);

		struct virtqueue_descriptor d = q->descriptors[at];

		c->parts[c->count++] = d;
		if (d.flags & VIRTQUEUE_DESCRIPTOR_WRITE) {
			writable = true;
			c->writable += d.length;
		} else {
			assert_false(writable); /* what it reads comes first */
			c->readable += d.length;
		}
		if (!(d.flags & VIRTQUEUE_DESCRIPTOR_NEXT))
			return true;
	}
}

static inline void fake_use(struct fake_queue *f, uint32_t id, uint32_t length)
{
	struct virtqueue *q = f->q;
	struct virtqueue_used_entry *e = &q->used->ring[f->used % q->size];

	atomic_store(&e->id, id);
	atomic_store(&e->length, length);
	f->used++;
	atomic_store(&q->used->index, f->used);
}

/* Reads a chain's bytes, up to size of them. */
static inline uint32_t fake_read(const struct fake_device *d, const struct fake_chain *c,
                                 uint8_t *bytes, uint32_t size)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < c->count; i++) {
		if (c->parts[i].flags & VIRTQUEUE_DESCRIPTOR_WRITE)
			break;
		assert_true(done + c->parts[i].length <= size);
		fake_copy(d, c->parts[i].address, bytes + done, c->parts[i].length, false);
		done += c->parts[i].length;
	}
	return done;
}

/* Writes bytes into one chain and uses it.  False when none waits or it is too small. */
static inline bool fake_write(const struct fake_device *d, struct fake_queue *f, const void *bytes,
                              uint32_t length)
{
	struct fake_chain c;

	if (!fake_pop(f, &c))
		return false;
	assert_int_equal(c.count, 1);
	assert_true(c.writable >= length);
	fake_copy(d, c.parts[0].address, (uint8_t *)(uintptr_t)bytes, length, true);
	fake_use(f, c.id, length);
	return true;
}

/* The event word that the device writes: ring when the available index passes it. */
static inline void fake_set_available_event(struct fake_queue *f, uint16_t value)
{
	atomic_store((_Atomic uint16_t *)&f->q->used->ring[f->q->size], value);
}

static inline uint16_t fake_used_event(const struct fake_queue *f)
{
	return atomic_load(&f->q->available->ring[f->q->size]);
}

/* A small generator, so that every run is the same. */
static uint32_t fake_seed = 1;

static inline uint32_t fake_random(uint32_t bound)
{
	fake_seed = fake_seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)fake_seed * bound) >> 32);
}

#endif
