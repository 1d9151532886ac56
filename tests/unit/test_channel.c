/* SPDX-License-Identifier: MIT */
/*
 * Channels: the client checks the header that the server wrote, datagrams come out as they went in,
 * and a malformed record ends its queue and is never believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <capos/abi.h>
#include <capos/channel.h>

#define SIZE 1024u

struct fixture {
	void *memory;
	uint64_t size;
	struct channel server, client;
};

static void open_channel(struct fixture *f)
{
	f->size = CHANNEL_MEMORY_SIZE(SIZE, SIZE);
	f->memory = aligned_alloc(64, f->size);
	assert_non_null(f->memory);
	memset(f->memory, 0, f->size);
	channel_create(&f->server, f->memory, SIZE, SIZE);
	assert_int_equal(channel_open(&f->client, f->memory, f->size), CAP_OK);
}

static void test_bytes_go_both_ways(void **state)
{
	struct fixture f;
	char text[8] = "";

	(void)state;
	open_channel(&f);
	queue_put(&f.server.receive, "down", 4);
	queue_publish_put(&f.server.receive);
	assert_int_equal(queue_take(&f.client.receive, text, 8), 4);
	assert_memory_equal(text, "down", 4);
	queue_put(&f.client.send, "up", 2);
	queue_publish_put(&f.client.send);
	assert_int_equal(queue_take(&f.server.send, text, 8), 2);
	assert_memory_equal(text, "up", 2);
	free(f.memory);
}

static void test_a_second_client_goes_on_where_the_first_stopped(void **state)
{
	struct fixture f;
	struct channel again;
	char text[8] = "";

	(void)state;
	open_channel(&f);
	queue_put(&f.server.receive, "abcdef", 6);
	queue_publish_put(&f.server.receive);
	queue_take(&f.client.receive, text, 2);
	queue_publish_take(&f.client.receive);
	queue_put(&f.client.send, "xy", 2);
	queue_publish_put(&f.client.send);
	assert_int_equal(channel_open(&again, f.memory, f.size), CAP_OK);
	assert_int_equal(queue_take(&again.receive, text, 8), 4);
	assert_memory_equal(text, "cdef", 4);
	queue_put(&again.send, "z", 1);
	queue_publish_put(&again.send);
	assert_int_equal(queue_take(&f.server.send, text, 8), 3);
	assert_memory_equal(text, "xyz", 3);
	free(f.memory);
}

static void test_a_header_that_lies_is_refused(void **state)
{
	static const uint32_t false_sizes[] = {3,           1023,      2048, CHANNEL_QUEUE_MAX * 2,
	                                       0x80000000u, UINT32_MAX};
	struct fixture f;
	struct channel c;

	(void)state;
	open_channel(&f);
	for (unsigned i = 0; i < sizeof(false_sizes) / sizeof(false_sizes[0]); i++) {
		f.server.shared->receive_size = false_sizes[i];
		assert_int_equal(channel_open(&c, f.memory, f.size), CAP_EMESSAGE);
		f.server.shared->receive_size = SIZE;
		f.server.shared->send_size = false_sizes[i];
		assert_int_equal(channel_open(&c, f.memory, f.size), CAP_EMESSAGE);
		f.server.shared->send_size = SIZE;
	}
	assert_int_equal(channel_open(&c, f.memory, CHANNEL_HEADER_SIZE - 1), CAP_EMESSAGE);
	assert_int_equal(channel_open(&c, f.memory, f.size - 1), CAP_EMESSAGE);
	assert_int_equal(channel_open(&c, f.memory, f.size), CAP_OK);
	free(f.memory);
}

static void test_status_wakes_a_client_that_asked(void **state)
{
	struct fixture f;

	(void)state;
	open_channel(&f);
	assert_false(channel_set_status(&f.server, CHANNEL_CONNECTING, 0));
	atomic_store(&f.client.shared->client_wants_status, 1);
	assert_false(channel_set_status(&f.server, CHANNEL_CONNECTING, 0)); /* nothing new */
	assert_true(channel_set_status(&f.server, CHANNEL_CONNECTED, CHANNEL_CONNECTING));
	assert_int_equal(atomic_load(&f.client.shared->status), CHANNEL_CONNECTED);
	assert_false(channel_set_status(&f.server, CHANNEL_EOF, 0)); /* asked once, woken once */
	atomic_store(&f.client.shared->client_wants_status, 1);
	assert_true(channel_set_error(&f.server, 8));
	assert_int_equal(atomic_load(&f.client.shared->error), 8);
	assert_int_equal(atomic_load(&f.client.shared->error_count), 1);
	assert_int_equal(atomic_load(&f.client.shared->status),
	                 CHANNEL_CONNECTED | CHANNEL_EOF | CHANNEL_ERROR);
	free(f.memory);
}

static const struct channel_datagram sample = {
        .length = 5, .port = 53, .address_length = 4, .address = {10, 0, 2, 3}};

static void test_datagrams_come_out_as_they_went_in(void **state)
{
	struct fixture f;
	struct channel_datagram header;
	char payload[16];

	(void)state;
	open_channel(&f);
	for (int round = 0; round < 500; round++) {
		struct channel_datagram d = sample;
		char text[13] = "hello, world";

		d.length = (uint16_t)(round % 13);
		assert_int_equal(channel_put_datagram(&f.client.send, &d, text), CAP_OK);
		queue_publish_put(&f.client.send);
		assert_int_equal(channel_take_datagram(&f.server.send, &header, payload, 16, true),
		                 round % 13);
		assert_int_equal(channel_take_datagram(&f.server.send, &header, payload, 16, false),
		                 round % 13);
		assert_memory_equal(&header, &d, sizeof(d));
		assert_memory_equal(payload, text, round % 13);
		assert_int_equal(channel_take_datagram(&f.server.send, &header, payload, 16, false),
		                 CAP_EAGAIN);
		queue_publish_take(&f.server.send);
	}
	free(f.memory);
}

static void test_a_short_buffer_drops_the_rest_of_its_datagram_only(void **state)
{
	struct fixture f;
	struct channel_datagram header;
	char payload[2];

	(void)state;
	open_channel(&f);
	channel_put_datagram(&f.client.send, &sample, "first");
	channel_put_datagram(&f.client.send, &sample, "other");
	queue_publish_put(&f.client.send);
	assert_int_equal(channel_take_datagram(&f.server.send, &header, payload, 2, false), 2);
	assert_int_equal(header.length, 5);
	assert_memory_equal(payload, "fi", 2);
	assert_int_equal(channel_take_datagram(&f.server.send, &header, payload, 2, false), 2);
	assert_memory_equal(payload, "ot", 2);
	assert_int_equal(channel_take_datagram(&f.server.send, &header, NULL, 0, false),
	                 CAP_EAGAIN);
	free(f.memory);
}

static void test_a_datagram_is_put_whole_or_not_at_all(void **state)
{
	static uint8_t big[2048];
	struct fixture f;
	struct channel_datagram d = sample;

	(void)state;
	open_channel(&f);
	d.length = SIZE - sizeof(d) + 1;
	assert_int_equal(channel_put_datagram(&f.client.send, &d, big), CAP_ETOOBIG);
	d.length = SIZE - sizeof(d);
	assert_int_equal(channel_put_datagram(&f.client.send, &d, big), CAP_OK);
	d.length = 0;
	assert_int_equal(channel_put_datagram(&f.client.send, &d, NULL), CAP_EAGAIN);
	assert_int_equal(queue_writable(&f.client.send), 0);
	free(f.memory);
}

/* Writes a record as a hostile client would, and lets the server read it. */
static int take_raw(const struct channel_datagram *header, uint32_t filled)
{
	struct fixture f;
	struct channel_datagram out;
	uint8_t *record, payload[64];
	int result, again;

	open_channel(&f);
	record = calloc(1, filled > sizeof(*header) ? filled : sizeof(*header));
	memcpy(record, header, sizeof(*header));
	queue_put(&f.client.send, record, filled);
	queue_publish_put(&f.client.send);
	result = channel_take_datagram(&f.server.send, &out, payload, sizeof(payload), false);
	again = channel_take_datagram(&f.server.send, &out, payload, sizeof(payload), false);
	if (result < 0 && filled)
		assert_int_equal(again, CAP_EMESSAGE); /* it stays closed */
	free(record);
	free(f.memory);
	return result;
}

static void test_records_that_lie_end_the_queue(void **state)
{
	struct channel_datagram d = sample;

	(void)state;
	assert_int_equal(take_raw(&d, 32), 5);
	assert_int_equal(take_raw(&d, 31), CAP_EMESSAGE); /* padding is missing */
	assert_int_equal(take_raw(&d, 24), CAP_EMESSAGE);
	assert_int_equal(take_raw(&d, 23), CAP_EMESSAGE);
	assert_int_equal(take_raw(&d, 1), CAP_EMESSAGE);
	d.length = UINT16_MAX;
	assert_int_equal(take_raw(&d, SIZE), CAP_EMESSAGE);
	d = sample;
	d.address_length = 5;
	assert_int_equal(take_raw(&d, 32), CAP_EMESSAGE);
	d.address_length = 255;
	assert_int_equal(take_raw(&d, 32), CAP_EMESSAGE);
}

static void test_random_bytes_never_lead_outside(void **state)
{
	unsigned seed = 5;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct channel_datagram d;
		uint8_t *bytes = (uint8_t *)&d;

		for (unsigned i = 0; i < sizeof(d); i++)
			bytes[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
		d.length &= 0x7f;
		take_raw(&d, (seed >> 8) % 128);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_bytes_go_both_ways),
	        cmocka_unit_test(test_a_second_client_goes_on_where_the_first_stopped),
	        cmocka_unit_test(test_a_header_that_lies_is_refused),
	        cmocka_unit_test(test_status_wakes_a_client_that_asked),
	        cmocka_unit_test(test_datagrams_come_out_as_they_went_in),
	        cmocka_unit_test(test_a_short_buffer_drops_the_rest_of_its_datagram_only),
	        cmocka_unit_test(test_a_datagram_is_put_whole_or_not_at_all),
	        cmocka_unit_test(test_records_that_lie_end_the_queue),
	        cmocka_unit_test(test_random_bytes_never_lead_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
