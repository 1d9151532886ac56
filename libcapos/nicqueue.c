/* SPDX-License-Identifier: MIT */
/*
 * The view that driver and netstack both lay over a NIC's shared memory; it fixes the order of what
 * is in it.
 */
#include <capos/nicqueue.h>

_Static_assert(sizeof(struct nicqueue_shared) <= NICQUEUE_HEADER_SIZE, "indices fit their page");
_Static_assert(NICQUEUE_RINGS_SIZE == 4 * NICQUEUE_ENTRIES * sizeof(struct nicqueue_descriptor),
               "room for four rings");

void nicqueue_init(struct nicqueue *n, void *memory, uint32_t nreceive, uint32_t ntransmit)
{
	struct nicqueue_shared *shared = memory;
	uint8_t *base = memory;
	struct nicqueue_descriptor *rings =
	        (struct nicqueue_descriptor *)(base + NICQUEUE_HEADER_SIZE);
	const uint32_t element = sizeof(struct nicqueue_descriptor);

	queue_init(&n->receive_ready, &shared->receive_ready, rings, NICQUEUE_ENTRIES, element);
	queue_init(&n->receive_free, &shared->receive_free, rings + NICQUEUE_ENTRIES,
	           NICQUEUE_ENTRIES, element);
	queue_init(&n->transmit_ready, &shared->transmit_ready, rings + 2 * NICQUEUE_ENTRIES,
	           NICQUEUE_ENTRIES, element);
	queue_init(&n->transmit_free, &shared->transmit_free, rings + 3 * NICQUEUE_ENTRIES,
	           NICQUEUE_ENTRIES, element);
	n->receive_buffers = base + NICQUEUE_BUFFERS_OFFSET;
	n->transmit_buffers = n->receive_buffers + (uint64_t)nreceive * NICQUEUE_BUFFER_SIZE;
	n->nreceive = nreceive;
	n->ntransmit = ntransmit;
}
