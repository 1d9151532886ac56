/* SPDX-License-Identifier: MIT */
/*
 * NIC driver and netstack: frames in shared DMA buffers, passed by descriptors.  The driver makes
 * the memory (Nic.attach): a page of header with the four queues' indices, the queues' entries,
 * then the receive buffers, then the transmit buffers, each of buffer_size bytes.  A buffer has one
 * owner at a time; a descriptor hands it over.
 *
 *   receive_ready  driver to netstack: filled receive buffers
 *   receive_free   netstack to driver: receive buffers to fill again
 *   transmit_ready netstack to driver: frames to send
 *   transmit_free  driver to netstack: transmit buffers that were sent
 *
 * At the start the driver owns all receive buffers and netstack all transmit buffers.  Each side
 * checks that a buffer index is in range and that the other side owned it; else the descriptor is
 * dropped and counted.
 */
#ifndef CAPOS_NICQUEUE_H
#define CAPOS_NICQUEUE_H

#include <capos/queue.h>

#define NICQUEUE_ENTRIES     512u  /* of each queue; at least the buffers of that direction */
#define NICQUEUE_BUFFER_SIZE 2048u /* holds a frame of 1514 bytes with room before it */
#define NICQUEUE_HEADER_SIZE 4096u
/* Room that netstack leaves before a frame to send, for the driver's virtio header. */
#define NICQUEUE_HEADROOM 64u

struct nicqueue_descriptor {
	uint32_t buffer;   /* index among the buffers of its direction */
	uint16_t offset;   /* of the frame in the buffer; transmit: at least NICQUEUE_HEADROOM */
	uint16_t length;   /* of the frame in bytes */
	uint32_t flags;    /* NICQUEUE_* */
	uint32_t reserved; /* 0 */
};
_Static_assert(sizeof(struct nicqueue_descriptor) == 16, "descriptor layout");
#define NICQUEUE_CHECKSUM_GOOD \
	0x1u /* receive: the transport checksum was verified by the device or host */

struct nicqueue_shared {
	struct queue_shared receive_ready, receive_free, transmit_ready, transmit_free;
};

#define NICQUEUE_RINGS_SIZE     (4u * NICQUEUE_ENTRIES * 16u)
#define NICQUEUE_BUFFERS_OFFSET (NICQUEUE_HEADER_SIZE + NICQUEUE_RINGS_SIZE)
#define NICQUEUE_MEMORY_SIZE(receive, transmit) \
	(NICQUEUE_BUFFERS_OFFSET + ((uint64_t)(receive) + (transmit)) * NICQUEUE_BUFFER_SIZE)

struct nicqueue {
	struct queue receive_ready, receive_free, transmit_ready, transmit_free;
	uint8_t *receive_buffers, *transmit_buffers;
	uint32_t nreceive, ntransmit;
};

/* Both sides: lays a view over the memory (zeroed by the driver). */
void nicqueue_init(struct nicqueue *n, void *memory, uint32_t nreceive, uint32_t ntransmit);

#endif
