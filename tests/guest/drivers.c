/* SPDX-License-Identifier: MIT */
/*
 * The virtio drivers as their clients see them, with this program in netstack's place: frames by
 * call and by shared queues against QEMU's own network (which answers ARP for 10.0.2.2), a netstack
 * that writes garbage, clients that end; and streams.  Prints TAP.
 *
 *     drivers nic              the network driver; holds nic, stdout, timer
 *     drivers output BYTES     writes a pattern to stdout: byte i is i * 7 + i / 256 modulo 256
 *     drivers input            reads stdin to its end, prints count and sum
 */
#include <string.h>

#include <capos/cap.h>
#include <capos/channel.h>
#include <capos/log.h>
#include <capos/nicqueue.h>
#include <capos/schema/network_client.h>
#include <capos/schema/service_client.h>
#include <capos/schema/status.h>
#include <capos/start.h>

#define BIT_STREAM    0x1u
#define BIT_NIC       0x2u
#define SECOND        1000000000ull
#define GARBAGE_STEPS 20000u
#define RECEIVE_ROOM  4096u

static cap_t wake; /* this program's event */
static uint64_t call_buffer[1024];

static struct capos_call call_with(struct capos_send_cap *send)
{
	*send = (struct capos_send_cap){.cap = wake, .rights = CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY};
	return (struct capos_call){
	        .buffer = call_buffer,
	        .size = sizeof(call_buffer),
	        .send_caps = send,
	        .send_ncaps = 1,
	};
}

/* ---- Streams ---- */

struct stream {
	struct channel channel;
	cap_t event;
	uint64_t bits;
};

static void stream_attach(struct stream *s, const char *name, uint64_t memory_size)
{
	struct capos_send_cap send;
	struct capos_call call = call_with(&send);
	struct byte_stream_attach_params in = {.wake_index = 0, .wake_bits = BIT_STREAM};
	struct byte_stream_attach_results out;
	void *memory;
	int result = byte_stream_attach(start_cap(name), &in, &out, &call);

	if (result)
		log_fatal("attach %s: %s", name, cap_error_text(result));
	if (out.channel.memory_index >= call.ncaps || out.channel.event_index >= call.ncaps)
		log_fatal("attach %s: capabilities are missing", name);
	s->event = call.caps[out.channel.event_index];
	s->bits = out.channel.event_bits;
	result = cap_memory_map(call.caps[out.channel.memory_index], 0, memory_size,
	                        CAP_RIGHT_READ | CAP_RIGHT_WRITE, &memory);
	if (!result)
		result = channel_open(&s->channel, memory, memory_size);
	if (result)
		log_fatal("channel of %s: %s", name, cap_error_text(result));
}

static bool ended(const struct stream *s, uint32_t bit)
{
	return atomic_load(&s->channel.shared->status) & bit;
}

static void stream_write(struct stream *s, const void *bytes, uint32_t length)
{
	struct queue *q = &s->channel.send;
	const uint8_t *from = bytes;
	uint64_t bits;

	while (length && !ended(s, CHANNEL_CLOSED)) {
		uint32_t n = queue_put(q, from, length);

		from += n;
		length -= n;
		if (n && queue_publish_put(q))
			cap_signal(s->event, s->bits);
		if (n)
			continue;
		queue_want_space(q);
		if (queue_writable(q) == 0 && !q->broken && !ended(s, CHANNEL_CLOSED))
			cap_wait(wake, BIT_STREAM, CAPOS_FOREVER, &bits);
	}
}

/* Some bytes, or 0 at the end. */
static uint32_t stream_read(struct stream *s, void *bytes, uint32_t size)
{
	struct queue *q = &s->channel.receive;
	uint64_t bits;

	for (;;) {
		bool end = ended(s, CHANNEL_EOF);
		uint32_t n = queue_take(q, bytes, size);

		if (n && queue_publish_take(q))
			cap_signal(s->event, s->bits);
		if (n || end || q->broken)
			return n;
		queue_want_data(q);
		if (queue_readable(q) == 0 && !ended(s, CHANNEL_EOF))
			cap_wait(wake, BIT_STREAM, CAPOS_FOREVER, &bits);
	}
}

static struct stream output;

/* ---- TAP ---- */

static uint32_t ntests, nfailed;

static void say(const char *text)
{
	stream_write(&output, text, (uint32_t)strlen(text));
}

static void check(bool passed, const char *what)
{
	char line[160];

	nfailed += !passed;
	fmt_snprintf(line, sizeof(line), "%s %u - %s\n", passed ? "ok" : "not ok", ++ntests, what);
	say(line);
}

/* ---- Frames ---- */

static const uint8_t gateway[4] = {10, 0, 2, 2};
static const uint8_t guest[4] = {10, 0, 2, 15};
static uint8_t mac[6];

#define ARP_LENGTH 42u

static void build_arp(uint8_t *frame)
{
	static const uint8_t head[] = {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1};

	memset(frame, 0, ARP_LENGTH);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac, 6);
	memcpy(frame + 12, head, sizeof(head));
	memcpy(frame + 22, mac, 6);
	memcpy(frame + 28, guest, 4);
	memcpy(frame + 38, gateway, 4);
}

static bool is_reply(const uint8_t *frame, uint32_t length)
{
	return length >= ARP_LENGTH && frame[12] == 0x08 && frame[13] == 0x06 && frame[21] == 2 &&
	       memcmp(frame, mac, 6) == 0 && memcmp(frame + 28, gateway, 4) == 0;
}

static cap_t nic;

static void facts(void)
{
	struct capos_call call = {.buffer = call_buffer, .size = sizeof(call_buffer)};
	struct nic_mac_address_results out;
	struct nic_link_status_results link;
	int result = nic_mac_address(nic, &out, &call);

	check(!result && out.addr.len == 6, "macAddress answers six bytes");
	if (!result && out.addr.len == 6)
		memcpy(mac, out.addr.ptr, 6);
	result = nic_link_status(nic, &link, &call);
	check(!result && link.up, "linkStatus says that the link is up");
}

static int transmit(const void *frame, uint32_t length)
{
	static uint64_t buffer[512];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct nic_transmit_params in = {.frame = MSG_DATA(frame, length)};
	struct nic_transmit_results out;

	return nic_transmit(nic, &in, &out, &call);
}

static void by_call(void)
{
	static uint64_t buffer[RECEIVE_ROOM / 8];
	struct capos_call call = {
	        .buffer = buffer, .size = sizeof(buffer), .timeout_ns = 5 * SECOND};
	struct nic_receive_params in = {};
	struct nic_receive_results out;
	uint8_t frame[2000] = {0};
	bool found = false;

	check(transmit(frame, 13) == STATUS_INVALID_ARGUMENT, "a frame too short is refused");
	check(transmit(frame, 1515) == STATUS_INVALID_ARGUMENT, "a frame too long is refused");
	/* The reply may come before `receive` is called, and is dropped then; nobody is
	 * attached. */
	for (uint32_t i = 0; i < 3 && !found; i++) {
		struct capos_sqe sqe = {0};
		struct cap_op op = {0};
		struct msg_builder b;

		msg_builder_init(&b, buffer, sizeof(buffer));
		if (nic_receive_params_write(&b, &in) != CAP_OK)
			break;
		sqe = (struct capos_sqe){.op = CAP_OP_CALL,
		                         .cap = nic,
		                         .method = NIC_RECEIVE,
		                         .interface = NIC_INTERFACE,
		                         .send_addr = (uintptr_t)buffer,
		                         .send_len = msg_builder_length(&b),
		                         .recv_addr = (uintptr_t)buffer,
		                         .recv_len = sizeof(buffer)};
		if (cap_submit(&sqe, &op) != CAP_OK)
			break;
		cap_poll(false, 0);
		build_arp(frame);
		if (i == 0)
			check(transmit(frame, ARP_LENGTH) == CAP_OK, "transmit sends a frame");
		else
			transmit(frame, ARP_LENGTH);
		if (cap_await(&op, 5 * SECOND) == CAP_OK) {
			struct msg_reader reader;

			msg_reader_init(&reader, buffer, op.cqe.length);
			found = nic_receive_results_read(&reader, &out) == CAP_OK &&
			        is_reply(out.frame.ptr, out.frame.len) &&
			        out.observed_ethertype == 0x0806;
		} else {
			cap_cancel(&op);
		}
	}
	check(found, "receive answers the gateway's ARP reply");
	call.timeout_ns = SECOND / 10;
	check(nic_receive(nic, &out, &call) == CAP_ETIMEDOUT,
	      "a receive that nothing answers can be cancelled");
}

static struct nicqueue queues;
static uint8_t *nic_memory;
static cap_t nic_event;
static uint64_t nic_bits;

static bool attach(void)
{
	struct capos_send_cap send;
	struct capos_call call = call_with(&send);
	struct nic_attach_params in = {.wake_index = 0, .wake_bits = BIT_NIC};
	struct nic_attach_results out;
	void *memory;

	if (nic_memory) { /* the driver has one memory for all its clients */
		cap_release(nic_event);
		cap_memory_unmap(nic_memory,
		                 NICQUEUE_MEMORY_SIZE(queues.nreceive, queues.ntransmit));
	}
	if (nic_attach(nic, &in, &out, &call) != CAP_OK)
		return false;
	if (out.memory_index >= call.ncaps || out.event_index >= call.ncaps ||
	    out.buffer_size != NICQUEUE_BUFFER_SIZE)
		return false;
	nic_event = call.caps[out.event_index];
	nic_bits = out.event_bits;
	if (cap_memory_map(call.caps[out.memory_index], 0,
	                   NICQUEUE_MEMORY_SIZE(out.receive_buffers, out.transmit_buffers),
	                   CAP_RIGHT_READ | CAP_RIGHT_WRITE, &memory) != CAP_OK)
		return false;
	cap_release(call.caps[out.memory_index]);
	nic_memory = memory;
	nicqueue_init(&queues, memory, out.receive_buffers, out.transmit_buffers);
	return true;
}

/* Sends one ARP request by buffer number `buffer` and waits for the reply. */
static bool exchange(uint32_t buffer)
{
	struct nicqueue_descriptor d = {
	        .buffer = buffer, .offset = NICQUEUE_HEADROOM, .length = ARP_LENGTH};
	uint64_t deadline = cap_now() + 5 * SECOND, bits;

	build_arp(queues.transmit_buffers + (size_t)buffer * NICQUEUE_BUFFER_SIZE + d.offset);
	queue_put(&queues.transmit_ready, &d, 1);
	if (queue_publish_put(&queues.transmit_ready))
		cap_signal(nic_event, nic_bits);
	while (cap_now() < deadline) {
		bool found = false;

		while (queue_take(&queues.receive_ready, &d, 1)) {
			const uint8_t *frame = queues.receive_buffers +
			                       (size_t)d.buffer * NICQUEUE_BUFFER_SIZE + d.offset;

			found |= d.buffer < queues.nreceive && is_reply(frame, d.length);
			queue_put(&queues.receive_free, &d, 1);
		}
		queue_publish_take(&queues.receive_ready);
		if (queue_publish_put(&queues.receive_free))
			cap_signal(nic_event, nic_bits);
		if (found)
			return true;
		queue_want_data(&queues.receive_ready);
		if (queue_readable(&queues.receive_ready) == 0)
			cap_wait(wake, BIT_NIC, SECOND, &bits);
	}
	return false;
}

static void by_queue(void)
{
	bool all = true;
	uint64_t start;
	char line[100];

	check(attach(), "attach gives memory and an event");
	check(exchange(0), "an ARP reply comes through the shared queues");
	start = cap_now();
	for (uint32_t i = 0; i < 1000 && all; i++) {
		struct nicqueue_descriptor d;

		all = exchange(i % queues.ntransmit);
		while (queue_take(&queues.transmit_free, &d, 1))
			;
		queue_publish_take(&queues.transmit_free);
	}
	check(all, "a thousand more, with every buffer used again");
	fmt_snprintf(line, sizeof(line), "# %llu us each\n",
	             (unsigned long long)((cap_now() - start) / 1000 / 1000));
	say(line);
}

static uint32_t seed = 1;

static uint32_t random_below(uint32_t bound)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)seed * bound) >> 32);
}

/* Stores all over what is shared, mostly the queues; now and then the driver is woken to look. */
static void garbage(void)
{
	uint32_t size = (uint32_t)NICQUEUE_MEMORY_SIZE(queues.nreceive, queues.ntransmit);

	for (uint32_t i = 0; i < GARBAGE_STEPS; i++) {
		switch (random_below(8)) {
		case 0: /* an index, or a request to be woken */
			((volatile uint8_t *)
			         nic_memory)[random_below(sizeof(struct nicqueue_shared))] =
			        (uint8_t)random_below(256);
			break;
		case 1: /* descriptors that are likely to be looked at */
			atomic_fetch_add((_Atomic uint32_t *)&queues.transmit_ready.shared->tail,
			                 random_below(4));
			break;
		case 2:
			atomic_fetch_add((_Atomic uint32_t *)&queues.receive_free.shared->tail,
			                 random_below(4));
			break;
		case 3:
			nic_memory[random_below(size)] = (uint8_t)random_below(256);
			break;
		default:
			nic_memory[NICQUEUE_HEADER_SIZE + random_below(NICQUEUE_RINGS_SIZE)] =
			        (uint8_t)random_below(300);
			break;
		}
		if (i % 16 == 0)
			cap_signal(nic_event, nic_bits);
		if (i % 2000 == 1999 && !attach())
			log_fatal("attach after garbage failed");
	}
}

static void hostile(void)
{
	struct nic_attach_params in = {.wake_index = 3, .wake_bits = 1};
	struct nic_attach_results out;
	struct nic_statistics_results statistics = {0};
	struct capos_call call = {.buffer = call_buffer, .size = sizeof(call_buffer)};

	garbage();
	check(true, "the driver lives through random stores in all that is shared");
	check(attach() && exchange(1), "and serves the next client");
	check(nic_attach(nic, &in, &out, &call) == STATUS_INVALID_ARGUMENT,
	      "attach without an event is refused");
	check(exchange(2), "and ends no other client");
	check(nic_statistics(nic, &statistics, &call) == CAP_OK && statistics.malformed > 0 &&
	              statistics.received_frames > 1000,
	      "statistics count what was dropped");
}

/* A client that ends with all its frames on the way, and the next one at once: the driver may have
 * to reset the device to get the buffers back. */
static void in_flight(void)
{
	bool all = true;

	for (uint32_t round = 0; round < 20 && all; round++) {
		for (uint32_t i = 0; i < queues.ntransmit; i++) {
			struct nicqueue_descriptor d = {
			        .buffer = i, .offset = NICQUEUE_HEADROOM, .length = ARP_LENGTH};

			build_arp(queues.transmit_buffers + (size_t)i * NICQUEUE_BUFFER_SIZE +
			          d.offset);
			queue_put(&queues.transmit_ready, &d, 1);
		}
		queue_publish_put(&queues.transmit_ready);
		cap_signal(nic_event, nic_bits);
		all = attach() && exchange(round);
	}
	check(all, "a client that ends with frames on the way leaves nothing behind");
}

/* ---- The rest ---- */

static uint64_t number(const char *text)
{
	uint64_t n = 0;

	while (*text >= '0' && *text <= '9')
		n = n * 10 + (uint64_t)(*text++ - '0');
	return n;
}

static void write_pattern(uint64_t bytes)
{
	static uint8_t block[65536];
	uint64_t start = cap_now(), done = 0;

	for (uint32_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 7 + i / 256);
	while (done < bytes) {
		uint64_t n = bytes - done < sizeof(block) ? bytes - done : sizeof(block);

		stream_write(&output, block, (uint32_t)n);
		done += n;
	}
	log_line("%llu bytes in %llu us", (unsigned long long)bytes,
	         (unsigned long long)((cap_now() - start) / 1000));
}

static void sum_input(void)
{
	static struct stream input;
	static uint8_t bytes[16384];
	uint64_t count = 0, sum = 0, start;
	char line[100];
	uint32_t n;

	stream_attach(&input, "stdin", CHANNEL_MEMORY_SIZE(65536, 0));
	start = cap_now();
	while ((n = stream_read(&input, bytes, sizeof(bytes))) > 0) {
		for (uint32_t i = 0; i < n; i++)
			sum += bytes[i];
		count += n;
	}
	fmt_snprintf(line, sizeof(line), "%llu %llu\n", (unsigned long long)count,
	             (unsigned long long)sum);
	say(line);
	log_line("%llu bytes in %llu us", (unsigned long long)count,
	         (unsigned long long)((cap_now() - start) / 1000));
}

int main(int argc, char **argv)
{
	char plan[16];

	if (cap_event_create(&wake) != CAP_OK)
		log_fatal("no event");
	stream_attach(&output, "stdout", CHANNEL_MEMORY_SIZE(0, 262144));
	nic = start_cap("nic");
	if (argc == 3 && strcmp(argv[1], "output") == 0) {
		write_pattern(number(argv[2]));
	} else if (argc == 2 && strcmp(argv[1], "input") == 0) {
		sum_input();
	} else if (argc == 2 && strcmp(argv[1], "nic") == 0) {
		facts();
		by_call();
		by_queue();
		in_flight();
		hostile();
		fmt_snprintf(plan, sizeof(plan), "1..%u\n", ntests);
		say(plan);
	} else {
		log_fatal("usage: drivers nic | output BYTES | input");
	}
	return nfailed ? 1 : 0;
}
