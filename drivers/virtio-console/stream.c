/* SPDX-License-Identifier: MIT */
/*
 * Moves bytes between a stream's channel and its port's virtqueues.  Sending copies nothing: the
 * device reads the channel's pages.  The consumer index is `posted` bytes behind what the device
 * was given and moves only over requests that it has used, in their order.
 */
#include "drivers/virtio-console/console.h"

static uint64_t device_address(const uint64_t *pages, uint64_t offset)
{
	return pages[offset / CAPOS_PAGE_SIZE] + offset % CAPOS_PAGE_SIZE;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Set once; the client is woken, also when it waits for something else. */
static void set_status(struct console_stream *s, uint32_t bit)
{
	if (s->status & bit)
		return;
	s->status |= bit;
	(void)channel_set_status(&s->channel, bit, 0);
	s->wake = true;
}

/* ---- Sending ---- */

/* Bytes that the client wrote and the device has not been given. */
static uint32_t unposted(struct console_stream *s)
{
	struct queue *q = &s->channel.send;
	uint32_t readable = queue_readable(q);

	if (readable < s->posted) {
		q->broken = true; /* its index went back */
		return 0;
	}
	return readable - s->posted;
}

static bool can_post(const struct console_stream *s)
{
	return s->port && s->host_open && s->count < CONSOLE_REQUESTS &&
	       virtqueue_room(s->port->transmit) > 0;
}

/* Describes up to `bytes` of what is next; neighbouring pages of the device share a descriptor. */
static uint32_t describe(const struct console_stream *s, uint32_t bytes,
                         struct virtqueue_buffer *buffers, uint32_t *nbuffers)
{
	const struct queue *q = &s->channel.send;
	uint64_t base = (uint64_t)(q->data - (uint8_t *)s->channel.shared);
	uint32_t most = least(CONSOLE_CHAIN_MAX, virtqueue_room(s->port->transmit));
	uint32_t done = 0, n = 0;

	while (done < bytes) {
		uint32_t place = (q->local + s->posted + done) & (q->capacity - 1);
		uint64_t offset = base + place;
		uint32_t run =
		        least(bytes - done, (uint32_t)(CAPOS_PAGE_SIZE - offset % CAPOS_PAGE_SIZE));
		uint64_t address = device_address(s->channel_pages, offset);

		run = least(run, q->capacity - place);
		if (n > 0 && buffers[n - 1].address + buffers[n - 1].length == address) {
			buffers[n - 1].length += run;
		} else {
			if (n == most)
				break;
			buffers[n++] = (struct virtqueue_buffer){.address = address, .length = run};
		}
		done += run;
	}
	*nbuffers = n;
	return done;
}

static void post_sends(struct console_stream *s)
{
	struct virtqueue_buffer buffers[CONSOLE_CHAIN_MAX];
	uint32_t waiting = unposted(s);

	while (waiting > 0 && can_post(s)) {
		uint32_t slot = (s->first + s->count) % CONSOLE_REQUESTS;
		uint32_t n, bytes;

		bytes = describe(s, least(waiting, CONSOLE_REQUEST_BYTES), buffers, &n);
		if (virtqueue_add(s->port->transmit, buffers, n, slot) != CAP_OK)
			break;
		s->requests[slot] = (struct console_request){.bytes = bytes};
		s->count++;
		s->posted += bytes;
		waiting -= bytes;
	}
}

static void take_sent(struct console_stream *s)
{
	uint32_t slot, written;

	while (virtqueue_take(s->port->transmit, &slot, &written) == CAP_OK)
		s->requests[slot].done = true;
	while (s->count > 0 && s->requests[s->first].done) {
		uint32_t bytes = s->requests[s->first].bytes;

		s->first = (s->first + 1) % CONSOLE_REQUESTS;
		s->count--;
		s->posted -= bytes;
		queue_advance(&s->channel.send, bytes);
	}
}

static void run_sending(struct console_stream *s)
{
	uint32_t before = s->channel.send.local;

	take_sent(s);
	post_sends(s);
	/* Many a device has written everything by the time the doorbell's store is done. */
	if (virtqueue_kick(s->port->transmit))
		take_sent(s);
	if (s->channel.send.local != before && queue_publish_take(&s->channel.send))
		s->wake = true;
	if (s->channel.send.broken || s->host_closed)
		set_status(s, CHANNEL_CLOSED);
}

bool console_written(struct console_stream *s, uint32_t *mark)
{
	uint32_t waiting = unposted(s);

	*mark = s->channel.send.local + s->posted + waiting;
	return !s->channel.send.broken;
}

bool console_drained(const struct console_stream *s, uint32_t mark)
{
	return (int32_t)(s->channel.send.local - mark) >= 0;
}

/* ---- Receiving ---- */

static void post_buffer(struct console_stream *s, uint32_t buffer)
{
	struct virtqueue_buffer b = {
	        .address =
	                device_address(s->buffer_pages, s->buffer_offset + buffer * s->buffer_size),
	        .length = s->buffer_size,
	        .device_writes = true,
	};

	(void)virtqueue_add(s->port->receive, &b, 1, buffer);
}

/* Bytes that the channel has no space for stay in their buffer, and the buffers behind it with the
 * device: so the host is held back. */
static void run_receiving(struct console_stream *s)
{
	struct queue *q = &s->channel.receive;
	uint32_t before = q->local;
	bool empty = false;

	/* Bounded, because a device may give back empty buffers for ever. */
	for (uint32_t n = 0; n < 2 * CONSOLE_QUEUE_SIZE; n++) {
		if (!s->holding) {
			s->held_from = 0;
			empty = virtqueue_take(s->port->receive, &s->held, &s->held_to) != CAP_OK;
			if (empty)
				break;
			s->holding = true;
		}
		s->held_from +=
		        queue_put(q, s->buffers + (size_t)s->held * s->buffer_size + s->held_from,
		                  s->held_to - s->held_from);
		if (s->held_from < s->held_to)
			break;
		s->holding = false;
		post_buffer(s, s->held);
	}
	virtqueue_kick(s->port->receive);
	if (q->local != before && queue_publish_put(q))
		s->wake = true;
	/* The host closed it before the look at the queue that found nothing: that was all. */
	if (q->broken || (s->host_closed && empty))
		set_status(s, CHANNEL_EOF);
}

/* ---- Both ---- */

void console_stream_bound(struct console_stream *s)
{
	uint32_t most = least(s->nbuffers, s->port->receive->size);

	for (uint32_t i = 0; i < most; i++)
		post_buffer(s, i);
	virtqueue_kick(s->port->receive);
}

void console_stream_reset(struct console_stream *s)
{
	s->port = NULL;
	s->host_open = false;
	s->posted = 0;
	s->first = s->count = 0;
	s->holding = false;
}

void console_stream_run(struct console_stream *s)
{
	if (!s->port)
		return;
	if (s->channel.send.capacity)
		run_sending(s);
	if (s->channel.receive.capacity)
		run_receiving(s);
}

bool console_stream_prepare_sleep(struct console_stream *s)
{
	bool more = false;

	if (!s->port)
		return false;
	if (s->count > 0)
		more |= virtqueue_want_interrupt(s->port->transmit, 1);
	if (s->channel.send.capacity && can_post(s) && !s->channel.send.broken) {
		queue_want_data(&s->channel.send);
		more |= unposted(s) > 0 || s->channel.send.broken;
	}
	if (s->channel.receive.capacity && !s->channel.receive.broken) {
		if (s->holding) {
			queue_want_space(&s->channel.receive);
			more |= queue_writable(&s->channel.receive) > 0 ||
			        s->channel.receive.broken;
		} else {
			more |= virtqueue_want_interrupt(s->port->receive, 1);
		}
	}
	return more;
}
