/* SPDX-License-Identifier: MIT */
/*
 * Byte streams over the ports of a virtio console device: ports found by name, bytes moved between
 * their virtqueues and the channels of capos/channel.h.  What is to be sent goes to the device
 * straight from the channel's memory, and the client gets that space back only when the device has
 * used it.
 *
 * Nothing that the device or a client writes is trusted: requests and buffers are recorded in
 * private memory, a client with impossible indices closes its own stream alone, a device with
 * impossible answers is reset.
 *
 * Pure: no calls, no registers but the queues' doorbells.  control.c holds what the control queues
 * say, stream.c moves bytes.
 */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include <capos/abi.h>
#include <capos/channel.h>

#include "drivers/virtio/virtqueue.h"

/* As many as fit 64 queues; QEMU's default. */
#define CONSOLE_PORTS_MAX  31u
#define CONSOLE_QUEUES(n)  (2u * (n) + 2u)
#define CONSOLE_QUEUES_MAX CONSOLE_QUEUES(CONSOLE_PORTS_MAX)
/* Enough to describe all of the largest channel page by page. */
#define CONSOLE_QUEUE_SIZE 64u

#define CONSOLE_CONTROL_RECEIVE  2u /* numbers of the control queues */
#define CONSOLE_CONTROL_TRANSMIT 3u

/* Queues of a port (virtio 1.2, section 5.3.2). */
static inline uint32_t console_receive_queue(uint32_t port)
{
	return port == 0 ? 0 : 2 * port + 2;
}

static inline uint32_t console_transmit_queue(uint32_t port)
{
	return console_receive_queue(port) + 1;
}

struct console_message { /* of the control queues; a name or a size may follow */
	uint32_t port;
	uint16_t event;
	uint16_t value;
};
_Static_assert(sizeof(struct console_message) == 8, "control message layout");
enum console_event {
	CONSOLE_DEVICE_READY = 0,
	CONSOLE_PORT_ADD = 1,
	CONSOLE_PORT_REMOVE = 2,
	CONSOLE_PORT_READY = 3,
	CONSOLE_CONSOLE_PORT = 4,
	CONSOLE_RESIZE = 5,
	CONSOLE_PORT_OPEN = 6,
	CONSOLE_PORT_NAME = 7,
};

/* Control messages received: a device that has no buffer for one loses it, so there are enough for
 * all that a few ports announce at once.  Sent: at most two answer one received. */
#define CONSOLE_CONTROL_BUFFERS     32u
#define CONSOLE_CONTROL_BUFFER_SIZE 128u
#define CONSOLE_CONTROL_SLOTS       64u

/* Most bytes in one request to the device, so that the client gets space back while the rest is
 * under way; and most descriptors, when its pages lie scattered. */
#define CONSOLE_REQUEST_BYTES 65536u
#define CONSOLE_CHAIN_MAX     17u
#define CONSOLE_REQUESTS      16u

struct console_request {
	uint32_t bytes;
	bool done; /* used by the device, but not all before it are */
};

enum console_stream_number {
	CONSOLE_STDIN,
	CONSOLE_STDOUT,
	CONSOLE_STDERR,
	CONSOLE_CONTROL,
	CONSOLE_OUTPUT,
	CONSOLE_STREAMS,
};

struct console_port;

struct console_stream {
	/* Set by the owner before anything runs. */
	const char *name; /* of its port */
	struct channel channel;
	const uint64_t *channel_pages; /* what the device calls its pages; with a send queue */
	uint8_t *buffers;              /* to receive into; with a receive queue */
	const uint64_t *buffer_pages;
	uint32_t buffer_offset; /* of buffers in the first of those pages */
	uint32_t buffer_size;   /* divides a page */
	uint32_t nbuffers;

	struct console_port *port; /* NULL until one with that name appears */
	bool host_open;
	bool host_closed; /* after it was open; for good */
	bool size_known;
	uint16_t columns, rows;
	bool wake;       /* set when the client is to be woken; cleared when that is done */
	uint32_t status; /* CHANNEL_* set so far */

	/* Sending: requests[first..first + count) in the order of their bytes, modulo their
	 * number. */
	uint32_t posted; /* bytes past the channel's consumer index that the device has */
	uint32_t first, count;
	struct console_request requests[CONSOLE_REQUESTS];

	/* Receiving: a buffer that the channel has not taken all of. */
	bool holding;
	uint32_t held, held_from, held_to;
};

struct console_port {
	bool added;
	bool answered; /* said something about itself since */
	bool open;     /* by the host */
	uint32_t number;
	struct virtqueue *receive, *transmit;
	struct console_stream *stream;
};

struct console {
	/* Set by the owner; queues are initialised before console_start. */
	struct virtqueue queues[CONSOLE_QUEUES_MAX];
	uint32_t nports;
	uint8_t *control_in; /* CONSOLE_CONTROL_BUFFERS of CONSOLE_CONTROL_BUFFER_SIZE, one page */
	uint64_t control_in_address;
	struct console_message *control_out; /* CONSOLE_CONTROL_SLOTS, within one page */
	uint64_t control_out_address;
	struct console_stream streams[CONSOLE_STREAMS];

	struct console_port ports[CONSOLE_PORTS_MAX];
	bool slot_busy[CONSOLE_CONTROL_SLOTS];
	uint32_t busy_slots;
	uint32_t malformed; /* control messages that made no sense */
};

/* What console_run found. */
#define CONSOLE_DEVICE_BROKEN 0x1u /* reset the device, set the queues up again, console_start */

/* With new queues: forgets the ports and greets the device.  Bytes that it had not used are sent
 * again. */
void console_start(struct console *c);
/* Moves everything there is.  Streams whose client is to be woken have `wake` set. */
uint32_t console_run(struct console *c);
/* Asks all sides to say when there is more.  True: there is already. */
bool console_prepare_sleep(struct console *c);
/* All ports that the device announced have sent their names. */
bool console_settled(const struct console *c);

/* How far the client had written: for console_drained.  False: its index makes no sense. */
bool console_written(struct console_stream *s, uint32_t *mark);
/* Whether the device has used all before the mark. */
bool console_drained(const struct console_stream *s, uint32_t mark);

/* Between control.c and stream.c. */
void console_control_start(struct console *c);
void console_control_run(struct console *c);
bool console_control_prepare_sleep(struct console *c);
void console_stream_reset(struct console_stream *s);
void console_stream_bound(struct console_stream *s); /* its port was found */
void console_stream_run(struct console_stream *s);
bool console_stream_prepare_sleep(struct console_stream *s);

#endif
