/* SPDX-License-Identifier: MIT */
/*
 * The console driver's streams between a fake device and fake programs: ports found by name, bytes
 * both ways across every boundary, the ends of streams, and control messages, used rings and
 * channels that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/virtio-console/console.h"
#include "tests/unit/virtio_fake.h"

#define PORTS       8u
#define QUEUE_BYTES VIRTQUEUE_MEMORY_SIZE(CONSOLE_QUEUE_SIZE)

static const struct {
	const char *name;
	uint32_t receive_size, send_size, buffer_size, nbuffers;
} shapes[CONSOLE_STREAMS] = {
        {"capos.stdin", 65536, 0, 4096, 16}, {"capos.stdout", 0, 262144, 0, 0},
        {"capos.stderr", 0, 16384, 0, 0},    {"capos.control", 4096, 4096, 1024, 4},
        {"capos.output", 0, 65536, 0, 0},
};

static struct fake_device dev;
static struct console console;
static struct fake_queue queues[CONSOLE_QUEUES(PORTS)];
static struct virtqueue_slot slots[CONSOLE_QUEUES(PORTS)][CONSOLE_QUEUE_SIZE];
static struct channel clients[CONSOLE_STREAMS]; /* programs' views */
static uint8_t *rings;
static volatile uint16_t doorbell;

static void start_device(void)
{
	for (uint32_t i = 0; i < CONSOLE_QUEUES(PORTS); i++) {
		virtqueue_init(&console.queues[i], rings + i * QUEUE_BYTES, CONSOLE_QUEUE_SIZE,
		               slots[i], (uint16_t)i, true, &doorbell);
		queues[i] = (struct fake_queue){.q = &console.queues[i]};
	}
	console_start(&console);
}

static int begin(void **state)
{
	uint64_t *pages;

	(void)state;
	fake_seed = 1;
	console = (struct console){.nports = PORTS};
	rings = fake_memory(&dev, CONSOLE_QUEUES(PORTS) * QUEUE_BYTES / 4096, &pages);
	console.control_in = fake_memory(&dev, 1, &pages);
	console.control_in_address = pages[0];
	console.control_out = fake_memory(&dev, 1, &pages);
	console.control_out_address = pages[0];
	for (uint32_t i = 0; i < CONSOLE_STREAMS; i++) {
		struct console_stream *s = &console.streams[i];
		uint64_t size = CHANNEL_MEMORY_SIZE(shapes[i].receive_size, shapes[i].send_size);
		void *memory = fake_memory(&dev, (uint32_t)(size / 4096), &pages);

		s->name = shapes[i].name;
		s->channel_pages = pages;
		channel_create(&s->channel, memory, shapes[i].receive_size, shapes[i].send_size);
		assert_int_equal(channel_open(&clients[i], memory, size), CAP_OK);
		if (shapes[i].nbuffers) {
			uint32_t bytes = shapes[i].buffer_size * shapes[i].nbuffers;

			s->buffers = fake_memory(&dev, bytes / 4096, &pages);
			s->buffer_pages = pages;
			s->buffer_size = shapes[i].buffer_size;
			s->nbuffers = shapes[i].nbuffers;
		}
	}
	start_device();
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_free(&dev);
	return 0;
}

/* ---- The device's side ---- */

static void say(uint32_t port, uint16_t event, uint16_t value, const void *payload, uint32_t length)
{
	uint8_t bytes[CONSOLE_CONTROL_BUFFER_SIZE];
	struct console_message m = {port, event, value};

	memcpy(bytes, &m, sizeof(m));
	memcpy(bytes + sizeof(m), payload, length);
	assert_true(fake_write(&dev, &queues[CONSOLE_CONTROL_RECEIVE], bytes,
	                       (uint32_t)sizeof(m) + length));
}

static bool heard(struct console_message *m)
{
	struct fake_chain c;

	if (!fake_pop(&queues[CONSOLE_CONTROL_TRANSMIT], &c))
		return false;
	assert_int_equal(fake_read(&dev, &c, (uint8_t *)m, sizeof(*m)), sizeof(*m));
	fake_use(&queues[CONSOLE_CONTROL_TRANSMIT], c.id, 0);
	return true;
}

static void expect(uint32_t port, uint16_t event, uint16_t value)
{
	struct console_message m = {0};

	assert_true(heard(&m));
	assert_int_equal(m.port, port);
	assert_int_equal(m.event, event);
	assert_int_equal(m.value, value);
}

static void expect_silence(void)
{
	struct console_message m;

	assert_false(heard(&m));
}

static void plug(uint32_t port, const char *name)
{
	say(port, CONSOLE_PORT_ADD, 0, "", 0);
	console_run(&console);
	expect(port, CONSOLE_PORT_READY, 1);
	say(port, CONSOLE_PORT_NAME, 0, name, (uint32_t)strlen(name));
	console_run(&console);
	expect(port, CONSOLE_PORT_OPEN, 1);
}

static void host_opens(uint32_t port, bool open)
{
	say(port, CONSOLE_PORT_OPEN, open, "", 0);
	console_run(&console);
}

/* All four, stdin on port 1 and so on, as QEMU numbers them. */
static void plug_all(void)
{
	expect(0, CONSOLE_DEVICE_READY, 1);
	for (uint32_t i = 0; i < CONSOLE_STREAMS; i++) {
		plug(i + 1, shapes[i].name);
		host_opens(i + 1, true);
	}
	expect_silence();
}

static struct fake_queue *from_port(uint32_t stream)
{
	return &queues[console_transmit_queue(stream + 1)];
}

static struct fake_queue *to_port(uint32_t stream)
{
	return &queues[console_receive_queue(stream + 1)];
}

static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 7 + i / 256 + i / 65536);
}

static uint32_t program_writes(uint32_t stream, uint32_t from, uint32_t length)
{
	static uint8_t bytes[300000];

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = pattern(from + i);
	length = queue_put(&clients[stream].send, bytes, length);
	queue_publish_put(&clients[stream].send);
	return length;
}

/* ---- Tests ---- */

static void ports_by_name(void **state)
{
	(void)state;
	assert_false(console_settled(&console));
	expect(0, CONSOLE_DEVICE_READY, 1);
	expect_silence();
	/* Any number, any order; others are left alone. */
	say(7, CONSOLE_PORT_ADD, 0, "", 0);
	say(0, CONSOLE_PORT_ADD, 0, "", 0);
	console_run(&console);
	expect(7, CONSOLE_PORT_READY, 1);
	expect(0, CONSOLE_PORT_READY, 1);
	say(7, CONSOLE_PORT_ADD, 0, "", 0); /* twice */
	say(7, CONSOLE_PORT_NAME, 0, "capos.stdout\0", 13);
	console_run(&console);
	expect(7, CONSOLE_PORT_OPEN, 1);
	expect_silence();
	assert_false(console_settled(&console));
	say(0, CONSOLE_PORT_NAME, 0, "org.qemu.guest_agent.0", 22);
	console_run(&console);
	expect_silence();
	assert_true(console_settled(&console));
	assert_ptr_equal(console.streams[CONSOLE_STDOUT].port, &console.ports[7]);
	assert_null(console.streams[CONSOLE_STDERR].port);
	/* A second port of a name changes nothing. */
	say(0, CONSOLE_PORT_NAME, 0, "capos.stdout", 12);
	console_run(&console);
	expect_silence();
	assert_ptr_equal(console.streams[CONSOLE_STDOUT].port, &console.ports[7]);
}

static void bad_messages(void **state)
{
	static const uint8_t zeros[CONSOLE_CONTROL_BUFFER_SIZE];
	struct fake_queue *in = &queues[CONSOLE_CONTROL_RECEIVE];
	char name[CONSOLE_CONTROL_BUFFER_SIZE - 8];

	(void)state;
	expect(0, CONSOLE_DEVICE_READY, 1);
	for (uint32_t length = 0; length < 8; length++)
		assert_true(fake_write(&dev, in, zeros, length));
	say(PORTS, CONSOLE_PORT_ADD, 0, "", 0);
	say(UINT32_MAX, CONSOLE_PORT_ADD, 0, "", 0);
	say(1, CONSOLE_PORT_NAME, 0, "capos.stdin", 11); /* never added */
	say(1, CONSOLE_PORT_OPEN, 1, "", 0);
	console_run(&console);
	assert_int_equal(console.malformed, 12);
	expect_silence();
	say(1, CONSOLE_PORT_ADD, 0, "", 0);
	say(1, 99, 0, "", 0);
	say(1, CONSOLE_DEVICE_READY, 0, "", 0); /* a driver's message */
	console_run(&console);
	expect(1, CONSOLE_PORT_READY, 1);
	assert_int_equal(console.malformed, 14);
	/* Names that are nearly ours, empty, or as long as can be. */
	memset(name, 'x', sizeof(name));
	say(1, CONSOLE_PORT_NAME, 0, "", 0);
	say(1, CONSOLE_PORT_NAME, 0, "\0\0", 2);
	say(1, CONSOLE_PORT_NAME, 0, "capos.stdi", 10);
	say(1, CONSOLE_PORT_NAME, 0, "capos.stdin2", 12);
	say(1, CONSOLE_PORT_NAME, 0, name, sizeof(name));
	say(1, CONSOLE_RESIZE, 0, "abc", 3);
	console_run(&console);
	expect_silence();
	assert_int_equal(fake_waiting(in), CONSOLE_CONTROL_BUFFERS);
	/* The device claims to have written more than it was given. */
	fake_use(in, 0, CONSOLE_CONTROL_BUFFER_SIZE + 1);
	assert_true(console_run(&console) & CONSOLE_DEVICE_BROKEN);
	start_device();
	plug_all();
	assert_int_equal(console_run(&console), 0);
}

/* A device that does not take notices: the driver stops listening, and goes on later. */
static void congestion(void **state)
{
	struct console_message m;
	uint32_t ready = 0;

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		while (fake_waiting(&queues[CONSOLE_CONTROL_RECEIVE]) > 1) {
			say(2, CONSOLE_PORT_REMOVE, 0, "", 0);
			say(2, CONSOLE_PORT_ADD, 0, "", 0);
		}
		assert_int_equal(console_run(&console), 0);
	}
	assert_true(console.busy_slots >= CONSOLE_CONTROL_SLOTS - 2);
	assert_false(console_prepare_sleep(&console));
	for (uint32_t i = 0; i < 400; i++) {
		while (heard(&m))
			ready += m.event == CONSOLE_PORT_READY;
		console_run(&console);
	}
	assert_true(ready > CONSOLE_CONTROL_SLOTS);
	assert_int_equal(console.busy_slots, 0);
	assert_int_equal(fake_waiting(&queues[CONSOLE_CONTROL_RECEIVE]), CONSOLE_CONTROL_BUFFERS);
}

static void window_size(void **state)
{
	const uint16_t size[2] = {80, 25};
	struct console_stream *s = &console.streams[CONSOLE_STDOUT];

	(void)state;
	plug_all();
	assert_false(s->size_known);
	say(2, CONSOLE_RESIZE, 0, size, sizeof(size));
	console_run(&console);
	assert_true(s->size_known);
	assert_int_equal(s->columns, 80);
	assert_int_equal(s->rows, 25);
}

/* stdout: random amounts, requests used in random order, bytes compared. */
static void output(void **state)
{
	static uint8_t bytes[CONSOLE_REQUEST_BYTES], host[2000000];
	struct fake_chain held[CONSOLE_REQUESTS];
	uint32_t at[CONSOLE_REQUESTS]; /* place of each held request in the stream */
	uint32_t nheld = 0, written = 0, given = 0, used = 0;
	struct fake_queue *q = from_port(CONSOLE_STDOUT);
	struct console_stream *s = &console.streams[CONSOLE_STDOUT];

	(void)state;
	/* Written before there is a port: waits. */
	written = program_writes(CONSOLE_STDOUT, 0, 1000);
	console_run(&console);
	assert_int_equal(fake_waiting(q), 0);
	expect(0, CONSOLE_DEVICE_READY, 1);
	plug(CONSOLE_STDOUT + 1, "capos.stdout");
	assert_int_equal(fake_waiting(q), 0); /* the host has it not open */
	host_opens(CONSOLE_STDOUT + 1, true);
	assert_int_equal(fake_waiting(q), 1);

	while (used < sizeof(host)) {
		uint32_t want = fake_random(3) ? fake_random(5000) : fake_random(300000);

		if (want > sizeof(host) - written)
			want = (uint32_t)sizeof(host) - written;
		if (fake_random(2))
			written += program_writes(CONSOLE_STDOUT, written, want);
		assert_int_equal(console_run(&console), 0);
		while (nheld < CONSOLE_REQUESTS && fake_pop(q, &held[nheld])) {
			assert_true(held[nheld].count <= CONSOLE_CHAIN_MAX);
			at[nheld++] = given;
			given += held[nheld - 1].readable;
		}
		if (nheld && fake_random(3)) {
			uint32_t i = fake_random(nheld);
			uint32_t n = fake_read(&dev, &held[i], bytes, sizeof(bytes));

			memcpy(host + at[i], bytes, n);
			used += n;
			fake_use(q, held[i].id, 0);
			nheld--;
			held[i] = held[nheld];
			at[i] = at[nheld];
		}
		/* The program's view: never more space than what the host has taken. */
		assert_true(queue_writable(&clients[CONSOLE_STDOUT].send) <=
		            262144 - (written - used));
	}
	console_run(&console);
	assert_int_equal(queue_writable(&clients[CONSOLE_STDOUT].send), 262144);
	for (uint32_t i = 0; i < sizeof(host); i++)
		if (host[i] != pattern(i))
			fail_msg("byte %u differs", i);

	uint32_t mark;

	assert_true(console_written(s, &mark));
	assert_true(console_drained(s, mark));
}

/* In descriptors as large as the device's pages lie together, and no request without bound. */
static void large_requests(void **state)
{
	struct fake_chain c;
	uint32_t total = 0, count = 0;

	(void)state;
	plug_all();
	assert_int_equal(program_writes(CONSOLE_STDOUT, 0, 262144), 262144);
	console_run(&console);
	while (fake_pop(from_port(CONSOLE_STDOUT), &c)) {
		assert_true(c.readable <= CONSOLE_REQUEST_BYTES);
		total += c.readable;
		count++;
	}
	assert_int_equal(total, 262144);
	assert_int_equal(count, 4);
}

static void drains(void **state)
{
	struct console_stream *s = &console.streams[CONSOLE_STDERR];
	struct fake_chain c;
	uint32_t mark;

	(void)state;
	plug_all();
	assert_true(console_written(s, &mark));
	assert_true(console_drained(s, mark));
	program_writes(CONSOLE_STDERR, 0, 100);
	assert_true(console_written(s, &mark)); /* before the driver has seen it */
	assert_false(console_drained(s, mark));
	console_run(&console);
	assert_false(console_drained(s, mark));
	assert_true(fake_pop(from_port(CONSOLE_STDERR), &c));
	program_writes(CONSOLE_STDERR, 100, 100); /* later: not waited for */
	fake_use(from_port(CONSOLE_STDERR), c.id, 0);
	console_run(&console);
	assert_true(console_drained(s, mark));
}

static void input(void **state)
{
	struct queue *q = &clients[CONSOLE_STDIN].receive;
	uint32_t sent = 0, got = 0;
	uint8_t bytes[4096];

	(void)state;
	plug_all();
	assert_int_equal(fake_waiting(to_port(CONSOLE_STDIN)), 16);
	/* The program reads nothing: 64 KiB in the channel, the rest with the device, then no
	 * more. */
	while (fake_waiting(to_port(CONSOLE_STDIN))) {
		for (uint32_t i = 0; i < 4096; i++)
			bytes[i] = pattern(sent + i);
		assert_true(fake_write(&dev, to_port(CONSOLE_STDIN), bytes, 4096));
		sent += 4096;
		console_run(&console);
	}
	assert_int_equal(sent, 65536 + 16 * 4096);
	assert_int_equal(queue_readable(q), 65536);
	assert_false(console_prepare_sleep(&console));
	/* The host closes; everything is still there, and only then the end. */
	host_opens(CONSOLE_STDIN + 1, false);
	while (got < sent) {
		/* The end is shown once all the rest is in the channel. */
		if (atomic_load(&clients[CONSOLE_STDIN].shared->status) & CHANNEL_EOF)
			assert_int_equal(got + queue_readable(q), sent);

		uint32_t n = queue_take(q, bytes, 1 + fake_random(4096));

		assert_true(n > 0);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(bytes[i], pattern(got + i));
		got += n;
		/* The driver runs when it asked to, as it would. */
		if (queue_publish_take(q) && got < sent - 4096) {
			console_run(&console);
			console_prepare_sleep(&console);
		} else if (queue_readable(q) == 0 && got < sent) {
			console_run(&console);
		}
	}
	console.streams[CONSOLE_STDIN].wake = false;
	console_run(&console);
	assert_true(atomic_load(&clients[CONSOLE_STDIN].shared->status) & CHANNEL_EOF);
}

static void check_both_ways(void)
{
	uint8_t bytes[16];
	struct fake_chain c;

	queue_want_data(&clients[CONSOLE_CONTROL].receive);
	assert_true(fake_write(&dev, to_port(CONSOLE_CONTROL), "signal 2\n", 9));
	console_run(&console);
	assert_true(console.streams[CONSOLE_CONTROL].wake);
	assert_int_equal(queue_take(&clients[CONSOLE_CONTROL].receive, bytes, 16), 9);
	assert_memory_equal(bytes, "signal 2\n", 9);
	assert_int_equal(queue_put(&clients[CONSOLE_CONTROL].send, "exit 0 0\n", 9), 9);
	queue_publish_put(&clients[CONSOLE_CONTROL].send);
	console_run(&console);
	assert_true(fake_pop(from_port(CONSOLE_CONTROL), &c));
	assert_int_equal(fake_read(&dev, &c, bytes, 16), 9);
	assert_memory_equal(bytes, "exit 0 0\n", 9);
}

static void both_ways(void **state)
{
	(void)state;
	plug_all();
	check_both_ways();
}

static void host_closes_output(void **state)
{
	struct console_stream *s = &console.streams[CONSOLE_STDOUT];
	struct fake_chain c;

	(void)state;
	plug_all();
	assert_int_equal(atomic_load(&clients[CONSOLE_STDOUT].shared->status), 0);
	program_writes(CONSOLE_STDOUT, 0, 5000);
	console_run(&console);
	s->wake = false;
	host_opens(CONSOLE_STDOUT + 1, false);
	assert_true(atomic_load(&clients[CONSOLE_STDOUT].shared->status) & CHANNEL_CLOSED);
	assert_true(s->wake);
	/* What it had comes back; nothing more is given, also when the port opens again. */
	assert_true(fake_pop(from_port(CONSOLE_STDOUT), &c));
	fake_use(from_port(CONSOLE_STDOUT), c.id, 0);
	program_writes(CONSOLE_STDOUT, 5000, 10);
	console_run(&console);
	host_opens(CONSOLE_STDOUT + 1, true);
	assert_int_equal(fake_waiting(from_port(CONSOLE_STDOUT)), 0);
	assert_false(console_prepare_sleep(&console));
	/* The others go on. */
	program_writes(CONSOLE_STDERR, 0, 10);
	console_run(&console);
	assert_int_equal(fake_waiting(from_port(CONSOLE_STDERR)), 1);
}

static void program_lies(void **state)
{
	struct fake_chain c;

	(void)state;
	plug_all();
	program_writes(CONSOLE_STDOUT, 0, 5000);
	console_run(&console);
	/* The index goes back behind what the device already has. */
	atomic_store(&clients[CONSOLE_STDOUT].shared->send.tail, 100);
	console_run(&console);
	assert_true(atomic_load(&clients[CONSOLE_STDOUT].shared->status) & CHANNEL_CLOSED);
	assert_true(fake_pop(from_port(CONSOLE_STDOUT), &c));
	fake_use(from_port(CONSOLE_STDOUT), c.id, 0);
	console_run(&console);
	atomic_store(&clients[CONSOLE_STDERR].shared->send.tail, 1000000);
	atomic_store(&clients[CONSOLE_STDIN].shared->receive.head, 1000000);
	fake_write(&dev, to_port(CONSOLE_STDIN), "abc", 3);
	assert_int_equal(console_run(&console), 0);
	assert_true(atomic_load(&clients[CONSOLE_STDERR].shared->status) & CHANNEL_CLOSED);
	assert_true(atomic_load(&clients[CONSOLE_STDIN].shared->status) & CHANNEL_EOF);
	assert_false(console_prepare_sleep(&console));
	/* Queues that a stream does not have: nothing happens. */
	atomic_store(&clients[CONSOLE_STDIN].shared->send.tail, 5);
	atomic_store(&clients[CONSOLE_STDOUT].shared->receive.head, 5);
	assert_int_equal(console_run(&console), 0);
	check_both_ways();
}

static void device_lies(void **state)
{
	struct fake_chain c;
	uint8_t bytes[8192];

	(void)state;
	plug_all();
	fake_use(to_port(CONSOLE_STDIN), 3, 4097);
	assert_true(console_run(&console) & CONSOLE_DEVICE_BROKEN);
	start_device();
	plug_all();
	/* Not signalled in a run, but before sleep. */
	atomic_store(&to_port(CONSOLE_STDIN)->q->used->index, 100);
	assert_true(console_prepare_sleep(&console));
	assert_true(console_run(&console) & CONSOLE_DEVICE_BROKEN);
	start_device();
	plug_all();
	/* What the device never used goes out again after the reset. */
	program_writes(CONSOLE_STDOUT, 0, 6000);
	console_run(&console);
	assert_true(fake_pop(from_port(CONSOLE_STDOUT), &c));
	fake_use(from_port(CONSOLE_STDOUT), c.id, 1);
	assert_true(console_run(&console) & CONSOLE_DEVICE_BROKEN);
	start_device();
	plug_all();
	assert_true(fake_pop(from_port(CONSOLE_STDOUT), &c));
	assert_int_equal(fake_read(&dev, &c, bytes, sizeof(bytes)), 6000);
	assert_int_equal(bytes[5999], pattern(5999));
	/* Empty buffers for ever: each round ends. */
	for (uint32_t i = 0; i < 1000; i++) {
		fake_write(&dev, to_port(CONSOLE_STDIN), "", 0);
		console_run(&console);
	}
	assert_int_equal(fake_waiting(to_port(CONSOLE_STDIN)), 16);
}

/* Random messages, bytes and uses, and random stores in what clients and device share. */
static void chaos(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 40000; round++) {
		uint32_t stream = fake_random(CONSOLE_STREAMS);
		uint32_t queue = fake_random(CONSOLE_QUEUES(PORTS));
		const char *name = shapes[fake_random(CONSOLE_STREAMS)].name;
		uint8_t bytes[64];
		struct console_message m;
		struct fake_chain c;

		for (uint32_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)fake_random(256);
		switch (fake_random(8)) {
		case 0:
			m = (struct console_message){fake_random(10), (uint16_t)fake_random(9),
			                             (uint16_t)fake_random(2)};
			memcpy(bytes, &m, sizeof(m));
			if (fake_random(2))
				memcpy(bytes + 8, name, strlen(name) + 1);
			fake_write(&dev, &queues[CONSOLE_CONTROL_RECEIVE], bytes, fake_random(40));
			break;
		case 1:
			while (heard(&m))
				;
			break;
		case 2:
			if (shapes[stream].send_size)
				program_writes(stream, 0, fake_random(20000));
			break;
		case 3:
			if (fake_pop(&queues[queue], &c))
				fake_use(&queues[queue], c.id,
				         c.writable ? fake_random(c.writable + 1) : 0);
			break;
		case 4:
			if (shapes[stream].receive_size) {
				queue_take(&clients[stream].receive, bytes, sizeof(bytes));
				queue_publish_take(&clients[stream].receive);
			}
			break;
		case 5:
			if (fake_random(500) == 0)
				rings[fake_random(CONSOLE_QUEUES(PORTS) * QUEUE_BYTES)] =
				        (uint8_t)fake_random(256);
			break;
		case 6:
			if (fake_random(2000) == 0)
				((uint8_t *)clients[stream]
				         .shared)[fake_random(sizeof(struct channel_shared))] =
				        (uint8_t)fake_random(256);
			break;
		default:
			break;
		}
		/* A descriptor that random stores changed would be the device's own fault. */
		if (console_run(&console) & CONSOLE_DEVICE_BROKEN || fake_random(3000) == 0)
			start_device();
		console_prepare_sleep(&console);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(ports_by_name, begin, end),
	        cmocka_unit_test_setup_teardown(bad_messages, begin, end),
	        cmocka_unit_test_setup_teardown(congestion, begin, end),
	        cmocka_unit_test_setup_teardown(window_size, begin, end),
	        cmocka_unit_test_setup_teardown(output, begin, end),
	        cmocka_unit_test_setup_teardown(large_requests, begin, end),
	        cmocka_unit_test_setup_teardown(drains, begin, end),
	        cmocka_unit_test_setup_teardown(input, begin, end),
	        cmocka_unit_test_setup_teardown(both_ways, begin, end),
	        cmocka_unit_test_setup_teardown(host_closes_output, begin, end),
	        cmocka_unit_test_setup_teardown(program_lies, begin, end),
	        cmocka_unit_test_setup_teardown(device_lies, begin, end),
	        cmocka_unit_test_setup_teardown(chaos, begin, end),
	};

	return cmocka_run_group_tests_name("virtio-console", tests, NULL, NULL);
}
