/* SPDX-License-Identifier: MIT */
/*
 * Frames between a virtio network device and its client (netstack): two virtqueues on one side,
 * the shared descriptor queues of capos/nicqueue.h on the other.  Every buffer has exactly one
 * owner, recorded here in private memory; a buffer is accepted from a side only when that side
 * owns it.  So neither the device nor the client can make this code touch, send or hand out a
 * buffer that is not theirs by anything that they write in shared memory.
 *
 * Pure: no calls, no registers but the queues' doorbells.
 */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include <capos/nicqueue.h>

#include "drivers/virtio/virtqueue.h"

/* One virtqueue's worth to receive into.  To send: 280 KB, twice what one connection over a local
 * network has in flight; each costs half a page of memory for good. */
#define NET_RECEIVE_BUFFERS  256u
#define NET_TRANSMIT_BUFFERS 192u
/* In machines with little memory there are fewer (memory_portion), but so many of each. */
#define NET_BUFFERS_LEAST 48u
/* Private buffers of the call that sends one frame; together with those above they fit a queue. */
#define NET_CALL_BUFFERS 8u

#define NET_MTU        1500u
#define NET_FRAME_MIN  14u /* an Ethernet header */
#define NET_FRAME_MAX  (NET_FRAME_MIN + NET_MTU)
#define NET_PAGES_MAX  512u
#define NET_MAC_LENGTH 6u

/* Before each frame (virtio 1.2, section 5.1.6); num_buffers is always there in virtio 1.x. */
struct net_header {
	uint8_t flags;
	uint8_t segmentation; /* 0: none, the only kind negotiated */
	uint16_t header_length;
	uint16_t segment_size;
	uint16_t checksum_start; /* sent: 0, all checksums are finished */
	uint16_t checksum_offset;
	uint16_t buffers; /* received: how many hold the frame */
};
_Static_assert(sizeof(struct net_header) == 12, "virtio-net header layout");
#define NET_HEADER_NEEDS_CHECKSUM 1u
#define NET_HEADER_DATA_VALID     2u

/* Where the device writes in a receive buffer, so that the IP header behind 12 + 14 bytes is
 * aligned to 4. */
#define NET_RECEIVE_START 2u

enum net_owner { NET_OWNER_DRIVER, NET_OWNER_DEVICE, NET_OWNER_CLIENT };

struct net_statistics {
	uint64_t received_frames, received_bytes; /* good ones, handed on or not */
	uint64_t transmitted_frames, transmitted_bytes;
	uint64_t dropped;   /* good frames, for which there was no client or no place */
	uint64_t malformed; /* frames and descriptors that made no sense */
};

struct net {
	struct virtqueue receive, transmit; /* initialised by the owner, before net_start */
	bool mergeable;                     /* VIRTIO_NET_F_MRG_RXBUF was negotiated */
	bool checksum_receive;              /* VIRTIO_NET_F_GUEST_CSUM */
	bool attached;
	struct nicqueue client;
	void *memory;          /* shared with the client: queues and buffers */
	const uint64_t *pages; /* what the device calls its pages */
	uint8_t *call_buffers; /* NET_CALL_BUFFERS of NICQUEUE_BUFFER_SIZE bytes, private */
	const uint64_t *call_pages;
	uint32_t nreceive, ntransmit;             /* buffers in use, at most the constants above */
	uint32_t posted_receive, posted_transmit; /* owned by the device */
	uint32_t skip; /* buffers of a frame being dropped that are still to come */
	uint8_t receive_owner[NET_RECEIVE_BUFFERS];
	uint8_t transmit_owner[NET_TRANSMIT_BUFFERS];
	uint8_t call_owner[NET_CALL_BUFFERS];
	struct net_statistics statistics;
	/* When not NULL, sees each good frame; the bytes are its to read until it returns. */
	void (*frame)(void *context, const uint8_t *frame, uint32_t length);
	void *context;
};

/* What net_run found. */
#define NET_WAKE_CLIENT   0x1u /* the client asked to be woken: signal it */
#define NET_MORE          0x2u /* there is more to do at once */
#define NET_DEVICE_BROKEN 0x4u /* a virtqueue is broken: reset the device, then net_restart */
#define NET_CLIENT_BROKEN 0x8u /* the client's indices make no sense: it was detached */

/* How many buffers of each direction, given the virtqueues' sizes. */
void net_count_buffers(struct net *n, uint32_t receive_size, uint32_t transmit_size);
/* With new virtqueues, after the first start or a reset: gives the device all receive buffers that
 * the client does not hold; what it was sending counts as sent. */
void net_restart(struct net *n);
/* A client from now on owns all transmit buffers.  False while the device still has some of them:
 * reset it first.  A former client is detached. */
bool net_attach(struct net *n);
/* The client is gone: its receive buffers go back to the device. */
void net_detach(struct net *n);
/* Moves everything there is, both ways.  NET_*. */
uint32_t net_run(struct net *n);
/* Asks both sides to say when there is more.  True: there is already. */
bool net_prepare_sleep(struct net *n);
/* Sends one frame from a private buffer.  CAP_OK, CAP_EINVAL (its length), CAP_EAGAIN (no
 * buffer). */
int net_send_copy(struct net *n, const void *frame, uint32_t length);

#endif
