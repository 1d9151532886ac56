/* SPDX-License-Identifier: MIT */
/*
 * The driver's side of a split virtqueue (virtio 1.2, section 2.7).  What the device writes is
 * read once and checked against private records, so a device that writes nonsense breaks its
 * queue and nothing else.
 *
 * Pure: works on memory that the caller provides, makes no calls, takes no locks (one thread).  The
 * only effect outside that memory is the store to the doorbell.
 *
 * Interrupts, the rule that keeps wake-ups from being missed: take everything;
 * virtqueue_want_interrupt(); when that says true, take again; only else sleep.
 */
#ifndef VIRTIO_VIRTQUEUE_H
#define VIRTIO_VIRTQUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* So that the descriptor table fits one page, and the two rings another. */
#define VIRTQUEUE_SIZE_MAX 256u

/*
 * Memory of a queue of `size` entries: one block of VIRTQUEUE_MEMORY_SIZE bytes, aligned to
 * that or to a page, the smaller of the two: descriptors, available ring, used ring.  No part
 * crosses a page boundary that its alignment does not force: a block of 256 entries has its
 * descriptors in the first page and both rings in the second.
 */
#define VIRTQUEUE_MEMORY_SIZE(size)      ((uint32_t)(32u * (size)))
#define VIRTQUEUE_AVAILABLE_OFFSET(size) ((uint32_t)(16u * (size)))
#define VIRTQUEUE_USED_OFFSET(size)      ((uint32_t)(20u * (size)))

struct virtqueue_descriptor {
	uint64_t address; /* as the device knows it */
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

#define VIRTQUEUE_DESCRIPTOR_NEXT  1u
#define VIRTQUEUE_DESCRIPTOR_WRITE 2u /* the device writes */

struct virtqueue_available {
	_Atomic uint16_t flags;
	_Atomic uint16_t index;
	_Atomic uint16_t ring[]; /* size entries, then used_event */
};
#define VIRTQUEUE_NO_INTERRUPT 1u

struct virtqueue_used_entry {
	_Atomic uint32_t id;
	_Atomic uint32_t length; /* bytes that the device wrote */
};

struct virtqueue_used {
	_Atomic uint16_t flags;
	_Atomic uint16_t index;
	struct virtqueue_used_entry ring[]; /* size entries, then avail_event (16 bits) */
};
#define VIRTQUEUE_NO_NOTIFY 1u

_Static_assert(sizeof(struct virtqueue_descriptor) == 16, "descriptor layout");
_Static_assert(sizeof(struct virtqueue_used_entry) == 8, "used entry layout");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "virtio 1.x is little-endian");

/* What the driver remembers of a descriptor; never in memory that the device reaches. */
struct virtqueue_slot {
	uint32_t token;    /* of the chain, at its head */
	uint32_t writable; /* bytes of the chain that the device may write, at its head */
	uint16_t next;     /* next of the chain, or of the free list */
	/* descriptors of the chain, at the head of one that is outstanding; else 0 */
	uint16_t count;
};

struct virtqueue {
	uint16_t size;  /* entries, a power of two */
	uint16_t index; /* number of the queue: what is written to the doorbell */
	bool event_index;
	bool broken; /* the device lied; nothing more is taken or added until virtqueue_init */
	struct virtqueue_descriptor *descriptors;
	struct virtqueue_available *available;
	struct virtqueue_used *used;
	struct virtqueue_slot *slots; /* size of them, the caller's */
	volatile uint16_t *doorbell;
	uint16_t free_head;
	uint16_t free_count;  /* descriptors */
	uint16_t outstanding; /* chains */
	uint16_t added;       /* index of the available ring with what is not published yet */
	uint16_t published;
	uint16_t taken; /* index of the used ring */
};

struct virtqueue_buffer {
	uint64_t address; /* as the device knows it */
	uint32_t length;
	bool device_writes; /* those come after all that it reads */
};

/* size: a power of two, at most VIRTQUEUE_SIZE_MAX.  Zeroes the memory; everything that was
 * outstanding is forgotten (the device must be reset or new). */
void virtqueue_init(struct virtqueue *q, void *memory, uint16_t size, struct virtqueue_slot *slots,
                    uint16_t index, bool event_index, volatile uint16_t *doorbell);

/* Descriptors that can be added. */
static inline uint32_t virtqueue_room(const struct virtqueue *q)
{
	return q->broken ? 0 : q->free_count;
}

/* Adds a chain of count buffers, which belong to the device until they are taken back; token comes
 * back then.  CAP_OK, CAP_EAGAIN (no room), CAP_EINVAL (no buffers, or more than the queue has),
 * CAP_EMESSAGE (broken). */
int virtqueue_add(struct virtqueue *q, const struct virtqueue_buffer *buffers, uint32_t count,
                  uint32_t token);
/* Shows the device what was added, and rings when it asked for that.  True when it was rung. */
bool virtqueue_kick(struct virtqueue *q);

/* Takes one chain back; *length: bytes that the device wrote, no more than it was given.  CAP_OK,
 * CAP_EAGAIN (none), CAP_EMESSAGE (broken, now or before). */
int virtqueue_take(struct virtqueue *q, uint32_t *token, uint32_t *length);

/* Asks for an interrupt when `count` chains more are used (1 or more; without event indices: when
 * one is).  True when there are as many already: take them before sleeping. */
bool virtqueue_want_interrupt(struct virtqueue *q, uint16_t count);
void virtqueue_dont_want_interrupt(struct virtqueue *q);

#endif
