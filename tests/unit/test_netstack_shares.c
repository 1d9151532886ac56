/* SPDX-License-Identifier: MIT */
/*
 * What all peers and programs share, fragments that wait and packets that wait for a neighbour:
 * none of them can take it from the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <capos/abi.h>
#include <capos/schema/status.h>

#include "netstack/lwip/checksum.h"
#include "netstack/lwip/neighbour.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/reassembly.h"
#include "netstack/socket/datagram.h"
#include "netstack/socket/datagram_queue.h"
#include "tests/unit/netstack_host.h"
#include "tests/unit/netstack_peer.h"

#define PORT          6200
#define FRAGMENT      1480u
#define MORE          0x2000u
#define ICMP_EXCEEDED 11u

/* ---- Fragments ---- */

static void fragment_from(uint32_t source, uint16_t id, uint32_t start, bool more,
                          const uint8_t *bytes, uint32_t length)
{
	uint16_t checksum;
	struct frame f;

	build_ip(&f, source, 0, 17, (uint16_t)(start / 8 | (more ? MORE : 0)), bytes, length);
	f.bytes[18] = (uint8_t)(id >> 8);
	f.bytes[19] = (uint8_t)id;
	memset(f.bytes + 24, 0, 2);
	checksum = (uint16_t)~port_checksum(f.bytes + 14, 20);
	memcpy(f.bytes + 24, &checksum, 2);
	host_receive(&f);
	host_run();
}

/* A datagram of the largest size from the gateway, without a checksum, each fragment followed by
 * what `between` sends. */
static void expect_large_datagram(struct program *p, void (*between)(uint32_t number))
{
	static uint8_t datagram[8 + UDP_PAYLOAD_MAX];
	struct channel_datagram header;
	uint32_t length = sizeof(datagram), number = 0;
	int n;

	memset(datagram, 0, 8);
	datagram[1] = 9; /* the sender's port */
	datagram[2] = PORT >> 8;
	datagram[3] = PORT & 0xff;
	datagram[4] = (uint8_t)(length >> 8);
	datagram[5] = (uint8_t)length;
	memcpy(datagram + 8, pattern, UDP_PAYLOAD_MAX);
	for (uint32_t start = 0; start < length; start += FRAGMENT) {
		bool more = length - start > FRAGMENT;

		between(number++);
		fragment_from(0, 77, start, more, datagram + start,
		              more ? FRAGMENT : length - start);
	}
	n = channel_take_datagram(&p->channel.receive, &header, received, sizeof(received), false);
	queue_publish_take(&p->channel.receive);
	assert_int_equal(n, UDP_PAYLOAD_MAX);
	assert_memory_equal(received, pattern, UDP_PAYLOAD_MAX);
	host_drop_sent();
}

/* One source: beginnings of datagrams that never end. */
static void beginnings_of_one_source(uint32_t number)
{
	for (uint32_t i = 0; i < 5; i++)
		fragment_from(host_address("10.0.2.66"), (uint16_t)(number * 5 + i), 0, true,
		              pattern, FRAGMENT);
}

/* One source: pieces of a few datagrams, many of each. */
static void middles_of_one_source(uint32_t number)
{
	for (uint32_t i = 0; i < 5; i++)
		fragment_from(host_address("10.0.2.66"), (uint16_t)i, 8 + number * FRAGMENT, true,
		              pattern, FRAGMENT);
}

/* Many forged sources, a fragment each. */
static void beginnings_of_many_sources(uint32_t number)
{
	for (uint32_t i = 0; i < 3; i++)
		fragment_from(host_address("172.16.0.0") + ((number * 3 + i) << 24), 1, 0, true,
		              pattern, FRAGMENT);
}

static void open_port(struct program *p)
{
	assert_int_equal(program_open(p, SOCKET_UDP, NULL), STATUS_OK);
	assert_int_equal(datagram_bind(p->socket, at("0.0.0.0", PORT)), STATUS_OK);
}

static void fragments_of_one_peer_leave_room_for_others(void **state)
{
	uint64_t evicted = reassembly_counters()->evicted;
	uint32_t before;
	struct program p;

	(void)state;
	open_port(&p);
	before = host_allocations;
	expect_large_datagram(&p, beginnings_of_one_source);
	assert_in_range(host_allocations - before, 1, REASSEMBLY_FRAGMENTS);
	expect_large_datagram(&p, middles_of_one_source);
	assert_in_range(host_allocations - before, 1, REASSEMBLY_FRAGMENTS);
	expect_large_datagram(&p, beginnings_of_many_sources);
	assert_true(reassembly_counters()->evicted > evicted);
	host_advance((REASSEMBLY_SECONDS + 2) * SECOND_NS);
	host_drop_sent();
	assert_in_range(host_allocations, 0, before);
	program_close(&p);
}

/* A small machine has fewer frames, and fragments still leave most of them. */
static void small_machines_keep_fewer_fragments(void **state)
{
	uint32_t before = host_allocations;

	(void)state;
	host_heap_quota = 48;
	for (uint32_t i = 0; i < 30; i++)
		beginnings_of_one_source(i);
	assert_in_range(host_allocations - before, 1, 16);
	host_heap_quota = 384;
	host_advance((REASSEMBLY_SECONDS + 2) * SECOND_NS);
	host_drop_sent();
}

static void sender_learns_that_fragments_were_missing(void **state)
{
	struct segment s;

	(void)state;
	fragment_from(0, 5, 0, true, pattern, FRAGMENT);
	fragment_from(0, 6, 8, true, pattern, FRAGMENT); /* without the beginning: no error */
	host_drop_sent();
	host_advance((REASSEMBLY_SECONDS + 2) * SECOND_NS);
	assert_true(next_icmp(&s));
	assert_int_equal(s.flags, ICMP_EXCEEDED);
	assert_int_equal(s.window, 1);
	assert_memory_equal((const uint8_t *)s.payload + 8 + 20, pattern, 8);
	assert_false(next_icmp(&s));
}

/* Overlaps, datagrams that are too long, and two ends: refused, and the rest still arrives. */
static void fragments_that_contradict_each_other(void **state)
{
	uint64_t refused = reassembly_counters()->refused;
	uint8_t datagram[24] = {0, 9, PORT >> 8, PORT & 0xff, 0, 24};
	struct channel_datagram header;
	struct program p;

	(void)state;
	open_port(&p);
	memcpy(datagram + 8, "sixteen letters.", 16);
	fragment_from(0, 9, 8, true, datagram + 8, 8);
	fragment_from(0, 9, 8, true, datagram, 8);        /* twice */
	fragment_from(0, 9, 0, true, datagram, 16);       /* overlaps */
	fragment_from(0, 9, 65528, false, datagram, 24);  /* beyond the largest datagram */
	fragment_from(0, 9, 0, true, datagram, 7);        /* not of whole words */
	fragment_from(0, 9, 16, false, datagram + 16, 8); /* the end */
	fragment_from(0, 9, 16, false, datagram, 4);      /* another end */
	fragment_from(0, 9, 24, true, datagram, 8);       /* behind the end */
	assert_int_equal(reassembly_counters()->refused - refused, 6);
	fragment_from(0, 9, 0, true, datagram, 8);
	assert_int_equal(channel_take_datagram(&p.channel.receive, &header, received,
	                                       sizeof(received), false),
	                 16);
	assert_memory_equal(received, "sixteen letters.", 16);
	program_close(&p);
	host_drop_sent();
}

/* ---- Neighbours ---- */

static void send_to(struct program *p, uint32_t address, uint32_t length)
{
	struct channel_datagram header = {
	        .length = (uint16_t)length, .port = 9, .address_length = 4};

	memcpy(header.address, &address, 4);
	assert_int_equal(channel_put_datagram(&p->channel.send, &header, pattern), CAP_OK);
	if (queue_publish_put(&p->channel.send))
		socket_woken(socket_bits(p->socket));
	host_run();
}

/* The neighbour's answer to a question. */
static void answer_for(uint32_t address)
{
	struct frame f = {.length = 42};
	uint32_t own = HOST_OWN;

	memcpy(f.bytes, host_mac, 6);
	memcpy(f.bytes + 6, peer_mac, 6);
	memcpy(f.bytes + 12, (uint8_t[]){8, 6, 0, 1, 8, 0, 6, 4, 0, 2}, 10);
	memcpy(f.bytes + 22, peer_mac, 6);
	memcpy(f.bytes + 28, &address, 4);
	memcpy(f.bytes + 32, host_mac, 6);
	memcpy(f.bytes + 38, &own, 4);
	host_receive(&f);
	host_run();
}

/* Frames that were sent: questions (ARP requests), and packets to that address. */
static unsigned sent_questions(uint32_t address, unsigned *packets)
{
	unsigned questions = 0;
	struct frame f;

	*packets = 0;
	while (host_sent(&f)) {
		if (f.bytes[12] == 8 && f.bytes[13] == 6)
			questions += f.bytes[21] == 1;
		else
			*packets += memcmp(f.bytes + 14 + 16, &address, 4) == 0;
	}
	return questions;
}

static uint32_t neighbour(uint32_t number)
{
	return host_address("10.0.2.0") + ((100 + number) << 24);
}

static void packets_of_one_program_leave_room_for_others(void **state)
{
	struct policy *hog_account = policy_create(policy_root());
	struct policy *other_account = policy_create(policy_root());
	uint32_t before;
	struct program hog, other;
	unsigned packets;

	(void)state;
	policy_grant(hog_account, GRANT_ALL, NULL, 0, 0);
	policy_grant(other_account, GRANT_ALL, NULL, 0, 0);
	answer_for(HOST_GATEWAY);
	assert_int_equal(program_open(&hog, SOCKET_UDP, hog_account), STATUS_OK);
	assert_int_equal(program_open(&other, SOCKET_UDP, other_account), STATUS_OK);
	host_drop_sent();
	before = host_allocations;
	for (uint32_t round = 0; round < 6; round++)
		for (uint32_t i = 1; i < 100; i++)
			send_to(&hog, neighbour(i), 1000);
	assert_in_range(sent_questions(0, &packets), 1, NEIGHBOUR_ASKED_ONE);
	assert_in_range(host_allocations - before, 1, NEIGHBOUR_PACKETS);
	/* Another program's datagram, of as many packets as they get, goes to a neighbour that it
	 * asks for; and the gateway is still known. */
	send_to(&other, neighbour(0), UDP_PAYLOAD_MAX);
	for (uint32_t i = 1; i < 100; i++)
		send_to(&hog, neighbour(i), 1000);
	assert_int_equal(sent_questions(0, &packets), 1);
	answer_for(neighbour(0));
	assert_int_equal(sent_questions(neighbour(0), &packets), 0);
	assert_int_equal(packets, 45);
	send_to(&other, host_address("192.0.2.1"), 10);
	assert_int_equal(sent_questions(host_address("192.0.2.1"), &packets), 0);
	assert_int_equal(packets, 1);
	program_close(&hog);
	program_close(&other);
	policy_put(hog_account);
	policy_put(other_account);
	host_advance(20 * SECOND_NS);
	host_drop_sent();
	assert_in_range(host_allocations, 0, before);
}

/* What netstack answers to forged addresses of the link is its own, and costs programs nothing. */
static void peers_that_make_netstack_ask_leave_neighbours_known(void **state)
{
	struct policy *account = policy_create(policy_root());
	uint8_t echo[64] = {8};
	struct program p;
	unsigned packets;

	(void)state;
	policy_grant(account, GRANT_ALL, NULL, 0, 0);
	assert_int_equal(program_open(&p, SOCKET_UDP, account), STATUS_OK);
	answer_for(HOST_GATEWAY);
	host_drop_sent();
	for (uint32_t i = 20; i < 255; i++) {
		struct frame f;

		build_icmp(&f, host_address("10.0.2.0") + (i << 24), 8, 0, 0, echo, sizeof(echo));
		host_receive(&f);
		host_run();
	}
	assert_in_range(sent_questions(0, &packets), 1, NEIGHBOUR_ASKED_ONE);
	send_to(&p, host_address("192.0.2.1"), 10);
	assert_int_equal(sent_questions(host_address("192.0.2.1"), &packets), 0);
	assert_int_equal(packets, 1);
	send_to(&p, neighbour(3), 10);
	assert_int_equal(sent_questions(0, &packets), 1);
	answer_for(neighbour(3));
	assert_int_equal(sent_questions(neighbour(3), &packets), 0);
	assert_int_equal(packets, 1);
	program_close(&p);
	policy_put(account);
	host_advance(20 * SECOND_NS);
	host_drop_sent();
}

int share_tests(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(fragments_of_one_peer_leave_room_for_others),
	        cmocka_unit_test(small_machines_keep_fewer_fragments),
	        cmocka_unit_test(sender_learns_that_fragments_were_missing),
	        cmocka_unit_test(fragments_that_contradict_each_other),
	        cmocka_unit_test(packets_of_one_program_leave_room_for_others),
	        cmocka_unit_test(peers_that_make_netstack_ask_leave_neighbours_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
