/* SPDX-License-Identifier: MIT */
/*
 * Shared queues: single producer, single consumer, in memory that two processes share.  Elements
 * have a fixed size (1: a byte stream).  The other side may write anything at any time: an index
 * out of range closes this queue (CAP_EMESSAGE from then on) and harms nothing else.
 *
 * Sleeping, the rule that keeps wake-ups from being missed (consumer; the producer likewise for
 * space): drain; queue_want_data(); look again (queue_readable()); only if that is still empty,
 * sleep. Waking: after a batch, queue_publish...() tells whether the other side asked; then signal
 * its event, once. queue_want_*() and the publishing side's check have a full fence between their
 * store and load.
 *
 * Indices run freely modulo 2^32; the capacity is a power of two (at most 2^31) kept in private
 * memory.
 */
#ifndef CAPOS_QUEUE_H
#define CAPOS_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct queue_shared {
	_Alignas(64) _Atomic uint32_t tail; /* producer writes: elements ever put in */
	/* producer asks to be woken when there is space; consumer clears */
	_Atomic uint32_t producer_wants;
	_Alignas(64) _Atomic uint32_t head; /* consumer writes: elements ever taken out */
	/* consumer asks to be woken when there is data; producer clears */
	_Atomic uint32_t consumer_wants;
};
_Static_assert(sizeof(struct queue_shared) == 128, "queue layout");

/* One side's private view. */
struct queue {
	struct queue_shared *shared;
	uint8_t *data;
	uint32_t capacity; /* elements */
	uint32_t element;  /* bytes */
	uint32_t local;    /* own index: tail for the producer, head for the consumer */
	bool broken;       /* the other side's index made no sense */
};

/* shared must be zeroed by the side that makes the memory.  Both sides use the same
 * capacity, agreed outside the memory. */
void queue_init(struct queue *q, struct queue_shared *shared, void *data, uint32_t capacity,
                uint32_t element);

/* Elements that can be taken (consumer) or put (producer) now; 0 when broken. */
uint32_t queue_readable(struct queue *q);
uint32_t queue_writable(struct queue *q);

/* Copies up to count elements; returns how many.  Not yet visible to the other side until
 * published. */
uint32_t queue_put(struct queue *q, const void *elements, uint32_t count);
uint32_t queue_take(struct queue *q, void *elements, uint32_t count);
/* Without a copy: the longest contiguous run that can be read or written at offset elements past
 * the own index; *count is set. */
void *queue_write_run(struct queue *q, uint32_t offset, uint32_t *count);
const void *queue_read_run(struct queue *q, uint32_t offset, uint32_t *count);
void queue_advance(struct queue *q, uint32_t count); /* own index, after a run was used */
uint32_t queue_peek(struct queue *q, uint32_t offset, void *elements,
                    uint32_t count); /* take without advancing */

/* Of two queues whose producer is the caller: puts into `to` what the consumer of `from` has not
 * taken, as far as there is space; how much.  For a server that ended and came back with new
 * memory.  What it took and did not say it took is put in once more. */
uint32_t queue_resend(struct queue *to, struct queue *from);

/* Makes the own index visible; true when the other side asked to be woken (the request is taken
 * back). */
bool queue_publish(struct queue *q, bool producer);
static inline bool queue_publish_put(struct queue *q)
{
	return queue_publish(q, true);
}
static inline bool queue_publish_take(struct queue *q)
{
	return queue_publish(q, false);
}
/* Asks to be woken; look again afterwards. */
void queue_want_data(struct queue *q);  /* consumer */
void queue_want_space(struct queue *q); /* producer */
void queue_dont_want_data(struct queue *q);
void queue_dont_want_space(struct queue *q);

#endif
