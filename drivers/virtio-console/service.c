/* SPDX-License-Identifier: MIT */
/*
 * The virtio console driver's process: serves five ByteStreams and runs console.c whenever the
 * device interrupts or a client signals.  It sleeps until then: no timers, no polling.  All calls
 * to other objects are made here and in drivers/virtio/device.c.
 */
#include <string.h>

#include <capos/log.h>
#include <capos/schema/network.h>
#include <capos/schema/service.h>
#include <capos/schema/service_server.h>
#include <capos/schema/status.h>
#include <capos/server.h>
#include <capos/start.h>

#include "drivers/virtio-console/console.h"
#include "drivers/virtio/driver.h"

/* Feature bits and configuration (virtio 1.2, sections 5.3.3 and 5.3.4). */
#define FEATURE_MULTIPORT (1ull << 1)
#define CONFIG_MAX_PORTS  4u

/* Calls of `drain` that wait at the same time, of all streams. */
#define DRAINS_MAX 16u

/* No method's message is as long. */
#define MESSAGE_MAX 1024u

/* The object words are the exports of the manifest: stream number + 1. */
#define WORD_OF(stream) ((stream) + 1u)

#define QUEUE_BYTES   VIRTQUEUE_MEMORY_SIZE(CONSOLE_QUEUE_SIZE)
#define CONTROL_BYTES CAPOS_PAGE_SIZE /* control messages received; another page for those sent */

/* What each stream is: its port, its channel, and buffers to receive into.  All but the control
 * stream's are made smaller for a machine with little memory (scale_shapes). */
static struct stream_shape {
	const char *name;
	uint32_t receive_size, send_size; /* bytes of the channel's queues */
	uint32_t buffer_size, nbuffers;
} shapes[CONSOLE_STREAMS] = {
        [CONSOLE_STDIN] = {"capos.stdin", 64u << 10, 0, 4096, 16},
        [CONSOLE_STDOUT] = {"capos.stdout", 0, 256u << 10, 0, 0},
        [CONSOLE_STDERR] = {"capos.stderr", 0, 16u << 10, 0, 0},
        [CONSOLE_CONTROL] = {"capos.control", 4096, 4096, 1024, 4},
        [CONSOLE_OUTPUT] = {"capos.output", 0, 64u << 10, 0, 0},
};
#define BUFFERS_BYTES (16u * 4096u + 4u * 1024u) /* at most */
#define QUEUE_LEAST   4096u
#define BUFFERS_LEAST 2u

#define PRIVATE_PAGES_MAX                                                         \
	((CONSOLE_QUEUES_MAX * QUEUE_BYTES + 2 * CONTROL_BYTES + BUFFERS_BYTES) / \
	         CAPOS_PAGE_SIZE +                                                \
	 1)
#define CHANNEL_PAGES_MAX (CHANNEL_MEMORY_SIZE(0, 256u << 10) / CAPOS_PAGE_SIZE)

static struct console console;
static struct virtqueue_slot slots[CONSOLE_QUEUES_MAX][CONSOLE_QUEUE_SIZE];
static uint16_t queue_sizes[CONSOLE_QUEUES_MAX];
static uint8_t *private_memory;
static uint64_t private_pages[PRIVATE_PAGES_MAX];
static uint64_t channel_pages[CONSOLE_STREAMS][CHANNEL_PAGES_MAX];

static struct client {
	cap_t memory; /* of the channel */
	cap_t wake;   /* the client's event, or CAP_NULL */
	uint64_t wake_bits;
} clients[CONSOLE_STREAMS];

static struct drain {
	struct server_pending call;
	uint32_t stream;
	uint32_t mark;
} drains[DRAINS_MAX];
static uint32_t ndrains;

/* ---- The device ---- */

static void start_device(void)
{
	int result = virtio_negotiate(&device, VIRTIO_F_EVENT_IDX, FEATURE_MULTIPORT);

	for (uint32_t i = 0; i < CONSOLE_QUEUES(console.nports) && !result; i++)
		result =
		        virtio_queue_setup(&device, &console.queues[i], (uint16_t)i, queue_sizes[i],
		                           private_memory + (size_t)i * QUEUE_BYTES, private_pages,
		                           i * QUEUE_BYTES, slots[i]);
	if (result) {
		virtio_fail(&device);
		log_fatal("the console device cannot be started: %s", cap_error_text(result));
	}
	virtio_run(&device);
	console_start(&console);
}

/* Sizes of the queues, and how many ports have theirs. */
static void count_ports(void)
{
	uint32_t ports;
	int result = virtio_read_config(&device, CONFIG_MAX_PORTS, &ports, sizeof(ports));

	if (result)
		log_fatal("the console device does not report its ports: %s",
		          cap_error_text(result));
	if (ports > CONSOLE_PORTS_MAX)
		ports = CONSOLE_PORTS_MAX;
	for (uint32_t i = 0; i < CONSOLE_QUEUES(ports); i++) {
		uint16_t size = virtio_queue_size(&device, (uint16_t)i);

		if (size == 0) {
			ports = i < CONSOLE_QUEUES(1) ? 0 : (i - 2) / 2;
			break;
		}
		queue_sizes[i] = size < CONSOLE_QUEUE_SIZE ? size : CONSOLE_QUEUE_SIZE;
	}
	if (ports == 0)
		log_fatal("the console device has no ports");
	console.nports = ports;
}

/* ---- Memory ---- */

/* The largest power of two up to this machine's part of the size. */
static uint32_t scaled(uint32_t size)
{
	uint32_t part = size ? memory_portion(size, QUEUE_LEAST) : 0;

	return part ? 1u << (31 - __builtin_clz(part)) : 0;
}

static void scale_shapes(void)
{
	for (uint32_t i = 0; i < CONSOLE_STREAMS; i++) {
		struct stream_shape *shape = &shapes[i];

		if (i == CONSOLE_CONTROL)
			continue;
		shape->receive_size = scaled(shape->receive_size);
		shape->send_size = scaled(shape->send_size);
		if (shape->nbuffers)
			shape->nbuffers = memory_portion(shape->nbuffers, BUFFERS_LEAST);
	}
}

static uint32_t buffers_bytes(void)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < CONSOLE_STREAMS; i++)
		bytes += shapes[i].buffer_size * shapes[i].nbuffers;
	return bytes;
}

static void set_up_private_memory(void)
{
	uint32_t queues = CONSOLE_QUEUES(console.nports) * QUEUE_BYTES;
	uint32_t at = (queues + CAPOS_PAGE_SIZE - 1) / CAPOS_PAGE_SIZE * CAPOS_PAGE_SIZE;
	uint32_t pages = (at + 2 * CONTROL_BYTES + buffers_bytes()) / CAPOS_PAGE_SIZE;
	void *base;
	int result = virtio_dma_allocate(&device, pages, private_pages, &base, NULL);

	if (result)
		log_fatal_error(result, "no memory for the queues");
	private_memory = base;
	console.control_in = private_memory + at;
	console.control_in_address = private_pages[at / CAPOS_PAGE_SIZE];
	at += CONTROL_BYTES;
	console.control_out = (struct console_message *)(private_memory + at);
	console.control_out_address = private_pages[at / CAPOS_PAGE_SIZE];
	at += CONTROL_BYTES;
	for (uint32_t i = 0; i < CONSOLE_STREAMS; i++) {
		struct console_stream *s = &console.streams[i];

		s->buffers = private_memory + at;
		s->buffer_pages = private_pages;
		s->buffer_offset = at;
		s->buffer_size = shapes[i].buffer_size;
		s->nbuffers = shapes[i].nbuffers;
		at += s->buffer_size * s->nbuffers;
	}
}

/* A channel that the device reads from is DMA memory; one that it does not is not. */
static int make_channel(uint32_t i)
{
	const struct stream_shape *shape = &shapes[i];
	uint64_t size = CHANNEL_MEMORY_SIZE(shape->receive_size, shape->send_size);
	void *base;
	int result;

	if (shape->send_size) {
		result = virtio_dma_allocate(&device, (uint32_t)(size / CAPOS_PAGE_SIZE),
		                             channel_pages[i], &base, &clients[i].memory);
	} else {
		result = cap_memory_create_committed(size, &clients[i].memory);
		if (!result)
			result = cap_memory_map(clients[i].memory, 0, size,
			                        CAP_RIGHT_READ | CAP_RIGHT_WRITE, &base);
	}
	if (result)
		return result;
	console.streams[i].name = shape->name;
	console.streams[i].channel_pages = channel_pages[i];
	channel_create(&console.streams[i].channel, base, shape->receive_size, shape->send_size);
	return CAP_OK;
}

static void set_up(void)
{
	int result = virtio_open(&device, "device");

	if (result)
		log_fatal("no console device: %s", cap_error_text(result));
	count_ports();
	scale_shapes();
	set_up_private_memory();
	for (uint32_t i = 0; i < CONSOLE_STREAMS; i++) {
		result = make_channel(i);
		if (result)
			log_fatal_error(result, "no memory for %s", shapes[i].name);
	}
}

/* ---- Clients ---- */

static void forget_client(struct client *client)
{
	if (client->wake != CAP_NULL)
		(void)cap_release(client->wake);
	client->wake = CAP_NULL;
}

static void wake_clients(void)
{
	for (uint32_t i = 0; i < CONSOLE_STREAMS; i++) {
		struct capos_sqe sqe = {
		        .op = CAP_OP_SIGNAL,
		        .cap = clients[i].wake,
		        .arg = clients[i].wake_bits,
		};

		/* Goes with the next entry into the kernel.  An event that is none harms its
		 * owner. */
		if (console.streams[i].wake && clients[i].wake != CAP_NULL)
			(void)cap_submit_quiet(&sqe);
		console.streams[i].wake = false;
	}
}

/* MSG_DEFERRED while the drain has to wait. */
static int drain_status(const struct console_stream *s, uint32_t mark)
{
	if (console_drained(s, mark))
		return CAP_OK;
	if (s->channel.send.broken)
		return STATUS_IO_ERROR;
	if (s->host_closed)
		return STATUS_CLOSED;
	if (!s->port && console_settled(&console))
		return STATUS_NOT_CONNECTED; /* nothing on the host's side has that name */
	return MSG_DEFERRED;
}

static void answer_drains(void)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < ndrains; i++) {
		struct drain d = drains[i];
		int status = drain_status(&console.streams[d.stream], d.mark);
		static uint64_t message[16];
		struct byte_stream_drain_results out = {};
		struct msg_builder builder;

		if (status == MSG_DEFERRED) {
			drains[kept++] = d;
			continue;
		}
		msg_builder_init(&builder, message, sizeof(message));
		if (!status)
			status = byte_stream_drain_results_write(&builder, &out);
		server_answer(&server, d.call, status, message, msg_builder_length(&builder), NULL,
		              0);
	}
	ndrains = kept;
}

/* ---- ByteStream ---- */

static int serve_attach(void *object, struct msg_call *call,
                        const struct byte_stream_attach_params *in,
                        struct byte_stream_attach_results *out)
{
	struct server_call *c = server_call_of(call);
	struct console_stream *s = object;
	struct client *client = &clients[s - console.streams];
	cap_t event = server_take(c, in->wake_index);

	if (event == CAP_NULL || in->wake_bits == 0) {
		if (event != CAP_NULL)
			(void)cap_release(event);
		return STATUS_INVALID_ARGUMENT;
	}

	/* COPY: to map it, the client sends it with a call. */
	int memory_at = server_give(
	        c, client->memory,
	        CAP_RIGHT_READ | CAP_RIGHT_WRITE | CAP_RIGHT_CALL | CAP_RIGHT_COPY, false);
	int event_at = server_give(c, server.event, CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY, false);

	if (memory_at < 0 || event_at < 0) {
		(void)cap_release(event);
		return STATUS_NO_MEMORY;
	}
	forget_client(client);
	client->wake = event;
	client->wake_bits = in->wake_bits;
	out->channel = (struct channel_ref){
	        .memory_index = (uint16_t)memory_at,
	        .event_index = (uint16_t)event_at,
	        .event_bits = BIT_CLIENT,
	};
	return CAP_OK;
}

static int serve_drain(void *object, struct msg_call *call)
{
	struct console_stream *s = object;
	uint32_t mark;

	if (s->channel.send.capacity == 0)
		return CAP_OK;
	if (!console_written(s, &mark))
		return STATUS_IO_ERROR;

	int status = drain_status(s, mark);

	if (status != MSG_DEFERRED)
		return status;
	if (ndrains == DRAINS_MAX)
		return STATUS_NO_BUFFERS;
	drains[ndrains++] = (struct drain){
	        .call = server_defer(server_call_of(call)),
	        .stream = (uint32_t)(s - console.streams),
	        .mark = mark,
	};
	return MSG_DEFERRED;
}

static int serve_window_size(void *object, struct msg_call *call,
                             struct byte_stream_window_size_results *out)
{
	const struct console_stream *s = object;

	(void)call;
	if (!s->size_known)
		return STATUS_NOT_SUPPORTED;
	out->columns = s->columns;
	out->rows = s->rows;
	return CAP_OK;
}

static const struct byte_stream_ops byte_stream_ops = {
        .attach = serve_attach,
        .drain = serve_drain,
        .window_size = serve_window_size,
};

/* ---- The loop ---- */

static int serve_call(struct server *s, struct server_call *call)
{
	uint64_t stream = call->object - WORD_OF(0); /* a word of 0 becomes too large */

	(void)s;
	if (call->interface != BYTE_STREAM_INTERFACE || stream >= CONSOLE_STREAMS)
		return STATUS_INVALID_ARGUMENT;
	return byte_stream_dispatch(&byte_stream_ops, &console.streams[stream], &call->msg);
}

static void serve_release(struct server *s, uint64_t object)
{
	uint64_t stream = object - WORD_OF(0);

	(void)s;
	if (stream < CONSOLE_STREAMS)
		forget_client(&clients[stream]); /* what it wrote still goes out */
}

static void serve_cancel(struct server *s, uint64_t call_id)
{
	uint32_t kept = 0;

	(void)s;
	for (uint32_t i = 0; i < ndrains; i++)
		if (drains[i].call.call_id != call_id)
			drains[kept++] = drains[i];
	ndrains = kept;
}

static uint64_t serve_idle(struct server *s)
{
	bool interrupted = driver_interrupted();

	(void)s;
	if (interrupted && virtio_needs_reset(&device)) {
		driver_reset_after_fault("the device asks for a reset");
	} else if (console_run(&console) & CONSOLE_DEVICE_BROKEN) {
		driver_reset_after_fault("the device's used ring makes no sense");
	}
	wake_clients();
	answer_drains();
	return console_prepare_sleep(&console) ? 0 : CAPOS_FOREVER;
}

static void started(void)
{
	log_line("%u ports, features %llx", console.nports, (unsigned long long)device.features);
}

const struct virtio_driver virtio_driver = {
        .ops =
                {
                        .call = serve_call,
                        .release = serve_release,
                        .cancel = serve_cancel,
                        .event = driver_event,
                        .idle = serve_idle,
                        .message_max = MESSAGE_MAX,
                },
        .after_reset = "it is reset; input may be lost, output may come twice",
        .set_up = set_up,
        .start = start_device,
        .started = started,
};
