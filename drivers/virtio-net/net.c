/* SPDX-License-Identifier: MIT */
/*
 * Moves frames.  Tokens in the virtqueues are buffer numbers; the transmit queue carries the
 * client's buffers as 0.. and the private ones behind them.  Of what the client writes, descriptors
 * are copied before they are checked.  A frame's own bytes, and the virtio header before one that
 * is being sent, stay in reach of the client: with what it can write there it sends, at worst,
 * another frame than it said.
 */
#include <string.h>

#include <capos/abi.h>

#include "drivers/virtio-net/net.h"

/* One look at a queue takes at most this many, so that calls are served in between. */
#define BATCH 256u

#define HEADER_SIZE     ((uint32_t)sizeof(struct net_header))
#define RECEIVE_ROOM    (NICQUEUE_BUFFER_SIZE - NET_RECEIVE_START)
#define FRAME_OFFSET    (NET_RECEIVE_START + HEADER_SIZE)
#define CALL_FRAME_FROM NICQUEUE_HEADROOM

_Static_assert(NET_TRANSMIT_BUFFERS + NET_CALL_BUFFERS <= VIRTQUEUE_SIZE_MAX, "all fit the queue");
_Static_assert(NET_RECEIVE_BUFFERS <= VIRTQUEUE_SIZE_MAX, "all fit the queue");
_Static_assert(NICQUEUE_HEADROOM >= sizeof(struct net_header), "room for the header");
_Static_assert(NICQUEUE_BUFFER_SIZE >= FRAME_OFFSET + NET_FRAME_MAX, "a frame fits a buffer");
_Static_assert(CAPOS_PAGE_SIZE % NICQUEUE_BUFFER_SIZE == 0 &&
                       NICQUEUE_BUFFERS_OFFSET % CAPOS_PAGE_SIZE == 0,
               "no buffer crosses a page, which may have its neighbour elsewhere");
_Static_assert(NICQUEUE_MEMORY_SIZE(NET_RECEIVE_BUFFERS, NET_TRANSMIT_BUFFERS) <=
                       (uint64_t)NET_PAGES_MAX * CAPOS_PAGE_SIZE,
               "one allocation holds everything");

static uint64_t device_address(const uint64_t *pages, uint64_t offset)
{
	return pages[offset / CAPOS_PAGE_SIZE] + offset % CAPOS_PAGE_SIZE;
}

/* ---- Receiving ---- */

static uint8_t *receive_buffer(const struct net *n, uint32_t buffer)
{
	return n->client.receive_buffers + (size_t)buffer * NICQUEUE_BUFFER_SIZE;
}

/* Gives a buffer to the device; without a working queue it stays the driver's until net_restart. */
static void post_receive(struct net *n, uint32_t buffer)
{
	uint64_t offset = NICQUEUE_BUFFERS_OFFSET + (uint64_t)buffer * NICQUEUE_BUFFER_SIZE;
	struct virtqueue_buffer b = {
	        .address = device_address(n->pages, offset + NET_RECEIVE_START),
	        .length = RECEIVE_ROOM,
	        .device_writes = true,
	};

	n->receive_owner[buffer] = NET_OWNER_DRIVER;
	if (virtqueue_add(&n->receive, &b, 1, buffer) != CAP_OK)
		return;
	n->receive_owner[buffer] = NET_OWNER_DEVICE;
	n->posted_receive++;
}

/* Whether the frame in the buffer is one to hand on; its length in *length. */
static bool check_frame(struct net *n, const struct net_header *header, uint32_t written,
                        uint32_t *length)
{
	if (n->skip) { /* the rest of a frame in several buffers, already counted */
		n->skip--;
		return false;
	}
	if (n->mergeable && header->buffers > 1) {
		/* Without offloads every frame fits one buffer, so these do not come from a
		 * network. */
		n->skip = header->buffers - 1u;
		n->statistics.malformed++;
		return false;
	}
	*length = written < HEADER_SIZE ? 0 : written - HEADER_SIZE;
	if (*length < NET_FRAME_MIN || *length > NET_FRAME_MAX || header->segmentation != 0) {
		n->statistics.malformed++;
		return false;
	}
	return true;
}

/* False: the buffer was not handed to the client. */
static bool hand_on(struct net *n, uint32_t buffer, uint32_t length, uint8_t flags)
{
	struct nicqueue_descriptor d = {
	        .buffer = buffer,
	        .offset = FRAME_OFFSET,
	        .length = (uint16_t)length,
	};

	if (n->checksum_receive && (flags & (NET_HEADER_NEEDS_CHECKSUM | NET_HEADER_DATA_VALID)))
		d.flags |= NICQUEUE_CHECKSUM_GOOD;
	if (!n->attached || queue_put(&n->client.receive_ready, &d, 1) != 1)
		return false;
	n->receive_owner[buffer] = NET_OWNER_CLIENT;
	return true;
}

static void received(struct net *n, uint32_t buffer, uint32_t written)
{
	uint8_t *start = receive_buffer(n, buffer) + NET_RECEIVE_START;
	struct net_header header;
	uint32_t length;

	memcpy(&header, start, sizeof(header));
	if (!check_frame(n, &header, written, &length)) {
		post_receive(n, buffer);
		return;
	}
	n->statistics.received_frames++;
	n->statistics.received_bytes += length;

	bool seen = n->frame;

	if (seen)
		n->frame(n->context, start + HEADER_SIZE, length);
	if (hand_on(n, buffer, length, header.flags))
		return;
	if (!seen)
		n->statistics.dropped++;
	post_receive(n, buffer);
}

static uint32_t take_received(struct net *n)
{
	uint32_t buffer, written, count;

	for (count = 0; count < BATCH; count++) {
		if (virtqueue_take(&n->receive, &buffer, &written) != CAP_OK)
			break;
		n->posted_receive--;
		received(n, buffer, written);
	}
	return count;
}

static void take_freed(struct net *n)
{
	struct nicqueue_descriptor d;

	for (uint32_t count = 0; count < NICQUEUE_ENTRIES; count++) {
		if (queue_take(&n->client.receive_free, &d, 1) != 1)
			break;
		if (d.buffer >= n->nreceive || n->receive_owner[d.buffer] != NET_OWNER_CLIENT) {
			n->statistics.malformed++;
			continue;
		}
		post_receive(n, d.buffer);
	}
}

/* ---- Sending ---- */

/* Back to the client.  The queue has room for more buffers than there are; a client that made it
 * full by giving back what it did not take only loses buffers of its own. */
static void return_transmit(struct net *n, uint32_t buffer)
{
	struct nicqueue_descriptor d = {.buffer = buffer};

	n->transmit_owner[buffer] = NET_OWNER_CLIENT;
	if (n->attached && queue_put(&n->client.transmit_free, &d, 1) != 1)
		n->statistics.malformed++;
}

static void take_sent(struct net *n)
{
	uint32_t token, written;

	for (uint32_t count = 0; count < BATCH; count++) {
		if (virtqueue_take(&n->transmit, &token, &written) != CAP_OK)
			break;
		n->posted_transmit--;
		if (token < n->ntransmit)
			return_transmit(n, token);
		else
			n->call_owner[token - n->ntransmit] = NET_OWNER_DRIVER;
	}
}

/* Queues header and frame, which lie together.  There is room. */
static void send(struct net *n, uint32_t token, uint64_t address, uint32_t length)
{
	struct virtqueue_buffer b = {.address = address, .length = HEADER_SIZE + length};

	if (virtqueue_add(&n->transmit, &b, 1, token) != CAP_OK)
		return;
	n->posted_transmit++;
	n->statistics.transmitted_frames++;
	n->statistics.transmitted_bytes += length;
}

static bool describes_frame(const struct nicqueue_descriptor *d)
{
	return d->length >= NET_FRAME_MIN && d->length <= NET_FRAME_MAX &&
	       d->offset >= NICQUEUE_HEADROOM && d->offset + d->length <= NICQUEUE_BUFFER_SIZE;
}

static void send_for_client(struct net *n, const struct nicqueue_descriptor *d)
{
	const struct net_header header = {0};

	if (d->buffer >= n->ntransmit || n->transmit_owner[d->buffer] != NET_OWNER_CLIENT) {
		n->statistics.malformed++;
		return;
	}
	if (!describes_frame(d)) {
		n->statistics.malformed++;
		return_transmit(n, d->buffer);
		return;
	}

	uint64_t at = (uint64_t)d->buffer * NICQUEUE_BUFFER_SIZE + d->offset - HEADER_SIZE;
	uint64_t base = (uint64_t)(n->client.transmit_buffers - (uint8_t *)n->memory);

	memcpy(n->client.transmit_buffers + at, &header, sizeof(header));
	n->transmit_owner[d->buffer] = NET_OWNER_DEVICE;
	send(n, d->buffer, device_address(n->pages, base + at), d->length);
}

static uint32_t take_to_send(struct net *n)
{
	struct nicqueue_descriptor d;
	uint32_t count;

	for (count = 0; count < BATCH && virtqueue_room(&n->transmit) > 0; count++) {
		if (queue_take(&n->client.transmit_ready, &d, 1) != 1)
			break;
		send_for_client(n, &d);
	}
	return count;
}

int net_send_copy(struct net *n, const void *frame, uint32_t length)
{
	uint32_t i = 0;

	if (length < NET_FRAME_MIN || length > NET_FRAME_MAX)
		return CAP_EINVAL;
	take_sent(n);
	while (i < NET_CALL_BUFFERS && n->call_owner[i] != NET_OWNER_DRIVER)
		i++;
	if (i == NET_CALL_BUFFERS || virtqueue_room(&n->transmit) == 0)
		return CAP_EAGAIN;

	uint32_t at = i * NICQUEUE_BUFFER_SIZE + CALL_FRAME_FROM;

	memset(n->call_buffers + at - HEADER_SIZE, 0, HEADER_SIZE);
	memcpy(n->call_buffers + at, frame, length);
	n->call_owner[i] = NET_OWNER_DEVICE;
	send(n, n->ntransmit + i, device_address(n->call_pages, at - HEADER_SIZE), length);
	virtqueue_kick(&n->transmit);
	return CAP_OK;
}

/* ---- Start, clients, the round ---- */

void net_count_buffers(struct net *n, uint32_t receive_size, uint32_t transmit_size)
{
	n->nreceive = receive_size < NET_RECEIVE_BUFFERS ? receive_size : NET_RECEIVE_BUFFERS;
	n->ntransmit = transmit_size < NET_TRANSMIT_BUFFERS ? transmit_size : NET_TRANSMIT_BUFFERS;
	nicqueue_init(&n->client, n->memory, n->nreceive, n->ntransmit);
	/* No client has seen the transmit buffers: they are for a future one. */
	for (uint32_t i = 0; i < n->ntransmit; i++)
		n->transmit_owner[i] = NET_OWNER_CLIENT;
}

void net_restart(struct net *n)
{
	n->posted_receive = 0;
	n->posted_transmit = 0;
	n->skip = 0;
	for (uint32_t i = 0; i < n->nreceive; i++)
		if (n->receive_owner[i] != NET_OWNER_CLIENT)
			post_receive(n, i);
	for (uint32_t i = 0; i < n->ntransmit; i++)
		if (n->transmit_owner[i] == NET_OWNER_DEVICE)
			return_transmit(n, i);
	for (uint32_t i = 0; i < NET_CALL_BUFFERS; i++)
		n->call_owner[i] = NET_OWNER_DRIVER;
	virtqueue_kick(&n->receive);
}

void net_detach(struct net *n)
{
	n->attached = false;
	for (uint32_t i = 0; i < n->nreceive; i++)
		if (n->receive_owner[i] == NET_OWNER_CLIENT)
			post_receive(n, i);
	virtqueue_kick(&n->receive);
}

bool net_attach(struct net *n)
{
	net_detach(n);
	take_sent(n);
	for (uint32_t i = 0; i < n->ntransmit; i++)
		if (n->transmit_owner[i] != NET_OWNER_CLIENT)
			return false;
	memset(n->memory, 0, NICQUEUE_HEADER_SIZE);
	nicqueue_init(&n->client, n->memory, n->nreceive, n->ntransmit);
	n->attached = true;
	return true;
}

static bool client_lies(const struct net *n)
{
	const struct nicqueue *c = &n->client;

	return c->receive_ready.broken || c->receive_free.broken || c->transmit_ready.broken ||
	       c->transmit_free.broken;
}

static uint32_t run_client(struct net *n)
{
	uint32_t found = 0;

	take_freed(n);
	if (take_to_send(n) == BATCH)
		found |= NET_MORE;
	/* All of them, always: each makes an index visible and takes back a request of its own. */
	bool asked = queue_publish_put(&n->client.receive_ready);

	asked |= queue_publish_put(&n->client.transmit_free);
	asked |= queue_publish_take(&n->client.receive_free);
	asked |= queue_publish_take(&n->client.transmit_ready);
	if (asked)
		found |= NET_WAKE_CLIENT;
	if (client_lies(n)) {
		net_detach(n);
		found |= NET_CLIENT_BROKEN;
	}
	return found;
}

uint32_t net_run(struct net *n)
{
	uint32_t found = 0;

	virtqueue_dont_want_interrupt(&n->receive);
	take_sent(n);
	if (take_received(n) == BATCH)
		found |= NET_MORE;
	if (n->attached)
		found |= run_client(n);
	virtqueue_kick(&n->transmit);
	virtqueue_kick(&n->receive);
	if (n->receive.broken || n->transmit.broken)
		found |= NET_DEVICE_BROKEN;
	return found;
}

bool net_prepare_sleep(struct net *n)
{
	bool more = virtqueue_want_interrupt(&n->receive, 1);
	uint32_t most = n->ntransmit / 2;

	/* Sent buffers are taken back when something else wakes us, unless they might run out. */
	if (n->posted_transmit >= most && n->posted_transmit > 0)
		more |= virtqueue_want_interrupt(&n->transmit,
		                                 (uint16_t)((n->posted_transmit + 1) / 2));
	else
		virtqueue_dont_want_interrupt(&n->transmit);
	if (n->receive.broken || n->transmit.broken)
		return true; /* net_run says so */
	if (!n->attached)
		return more;
	if (virtqueue_room(&n->transmit) > 0) {
		queue_want_data(&n->client.transmit_ready);
		more |= queue_readable(&n->client.transmit_ready) > 0;
	}
	/* Likewise for receive buffers that the client gives back. */
	if (n->posted_receive < n->nreceive / 2) {
		queue_want_data(&n->client.receive_free);
		more |= queue_readable(&n->client.receive_free) > 0;
	}
	return more || client_lies(n);
}
