/* SPDX-License-Identifier: MIT */
/*
 * The whole stack over a fake NIC: what programs see through their channels, what leaves for the
 * wire, and what hostile frames, drivers and programs can do (nothing).  One stack serves all
 * tests, in their order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <capos/abi.h>
#include <capos/schema/network.h>
#include <capos/schema/status.h>

#include "netstack/datagram.h"
#include "netstack/loop.h"
#include "netstack/nic.h"
#include "netstack/platform.h"
#include "netstack/resolver.h"
#include "netstack/stack.h"
#include "netstack/tcp.h"
#include "tests/unit/netstack_host.h"

#define LARGE (1u << 20)

static uint8_t pattern[LARGE], received[LARGE];

static int start(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < LARGE; i++)
		pattern[i] = (uint8_t)(i * 2654435761u >> 24);
	host_start(true);
	return 0;
}

static struct endpoint at(const char *address, uint16_t port)
{
	return (struct endpoint){{host_address(address)}, port};
}

static int connect_to(struct program *p, const char *address, uint16_t port)
{
	uint32_t a = host_address(address);
	int status = tcp_socket_connect(p->socket, &a, 1, port);

	host_run();
	return status;
}

/* ---- DHCP --------------------------------------------------------------------------------------
 */

/* A server's message of that type for netstack's last one. */
static void dhcp_reply(struct frame *f, const struct segment *request, uint8_t type)
{
	uint8_t m[400] = {2, 1, 6, 0};
	uint32_t own = HOST_OWN, server = HOST_GATEWAY;
	uint8_t options[] = {99, 130, 83, 99, 53, 1,  type, 54, 4,   10,  0,   2,  2,
	                     51, 4,   0,  0,  14, 16, 1,    4,  255, 255, 255, 0,  3,
	                     4,  10,  0,  2,  2,  6,  4,    10, 0,   2,   3,   255};
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
	/* An offer that lies about its options' lengths, in every byte. */
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

/* ---- TCP against a peer by hand ----------------------------------------------------------------
 */

struct peer {
	struct segment last; /* what netstack sent last */
	uint32_t sequence;   /* our next */
	uint32_t acknowledgement;
	uint16_t port, netstack_port;
};

static void peer_send(struct peer *peer, uint8_t flags, const void *payload, size_t length)
{
	struct segment s = {.source_port = peer->port,
	                    .destination_port = peer->netstack_port,
	                    .sequence = peer->sequence,
	                    .acknowledgement = peer->acknowledgement,
	                    .flags = flags,
	                    .payload = payload,
	                    .length = length};
	struct frame f;

	build_tcp(&f, &s);
	host_receive(&f);
	peer->sequence += (uint32_t)length + (flags & (SYN | FIN) ? 1 : 0);
	host_run();
}

/* A program with a connection to the peer. */
static void connected(struct program *p, struct peer *peer, uint16_t port)
{
	*peer = (struct peer){.sequence = 1000, .port = port};
	assert_int_equal(program_open(p, SOCKET_TCP, NULL), STATUS_OK);
	assert_int_equal(connect_to(p, "10.0.2.2", port), STATUS_OK);
	assert_true(next_tcp(&peer->last, port));
	assert_int_equal(peer->last.flags, SYN);
	peer->netstack_port = peer->last.source_port;
	peer->acknowledgement = peer->last.sequence + 1;
	assert_true(program_status(p) & CHANNEL_CONNECTING);
	peer_send(peer, SYN | ACK, NULL, 0);
	assert_int_equal(p->socket->tcp.connect_status, STATUS_OK);
	assert_true(program_status(p) & CHANNEL_CONNECTED);
	assert_false(program_status(p) & CHANNEL_CONNECTING);
	assert_true(next_tcp(&peer->last, port));
	assert_int_equal(peer->last.flags, ACK);
}

static void handshake_and_data(void **state)
{
	struct program p;
	struct peer peer;
	char text[16];

	(void)state;
	connected(&p, &peer, 80);
	assert_int_equal(program_send(&p, "hello", 5), 5);
	assert_true(next_tcp(&peer.last, 80));
	assert_int_equal(peer.last.length, 5);
	assert_memory_equal(peer.last.payload, "hello", 5);
	peer.acknowledgement += 5;
	peer_send(&peer, ACK | PSH, "world!", 6);
	assert_int_equal(program_receive(&p, text, sizeof(text)), 6);
	assert_memory_equal(text, "world!", 6);
	assert_int_equal(queue_writable(&p.channel.send), p.channel.send.capacity);
	program_close(&p);
	assert_true(next_tcp(&peer.last, 80));
	while (next_tcp(&peer.last, 80))
		;
	assert_true(peer.last.flags & FIN); /* all was read */
	peer.acknowledgement++;
	peer_send(&peer, FIN | ACK, NULL, 0);
	assert_true(next_tcp(&peer.last, 80));
	assert_int_equal(peer.last.flags, ACK);
	host_advance(30 * SECOND_NS); /* TIME_WAIT is over */
	assert_int_equal(host_sent_count(), 0);
}

static void sequence_numbers_and_ports_differ(void **state)
{
	struct program p[20];
	struct peer peer[20];

	(void)state;
	for (int i = 0; i < 20; i++) {
		connected(&p[i], &peer[i], 81);
		for (int j = 0; j < i; j++) {
			assert_int_not_equal(peer[i].netstack_port, peer[j].netstack_port);
			assert_int_not_equal(peer[i].acknowledgement, peer[j].acknowledgement);
		}
		assert_true(peer[i].netstack_port >= 0x8000);
	}
	for (int i = 0; i < 20; i++) {
		program_close(&p[i]);
		peer_send(&peer[i], RST, NULL, 0);
	}
	host_advance(200 * SECOND_NS);
	host_drop_sent();
}

static void refused_and_reset(void **state)
{
	struct program p;
	struct peer peer = {.sequence = 1, .port = 82};
	char text[8];

	(void)state;
	assert_int_equal(program_open(&p, SOCKET_TCP, NULL), STATUS_OK);
	assert_int_equal(connect_to(&p, "10.0.2.2", 82), STATUS_OK);
	assert_true(next_tcp(&peer.last, 82));
	peer.netstack_port = peer.last.source_port;
	peer.acknowledgement = peer.last.sequence + 1;
	peer_send(&peer, RST | ACK, NULL, 0);
	assert_int_equal(p.socket->tcp.connect_status, STATUS_CONNECTION_REFUSED);
	assert_int_equal(atomic_load(&p.channel.shared->error), STATUS_CONNECTION_REFUSED);
	program_close(&p);
	/* Data before a RST stays readable. */
	connected(&p, &peer, 82);
	peer_send(&peer, ACK, "data", 4);
	peer_send(&peer, RST | ACK, NULL, 0);
	assert_int_equal(program_status(&p) & (CHANNEL_EOF | CHANNEL_CLOSED | CHANNEL_ERROR),
	                 CHANNEL_EOF | CHANNEL_CLOSED | CHANNEL_ERROR);
	assert_int_equal(atomic_load(&p.channel.shared->error), STATUS_CONNECTION_RESET);
	assert_int_equal(program_receive(&p, text, sizeof(text)), 4);
	program_close(&p);
	host_drop_sent();
}

static void unread_data_means_reset(void **state)
{
	struct program p;
	struct peer peer;

	(void)state;
	connected(&p, &peer, 83);
	peer_send(&peer, ACK, "data", 4);
	program_close(&p);
	while (next_tcp(&peer.last, 83))
		;
	assert_true(peer.last.flags & RST);
	/* And data that comes after the program's end. */
	connected(&p, &peer, 83);
	program_close(&p);
	host_drop_sent();
	peer.acknowledgement++;
	peer_send(&peer, ACK, "data", 4);
	assert_true(next_tcp(&peer.last, 83));
	assert_true(peer.last.flags & RST);
	host_drop_sent();
}

static void half_close_both_ways(void **state)
{
	struct program p;
	struct peer peer;
	char text[8];

	(void)state;
	connected(&p, &peer, 84);
	peer_send(&peer, FIN | ACK, NULL, 0);
	assert_true(program_status(&p) & CHANNEL_EOF);
	assert_false(program_status(&p) & CHANNEL_CLOSED);
	host_drop_sent();
	program_send(&p, "late", 4);
	assert_true(next_tcp(&peer.last, 84));
	assert_int_equal(peer.last.length, 4);
	peer.acknowledgement += 4;
	assert_int_equal(tcp_socket_shutdown(p.socket, false, true), STATUS_OK);
	host_run();
	assert_true(next_tcp(&peer.last, 84));
	assert_true(peer.last.flags & FIN);
	peer.acknowledgement++;
	peer_send(&peer, ACK, NULL, 0);
	assert_null(p.socket->tcp.pcb);
	program_close(&p);

	connected(&p, &peer, 84);
	program_send(&p, "req", 3);
	assert_int_equal(tcp_socket_shutdown(p.socket, false, true), STATUS_OK);
	host_run();
	while (next_tcp(&peer.last, 84))
		;
	assert_true(peer.last.flags & FIN);
	peer.acknowledgement += 4;
	peer_send(&peer, ACK, "reply", 5);
	peer_send(&peer, FIN | ACK, "", 0);
	assert_int_equal(program_receive(&p, text, sizeof(text)), 5);
	assert_true(program_status(&p) & CHANNEL_EOF);
	program_close(&p);
	host_advance(20 * SECOND_NS);
	host_drop_sent();
}

static void what_was_written_before_the_end_goes_out(void **state)
{
	struct program p;
	struct peer peer;
	size_t got = 0;

	(void)state;
	connected(&p, &peer, 85);
	assert_int_equal(program_send(&p, pattern, 100000), 100000);
	program_close(&p); /* the program is dead, its queue is not */
	while (next_tcp(&peer.last, 85)) {
		if (peer.last.length) {
			assert_int_equal(peer.last.sequence, peer.acknowledgement);
			assert_memory_equal(peer.last.payload, pattern + got, peer.last.length);
			got += peer.last.length;
			peer.acknowledgement += (uint32_t)peer.last.length;
		}
		if (peer.last.flags & FIN)
			peer.acknowledgement++;
		peer_send(&peer, ACK, NULL, 0);
	}
	assert_int_equal(got, 100000);
	assert_true(peer.last.flags & FIN);
	peer_send(&peer, FIN | ACK, NULL, 0);
	host_advance(20 * SECOND_NS);
	host_drop_sent();
}

static void an_orphan_without_a_peer_is_given_up(void **state)
{
	struct program p;
	struct peer peer;
	unsigned i = 0;

	(void)state;
	connected(&p, &peer, 86);
	program_send(&p, pattern, 5000);
	program_close(&p);
	host_advance(120 * SECOND_NS);
	assert_null(socket_next(&i));
	host_drop_sent();
}

static void windows_close_and_open(void **state)
{
	struct program p;
	struct peer peer;
	size_t sent = 0;

	(void)state;
	connected(&p, &peer, 87);
	for (;;) { /* the program does not read */
		while (next_tcp(&peer.last, 87))
			;
		if (peer.last.window < 1460)
			break;
		peer_send(&peer, ACK, pattern + sent, 1460);
		sent += 1460;
		if (sent % 2920 == 0)
			assert_true(host_sent_count() > 0);
		assert_true(sent < LARGE);
	}
	assert_in_range(sent, 60000, 65535); /* no scaling was agreed on */
	assert_int_equal(host_driver_buffers(), HOST_RECEIVE_BUFFERS); /* and pins no buffer */
	host_drop_sent();
	/* It is told, without being asked, when there is room again. */
	assert_int_equal(program_receive(&p, received, sizeof(received)), sent);
	assert_memory_equal(received, pattern, sent);
	assert_true(next_tcp(&peer.last, 87));
	assert_true(peer.last.window > 60000);
	peer_send(&peer, ACK, "more", 4);
	assert_int_equal(program_receive(&p, received, sizeof(received)), 4);
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

static void window_scaling(void **state)
{
	static const uint8_t options[] = {2, 4, 5, 180, 1, 3, 3, 7};
	struct program p;
	struct peer peer = {.sequence = 1, .port = 88};
	struct segment s = {.source_port = 88,
	                    .flags = SYN | ACK,
	                    .sequence = 1,
	                    .options = options,
	                    .noptions = sizeof(options)};
	struct frame f;
	size_t sent = 0;

	(void)state;
	assert_int_equal(program_open(&p, SOCKET_TCP, NULL), STATUS_OK);
	connect_to(&p, "10.0.2.2", 88);
	assert_true(next_tcp(&peer.last, 88));
	peer.netstack_port = s.destination_port = peer.last.source_port;
	peer.acknowledgement = s.acknowledgement = peer.last.sequence + 1;
	build_tcp(&f, &s);
	host_receive(&f);
	host_run();
	peer.sequence = 2;
	assert_true(next_tcp(&peer.last, 88));
	assert_in_range(peer.last.window << 3, 250000, 262144);
	while (sent + 1460 <= p.channel.receive.capacity) {
		peer_send(&peer, ACK, pattern + sent, 1460);
		sent += 1460;
	}
	assert_true(sent > 250000);
	assert_int_equal(program_receive(&p, received, sizeof(received)), sent);
	assert_memory_equal(received, pattern, sent);
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

static void out_of_order_segments(void **state)
{
	struct program p;
	struct peer peer;
	uint32_t first;

	(void)state;
	connected(&p, &peer, 89);
	first = peer.sequence;
	/* All but the first, backwards: more than may stay in DMA buffers. */
	for (unsigned i = 44; i > 0; i--) {
		peer.sequence = first + i * 1400;
		peer_send(&peer, ACK, pattern + i * 1400, 1400);
		assert_true(host_driver_buffers() >= HOST_RECEIVE_BUFFERS / 2);
	}
	assert_int_equal(program_receive(&p, received, sizeof(received)), 0);
	peer.sequence = first;
	peer_send(&peer, ACK, pattern, 1400);
	assert_int_equal(program_receive(&p, received, sizeof(received)), 45 * 1400);
	assert_memory_equal(received, pattern, 45 * 1400);
	assert_int_equal(host_driver_buffers(), HOST_RECEIVE_BUFFERS);
	peer.sequence = first + 45 * 1400;
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

static void lost_segments_are_sent_again(void **state)
{
	struct program p;
	struct peer peer;
	size_t got = 0;
	unsigned count = 0;

	(void)state;
	connected(&p, &peer, 90);
	program_send(&p, pattern, 50000);
	for (int round = 0; got < 50000 && round < 1000; round++) {
		while (next_tcp(&peer.last, 90)) {
			if (peer.last.sequence != peer.acknowledgement || ++count % 7 == 0)
				continue; /* lost */
			assert_memory_equal(peer.last.payload, pattern + got, peer.last.length);
			got += peer.last.length;
			peer.acknowledgement += (uint32_t)peer.last.length;
			peer_send(&peer, ACK, NULL, 0);
		}
		host_advance(SECOND_NS);
	}
	assert_int_equal(got, 50000);
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

static void small_writes_become_full_segments(void **state)
{
	struct program p;
	struct peer peer;
	unsigned segments = 0;
	size_t got = 0;

	(void)state;
	connected(&p, &peer, 91);
	for (int i = 0; i < 2000; i++)
		program_send(&p, pattern + i, 1);
	while (next_tcp(&peer.last, 91)) {
		segments++;
		assert_memory_equal(peer.last.payload, pattern + got, peer.last.length);
		got += peer.last.length;
		peer.acknowledgement += (uint32_t)peer.last.length;
		peer_send(&peer, ACK, NULL, 0);
	}
	assert_int_equal(got, 2000);
	assert_true(segments <= 5);
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

static void icmp_errors_end_a_connect(void **state)
{
	static const struct {
		uint8_t code;
		int status;
	} cases[] = {{0, STATUS_NETWORK_UNREACHABLE},
	             {1, STATUS_HOST_UNREACHABLE},
	             {3, STATUS_CONNECTION_REFUSED}};
	struct program p;
	struct frame f, syn;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(program_open(&p, SOCKET_TCP, NULL), STATUS_OK);
		connect_to(&p, "8.8.8.8", 92);
		do
			assert_true(host_sent(&syn));
		while (syn.bytes[23] != 6);
		/* About another segment: no. */
		syn.bytes[41] ^= 1;
		build_icmp(&f, 0, 3, cases[i].code, 0, syn.bytes + 14, 28);
		host_receive(&f);
		host_run();
		assert_int_equal(p.socket->tcp.connect_status, TCP_PENDING);
		syn.bytes[41] ^= 1;
		build_icmp(&f, 0, 3, cases[i].code, 0, syn.bytes + 14, 28);
		host_receive(&f);
		host_run();
		assert_int_equal(p.socket->tcp.connect_status, cases[i].status);
		program_close(&p);
	}
	host_drop_sent();
}

static void nobody_answers(void **state)
{
	struct program p;

	(void)state;
	assert_int_equal(program_open(&p, SOCKET_TCP, NULL), STATUS_OK);
	connect_to(&p, "10.0.2.99", 93); /* ARP is not answered either */
	host_advance(5 * SECOND_NS);
	assert_int_equal(p.socket->tcp.connect_status, STATUS_HOST_UNREACHABLE);
	connect_to(&p, "10.0.2.2", 93);
	host_advance(20 * SECOND_NS);
	assert_int_equal(p.socket->tcp.connect_status, TCP_PENDING);
	for (int i = 0; i < 200; i++) {
		host_advance(SECOND_NS);
		host_drop_sent();
	}
	assert_int_equal(p.socket->tcp.connect_status, STATUS_TIMED_OUT);
	program_close(&p);
	host_drop_sent();
}

/* ---- Policy ------------------------------------------------------------------------------------
 */

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

/* ---- Names -------------------------------------------------------------------------------------
 */

static int found_status;
static struct dns_answer found;

static void note(void *context, int status, const struct dns_answer *answer)
{
	(void)context;
	found_status = status;
	if (answer)
		found = *answer;
}

/* Answers a question with an address, or (address 0) a result code. */
static void dns_reply(const struct segment *question, uint32_t address, uint8_t code)
{
	uint8_t m[400];
	size_t n = question->length;
	struct segment s = {.source = question->destination,
	                    .source_port = 53,
	                    .destination_port = question->source_port,
	                    .payload = m};
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
	struct frame f;

	memcpy(m, question->payload, n);
	m[2] = 0x81;
	m[3] = 0x80 | code;
	if (address) {
		m[7] = 1;
		memcpy(m + n, record, sizeof(record));
		memcpy(m + n + sizeof(record), &address, 4);
		n += sizeof(record) + 4;
	}
	s.length = n;
	build_udp(&f, &s);
	host_receive(&f);
	host_run();
}

static void looking_names_up(void **state)
{
	struct segment q, again;

	(void)state;
	found_status = -1;
	assert_int_equal(resolver_lookup("www.example.", 12, note, NULL), STATUS_OK);
	host_run();
	assert_true(next_udp(&q, 53));
	assert_true(q.source_port >= 0x8000);
	/* From another server, another port, with another id, to another question: not it. */
	again = q;
	again.destination = HOST_GATEWAY;
	dns_reply(&again, HOST_GATEWAY, 0);
	assert_int_equal(found_status, -1);
	host_advance(1500 * MS_NS);
	assert_true(next_udp(&again, 53)); /* asked again, anew */
	assert_int_not_equal(again.source_port, q.source_port);
	dns_reply(&q, HOST_GATEWAY, 0);
	assert_int_equal(found_status, -1);
	dns_reply(&again, host_address("1.2.3.4"), 0);
	assert_int_equal(found_status, STATUS_OK);
	assert_int_equal(found.addresses[0], host_address("1.2.3.4"));
	host_drop_sent();
	/* Remembered. */
	found_status = -1;
	assert_int_equal(resolver_lookup("WWW.example", 11, note, NULL), STATUS_OK);
	assert_int_equal(found_status, STATUS_OK);
	assert_int_equal(host_sent_count(), 0);
	assert_int_equal(resolver_lookup("localhost", 9, note, NULL), STATUS_OK);
	assert_int_equal(found.addresses[0], host_address("127.0.0.1"));
	assert_int_equal(resolver_lookup("1.2.3.4", 7, note, NULL), STATUS_OK);
	assert_int_equal(found.addresses[0], host_address("1.2.3.4"));
	assert_int_equal(resolver_lookup("no such", 7, note, NULL), STATUS_INVALID_ARGUMENT);
}

static void names_that_are_not(void **state)
{
	struct segment q;

	(void)state;
	resolver_lookup("nx.example", 10, note, NULL);
	host_run();
	assert_true(next_udp(&q, 53));
	dns_reply(&q, 0, 3);
	assert_int_equal(found_status, STATUS_NAME_NOT_FOUND);
	resolver_lookup("empty.example", 13, note, NULL);
	host_run();
	assert_true(next_udp(&q, 53));
	dns_reply(&q, 0, 0);
	assert_int_equal(found_status, STATUS_NO_DATA);
	found_status = -1;
	resolver_lookup("silent.example", 14, note, NULL);
	host_advance(9 * SECOND_NS);
	assert_int_equal(found_status, -1);
	host_advance(2 * SECOND_NS);
	assert_int_equal(found_status, STATUS_TRY_AGAIN);
	found_status = -1;
	resolver_lookup("gone.example", 12, note, &found);
	resolver_cancel(&found);
	host_advance(20 * SECOND_NS);
	assert_int_equal(found_status, -1);
	host_drop_sent();
}

static void grants_by_name(void **state)
{
	struct policy *policy = policy_create(policy_root());
	struct program p;
	struct segment q;

	(void)state;
	policy_grant(policy, GRANT_CONNECT, "web.example", 11, 80);
	assert_int_equal(program_open(&p, SOCKET_TCP, policy), STATUS_OK);
	connect_to(&p, "10.0.2.2", 80);
	assert_true(next_udp(&q, 53));
	dns_reply(&q, HOST_GATEWAY, 0);
	assert_true(next_tcp(&q, 80));
	assert_int_equal(q.flags, SYN);
	program_close(&p);
	assert_int_equal(program_open(&p, SOCKET_TCP, policy), STATUS_OK);
	connect_to(&p, "10.0.2.4", 80);
	assert_int_equal(p.socket->tcp.connect_status, STATUS_ACCESS_DENIED);
	assert_false(next_tcp(&q, 80));
	/* A TcpConnectAuthority's way: whatever address the host has. */
	assert_int_equal(tcp_socket_connect_name(p.socket, "web.example", 80), STATUS_OK);
	host_run();
	assert_true(next_tcp(&q, 80));
	assert_int_equal(q.destination, HOST_GATEWAY);
	program_close(&p);
	policy_put(policy);
	host_drop_sent();
}

/* ---- Loopback: two programs --------------------------------------------------------------------
 */

static void listening(struct program *listener, uint16_t port, uint32_t backlog)
{
	assert_int_equal(program_open(listener, SOCKET_TCP, NULL), STATUS_OK);
	assert_int_equal(tcp_socket_set_option(listener->socket, SOCKET_OPTION_REUSE_ADDRESS, 1),
	                 STATUS_OK);
	assert_int_equal(tcp_socket_bind(listener->socket, at("0.0.0.0", port)), STATUS_OK);
	assert_int_equal(tcp_socket_listen(listener->socket, backlog), STATUS_OK);
	host_run();
	assert_true(program_status(listener) & CHANNEL_LISTENING);
}

static void pair(struct program *listener, struct program *client, struct program *server,
                 uint16_t port)
{
	struct socket *s;

	assert_int_equal(program_open(client, SOCKET_TCP, NULL), STATUS_OK);
	atomic_store(&listener->channel.shared->client_wants_status, 1);
	assert_int_equal(connect_to(client, "127.0.0.1", port), STATUS_OK);
	assert_int_equal(client->socket->tcp.connect_status, STATUS_OK);
	assert_int_equal(atomic_load(&listener->channel.shared->pending), 1);
	assert_int_equal(host_wakes(listener->event), 1);
	assert_int_equal(tcp_socket_accept(listener->socket, &s), STATUS_OK);
	assert_int_equal(atomic_load(&listener->channel.shared->pending), 0);
	program_accepted(server, s);
	assert_int_equal(tcp_socket_accept(listener->socket, &s), STATUS_WOULD_BLOCK);
}

static void much_data_both_ways(void **state)
{
	struct program listener, client, server;
	size_t up = 0, down = 0, got_up = 0, got_down = 0;

	(void)state;
	listening(&listener, 5000, 5);
	pair(&listener, &client, &server, 5000);
	srand(3);
	for (int i = 0; (got_up < LARGE || got_down < LARGE) && i < 100000; i++) {
		size_t n = (size_t)rand() % 60000 + 1;

		up += program_send(&client, pattern + up, n < LARGE - up ? n : LARGE - up);
		down += program_send(&server, pattern + down,
		                     n / 2 < LARGE - down ? n / 2 : LARGE - down);
		n = program_receive(&server, received, (size_t)rand() % 70000);
		assert_memory_equal(received, pattern + got_up, n);
		got_up += n;
		n = (size_t)rand() % 70000;
		n = program_receive(&client, received, n);
		assert_memory_equal(received, pattern + got_down, n);
		got_down += n;
		if (i % 16 == 0)
			host_advance(300 * MS_NS);
	}
	assert_int_equal(got_up, LARGE);
	assert_int_equal(got_down, LARGE);
	program_close(&client);
	assert_true(program_status(&server) & CHANNEL_EOF);
	program_close(&server);
	program_close(&listener);
	host_advance(20 * SECOND_NS);
}

static void backlog_is_kept(void **state)
{
	struct program listener, client[8];
	unsigned connected_now = 0;
	struct socket *s;

	(void)state;
	listening(&listener, 5001, 3);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(program_open(&client[i], SOCKET_TCP, NULL), STATUS_OK);
		connect_to(&client[i], "127.0.0.1", 5001);
	}
	for (int i = 0; i < 8; i++)
		connected_now += program_status(&client[i]) & CHANNEL_CONNECTED;
	assert_int_equal(connected_now, 3);
	assert_int_equal(atomic_load(&listener.channel.shared->pending), 3);
	assert_int_equal(tcp_socket_accept(listener.socket, &s), STATUS_OK);
	tcp_socket_close(s);
	host_advance(4 * SECOND_NS); /* another SYN of the others finds the place */
	assert_int_equal(atomic_load(&listener.channel.shared->pending), 3);
	program_close(&listener); /* those that wait are reset */
	for (int i = 0; i < 8; i++) {
		host_advance(SECOND_NS);
		assert_true(program_status(&client[i]) &
		            (CHANNEL_CLOSED | CHANNEL_CONNECTING | CHANNEL_EOF | CHANNEL_ERROR));
		program_close(&client[i]);
	}
	host_advance(100 * SECOND_NS);
}

static void many_connections_one_after_another(void **state)
{
	struct program listener, client, server;
	char text[4];

	(void)state;
	listening(&listener, 5002, 5);
	for (int i = 0; i < 3000; i++) { /* more than there are connections, all in TIME_WAIT */
		pair(&listener, &client, &server, 5002);
		program_send(&client, "abc", 3);
		assert_int_equal(program_receive(&server, text, 4), 3);
		program_close(&client);
		program_close(&server);
		host_now += MS_NS;
	}
	program_close(&listener);
	listening(&listener, 5002, 5); /* in spite of what is in TIME_WAIT */
	program_close(&listener);
	host_advance(20 * SECOND_NS);
}

static void addresses_in_use(void **state)
{
	struct program a, b;

	(void)state;
	listening(&a, 5003, 5);
	assert_int_equal(program_open(&b, SOCKET_TCP, NULL), STATUS_OK);
	assert_int_equal(tcp_socket_bind(b.socket, at("0.0.0.0", 5003)), STATUS_ADDRESS_IN_USE);
	assert_int_equal(tcp_socket_bind(b.socket, at("1.2.3.4", 5004)),
	                 STATUS_ADDRESS_NOT_AVAILABLE);
	assert_int_equal(tcp_socket_bind(b.socket, at("127.0.0.1", 0)), STATUS_OK);
	assert_int_equal(b.socket->local.address.addr, host_address("127.0.0.1"));
	assert_true(b.socket->local.port >= 0x8000);
	program_close(&b);
	program_close(&a);
}

static void socket_limits(void **state)
{
	static struct program p[SOCKETS_MAX + 1];
	struct policy *policy = policy_create(policy_root());
	struct program other;
	unsigned n = 0;

	(void)state;
	while (n < SOCKETS_MAX && program_open(&p[n], SOCKET_TCP, policy) == STATUS_OK)
		n++;
	assert_in_range(n, 256, SOCKETS_MAX - 64);
	assert_int_equal(program_open(&other, SOCKET_TCP, NULL),
	                 STATUS_OK); /* others have their share */
	program_close(&other);
	while (n)
		program_close(&p[--n]);
	policy_put(policy);
	assert_int_equal(host_sent_count(), 0);
}

/* ---- UDP and ICMP ------------------------------------------------------------------------------
 */

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
	/* A fixed peer: others are not heard, and its refusal is told. */
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
	struct program a, b;
	struct channel_datagram header;
	struct segment q;
	struct frame f;
	uint8_t request[16] = {8, 0, 0, 0, 0xab, 0xcd, 0, 1}, reply[16];

	(void)state;
	assert_int_equal(program_open(&a, SOCKET_ICMP, NULL), STATUS_OK);
	assert_int_equal(program_open(&b, SOCKET_ICMP, NULL), STATUS_OK);
	send_datagram(&a, "10.0.2.2", 0, request, sizeof(request));
	assert_true(next_icmp(&q));
	assert_int_equal(q.length, 16);
	memcpy(reply, request, sizeof(reply));
	build_icmp(&f, 0, 0, 0, 0xabcd0001, request + 8, 8);
	host_receive(&f);
	host_run();
	/* The whole packet, to who asked, and to nobody else. */
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
	memcpy(request + 2, &(uint16_t){(uint16_t)~port_checksum(request, 16)}, 2);
	send_datagram(&b, "127.0.0.1", 0, request, sizeof(request));
	assert_int_equal(take_datagram(&b, &header), 20 + 16);
	program_close(&a);
	program_close(&b);
	/* And we answer others. */
	build_icmp(&f, 0, 8, 0, 0x12340001, pattern, 1000);
	host_receive(&f);
	host_run();
	assert_true(next_icmp(&q));
	assert_int_equal(q.flags, 0);
	assert_int_equal(q.length, 1008);
}

/* ---- Hostile -----------------------------------------------------------------------------------
 */

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

/* What may come from the wire, changed at random: nothing but the sanitizers' silence is asked for.
 */
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

/* ---- Bits and pieces ---------------------------------------------------------------------------
 */

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

static void options(void **state)
{
	static const struct {
		uint16_t option;
		int32_t good, bad;
	} cases[] = {
	        {SOCKET_OPTION_TIME_TO_LIVE, 5, 256},  {SOCKET_OPTION_TYPE_OF_SERVICE, 16, -1},
	        {SOCKET_OPTION_KEEP_IDLE, 60, 0},      {SOCKET_OPTION_KEEP_INTERVAL, 10, 40000},
	        {SOCKET_OPTION_KEEP_COUNT, 3, 128},    {SOCKET_OPTION_RECEIVE_BUFFER, 5000, 0},
	        {SOCKET_OPTION_SEND_BUFFER, 5000, -5},
	};
	struct program p;
	struct peer peer;
	int32_t value;

	(void)state;
	connected(&p, &peer, 110);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint16_t option = cases[i].option;

		assert_int_equal(tcp_socket_set_option(p.socket, option, cases[i].good), STATUS_OK);
		assert_int_equal(tcp_socket_set_option(p.socket, option, cases[i].bad),
		                 STATUS_INVALID_ARGUMENT);
		assert_int_equal(tcp_socket_get_option(p.socket, option, &value), STATUS_OK);
		assert_int_equal(value, cases[i].good);
	}
	assert_int_equal(tcp_socket_set_option(p.socket, 99, 1), STATUS_NOT_SUPPORTED);
	/* Not more than was asked for is in flight. */
	program_send(&p, pattern, 20000);
	value = 0;
	while (next_tcp(&peer.last, 110))
		value += (int32_t)peer.last.length;
	assert_in_range(value, 536, 5000);
	/* Linger 0: a reset, even though all was read. */
	assert_int_equal(tcp_socket_set_option(p.socket, SOCKET_OPTION_LINGER, 0), STATUS_OK);
	program_close(&p);
	while (next_tcp(&peer.last, 110))
		;
	assert_true(peer.last.flags & RST);
}

static void dead_peers_are_noticed(void **state)
{
	struct program p;
	struct peer peer;

	(void)state;
	connected(&p, &peer, 111);
	tcp_socket_set_option(p.socket, SOCKET_OPTION_KEEP_ALIVE, 1);
	tcp_socket_set_option(p.socket, SOCKET_OPTION_KEEP_IDLE, 10);
	tcp_socket_set_option(p.socket, SOCKET_OPTION_KEEP_INTERVAL, 5);
	tcp_socket_set_option(p.socket, SOCKET_OPTION_KEEP_COUNT, 3);
	host_advance(9 * SECOND_NS);
	assert_int_equal(host_sent_count(), 0);
	host_advance(3 * SECOND_NS);
	assert_true(next_tcp(&peer.last, 111));
	host_advance(30 * SECOND_NS);
	assert_true(program_status(&p) & CHANNEL_ERROR);
	assert_int_equal(atomic_load(&p.channel.shared->error), STATUS_TIMED_OUT);
	program_close(&p);
	host_drop_sent();
}

/* A segment that waits for the neighbour's address outlives the socket whose memory it refers to.
 */
static void a_waiting_segment_outlives_its_socket(void **state)
{
	struct program p;
	struct peer peer;
	struct frame f, request = {.length = 0};
	unsigned sent_data = 0;

	(void)state;
	connected(&p, &peer, 112);
	host_advance(400 * SECOND_NS); /* the neighbour is forgotten */
	host_drop_sent();
	program_send(&p, pattern, 500);
	while (host_sent(&f)) {
		if (f.bytes[12] == 8 && f.bytes[13] == 6)
			request = f;
		assert_false(read_tcp(&f, &peer.last));
	}
	assert_int_equal(request.length, 42);
	peer_send(&peer, ACK, "unread", 6);
	host_drop_sent();
	program_close(&p); /* unread data: the memory is gone at once */
	host_drop_sent();
	memcpy(request.bytes, host_mac, 6);
	memcpy(request.bytes + 6, peer_mac, 6);
	request.bytes[21] = 2;
	memcpy(request.bytes + 32, host_mac, 6);
	memcpy(request.bytes + 22, peer_mac, 6);
	memcpy(request.bytes + 28, &(uint32_t){HOST_GATEWAY}, 4);
	memcpy(request.bytes + 38, &(uint32_t){HOST_OWN}, 4);
	host_receive(&request);
	host_run();
	while (next_tcp(&peer.last, 112))
		sent_data +=
		        peer.last.length == 500 && memcmp(peer.last.payload, pattern, 500) == 0;
	assert_int_equal(sent_data, 1);
	host_advance(100 * SECOND_NS);
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

/* ---- The end -----------------------------------------------------------------------------------
 */

static void idle_means_idle(void **state)
{
	unsigned i = 0;
	uint64_t deadline;

	(void)state;
	host_advance(60 * SECOND_NS);
	host_drop_sent();
	assert_null(socket_next(&i));
	/* Only the lease is left to think of: an hour, renewed at half of it. */
	deadline = loop_deadline();
	assert_true(deadline == UINT64_MAX || deadline > host_now + 30 * SECOND_NS);
	assert_in_range(host_allocations, 1, 40);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(getting_an_address),
	        cmocka_unit_test(handshake_and_data),
	        cmocka_unit_test(sequence_numbers_and_ports_differ),
	        cmocka_unit_test(refused_and_reset),
	        cmocka_unit_test(unread_data_means_reset),
	        cmocka_unit_test(half_close_both_ways),
	        cmocka_unit_test(what_was_written_before_the_end_goes_out),
	        cmocka_unit_test(an_orphan_without_a_peer_is_given_up),
	        cmocka_unit_test(windows_close_and_open),
	        cmocka_unit_test(window_scaling),
	        cmocka_unit_test(out_of_order_segments),
	        cmocka_unit_test(lost_segments_are_sent_again),
	        cmocka_unit_test(small_writes_become_full_segments),
	        cmocka_unit_test(icmp_errors_end_a_connect),
	        cmocka_unit_test(nobody_answers),
	        cmocka_unit_test(no_grant_nothing_on_the_wire),
	        cmocka_unit_test(looking_names_up),
	        cmocka_unit_test(names_that_are_not),
	        cmocka_unit_test(grants_by_name),
	        cmocka_unit_test(much_data_both_ways),
	        cmocka_unit_test(backlog_is_kept),
	        cmocka_unit_test(many_connections_one_after_another),
	        cmocka_unit_test(addresses_in_use),
	        cmocka_unit_test(socket_limits),
	        cmocka_unit_test(datagrams),
	        cmocka_unit_test(port_unreachable),
	        cmocka_unit_test(large_datagrams),
	        cmocka_unit_test(a_full_queue_drops),
	        cmocka_unit_test(echo),
	        cmocka_unit_test(hostile_program),
	        cmocka_unit_test(hostile_datagram_program),
	        cmocka_unit_test(hostile_driver),
	        cmocka_unit_test(hostile_frames),
	        cmocka_unit_test(without_memory),
	        cmocka_unit_test(arguments),
	        cmocka_unit_test(options),
	        cmocka_unit_test(dead_peers_are_noticed),
	        cmocka_unit_test(a_waiting_segment_outlives_its_socket),
	        cmocka_unit_test(unfinished_datagrams),
	        cmocka_unit_test(checksums),
	        cmocka_unit_test(wakes_only_who_asked),
	        cmocka_unit_test(idle_means_idle),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
