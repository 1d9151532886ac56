/* SPDX-License-Identifier: MIT */
/*
 * The network driver's frames between a fake device and a fake netstack: both ways, through client
 * changes and device resets, with frames that are short, long or in pieces, and with a device and a
 * netstack that write anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/virtio-net/net.h"
#include "tests/unit/virtio_fake.h"

#define QUEUE_PAGES  2u
#define SHARED_BYTES NICQUEUE_MEMORY_SIZE(NET_RECEIVE_BUFFERS, NET_TRANSMIT_BUFFERS)
#define SHARED_PAGES ((uint32_t)((SHARED_BYTES + 4095) / 4096))
#define HEADER       12u

static struct fake_device dev;
static struct net net;
static struct nicqueue client; /* netstack's view */
static struct fake_queue receive, transmit;
static struct virtqueue_slot slots[2][VIRTQUEUE_SIZE_MAX];
static uint8_t *rings;
static volatile uint16_t doorbell;

static void start_device(void)
{
	virtqueue_init(&net.receive, rings, 256, slots[0], 0, true, &doorbell);
	virtqueue_init(&net.transmit, rings + 8192, 256, slots[1], 1, true, &doorbell);
	receive = (struct fake_queue){.q = &net.receive};
	transmit = (struct fake_queue){.q = &net.transmit};
	net_restart(&net);
}

static void attach(void)
{
	assert_true(net_attach(&net));
	nicqueue_init(&client, net.memory, NET_RECEIVE_BUFFERS, NET_TRANSMIT_BUFFERS);
}

static int begin(void **state)
{
	uint64_t *pages;

	(void)state;
	fake_seed = 1;
	net = (struct net){.mergeable = true};
	rings = fake_memory(&dev, 2 * QUEUE_PAGES, &pages);
	net.memory = fake_memory(&dev, SHARED_PAGES, &pages);
	net.pages = pages;
	net.call_buffers = fake_memory(&dev, NET_CALL_BUFFERS / 2, &pages);
	net.call_pages = pages;
	net_count_buffers(&net, 256, 256);
	start_device();
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_free(&dev);
	return 0;
}

/* A frame from the network of `length` bytes, all with the value `mark`. */
static bool arrive(uint8_t mark, uint32_t length, uint16_t buffers)
{
	uint8_t bytes[2100] = {0};

	memcpy(bytes + 10, &buffers, 2);
	memset(bytes + HEADER, mark, length);
	return fake_write(&dev, &receive, bytes, HEADER + length);
}

/* netstack takes a frame, checks it and returns the buffer's number. */
static uint32_t take(uint8_t mark, uint32_t length)
{
	struct nicqueue_descriptor d;

	assert_int_equal(queue_take(&client.receive_ready, &d, 1), 1);
	queue_publish_take(&client.receive_ready);
	assert_int_equal(d.length, length);
	assert_true(d.buffer < NET_RECEIVE_BUFFERS);

	const uint8_t *frame = client.receive_buffers + d.buffer * NICQUEUE_BUFFER_SIZE + d.offset;

	assert_int_equal((d.offset + 14) % 4, 0);
	for (uint32_t i = 0; i < length; i++)
		assert_int_equal(frame[i], mark);
	return d.buffer;
}

static void give_back(uint32_t buffer)
{
	struct nicqueue_descriptor d = {.buffer = buffer};

	assert_int_equal(queue_put(&client.receive_free, &d, 1), 1);
	queue_publish_put(&client.receive_free);
}

static void put(struct nicqueue_descriptor d)
{
	assert_int_equal(queue_put(&client.transmit_ready, &d, 1), 1);
	queue_publish_put(&client.transmit_ready);
}

static uint8_t *transmit_frame(uint32_t buffer, uint32_t offset)
{
	return client.transmit_buffers + buffer * NICQUEUE_BUFFER_SIZE + offset;
}

/* The device sends one frame: its length, its first byte in *mark. */
static uint32_t leave(uint8_t *mark)
{
	struct fake_chain c;
	uint8_t bytes[2100];

	if (!fake_pop(&transmit, &c))
		return 0;

	uint32_t length = fake_read(&dev, &c, bytes, sizeof(bytes));

	assert_true(length > HEADER);
	for (uint32_t i = 0; i < HEADER; i++)
		assert_int_equal(bytes[i], 0);
	*mark = bytes[HEADER];
	fake_use(&transmit, c.id, 0);
	return length - HEADER;
}

static void receives(void **state)
{
	(void)state;
	attach();
	assert_int_equal(fake_waiting(&receive), 256);
	/* Three times as many frames as buffers. */
	for (uint32_t i = 0; i < 768; i++) {
		assert_true(arrive((uint8_t)i, 14 + i, 1));
		net_run(&net);
		give_back(take((uint8_t)i, 14 + i));
	}
	net_run(&net);
	assert_int_equal(fake_waiting(&receive), 256);
	assert_int_equal(net.statistics.received_frames, 768);
	assert_int_equal(net.statistics.malformed, 0);
}

static void wakes_only_who_asked(void **state)
{
	(void)state;
	attach();
	arrive(1, 60, 1);
	assert_int_equal(net_run(&net) & NET_WAKE_CLIENT, 0);
	queue_want_data(&client.receive_ready);
	arrive(2, 60, 1);
	arrive(3, 60, 1);
	assert_int_equal(net_run(&net), NET_WAKE_CLIENT);
	assert_int_equal(net_run(&net), 0);
	assert_false(net_prepare_sleep(&net));
	/* Asleep: the client is to signal, the device to interrupt. */
	assert_int_equal(atomic_load(&client.transmit_ready.shared->consumer_wants), 1);
	assert_int_equal(fake_used_event(&receive), 3);
	arrive(4, 60, 1);
	assert_true(net_prepare_sleep(&net));
}

static void sends(void **state)
{
	uint8_t mark = 0;

	(void)state;
	attach();
	for (uint32_t round = 0; round < 8; round++) {
		for (uint32_t i = 0; i < NET_TRANSMIT_BUFFERS; i++) {
			uint16_t offset = (uint16_t)(NICQUEUE_HEADROOM + i % 3 * 7);

			memset(transmit_frame(i, offset), (int)i, 100 + i);
			put((struct nicqueue_descriptor){i, offset, (uint16_t)(100 + i), 0, 0});
		}
		net_run(&net);
		/* None are left for netstack: it has to hear of those that are sent. */
		net_prepare_sleep(&net);
		assert_int_equal(fake_used_event(&transmit),
		                 (uint16_t)(transmit.used + NET_TRANSMIT_BUFFERS / 2 - 1));
		for (uint32_t i = 0; i < NET_TRANSMIT_BUFFERS; i++) {
			assert_int_equal(leave(&mark), 100 + i);
			assert_int_equal(mark, (uint8_t)i);
		}
		net_run(&net);
		for (uint32_t i = 0; i < NET_TRANSMIT_BUFFERS; i++) {
			struct nicqueue_descriptor d;

			assert_int_equal(queue_take(&client.transmit_free, &d, 1), 1);
			assert_int_equal(d.buffer, i);
		}
		queue_publish_take(&client.transmit_free);
	}
	assert_int_equal(net.statistics.transmitted_frames, 8 * NET_TRANSMIT_BUFFERS);
	assert_int_equal(net.statistics.malformed, 0);
}

static void bad_frames(void **state)
{
	(void)state;
	attach();
	assert_true(fake_write(&dev, &receive, "", 0)); /* not even a header */
	arrive(0, 0, 1);
	arrive(0, 13, 1);
	arrive(0, NET_FRAME_MAX + 1, 1);
	net_run(&net);
	assert_int_equal(net.statistics.malformed, 4);
	/* One in three pieces: dropped whole, counted once; what follows is heard again. */
	arrive(1, 1514, 3);
	arrive(1, 1514, 1);
	net_run(&net);
	arrive(1, 100, 1);
	arrive(2, 60, 1);
	net_run(&net);
	assert_int_equal(net.statistics.malformed, 5);
	take(2, 60);
	assert_int_equal(queue_readable(&client.receive_ready), 0);
	net_run(&net);
	assert_int_equal(fake_waiting(&receive), 255);
}

static void bad_descriptors(void **state)
{
	const uint16_t least = NICQUEUE_HEADROOM;
	struct nicqueue_descriptor d;
	uint8_t mark;

	(void)state;
	attach();
	/* Not its buffers: dropped. */
	put((struct nicqueue_descriptor){NET_TRANSMIT_BUFFERS, least, 60, 0, 0});
	put((struct nicqueue_descriptor){UINT32_MAX, least, 60, 0, 0});
	/* Its buffers, but no frames: given back. */
	put((struct nicqueue_descriptor){0, least - 1, 60, 0, 0});
	put((struct nicqueue_descriptor){1, 0, 60, 0, 0});
	put((struct nicqueue_descriptor){2, least, 13, 0, 0});
	put((struct nicqueue_descriptor){3, least, NET_FRAME_MAX + 1, 0, 0});
	put((struct nicqueue_descriptor){4, 2000, 60, 0, 0});
	put((struct nicqueue_descriptor){5, 65535, 60, 0, 0});
	put((struct nicqueue_descriptor){6, UINT16_MAX, UINT16_MAX, 0, 0});
	net_run(&net);
	assert_int_equal(net.statistics.malformed, 9);
	assert_int_equal(leave(&mark), 0);
	for (uint32_t i = 0; i < 7; i++) {
		assert_int_equal(queue_take(&client.transmit_free, &d, 1), 1);
		assert_int_equal(d.buffer, i);
	}
	/* One that the device has already. */
	put((struct nicqueue_descriptor){9, least, 60, 0, 0});
	put((struct nicqueue_descriptor){9, least, 60, 0, 0});
	net_run(&net);
	assert_int_equal(net.statistics.malformed, 10);
	assert_int_equal(leave(&mark), 60);
	assert_int_equal(leave(&mark), 0);
	/* Receive buffers that it does not have. */
	give_back(3);
	give_back(NET_RECEIVE_BUFFERS);
	net_run(&net);
	assert_int_equal(net.statistics.malformed, 12);
	assert_int_equal(fake_waiting(&receive), 256);
}

static void clients_come_and_go(void **state)
{
	uint8_t mark;

	(void)state;
	arrive(1, 60, 1); /* no client is attached */
	net_run(&net);
	assert_int_equal(net.statistics.dropped, 1);
	for (uint32_t i = 0; i < 5; i++) {
		attach();
		for (uint32_t n = 0; n < 100; n++)
			arrive(2, 60, 1);
		net_run(&net); /* it ends while it holds all those */
		put((struct nicqueue_descriptor){7, 64, 60, 0, 0});
		net_run(&net);
		net_detach(&net);
		assert_int_equal(fake_waiting(&receive), 256);
		/* Its frame is not sent yet: the next client would get a buffer in use. */
		assert_false(net_attach(&net));
		assert_int_equal(leave(&mark), 60);
	}
	/* A second attach ends the first; a device reset does not. */
	attach();
	arrive(3, 60, 1);
	put((struct nicqueue_descriptor){8, 64, 60, 0, 0});
	net_run(&net);
	uint32_t held = take(3, 60);

	start_device();
	assert_int_equal(fake_waiting(&receive), 255);
	net_run(&net);

	struct nicqueue_descriptor d;

	assert_int_equal(queue_take(&client.transmit_free, &d, 1), 1);
	assert_int_equal(d.buffer, 8);
	give_back(held);
	net_run(&net);
	assert_int_equal(fake_waiting(&receive), 256);
	assert_int_equal(net.statistics.malformed, 0);
}

static uint32_t seen;

static void see(void *context, const uint8_t *frame, uint32_t length)
{
	(void)context;
	assert_int_equal(frame[length - 1], 9);
	seen += length;
}

static void calls(void **state)
{
	uint8_t frame[NET_FRAME_MAX + 1], mark;

	(void)state;
	memset(frame, 5, sizeof(frame));
	assert_int_equal(net_send_copy(&net, frame, 13), CAP_EINVAL);
	assert_int_equal(net_send_copy(&net, frame, NET_FRAME_MAX + 1), CAP_EINVAL);
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < NET_CALL_BUFFERS; i++)
			assert_int_equal(net_send_copy(&net, frame, NET_FRAME_MAX), CAP_OK);
		assert_int_equal(net_send_copy(&net, frame, 60), CAP_EAGAIN);
		for (uint32_t i = 0; i < NET_CALL_BUFFERS; i++) {
			assert_int_equal(leave(&mark), NET_FRAME_MAX);
			assert_int_equal(mark, 5);
		}
	}
	/* Received by call: with a client, both have it. */
	net.frame = see;
	seen = 0;
	arrive(9, 60, 1);
	net_run(&net);
	assert_int_equal(seen, 60);
	attach();
	arrive(9, 61, 1);
	net_run(&net);
	assert_int_equal(seen, 121);
	take(9, 61);
	assert_int_equal(net.statistics.dropped, 0);
}

static void client_indices(void **state)
{
	_Atomic uint32_t *index[4];

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		attach();
		index[0] = &client.receive_ready.shared->head;
		index[1] = &client.receive_free.shared->tail;
		index[2] = &client.transmit_ready.shared->tail;
		index[3] = &client.transmit_free.shared->head;
		arrive(1, 60, 1);
		net_run(&net);
		atomic_store(index[i], 100000 + i);
		arrive(1, 60, 1);
		/* Buffers to give back, so that every queue is looked at. */
		atomic_store(&client.transmit_ready.shared->tail,
		             i == 2 ? 100000 : client.transmit_ready.local + 1);

		uint32_t found = net_run(&net);

		assert_true(found & NET_CLIENT_BROKEN);
		assert_false(found & NET_DEVICE_BROKEN);
		assert_false(net.attached);
		assert_int_equal(fake_waiting(&receive), 256);
		while (fake_waiting(&transmit)) {
			uint8_t mark;

			leave(&mark);
		}
	}
}

static void device_lies(void **state)
{
	(void)state;
	attach();
	fake_use(&receive, 999, 60);
	assert_true(net_run(&net) & NET_DEVICE_BROKEN);
	start_device();
	assert_int_equal(net_run(&net), 0);
	fake_use(&transmit, 0, 0); /* nothing was being sent */
	assert_true(net_run(&net) & NET_DEVICE_BROKEN);
	start_device();
	atomic_store(&net.receive.used->index, 300);
	assert_true(net_prepare_sleep(&net)); /* no sleeping over it */
	assert_true(net_run(&net) & NET_DEVICE_BROKEN);
}

/* Device and netstack both do mostly sensible things, and random stores all over what they share;
 * the fake device fails the test when it is given an address that is not its own. */
static void chaos(void **state)
{
	uint8_t *shared = net.memory;

	(void)state;
	attach();
	for (uint32_t round = 0; round < 60000; round++) {
		struct fake_chain c;
		struct nicqueue_descriptor d = {fake_random(260), (uint16_t)fake_random(200),
		                                (uint16_t)fake_random(1600), fake_random(4), 0};

		switch (fake_random(8)) {
		case 0:
			arrive(1, fake_random(1600), (uint16_t)(fake_random(20) ? 1 : 3));
			break;
		case 1:
			if (queue_put(&client.transmit_ready, &d, 1))
				queue_publish_put(&client.transmit_ready);
			break;
		case 2:
			if (queue_put(&client.receive_free, &d, 1))
				queue_publish_put(&client.receive_free);
			break;
		case 3:
			queue_take(&client.receive_ready, &d, 1);
			queue_take(&client.transmit_free, &d, 1);
			queue_publish_take(&client.receive_ready);
			queue_publish_take(&client.transmit_free);
			break;
		case 4:
			while (fake_pop(&transmit, &c)) {
				uint8_t bytes[2100];

				fake_read(&dev, &c, bytes, sizeof(bytes));
				fake_use(&transmit, c.id, 0);
			}
			break;
		case 5:
			shared[NICQUEUE_HEADER_SIZE + fake_random(NICQUEUE_RINGS_SIZE)] =
			        (uint8_t)fake_random(256);
			break;
		case 6:
			if (fake_random(50) == 0)
				shared[fake_random(sizeof(struct nicqueue_shared))] =
				        (uint8_t)fake_random(256);
			if (fake_random(200) == 0)
				fake_use(&receive, fake_random(300), fake_random(3000));
			break;
		default:
			break;
		}

		uint32_t found = net_run(&net);

		if (found & NET_DEVICE_BROKEN)
			start_device();
		if (found & NET_CLIENT_BROKEN) {
			if (!net_attach(&net)) {
				start_device();
				assert_true(net_attach(&net));
			}
			nicqueue_init(&client, net.memory, NET_RECEIVE_BUFFERS,
			              NET_TRANSMIT_BUFFERS);
		}
		net_prepare_sleep(&net);
	}
	assert_true(net.statistics.received_frames > 0 && net.statistics.malformed > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(receives, begin, end),
	        cmocka_unit_test_setup_teardown(wakes_only_who_asked, begin, end),
	        cmocka_unit_test_setup_teardown(sends, begin, end),
	        cmocka_unit_test_setup_teardown(bad_frames, begin, end),
	        cmocka_unit_test_setup_teardown(bad_descriptors, begin, end),
	        cmocka_unit_test_setup_teardown(clients_come_and_go, begin, end),
	        cmocka_unit_test_setup_teardown(calls, begin, end),
	        cmocka_unit_test_setup_teardown(client_indices, begin, end),
	        cmocka_unit_test_setup_teardown(device_lies, begin, end),
	        cmocka_unit_test_setup_teardown(chaos, begin, end),
	};

	return cmocka_run_group_tests_name("virtio-net", tests, NULL, NULL);
}
