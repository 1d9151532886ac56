/* SPDX-License-Identifier: MIT */
/*
 * Channels and the datagram records in them.  Sizes are read from the shared header once, when the
 * client opens it; a record is measured from a private copy of its header.
 */
#include <string.h>

#include <capos/abi.h>
#include <capos/channel.h>

_Static_assert(sizeof(struct channel_shared) <= CHANNEL_HEADER_SIZE, "the header fits its page");

static void lay_out(struct channel *c, void *memory, uint32_t receive_size, uint32_t send_size)
{
	uint8_t *data = (uint8_t *)memory + CHANNEL_HEADER_SIZE;

	c->shared = memory;
	c->memory_size = CHANNEL_MEMORY_SIZE(receive_size, send_size);
	queue_init(&c->receive, &c->shared->receive, data, receive_size, 1);
	queue_init(&c->send, &c->shared->send, data + receive_size, send_size, 1);
}

void channel_create(struct channel *c, void *memory, uint32_t receive_size, uint32_t send_size)
{
	lay_out(c, memory, receive_size, send_size);
	c->shared->receive_size = receive_size;
	c->shared->send_size = send_size;
}

static bool size_allowed(uint32_t size)
{
	return (size & (size - 1)) == 0 && size <= CHANNEL_QUEUE_MAX;
}

int channel_open(struct channel *c, void *memory, uint64_t memory_size)
{
	struct channel_shared *shared = memory;
	uint32_t receive_size, send_size;

	if (memory_size < CHANNEL_HEADER_SIZE)
		return CAP_EMESSAGE;
	receive_size = *(volatile uint32_t *)&shared->receive_size;
	send_size = *(volatile uint32_t *)&shared->send_size;
	if (!size_allowed(receive_size) || !size_allowed(send_size) ||
	    CHANNEL_MEMORY_SIZE(receive_size, send_size) > memory_size)
		return CAP_EMESSAGE;
	lay_out(c, memory, receive_size, send_size);
	/* A channel may be opened again by a process that inherits it: go on where the last client
	 * stopped.  The server's own index is checked against this at every look, as always. */
	c->receive.local = atomic_load(&shared->receive.head);
	c->send.local = atomic_load(&shared->send.tail);
	return CAP_OK;
}

/* After a change that the client may wait for: did it ask to be woken? */
static bool client_asked(struct channel_shared *shared)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&shared->client_wants_status, memory_order_relaxed))
		return false;
	return atomic_exchange(&shared->client_wants_status, 0) != 0;
}

bool channel_set_status(struct channel *c, uint32_t set, uint32_t clear)
{
	uint32_t before = atomic_load(&c->shared->status);
	uint32_t after = (before & ~clear) | set;

	if (after == before)
		return false;
	atomic_store(&c->shared->status, after);
	return client_asked(c->shared);
}

bool channel_set_error(struct channel *c, uint32_t status)
{
	atomic_store(&c->shared->error, status);
	atomic_fetch_add(&c->shared->error_count, 1);
	atomic_fetch_or(&c->shared->status, CHANNEL_ERROR);
	return client_asked(c->shared);
}

int channel_put_datagram(struct queue *q, const struct channel_datagram *header,
                         const void *payload)
{
	static const uint8_t padding[8];
	uint32_t length = header->length;
	uint32_t record = CHANNEL_RECORD_SIZE(length);

	if (record > q->capacity)
		return CAP_ETOOBIG;
	if (queue_writable(q) < record)
		return q->broken ? CAP_EMESSAGE : CAP_EAGAIN;
	queue_put(q, header, sizeof(*header));
	queue_put(q, payload, length);
	queue_put(q, padding, record - (uint32_t)sizeof(*header) - length);
	return CAP_OK;
}

static int record_lies(struct queue *q)
{
	q->broken = true;
	return CAP_EMESSAGE;
}

int channel_take_datagram(struct queue *q, struct channel_datagram *header, void *payload,
                          uint32_t size, bool peek)
{
	uint32_t filled = queue_readable(q), record, copied;

	if (q->broken)
		return CAP_EMESSAGE;
	if (!filled)
		return CAP_EAGAIN;
	if (queue_peek(q, 0, header, sizeof(*header)) < sizeof(*header))
		return record_lies(q);
	record = CHANNEL_RECORD_SIZE(header->length);
	if (record > filled)
		return record_lies(q);
	if (header->address_length != 0 && header->address_length != 4 &&
	    header->address_length != 16)
		return record_lies(q);
	copied = header->length < size ? header->length : size;
	if (queue_peek(q, sizeof(*header), payload, copied) != copied)
		return record_lies(q);
	if (!peek)
		queue_advance(q, record);
	return (int)copied;
}
