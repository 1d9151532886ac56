/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues: chains out, chains back.  The free list, the chains' lengths and what is
 * outstanding are kept in private slots; descriptors in shared memory are written and never read.
 */
#include <string.h>

#include <capos/abi.h>

#include "drivers/virtio/virtqueue.h"

/* The two event words follow the rings' last entries. */
static _Atomic uint16_t *used_event(const struct virtqueue *q)
{
	return &q->available->ring[q->size];
}

static _Atomic uint16_t *available_event(const struct virtqueue *q)
{
	return (_Atomic uint16_t *)&q->used->ring[q->size];
}

void virtqueue_init(struct virtqueue *q, void *memory, uint16_t size, struct virtqueue_slot *slots,
                    uint16_t index, bool event_index, volatile uint16_t *doorbell)
{
	uint8_t *base = memory;

	memset(memory, 0, VIRTQUEUE_MEMORY_SIZE(size));
	*q = (struct virtqueue){
	        .size = size,
	        .index = index,
	        .event_index = event_index,
	        .descriptors = memory,
	        .available = (void *)(base + VIRTQUEUE_AVAILABLE_OFFSET(size)),
	        .used = (void *)(base + VIRTQUEUE_USED_OFFSET(size)),
	        .slots = slots,
	        .doorbell = doorbell,
	        .free_count = size,
	};
	for (uint16_t i = 0; i < size; i++)
		slots[i] = (struct virtqueue_slot){.next = (uint16_t)(i + 1)};
	virtqueue_dont_want_interrupt(q);
}

int virtqueue_add(struct virtqueue *q, const struct virtqueue_buffer *buffers, uint32_t count,
                  uint32_t token)
{
	if (q->broken)
		return CAP_EMESSAGE;
	if (count == 0 || count > q->size)
		return CAP_EINVAL;
	if (count > q->free_count)
		return CAP_EAGAIN;

	uint16_t head = q->free_head;
	uint32_t writable = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint16_t at = q->free_head;
		bool last = i + 1 == count;

		q->descriptors[at] = (struct virtqueue_descriptor){
		        .address = buffers[i].address,
		        .length = buffers[i].length,
		        .flags = (last ? 0 : VIRTQUEUE_DESCRIPTOR_NEXT) |
		                 (buffers[i].device_writes ? VIRTQUEUE_DESCRIPTOR_WRITE : 0),
		        .next = last ? 0 : q->slots[at].next,
		};
		if (buffers[i].device_writes)
			writable += buffers[i].length;
		q->free_head = q->slots[at].next;
	}
	q->slots[head].token = token;
	q->slots[head].writable = writable;
	q->slots[head].count = (uint16_t)count;
	q->free_count -= (uint16_t)count;
	q->outstanding++;
	atomic_store_explicit(&q->available->ring[q->added % q->size], head, memory_order_relaxed);
	q->added++;
	return CAP_OK;
}

bool virtqueue_kick(struct virtqueue *q)
{
	uint16_t before = q->published, now = q->added;

	if (q->broken || before == now)
		return false;
	atomic_store_explicit(&q->available->index, now, memory_order_release);
	q->published = now;
	/* The device publishes its wish, then looks at the index again; we the other way round. */
	atomic_thread_fence(memory_order_seq_cst);

	bool wanted;

	if (q->event_index) {
		uint16_t event = atomic_load_explicit(available_event(q), memory_order_relaxed);

		/* Did the index move past the entry that the device waits for? */
		wanted = (uint16_t)(now - event - 1) < (uint16_t)(now - before);
	} else {
		wanted = !(atomic_load_explicit(&q->used->flags, memory_order_relaxed) &
		           VIRTQUEUE_NO_NOTIFY);
	}
	if (wanted)
		*q->doorbell = q->index;
	return wanted;
}

/* Used chains not taken yet; breaks the queue when the device claims more than it was given. */
static uint16_t unread(struct virtqueue *q)
{
	if (q->broken)
		return 0;

	uint16_t index = atomic_load_explicit(&q->used->index, memory_order_acquire);
	uint16_t count = (uint16_t)(index - q->taken);

	if (count > q->outstanding) {
		q->broken = true;
		return 0;
	}
	return count;
}

static void free_chain(struct virtqueue *q, uint16_t head)
{
	uint16_t count = q->slots[head].count;
	uint16_t last = head;

	for (uint16_t i = 1; i < count; i++)
		last = q->slots[last].next;
	q->slots[last].next = q->free_head;
	q->slots[head].count = 0;
	q->free_head = head;
	q->free_count += count;
	q->outstanding--;
}

int virtqueue_take(struct virtqueue *q, uint32_t *token, uint32_t *length)
{
	if (unread(q) == 0)
		return q->broken ? CAP_EMESSAGE : CAP_EAGAIN;

	struct virtqueue_used_entry *entry = &q->used->ring[q->taken % q->size];
	uint32_t id = atomic_load_explicit(&entry->id, memory_order_relaxed);
	uint32_t written = atomic_load_explicit(&entry->length, memory_order_relaxed);

	if (id >= q->size || q->slots[id].count == 0 || written > q->slots[id].writable) {
		q->broken = true;
		return CAP_EMESSAGE;
	}
	*token = q->slots[id].token;
	*length = written;
	free_chain(q, (uint16_t)id);
	q->taken++;
	return CAP_OK;
}

bool virtqueue_want_interrupt(struct virtqueue *q, uint16_t count)
{
	if (q->broken)
		return false;
	if (q->event_index)
		atomic_store_explicit(used_event(q), (uint16_t)(q->taken + count - 1),
		                      memory_order_relaxed);
	else
		atomic_store_explicit(&q->available->flags, 0, memory_order_relaxed);
	/* The device uses a chain, then looks at our wish; we the other way round. */
	atomic_thread_fence(memory_order_seq_cst);
	return unread(q) >= (q->event_index ? count : 1);
}

void virtqueue_dont_want_interrupt(struct virtqueue *q)
{
	if (q->event_index) /* an entry that was used already: due again after 65535 more */
		atomic_store_explicit(used_event(q), (uint16_t)(q->taken - 1),
		                      memory_order_relaxed);
	else
		atomic_store_explicit(&q->available->flags, VIRTQUEUE_NO_INTERRUPT,
		                      memory_order_relaxed);
}
