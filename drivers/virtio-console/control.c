/* SPDX-License-Identifier: MIT */
/*
 * The control queues (virtio 1.2, section 5.3.6): the device announces ports, their names and
 * whether the host has them open; the driver answers.  A message is copied before it is looked at,
 * and one that is short, names no port or comes out of turn changes nothing.
 */
#include <string.h>

#include "drivers/virtio-console/console.h"

/* Most messages that handling one sends. */
#define ANSWERS_MAX 2u

_Static_assert(CONSOLE_CONTROL_SLOTS <= CONSOLE_QUEUE_SIZE, "slots fit the queue");

/* ---- Sending ---- */

static struct virtqueue *out_queue(struct console *c)
{
	return &c->queues[CONSOLE_CONTROL_TRANSMIT];
}

static void take_sent(struct console *c)
{
	uint32_t slot, written;

	while (virtqueue_take(out_queue(c), &slot, &written) == CAP_OK) {
		c->slot_busy[slot] = false;
		c->busy_slots--;
	}
}

static bool can_answer(const struct console *c)
{
	return CONSOLE_CONTROL_SLOTS - c->busy_slots >= ANSWERS_MAX &&
	       virtqueue_room(&c->queues[CONSOLE_CONTROL_TRANSMIT]) >= ANSWERS_MAX;
}

/* The caller has seen can_answer. */
static void send_event(struct console *c, uint32_t port, enum console_event event, uint16_t value)
{
	uint32_t slot = 0;

	while (slot < CONSOLE_CONTROL_SLOTS && c->slot_busy[slot])
		slot++;
	if (slot == CONSOLE_CONTROL_SLOTS)
		return;

	struct virtqueue_buffer b = {
	        .address = c->control_out_address + slot * sizeof(struct console_message),
	        .length = sizeof(struct console_message),
	};

	c->control_out[slot] = (struct console_message){port, (uint16_t)event, value};
	if (virtqueue_add(out_queue(c), &b, 1, slot) != CAP_OK)
		return;
	c->slot_busy[slot] = true;
	c->busy_slots++;
}

/* ---- Receiving ---- */

static void port_added(struct console *c, struct console_port *port)
{
	if (port->added)
		return;
	port->added = true;
	port->answered = false;
	send_event(c, port->number, CONSOLE_PORT_READY, 1);
}

static void port_opened(struct console_port *port, bool open)
{
	struct console_stream *s = port->stream;

	port->open = open;
	if (!s)
		return;
	if (!open && s->host_open)
		s->host_closed = true;
	s->host_open = open && !s->host_closed;
}

static void port_named(struct console *c, struct console_port *port, const char *name,
                       uint32_t length)
{
	/* Some devices send the final NUL, some do not. */
	while (length > 0 && name[length - 1] == '\0')
		length--;
	for (uint32_t i = 0; i < CONSOLE_STREAMS; i++) {
		struct console_stream *s = &c->streams[i];

		if (strlen(s->name) != length || memcmp(s->name, name, length) != 0)
			continue;
		/* The first port of a name has it, and keeps it. */
		if ((s->port && s->port != port) || (port->stream && port->stream != s))
			return;
		if (!s->port) {
			s->port = port;
			port->stream = s;
			console_stream_bound(s);
		}
		port_opened(port, port->open);
		send_event(c, port->number, CONSOLE_PORT_OPEN, 1);
		return;
	}
}

static void port_resized(struct console_port *port, const uint8_t *payload, uint32_t length)
{
	uint16_t size[2];

	if (!port->stream || length < sizeof(size))
		return;
	memcpy(size, payload, sizeof(size));
	port->stream->columns = size[0];
	port->stream->rows = size[1];
	port->stream->size_known = size[0] != 0 && size[1] != 0;
}

static void handle(struct console *c, const uint8_t *bytes, uint32_t length)
{
	struct console_message m;
	struct console_port *port;

	if (length < sizeof(m)) {
		c->malformed++;
		return;
	}
	memcpy(&m, bytes, sizeof(m));
	bytes += sizeof(m);
	length -= (uint32_t)sizeof(m);
	port = m.port < c->nports ? &c->ports[m.port] : NULL;
	if (!port || (!port->added && m.event != CONSOLE_PORT_ADD)) {
		c->malformed++;
		return;
	}
	if (m.event != CONSOLE_PORT_ADD)
		port->answered = true;
	switch (m.event) {
	case CONSOLE_PORT_ADD:
		port_added(c, port);
		break;
	case CONSOLE_PORT_REMOVE:
		port_opened(port, false);
		port->added = false;
		break;
	case CONSOLE_PORT_OPEN:
		port_opened(port, m.value != 0);
		break;
	case CONSOLE_PORT_NAME:
		port_named(c, port, (const char *)bytes, length);
		break;
	case CONSOLE_RESIZE:
		port_resized(port, bytes, length);
		break;
	case CONSOLE_CONSOLE_PORT: /* says that a login may run there; none does */
		break;
	default:
		c->malformed++;
		break;
	}
}

static void post(struct console *c, uint32_t buffer)
{
	struct virtqueue_buffer b = {
	        .address = c->control_in_address + (uint64_t)buffer * CONSOLE_CONTROL_BUFFER_SIZE,
	        .length = CONSOLE_CONTROL_BUFFER_SIZE,
	        .device_writes = true,
	};

	(void)virtqueue_add(&c->queues[CONSOLE_CONTROL_RECEIVE], &b, 1, buffer);
}

void console_control_run(struct console *c)
{
	struct virtqueue *in = &c->queues[CONSOLE_CONTROL_RECEIVE];
	uint8_t copy[CONSOLE_CONTROL_BUFFER_SIZE];
	uint32_t buffer, length;

	take_sent(c);
	/* An answer may bring more messages at once; each round is bounded by the buffers there
	 * are. */
	for (uint32_t n = 0; n < CONSOLE_CONTROL_BUFFERS && can_answer(c); n++) {
		if (virtqueue_take(in, &buffer, &length) != CAP_OK)
			break;
		memcpy(copy, c->control_in + (size_t)buffer * CONSOLE_CONTROL_BUFFER_SIZE, length);
		handle(c, copy, length);
		post(c, buffer);
	}
	virtqueue_kick(in); /* first: what we send may bring messages */
	virtqueue_kick(out_queue(c));
}

bool console_control_prepare_sleep(struct console *c)
{
	if (!can_answer(c))
		return virtqueue_want_interrupt(out_queue(c), 1);
	return virtqueue_want_interrupt(&c->queues[CONSOLE_CONTROL_RECEIVE], 1);
}

bool console_settled(const struct console *c)
{
	uint32_t added = 0;

	for (uint32_t i = 0; i < c->nports; i++) {
		if (!c->ports[i].added)
			continue;
		if (!c->ports[i].answered)
			return false;
		added++;
	}
	return added > 0;
}

void console_control_start(struct console *c)
{
	uint32_t buffers = c->queues[CONSOLE_CONTROL_RECEIVE].size;

	for (uint32_t i = 0; i < c->nports; i++)
		c->ports[i] = (struct console_port){
		        .number = i,
		        .receive = &c->queues[console_receive_queue(i)],
		        .transmit = &c->queues[console_transmit_queue(i)],
		};
	memset(c->slot_busy, 0, sizeof(c->slot_busy));
	c->busy_slots = 0;
	for (uint32_t i = 0; i < CONSOLE_CONTROL_BUFFERS && i < buffers; i++)
		post(c, i);
	virtqueue_kick(&c->queues[CONSOLE_CONTROL_RECEIVE]);
	send_event(c, 0, CONSOLE_DEVICE_READY, 1);
	virtqueue_kick(out_queue(c));
}
