/* SPDX-License-Identifier: MIT */
/*
 * What hostile programs, drivers and frames, and a lack of memory can do to the stack: nothing to
 * others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <capos/schema/network.h>
#include <capos/schema/status.h>

#include "lwip/netif.h"

#include "netstack/lwip/checksum.h"
#include "netstack/socket/datagram.h"
#include "netstack/lwip/nic.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/stack.h"
#include "tests/unit/netstack_host.h"
#include "tests/unit/netstack_peer.h"

/* Garbage in a channel's indices costs its owner the connection, and others nothing. */
static void hostile_program(void **state)
{
	struct program p, good;
	struct peer peer, good_peer;
	char text[8];

	(void)state;
	connected(&good, &good_peer, 101);
	for (int i = 0; i < 5; i++) {
		connected(&p, &peer, 100);
		program_send(&p, pattern, 5000);
		switch (i) {
		case 0:
			atomic_store(&p.channel.shared->send.tail, 0x40000000);
			break;
		case 1:
			atomic_store(&p.channel.shared->receive.head, 0x40000000);
			break;
		case 2:
			atomic_store(&p.channel.shared->receive.head, (uint32_t)-1000);
			break;
		case 3:
			atomic_store(&p.channel.shared->send.head, 12345);
			atomic_store(&p.channel.shared->receive.tail, 54321);
			break;
		case 4:
			memset(p.channel.shared, 0xff, 512);
			break;
		}
		socket_woken(socket_bits(p.socket));
		host_run();
		peer_send(&peer, ACK, pattern, 1000);
		peer_send(&peer, ACK, pattern, 1000);
		host_advance(2 * SECOND_NS);
		program_close(&p);
		host_drop_sent();
		peer_send(&peer, RST, NULL, 0);
	}
	peer_send(&good_peer, ACK, "fine", 4);
	assert_int_equal(program_receive(&good, text, sizeof(text)), 4);
	program_close(&good);
	peer_send(&good_peer, RST, NULL, 0);
	host_drop_sent();
}

static void hostile_datagram_program(void **state)
{
	struct program p;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(program_open(&p, SOCKET_UDP, NULL), STATUS_OK);
		switch (i) {
		case 0: /* a record cut short */
			queue_put(&p.channel.send, pattern, 10);
			break;
		case 1: /* one longer than the queue's content */
			queue_put(&p.channel.send,
			          &(struct channel_datagram){.length = 60000, .port = 1}, 24);
			break;
		case 2: /* an address of a length that is none */
			queue_put(&p.channel.send,
			          &(struct channel_datagram){
			                  .length = 0, .port = 1, .address_length = 7},
			          24);
			break;
		case 3:
			memset(p.channel.shared, 0xee, 512);
			break;
		}
		queue_publish_put(&p.channel.send);
		socket_woken(socket_bits(p.socket));
		host_run();
		assert_true(program_status(&p) & CHANNEL_CLOSED);
		program_close(&p);
	}
	host_drop_sent();
}

static void hostile_driver(void **state)
{
	uint64_t before = nic_counters()->malformed;
	struct nicqueue_descriptor bad[] = {
	        {.buffer = HOST_RECEIVE_BUFFERS, .length = 100},
	        {.buffer = 0xffffffff, .length = 100},
	        {.buffer = 0, .offset = 2000, .length = 100},
	        {.buffer = 0, .offset = 0xffff, .length = 0xffff},
	        {.buffer = 0, .length = 0},
	        {.buffer = 0, .length = 13},
	};
	struct nicqueue_descriptor back[] = {
	        {.buffer = HOST_TRANSMIT_BUFFERS}, {.buffer = 0}, {.buffer = 0}};
	struct program p;
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		queue_put(&host_driver.receive_ready, &bad[i], 1);
		queue_publish_put(&host_driver.receive_ready);
		host_run();
	}
	for (size_t i = 0; i < 3; i++) /* sent frames that were never sent */
		queue_put(&host_driver.transmit_free, &back[i], 1);
	queue_publish_put(&host_driver.transmit_free);
	connected(&p, &peer, 102); /* all is well */
	assert_true(nic_counters()->malformed > before);
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

static err_t (*real_input)(struct pbuf *p, struct netif *netif);

/* The device writes into every buffer that it ever delivered, at the moment when lwIP is about to
 * parse a frame. */
static err_t input_while_device_writes(struct pbuf *p, struct netif *netif)
{
	memset(host_driver.receive_buffers, 0xa5, HOST_RECEIVE_BUFFERS * NICQUEUE_BUFFER_SIZE);
	return real_input(p, netif);
}

/* What was delivered is what is parsed, acknowledged and read, no matter what the device writes
 * into the buffers afterwards. */
static void device_that_writes_after_delivery(void **state)
{
	struct program p;
	struct peer peer;
	struct frame f;
	uint32_t first, acknowledged = 0;

	(void)state;
	real_input = nic_netif()->input;
	nic_netif()->input = input_while_device_writes;
	connected(&p, &peer, 105);
	first = peer.sequence;
	/* The second segment before the first: netstack keeps it meanwhile. */
	peer.sequence += 1000;
	peer_send(&peer, ACK, pattern + 1000, 1000);
	peer.sequence = first;
	memset(host_driver.receive_buffers, 0x5a, HOST_RECEIVE_BUFFERS * NICQUEUE_BUFFER_SIZE);
	peer_send(&peer, ACK, pattern, 1000);
	assert_int_equal(program_receive(&p, received, 4000), 2000);
	assert_memory_equal(received, pattern, 2000);
	host_advance(SECOND_NS);
	while (next_tcp(&peer.last, 105))
		acknowledged = peer.last.acknowledgement;
	assert_int_equal(acknowledged, first + 2000);
	/* An echo request in fragments. */
	{
		uint8_t echo[2960] = {8};
		uint16_t sum;

		memcpy(echo + 8, pattern, sizeof(echo) - 8);
		sum = (uint16_t)~port_checksum(echo, sizeof(echo));
		memcpy(echo + 2, &sum, 2);
		build_ip(&f, 0, 0, 1, 185, echo + 1480, 1480);
		host_receive(&f);
		host_run();
		build_ip(&f, 0, 0, 1, 0x2000, echo, 1480);
		host_receive(&f);
		host_run();
	}
	assert_true(host_sent(&f));
	assert_int_equal(f.bytes[14 + 9], 1);
	assert_memory_equal(f.bytes + 34 + 8, pattern, 1472);
	nic_netif()->input = real_input;
	program_close(&p);
	peer.sequence = first + 2000;
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

/* What may come from the wire, changed at random: nothing but the sanitizers' silence is asked
 * for. */
static void hostile_frames(void **state)
{
	static const uint8_t options[] = {2, 4, 5, 180, 4, 2, 3, 3, 7, 1, 1, 0};
	struct program tcp, udp, listener;
	struct peer peer;
	struct frame seeds[8];
	uint8_t echo_request[64] = {8};

	(void)state;
	connected(&tcp, &peer, 103);
	assert_int_equal(program_open(&udp, SOCKET_UDP, NULL), STATUS_OK);
	datagram_bind(udp.socket, at("0.0.0.0", 6003));
	listening(&listener, 6004, 4);
	build_tcp(&seeds[0], &(struct segment){.source_port = 103,
	                                       .destination_port = peer.netstack_port,
	                                       .sequence = peer.sequence,
	                                       .acknowledgement = peer.acknowledgement,
	                                       .flags = ACK,
	                                       .payload = pattern,
	                                       .length = 200});
	build_tcp(&seeds[1], &(struct segment){.source_port = 1,
	                                       .destination_port = 6004,
	                                       .flags = SYN,
	                                       .options = options,
	                                       .noptions = sizeof(options)});
	build_udp(&seeds[2], &(struct segment){.source_port = 1,
	                                       .destination_port = 6003,
	                                       .payload = pattern,
	                                       .length = 100});
	build_icmp(&seeds[3], 0, 8, 0, 0, echo_request, 64);
	build_icmp(&seeds[4], 0, 3, 1, 0, seeds[0].bytes + 14, 60);
	build_ip(&seeds[5], 0, 0, 17, 0x2000, pattern, 1480);
	build_ip(&seeds[6], 0, 0, 17, 0x00b9, pattern, 400);
	memcpy(seeds[7].bytes, host_mac, 6);
	memcpy(seeds[7].bytes + 6, peer_mac, 6);
	memcpy(seeds[7].bytes + 12, (uint8_t[]){8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, 10);
	seeds[7].length = 42;
	srand(7);
	for (int i = 0; i < 60000; i++) {
		struct frame f = seeds[rand() % 8];

		for (int n = rand() % 6; n; n--)
			f.bytes[12 + (size_t)rand() % (f.length - 12 < 60 ? f.length - 12 : 60)] =
			        (uint8_t)rand();
		if (rand() % 4 == 0)
			f.length = (size_t)rand() % (f.length + 1);
		if (rand() % 3 && f.length >= 38)
			fix_sums(&f);
		host_receive(&f);
		host_run();
		if (i % 100 == 0) {
			host_advance(SECOND_NS);
			host_drop_sent();
		}
	}
	program_close(&tcp);
	program_close(&udp);
	program_close(&listener);
	host_advance(300 * SECOND_NS);
	host_drop_sent();
	assert_int_equal(host_driver_buffers(), HOST_RECEIVE_BUFFERS);
}

#define MANY 40u

/* One program's connections whose peers acknowledge nothing hold a part of lwIP's memory, and each
 * of them still sends something. */
static void senders_without_acknowledgements(void **state)
{
	struct policy *account = policy_create(policy_root());
	struct program p[MANY];
	struct peer peers[MANY];
	uint32_t before = host_allocations;

	(void)state;
	policy_grant(account, GRANT_ALL, NULL, 0, 0);
	for (unsigned i = 0; i < MANY; i++) {
		struct peer *peer = &peers[i];

		*peer = (struct peer){.sequence = 1000, .port = (uint16_t)(3000 + i)};
		assert_int_equal(program_open(&p[i], SOCKET_TCP, account), STATUS_OK);
		connect_to(&p[i], "10.0.2.2", peer->port);
		assert_true(next_tcp(&peer->last, peer->port));
		peer->netstack_port = peer->last.source_port;
		peer->acknowledgement = peer->last.sequence + 1;
		peer_send(peer, SYN | ACK, NULL, 0);
		host_drop_sent();
		program_send(&p[i], pattern, 100000);
		assert_true(next_tcp(&peer->last, peer->port));
		assert_true(peer->last.length > 0);
		host_drop_sent();
	}
	assert_true(host_allocations - before < 4000);
	assert_true(policy_has_buffers(policy_root()));
	assert_false(policy_has_buffers(account));
	for (unsigned i = 0; i < MANY; i++) {
		program_close(&p[i]);
		peer_send(&peers[i], RST, NULL, 0);
	}
	assert_true(policy_has_buffers(account));
	policy_put(account);
	host_drop_sent();
}

/* An account that has nothing left: its own sockets fail, by a Status, and no others. */
static void without_memory_of_the_account(void **state)
{
	struct policy *session = policy_create_session(HOST_EMPTY_ACCOUNT);
	struct program p;

	(void)state;
	policy_grant(session, GRANT_ALL, NULL, 0, 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(program_open(&p, SOCKET_TCP, session), STATUS_NO_MEMORY);
		assert_int_equal(program_open(&p, SOCKET_UDP, session), STATUS_NO_MEMORY);
	}
	assert_int_equal(policy_memory(session), 0);
	assert_int_equal(program_open(&p, SOCKET_TCP, NULL), STATUS_OK);
	program_close(&p);
	policy_put(session);
	assert_int_equal(host_released, HOST_EMPTY_ACCOUNT);
}

static void without_memory(void **state)
{
	struct program p;
	struct peer peer;
	size_t got = 0;

	(void)state;
	connected(&p, &peer, 104);
	host_heap_limit = host_allocations; /* nothing more */
	program_send(&p, pattern, 20000);
	for (int i = 0; i < 50; i++) {
		struct frame f;

		build_ip(&f, 0, 0, 17, 0x2000, pattern, 1480);
		host_receive(&f);
		peer_send(&peer, ACK, NULL, 0);
	}
	assert_int_equal(host_driver_buffers(), HOST_RECEIVE_BUFFERS);
	host_heap_limit = 0;
	for (int i = 0; got < 20000 && i < 100; i++) { /* and on it goes */
		host_advance(SECOND_NS);
		while (next_tcp(&peer.last, 104)) {
			if (peer.last.sequence != peer.acknowledgement)
				continue;
			got += peer.last.length;
			peer.acknowledgement += (uint32_t)peer.last.length;
			peer_send(&peer, ACK, NULL, 0);
		}
	}
	assert_int_equal(got, 20000);
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_advance(100 * SECOND_NS);
	host_drop_sent();
}

int hostile_tests(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(hostile_program),
	        cmocka_unit_test(hostile_datagram_program),
	        cmocka_unit_test(hostile_driver),
	        cmocka_unit_test(senders_without_acknowledgements),
	        cmocka_unit_test(device_that_writes_after_delivery),
	        cmocka_unit_test(hostile_frames),
	        cmocka_unit_test(without_memory_of_the_account),
	        cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
