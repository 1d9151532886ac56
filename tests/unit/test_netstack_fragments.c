/* SPDX-License-Identifier: MIT */
/*
 * UDP datagrams of every size, in as many fragments as they take, both ways: a datagram arrives
 * whole for any size of its last fragment and the order in which the fragments come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <capos/abi.h>
#include <capos/schema/status.h>

#include "netstack/lwip/checksum.h"
#include "netstack/socket/datagram.h"
#include "netstack/socket/datagram_queue.h"
#include "tests/unit/netstack_host.h"
#include "tests/unit/netstack_peer.h"

#define PORT          6100
#define PEER_PORT     6101
#define UDP_HEADER    8u
#define FRAGMENT      1480u /* bytes behind the IP header at an MTU of 1500 */
#define FRAGMENTS_MAX 46u
#define EVERY_SIZE    9000u
#define RANDOM_SIZES  150

enum order { FORWARDS, BACKWARDS, SHUFFLED };

/* A datagram with its UDP header. */
static uint8_t datagram[UDP_HEADER + UDP_PAYLOAD_MAX];

static void make_datagram(uint32_t size)
{
	uint32_t length = size + UDP_HEADER, sum;
	uint8_t head[UDP_HEADER] = {PEER_PORT >> 8, PEER_PORT & 0xff,       PORT >> 8,
	                            PORT & 0xff,    (uint8_t)(length >> 8), (uint8_t)length};
	uint8_t pseudo[12] = {[9] = 17, [10] = (uint8_t)(length >> 8), [11] = (uint8_t)length};
	uint16_t checksum;

	memcpy(pseudo, &(uint32_t){HOST_GATEWAY}, 4);
	memcpy(pseudo + 4, &(uint32_t){HOST_OWN}, 4);
	memcpy(datagram, head, sizeof(head));
	memcpy(datagram + UDP_HEADER, pattern + size % 1000, size);
	sum = (uint32_t)port_checksum(pseudo, 12) + port_checksum(datagram, (int)length);
	sum = (sum & 0xffff) + (sum >> 16);
	checksum = (uint16_t)~sum;
	memcpy(datagram + 6, &checksum, 2);
}

static void order_fragments(unsigned *numbers, unsigned count, enum order order)
{
	for (unsigned i = 0; i < count; i++)
		numbers[i] = order == BACKWARDS ? count - 1 - i : i;
	for (unsigned i = count - 1; order == SHUFFLED && i > 0; i--) {
		unsigned other = (unsigned)rand() % (i + 1), number = numbers[i];

		numbers[i] = numbers[other];
		numbers[other] = number;
	}
}

static void receive_in_fragments(uint32_t size, enum order order)
{
	uint32_t length = size + UDP_HEADER;
	unsigned count = (length + FRAGMENT - 1) / FRAGMENT, numbers[FRAGMENTS_MAX];

	make_datagram(size);
	order_fragments(numbers, count, order);
	for (unsigned i = 0; i < count; i++) {
		uint32_t start = numbers[i] * FRAGMENT;
		bool last = numbers[i] == count - 1;
		struct frame f;

		build_ip(&f, 0, 0, 17, (uint16_t)(start / 8 | (last ? 0 : 0x2000)),
		         datagram + start, last ? length - start : FRAGMENT);
		host_receive(&f);
		host_run();
	}
}

static void expect_datagram(struct program *p, uint32_t size)
{
	struct channel_datagram header;
	int n = channel_take_datagram(&p->channel.receive, &header, received, sizeof(received),
	                              false);

	queue_publish_take(&p->channel.receive);
	assert_int_equal(n, size);
	assert_memory_equal(received, pattern + size % 1000, size);
}

static void open_port(struct program *p)
{
	assert_int_equal(program_open(p, SOCKET_UDP, NULL), STATUS_OK);
	assert_int_equal(datagram_bind(p->socket, at("0.0.0.0", PORT)), STATUS_OK);
}

/* 1473, 1474, 1477 and 2953 bytes never arrived: their last fragment is shorter than a UDP
 * header. */
static void datagrams_of_every_size_arrive(void **state)
{
	struct program p;

	(void)state;
	srand(1);
	open_port(&p);
	for (uint32_t size = 1; size <= EVERY_SIZE; size++) {
		receive_in_fragments(size, (enum order)(size % 3));
		expect_datagram(&p, size);
		if (size <= FRAGMENT - UDP_HEADER || size % FRAGMENT > 16)
			continue;
		for (int order = FORWARDS; order <= SHUFFLED; order++) {
			receive_in_fragments(size, (enum order)order);
			expect_datagram(&p, size);
		}
	}
	program_close(&p);
	host_drop_sent();
}

static void large_datagrams_arrive_in_any_order(void **state)
{
	struct program p;

	(void)state;
	open_port(&p);
	for (int i = 0; i < RANDOM_SIZES; i++) {
		uint32_t size = i ? 1 + (uint32_t)rand() % UDP_PAYLOAD_MAX : UDP_PAYLOAD_MAX;

		receive_in_fragments(size, (enum order)(i % 3));
		expect_datagram(&p, size);
	}
	program_close(&p);
	host_drop_sent();
}

/* Puts together what netstack sent; its length. */
static uint32_t sent_datagram(void)
{
	uint32_t length = 0;
	struct frame f;

	while (host_sent(&f)) {
		const uint8_t *ip = f.bytes + 14;
		uint32_t start = ((uint32_t)(ip[6] & 0x1f) << 8 | ip[7]) * 8;

		if (f.bytes[12] != 8 || f.bytes[13] != 0)
			continue;
		assert_int_equal(ip[9], 17);
		assert_int_equal(port_checksum(ip, 20), 0xffff);
		assert_true(start + f.length - 34 <= sizeof(datagram));
		memcpy(datagram + start, ip + 20, f.length - 34);
		length += (uint32_t)f.length - 34;
	}
	return length;
}

static void send_size(struct program *p, uint32_t size)
{
	struct channel_datagram header = {
	        .length = (uint16_t)size, .port = PEER_PORT, .address_length = 4};

	memcpy(header.address, &(uint32_t){HOST_GATEWAY}, 4);
	assert_int_equal(channel_put_datagram(&p->channel.send, &header, pattern + size % 1000),
	                 CAP_OK);
	if (queue_publish_put(&p->channel.send))
		socket_woken(socket_bits(p->socket));
	host_run();
	assert_int_equal(sent_datagram(), size + UDP_HEADER);
	assert_memory_equal(datagram + UDP_HEADER, pattern + size % 1000, size);
}

static void datagrams_of_every_size_are_sent(void **state)
{
	struct program p;

	(void)state;
	open_port(&p);
	for (uint32_t size = 1; size <= EVERY_SIZE; size++)
		send_size(&p, size);
	for (int i = 0; i < RANDOM_SIZES; i++)
		send_size(&p, i ? 1 + (uint32_t)rand() % UDP_PAYLOAD_MAX : UDP_PAYLOAD_MAX);
	program_close(&p);
}

int fragment_tests(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(datagrams_of_every_size_arrive),
	        cmocka_unit_test(large_datagrams_arrive_in_any_order),
	        cmocka_unit_test(datagrams_of_every_size_are_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
