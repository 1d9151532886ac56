/* SPDX-License-Identifier: MIT */
/*
 * The whole stack over a fake NIC: what programs see through their channels, what leaves for the
 * wire, and what hostile frames, drivers and programs can do (nothing).  One stack serves all
 * tests, in the order of main(); here are its first and last moments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <capos/schema/network.h>
#include <capos/schema/status.h>

#include "netstack/lwip/platform.h"
#include "netstack/lwip/stack.h"
#include "netstack/socket/datagram.h"
#include "netstack/socket/loop.h"
#include "netstack/socket/tcp.h"
#include "netstack/socket/tcp_listen.h"
#include "netstack/socket/tcp_open.h"
#include "tests/unit/netstack_host.h"
#include "tests/unit/netstack_peer.h"

static int start(void **state)
{
	(void)state;
	make_pattern();
	host_start(true);
	return 0;
}

/* A server's message of that type for netstack's last one. */
static void dhcp_reply(struct frame *f, const struct segment *request, uint8_t type)
{
	uint8_t m[400] = {2, 1, 6, 0};
	uint32_t own = HOST_OWN, server = HOST_GATEWAY;
	uint8_t options[] = {99, 130, 83, 99, 53,  1,   type, 54, 4,   10,  0,   2,  2,
	                     51, 4,   0,  0,  140, 160, 1,    4,  255, 255, 255, 0,  3,
	                     4,  10,  0,  2,  2,   6,   4,    10, 0,   2,   3,   255};
	struct segment s = {.source_port = 67,
	                    .destination_port = 68,
	                    .destination = 0xffffffff,
	                    .payload = m,
	                    .length = sizeof(m)};

	memcpy(m + 4, (const uint8_t *)request->payload + 4, 4);
	memcpy(m + 16, &own, 4);
	memcpy(m + 20, &server, 4);
	memcpy(m + 28, host_mac, 6);
	memcpy(m + 236, options, sizeof(options));
	build_udp(f, &s);
	memset(f->bytes, 0xff, 6);
}

static void getting_an_address(void **state)
{
	struct segment discover, request;
	struct program early;
	struct frame f;

	(void)state;
	assert_int_equal(stack_state(), STACK_WAITING);
	/* A program that connects at once waits, and nothing of it is sent. */
	assert_int_equal(program_open(&early, SOCKET_TCP, NULL), STATUS_OK);
	assert_int_equal(connect_to(&early, "10.0.2.2", 80), STATUS_OK);
	assert_int_equal(early.socket->tcp.connect_status, TCP_PENDING);
	assert_true(next_udp(&discover, 67));
	assert_int_equal(((const uint8_t *)discover.payload)[242], 1);
	assert_int_equal(host_sent_count(), 0);
	/* An offer with false lengths of options, in every byte. */
	dhcp_reply(&f, &discover, 2);
	for (size_t i = 42; i < f.length; i++) {
		struct frame bad = f;

		bad.bytes[i] = 0xff;
		if (i % 2)
			bad.length = i;
		host_receive(&bad);
		host_run();
	}
	for (size_t length = 14; length < f.length; length += 3) {
		struct frame bad = f;

		bad.length = length;
		fix_sums(&bad);
		host_receive(&bad);
		host_run();
	}
	host_drop_sent();
	host_advance(30 * SECOND_NS); /* asked again; the early connect has given up */
	assert_int_equal(early.socket->tcp.connect_status, STATUS_NETWORK_DOWN);
	assert_int_equal(connect_to(&early, "10.0.2.2", 80), STATUS_OK);
	/* One of the bad offers may have been good enough to be asked for: a server's patience. */
	for (int i = 0; i < 100 && stack_state() == STACK_WAITING; i++) {
		while (stack_state() == STACK_WAITING && next_udp(&request, 67)) {
			bool discovers = ((const uint8_t *)request.payload)[242] == 1;

			dhcp_reply(&f, &request, discovers ? 2 : 5);
			host_receive(&f);
			host_run();
		}
		if (stack_state() == STACK_WAITING)
			host_advance(SECOND_NS);
		if (early.socket->tcp.connect_status == STATUS_NETWORK_DOWN)
			assert_int_equal(connect_to(&early, "10.0.2.2", 80), STATUS_OK);
	}
	assert_int_equal(stack_state(), STACK_UP);
	assert_int_equal(stack_address().addr, HOST_OWN);
	assert_int_equal(stack_gateway().addr, HOST_GATEWAY);
	/* At once, without any other event: the SYN. */
	assert_true(next_tcp(&request, 80));
	assert_int_equal(request.flags, SYN);
	program_close(&early);
	host_drop_sent();
}

static void no_grant_nothing_on_the_wire(void **state)
{
	struct policy *policy = policy_create(policy_root());
	struct program p;

	(void)state;
	policy_grant(policy, GRANT_CONNECT, "10.0.2.2", 8, 80);
	host_drop_sent();
	assert_int_equal(program_open(&p, SOCKET_TCP, policy), STATUS_OK);
	connect_to(&p, "10.0.2.2", 81);
	assert_int_equal(p.socket->tcp.connect_status, STATUS_ACCESS_DENIED);
	connect_to(&p, "10.0.2.4", 80);
	assert_int_equal(p.socket->tcp.connect_status, STATUS_ACCESS_DENIED);
	connect_to(&p, "127.0.0.1", 80);
	assert_int_equal(p.socket->tcp.connect_status, STATUS_ACCESS_DENIED);
	assert_int_equal(tcp_socket_bind(p.socket, at("0.0.0.0", 80)), STATUS_ACCESS_DENIED);
	assert_int_equal(tcp_socket_listen(p.socket, 5), STATUS_ACCESS_DENIED);
	host_advance(2 * SECOND_NS);
	assert_int_equal(host_sent_count(), 0);
	connect_to(&p, "10.0.2.2", 80);
	assert_int_equal(p.socket->tcp.connect_status, TCP_PENDING);
	assert_true(host_sent_count() > 0);
	program_close(&p);
	policy_put(policy);
	host_drop_sent();
}

static void arguments(void **state)
{
	static const char *const good[] = {"netstack",
	                                   "config=static",
	                                   "address=10.1.2.3",
	                                   "netmask=255.255.0.0",
	                                   "gateway=10.1.0.1",
	                                   "nameserver=10.1.0.2",
	                                   "nameserver=10.1.0.3",
	                                   "hostname=box"};
	static const char *const bad[] = {
	        "config=",           "config=dhcpp", "address=x", "netmask=255.0.255.0",
	        "gateway=1.2.3.4.5", "nameserver=",  "x",         "nonsense=1",
	        "config=static"};
	struct stack_config c;
	const char *wrong;

	(void)state;
	assert_true(stack_parse_arguments(8, good, &c, &wrong));
	assert_int_equal(c.mode, STACK_STATIC);
	assert_int_equal(c.address.addr, host_address("10.1.2.3"));
	assert_int_equal(c.nname_servers, 2);
	assert_string_equal(c.host_name, "box");
	assert_true(stack_parse_arguments(1, good, &c, &wrong));
	assert_int_equal(c.mode, STACK_DHCP);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *argv[] = {"netstack", bad[i]};

		assert_false(stack_parse_arguments(2, argv, &c, &wrong));
	}
}

static void wakes_only_who_asked(void **state)
{
	struct program p;
	struct peer peer;

	(void)state;
	connected(&p, &peer, 105);
	host_wakes(p.event);
	peer_send(&peer, ACK, "a", 1);
	assert_int_equal(host_wakes(p.event), 0);
	queue_want_data(&p.channel.receive);
	peer_send(&peer, ACK, "b", 1);
	peer_send(&peer, ACK, "c", 1);
	assert_int_equal(host_wakes(p.event), 1);
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

static void idle_means_idle(void **state)
{
	unsigned i = 0;
	uint64_t deadline;

	(void)state;
	host_advance(60 * SECOND_NS);
	host_drop_sent();
	assert_null(socket_next(&i));
	/* Only the lease is left to think of: ten hours, renewed at half of it. */
	deadline = loop_deadline();
	assert_true(deadline == UINT64_MAX || deadline > host_now + 30 * SECOND_NS);
	assert_in_range(host_allocations, 1, 40);
}

int main(void)
{
	const struct CMUnitTest first[] = {
	        cmocka_unit_test(getting_an_address),
	        cmocka_unit_test(arguments),
	        cmocka_unit_test(no_grant_nothing_on_the_wire),
	};
	const struct CMUnitTest last[] = {
	        cmocka_unit_test(wakes_only_who_asked),
	        cmocka_unit_test(idle_means_idle),
	};
	int failed = cmocka_run_group_tests(first, start, NULL);

	failed += tcp_tests();
	failed += names_tests();
	failed += loopback_tests();
	failed += datagram_tests();
	failed += fragment_tests();
	failed += handshake_tests();
	failed += hostile_tests();
	failed += share_tests();
	failed += cmocka_run_group_tests(last, NULL, NULL);
	return failed != 0;
}
