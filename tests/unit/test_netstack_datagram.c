/* SPDX-License-Identifier: MIT */
/*
 * UDP and ICMP over a fake NIC: whole datagrams or none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <capos/abi.h>
#include <capos/schema/network.h>
#include <capos/schema/status.h>

#include "netstack/socket/datagram.h"
#include "netstack/lwip/nic.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/stack.h"
#include "tests/unit/netstack_host.h"
#include "tests/unit/netstack_peer.h"

static void send_datagram(struct program *p, const char *address, uint16_t port, const void *bytes,
                          uint16_t length)
{
	struct channel_datagram header = {.length = length, .port = port};
	uint32_t a;

	if (address) {
		a = host_address(address);
		header.address_length = 4;
		memcpy(header.address, &a, 4);
	}
	assert_int_equal(channel_put_datagram(&p->channel.send, &header, bytes), CAP_OK);
	if (queue_publish_put(&p->channel.send))
		socket_woken(socket_bits(p->socket));
	host_run();
}

static int take_datagram(struct program *p, struct channel_datagram *header)
{
	int n = channel_take_datagram(&p->channel.receive, header, received, sizeof(received),
	                              false);

	queue_publish_take(&p->channel.receive);
	return n;
}

static void datagrams(void **state)
{
	struct program p;
	struct channel_datagram header;
	struct segment s = {.source_port = 53000, .payload = "pong", .length = 4}, q;
	struct frame f;

	(void)state;
	assert_int_equal(program_open(&p, SOCKET_UDP, NULL), STATUS_OK);
	send_datagram(&p, "10.0.2.2", 53000, "ping", 4);
	assert_true(next_udp(&q, 53000));
	assert_memory_equal(q.payload, "ping", 4);
	s.destination_port = q.source_port;
	build_udp(&f, &s);
	host_receive(&f);
	host_run();
	assert_int_equal(take_datagram(&p, &header), 4);
	assert_int_equal(header.port, 53000);
	assert_int_equal(header.time_to_live, 55);
	assert_memory_equal(header.address, &(uint32_t){HOST_GATEWAY}, 4);
	/* An empty one is one, too. */
	s.length = 0;
	build_udp(&f, &s);
	host_receive(&f);
	host_run();
	assert_int_equal(take_datagram(&p, &header), 0);
	assert_int_equal(take_datagram(&p, &header), CAP_EAGAIN);
	/* Without a destination; to where there is no way; a broadcast that was not asked for. */
	send_datagram(&p, NULL, 0, "x", 1);
	assert_int_equal(atomic_load(&p.channel.shared->error), STATUS_DESTINATION_REQUIRED);
	send_datagram(&p, "10.0.2.255", 9, "x", 1);
	assert_int_equal(atomic_load(&p.channel.shared->error), STATUS_ACCESS_DENIED);
	assert_int_equal(datagram_set_option(p.socket, SOCKET_OPTION_BROADCAST, 1), STATUS_OK);
	send_datagram(&p, "10.0.2.255", 9, "x", 1);
	assert_true(next_udp(&q, 9));
	/* A fixed peer: others are not heard, and its refusal is reported. */
	assert_int_equal(datagram_connect(p.socket, at("10.0.2.2", 1234)), STATUS_OK);
	s.length = 4;
	build_udp(&f, &s);
	host_receive(&f);
	host_run();
	assert_int_equal(take_datagram(&p, &header), CAP_EAGAIN);
	send_datagram(&p, NULL, 0, "x", 1);
	assert_true(next_udp(&q, 1234));
	host_drop_sent();
	program_close(&p);
}

static void port_unreachable(void **state)
{
	struct program p;
	struct segment q;
	struct frame sent, error;

	(void)state;
	assert_int_equal(program_open(&p, SOCKET_UDP, NULL), STATUS_OK);
	assert_int_equal(datagram_connect(p.socket, at("10.0.2.2", 1234)), STATUS_OK);
	send_datagram(&p, NULL, 0, "x", 1);
	do
		assert_true(host_sent(&sent));
	while (!read_udp(&sent, &q));
	build_icmp(&error, 0, 3, 3, 0, sent.bytes + 14, 28);
	host_receive(&error);
	host_run();
	assert_int_equal(atomic_load(&p.channel.shared->error), STATUS_CONNECTION_REFUSED);
	program_close(&p);
}

static void large_datagrams(void **state)
{
	struct program a, b;
	struct channel_datagram header;
	struct endpoint local;
	unsigned pieces = 0;
	struct frame f;

	(void)state;
	assert_int_equal(program_open(&a, SOCKET_UDP, NULL), STATUS_OK);
	assert_int_equal(program_open(&b, SOCKET_UDP, NULL), STATUS_OK);
	assert_int_equal(datagram_bind(b.socket, at("0.0.0.0", 6000)), STATUS_OK);
	send_datagram(&a, "127.0.0.1", 6000, pattern, 65507);
	assert_int_equal(take_datagram(&b, &header), 65507);
	assert_memory_equal(received, pattern, 65507);
	/* To the wire in pieces, and from there. */
	send_datagram(&a, "10.0.2.2", 6000, pattern, 20000);
	while (host_sent(&f))
		pieces += f.bytes[12] == 8 && f.bytes[13] == 0;
	assert_int_equal(pieces, (20008 + 1479) / 1480);
	local = datagram_local(b.socket);
	assert_int_equal(local.port, 6000);
	for (unsigned i = 0; i < 4; i++) {
		uint8_t piece[1480];

		memcpy(piece, pattern + i * 1480, 1480);
		if (i == 0)
			memcpy(piece,
			       (uint8_t[8]){0, 7, 6000 >> 8, 6000 & 0xff, 5920 >> 8, 5920 & 0xff, 0,
			                    0},
			       8);
		build_ip(&f, 0, 0, 17, (uint16_t)(i * 185 | (i < 3 ? 0x2000 : 0)), piece, 1480);
		host_receive(&f);
		host_run();
		assert_int_equal(host_driver_buffers(), HOST_RECEIVE_BUFFERS);
	}
	assert_int_equal(take_datagram(&b, &header), 5912);
	assert_memory_equal(received, pattern + 8, 5912);
	program_close(&a);
	program_close(&b);
}

static void a_full_queue_drops(void **state)
{
	struct program a, b;
	struct channel_datagram header;
	unsigned n = 0;

	(void)state;
	assert_int_equal(program_open(&a, SOCKET_UDP, NULL), STATUS_OK);
	assert_int_equal(program_open(&b, SOCKET_UDP, NULL), STATUS_OK);
	assert_int_equal(datagram_bind(b.socket, at("127.0.0.1", 6001)), STATUS_OK);
	for (int i = 0; i < 300; i++)
		send_datagram(&a, "127.0.0.1", 6001, pattern, 1000);
	while (take_datagram(&b, &header) == 1000)
		n++;
	assert_int_equal(n, b.channel.receive.capacity / 1024);
	assert_int_equal(b.socket->datagram.dropped, 300 - n);
	program_close(&a);
	program_close(&b);
}

static void echo(void **state)
{
	struct policy *stranger = policy_create(policy_root());
	struct program a, b, same;
	struct channel_datagram header;
	struct segment q;
	struct frame f;
	uint8_t request[16] = {8, 0, 0, 0, 0xab, 0xcd, 0, 1}, reply[16];

	(void)state;
	assert_int_equal(program_open(&a, SOCKET_ICMP, NULL), STATUS_OK);
	policy_grant(stranger, GRANT_ALL, NULL, 0, 0);
	assert_int_equal(program_open(&b, SOCKET_ICMP, stranger), STATUS_OK);
	assert_int_equal(program_open(&same, SOCKET_ICMP, NULL), STATUS_OK);
	send_datagram(&a, "10.0.2.2", 0, request, sizeof(request));
	assert_true(next_icmp(&q));
	assert_int_equal(q.length, 16);
	memcpy(reply, request, sizeof(reply));
	build_icmp(&f, 0, 0, 0, 0xabcd0001, request + 8, 8);
	host_receive(&f);
	host_run();
	/* The whole packet, to the sockets of the program that asked, and to no other. */
	assert_int_equal(take_datagram(&same, &header), 20 + 16);
	assert_int_equal(take_datagram(&a, &header), 20 + 16);
	assert_int_equal(received[0], 0x45);
	assert_int_equal(received[20], 0);
	assert_int_equal(take_datagram(&b, &header), CAP_EAGAIN);
	/* An error about it. */
	build_ip(&f, HOST_OWN, HOST_GATEWAY, 1, 0, request, sizeof(request));
	{
		struct frame quoted = f;

		build_icmp(&f, host_address("10.0.2.9"), 11, 0, 0, quoted.bytes + 14, 36);
	}
	host_receive(&f);
	host_run();
	assert_int_equal(take_datagram(&a, &header), 20 + 8 + 36);
	assert_int_equal(take_datagram(&same, &header), 20 + 8 + 36);
	assert_int_equal(take_datagram(&b, &header), CAP_EAGAIN);
	/* Anything but an echo request stays here. */
	host_drop_sent();
	request[0] = 5;
	send_datagram(&a, "10.0.2.2", 0, request, sizeof(request));
	assert_int_equal(host_sent_count(), 0);
	assert_int_equal(atomic_load(&a.channel.shared->error), STATUS_ACCESS_DENIED);
	send_datagram(&a, "10.0.2.2", 0, request, 3);
	assert_int_equal(host_sent_count(), 0);
	/* Ourselves. */
	request[0] = 8;
	request[2] = request[3] = 0;
	request[4] = 0xbb;
	memcpy(request + 2, &(uint16_t){(uint16_t)~port_checksum(request, 16)}, 2);
	send_datagram(&b, "127.0.0.1", 0, request, sizeof(request));
	assert_int_equal(take_datagram(&b, &header), 20 + 16);
	assert_int_equal(take_datagram(&a, &header), CAP_EAGAIN);
	program_close(&a);
	program_close(&b);
	program_close(&same);
	policy_put(stranger);
	/* And we answer others. */
	build_icmp(&f, 0, 8, 0, 0x12340001, pattern, 1000);
	host_receive(&f);
	host_run();
	assert_true(next_icmp(&q));
	assert_int_equal(q.flags, 0);
	assert_int_equal(q.length, 1008);
}

/* As traceroute needs: what a router says about a datagram reaches the ICMP sockets of the program
 * that sent it, and no other program's. */
static void errors_about_datagrams_reach_icmp_sockets(void **state)
{
	struct policy *stranger = policy_create(policy_root());
	struct program udp, icmp, other;
	struct channel_datagram header;
	struct frame sent, error;

	(void)state;
	policy_grant(stranger, GRANT_ALL, NULL, 0, 0);
	assert_int_equal(program_open(&udp, SOCKET_UDP, NULL), STATUS_OK);
	assert_int_equal(program_open(&icmp, SOCKET_ICMP, NULL), STATUS_OK);
	assert_int_equal(program_open(&other, SOCKET_ICMP, stranger), STATUS_OK);
	host_drop_sent();
	send_datagram(&udp, "10.0.2.2", 33434, pattern, 10);
	assert_true(host_sent(&sent));
	build_icmp(&error, host_address("192.0.2.7"), 11, 0, 0, sent.bytes + 14, 28);
	host_receive(&error);
	host_run();
	assert_int_equal(take_datagram(&icmp, &header), 20 + 8 + 28);
	assert_memory_equal(header.address, &(uint32_t){host_address("192.0.2.7")}, 4);
	assert_int_equal(received[20], 11);
	assert_int_equal(take_datagram(&other, &header), CAP_EAGAIN);
	program_close(&udp);
	host_receive(&error); /* the socket is gone */
	host_run();
	assert_int_equal(take_datagram(&icmp, &header), CAP_EAGAIN);
	program_close(&icmp);
	program_close(&other);
	policy_put(stranger);
	host_drop_sent();
}

/* A peer on the link cannot pretend to be this host. */
static void own_addresses_never_arrive_on_the_link(void **state)
{
	uint64_t before = nic_counters()->martian;
	struct channel_datagram header;
	struct program p;
	struct frame f;

	(void)state;
	assert_int_equal(program_open(&p, SOCKET_UDP, NULL), STATUS_OK);
	assert_int_equal(datagram_bind(p.socket, at("0.0.0.0", 6002)), STATUS_OK);
	for (int i = 0; i < 3; i++) {
		static const char *const sources[] = {"127.0.0.1", "10.0.2.15", "10.0.2.2"};

		build_udp(&f, &(struct segment){.source = host_address(sources[i]),
		                                .source_port = 1,
		                                .destination_port = 6002,
		                                .payload = pattern,
		                                .length = 10});
		host_receive(&f);
		host_run();
	}
	assert_int_equal(take_datagram(&p, &header), 10);
	assert_memory_equal(header.address, &(uint32_t){HOST_GATEWAY}, 4);
	assert_int_equal(take_datagram(&p, &header), CAP_EAGAIN);
	assert_int_equal(nic_counters()->martian, before + 2);
	program_close(&p);
	host_drop_sent();
}

/* Fragments that never become whole hold neither the driver's buffers nor all memory. */
static void unfinished_datagrams(void **state)
{
	struct frame f;
	uint32_t before = host_allocations;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		build_ip(&f, 0, 0, 17, (uint16_t)(0x2000 | (i % 40) * 185), pattern, 1480);
		f.bytes[18] = (uint8_t)(i / 40); /* identification */
		fix_sums(&f);
		host_receive(&f);
		host_run();
	}
	assert_int_equal(host_driver_buffers(), HOST_RECEIVE_BUFFERS);
	assert_true(host_allocations - before < 300);
	host_advance(30 * SECOND_NS);
	assert_true(host_allocations <= before + 2);
	host_drop_sent();
}

/* What the device has checked is not checked again; what it has not, is. */
static void checksums(void **state)
{
	struct program p;
	struct peer peer;
	struct frame f;
	struct segment s;

	(void)state;
	connected(&p, &peer, 113);
	s = (struct segment){.source_port = 113,
	                     .destination_port = peer.netstack_port,
	                     .sequence = peer.sequence,
	                     .acknowledgement = peer.acknowledgement,
	                     .flags = ACK,
	                     .payload = "abcd",
	                     .length = 4};
	build_tcp(&f, &s);
	f.bytes[50] ^= 1;
	host_receive(&f);
	host_run();
	assert_int_equal(program_receive(&p, received, 10), 0);
	host_receive_flags(&f, NICQUEUE_CHECKSUM_GOOD);
	host_run();
	assert_int_equal(program_receive(&p, received, 10), 4);
	program_close(&p);
	peer.sequence += 4;
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

int datagram_tests(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(datagrams),
	        cmocka_unit_test(port_unreachable),
	        cmocka_unit_test(large_datagrams),
	        cmocka_unit_test(a_full_queue_drops),
	        cmocka_unit_test(echo),
	        cmocka_unit_test(errors_about_datagrams_reach_icmp_sockets),
	        cmocka_unit_test(own_addresses_never_arrive_on_the_link),
	        cmocka_unit_test(unfinished_datagrams),
	        cmocka_unit_test(checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
