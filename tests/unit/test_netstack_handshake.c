/* SPDX-License-Identifier: MIT */
/*
 * Connections from outside until they are established: floods of forged SYNs, cookies, full queues.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <capos/schema/status.h>

#include "netstack/lwip/handshake.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/syn_cookie.h"
#include "netstack/socket/tcp.h"
#include "netstack/socket/tcp_listen.h"
#include "tests/unit/netstack_host.h"
#include "tests/unit/netstack_peer.h"

#define PORT    8080
#define FORGED  1000u
#define MSS     1360u
#define BACKLOG 32u

static void forged_syn(unsigned number)
{
	struct segment s = {.source = host_address("198.51.100.0") + ((number % 250 + 1) << 24),
	                    .source_port = (uint16_t)(1024 + number),
	                    .destination_port = PORT,
	                    .sequence = number * 7919,
	                    .flags = SYN};
	struct frame f;

	build_tcp(&f, &s);
	host_receive(&f);
	host_run();
}

/* Over several seconds, as fast as a slow attacker sends. */
static void flood(void)
{
	for (unsigned i = 0; i < FORGED; i++) {
		forged_syn(i);
		if (i % 100 == 0)
			host_advance(100 * MS_NS);
	}
	host_drop_sent();
}

/* The options of Linux's SYN, its MSS changed. */
static void peer_syn(struct peer *peer)
{
	static const uint8_t options[12] = {2, 4, MSS >> 8, MSS & 0xff, 1, 1, 4, 2, 1, 3, 3, 7};
	struct segment s = {.source_port = peer->port,
	                    .destination_port = PORT,
	                    .sequence = peer->sequence,
	                    .flags = SYN,
	                    .options = options,
	                    .noptions = sizeof(options)};
	struct frame f;

	peer->netstack_port = PORT;
	build_tcp(&f, &s);
	host_receive(&f);
	host_run();
	peer->sequence++;
}

/* A peer's SYN is answered; its acknowledgement is for the caller to send. */
static void half_way(struct peer *peer, uint16_t port)
{
	*peer = (struct peer){.sequence = 5000, .port = port};
	peer_syn(peer);
	assert_true(next_tcp(&peer->last, port));
	assert_int_equal(peer->last.flags, SYN | ACK);
	assert_int_equal(peer->last.acknowledgement, 5001);
	assert_int_equal(peer->last.noptions, 12);
	peer->acknowledgement = peer->last.sequence + 1;
}

static unsigned pending(struct program *listener)
{
	return atomic_load(&listener->channel.shared->pending);
}

static void accept_from(struct program *listener, struct program *server)
{
	struct socket *s;

	assert_int_equal(tcp_socket_accept(listener->socket, &s), STATUS_OK);
	program_accepted(server, s);
}

/* Two forged SYNs a second kept others out. */
static void forged_syns_keep_nobody_out(void **state)
{
	uint64_t cookies = handshake_counters()->cookies_accepted;
	struct program listener, server;
	uint32_t before;
	struct peer peer;

	(void)state;
	listening(&listener, PORT, BACKLOG);
	before = host_allocations;
	flood();
	assert_true(host_allocations - before < 5 * HALF_OPEN_MAX);
	for (uint16_t port = 2000; port < 2010; port++) {
		forged_syn(port);
		host_drop_sent();
		half_way(&peer, port);
		assert_int_equal(pending(&listener), 0);
		peer_send(&peer, ACK | PSH, "question", 8);
		assert_int_equal(pending(&listener), 1);
		accept_from(&listener, &server);
		assert_int_equal(program_receive(&server, received, 100), 8);
		assert_memory_equal(received, "question", 8);
		/* The options of the SYN hold, though nothing was kept of it. */
		assert_int_equal(program_send(&server, pattern, 3000), 3000);
		do
			assert_true(next_tcp(&peer.last, port));
		while (peer.last.length == 0); /* window update and acknowledgement */
		assert_int_equal(peer.last.sequence, peer.acknowledgement);
		assert_int_equal(peer.last.length, MSS);
		assert_memory_equal(peer.last.payload, pattern, MSS);
		program_close(&server);
		peer_send(&peer, RST, NULL, 0);
		host_drop_sent();
	}
	assert_int_equal(handshake_counters()->cookies_accepted - cookies, 10);
	host_advance(60 * SECOND_NS); /* the forged ones are forgotten */
	half_way(&peer, 2020);
	peer_send(&peer, ACK, NULL, 0);
	assert_int_equal(handshake_counters()->cookies_accepted - cookies, 10);
	assert_int_equal(pending(&listener), 1);
	program_close(&listener);
	host_drop_sent();
}

/* Guessed, changed, and old acknowledgements open nothing. */
static void cookies_cannot_be_made_up(void **state)
{
	struct program listener;
	struct peer peer;

	(void)state;
	listening(&listener, PORT, BACKLOG);
	flood();
	for (unsigned bit = 0; bit < 32; bit++) {
		half_way(&peer, (uint16_t)(2100 + bit));
		peer.acknowledgement ^= 1u << bit;
		peer_send(&peer, ACK, NULL, 0);
		assert_true(next_tcp(&peer.last, peer.port));
		assert_int_equal(peer.last.flags & RST, RST);
	}
	half_way(&peer, 2140);
	peer.port = 2141;
	peer_send(&peer, ACK, NULL, 0);
	assert_int_equal(pending(&listener), 0);
	flood();
	half_way(&peer, 2150);
	for (unsigned i = 0; i < 30; i++) { /* others' cookies are sent all the while */
		host_advance(10 * SECOND_NS);
		flood();
	}
	peer_send(&peer, ACK, NULL, 0);
	assert_int_equal(pending(&listener), 0);
	host_drop_sent();
	program_close(&listener);
	host_advance(60 * SECOND_NS);
	host_drop_sent();
}

/* A full queue of connections answers nothing, so that the peer tries again. */
static void full_queues_answer_nothing(void **state)
{
	struct program listener, server;
	struct peer peers[BACKLOG], late, later;

	(void)state;
	listening(&listener, PORT, BACKLOG);
	half_way(&late, 2300);
	for (unsigned i = 0; i < BACKLOG; i++) {
		half_way(&peers[i], (uint16_t)(2200 + i));
		peer_send(&peers[i], ACK, NULL, 0);
	}
	assert_int_equal(pending(&listener), BACKLOG);
	host_drop_sent();
	later = (struct peer){.sequence = 5000, .port = 2301};
	peer_syn(&later);
	assert_false(next_tcp(&later.last, 2301));
	peer_send(&late, ACK, NULL, 0);
	assert_false(next_tcp(&late.last, 2300));
	accept_from(&listener, &server);
	host_advance(2 * SECOND_NS); /* its SYN-ACK is repeated, so is the acknowledgement */
	assert_true(next_tcp(&late.last, 2300));
	assert_int_equal(late.last.flags, SYN | ACK);
	peer_send(&late, ACK, NULL, 0);
	assert_int_equal(pending(&listener), BACKLOG);
	program_close(&server);
	program_close(&listener);
	host_advance(200 * SECOND_NS);
	host_drop_sent();
}

/* A program that never accepts: its connections take no memory of channels, their peers' data a
 * bounded part of netstack's, and nothing that was acknowledged is lost. */
static void unaccepted_connections_are_bounded(void **state)
{
	struct program listener, server;
	struct peer peers[BACKLOG];
	uint32_t before, sent[BACKLOG] = {0};

	(void)state;
	listening(&listener, PORT, BACKLOG);
	before = host_allocations;
	host_memory_left = 0;
	for (unsigned i = 0; i < BACKLOG; i++) {
		half_way(&peers[i], (uint16_t)(2400 + i));
		assert_in_range(peers[i].last.window, 1024, 16384);
		peer_send(&peers[i], ACK, NULL, 0);
	}
	for (unsigned round = 0; round < 64; round++) {
		for (unsigned i = 0; i < BACKLOG; i++) {
			peer_send(&peers[i], ACK, pattern + sent[i], 100);
			host_advance(20 * MS_NS);
			while (next_tcp(&peers[i].last, (uint16_t)(2400 + i)))
				sent[i] = peers[i].last.acknowledgement - 5001;
			peers[i].sequence = 5001 + sent[i];
			/* A whole window: */
			assert_true(sent[i] <= 16384);
		}
	}
	assert_true(host_allocations - before < 10 * BACKLOG + 20);
	/* There is no memory for a channel: the connection goes on waiting. */
	{
		struct socket *s;

		assert_int_equal(tcp_socket_accept(listener.socket, &s), STATUS_NO_MEMORY);
		assert_int_equal(pending(&listener), BACKLOG);
	}
	host_memory_left = UINT32_MAX;
	for (unsigned i = 0; i < BACKLOG; i++) {
		accept_from(&listener, &server);
		host_advance(SECOND_NS);
		assert_true(program_receive(&server, received, sizeof(received)) >= sent[i]);
		assert_true(sent[i] > 0);
		assert_memory_equal(received, pattern, sent[i]);
		program_close(&server);
		peer_send(&peers[i], RST, NULL, 0);
	}
	program_close(&listener);
	host_advance(200 * SECOND_NS);
	host_drop_sent();
}

/* A SYN that comes again is answered again, also with other options than the first had. */
static void repeated_syns(void **state)
{
	struct segment s = {
	        .source_port = 2600, .destination_port = PORT, .sequence = 5000, .flags = SYN};
	struct program listener, server;
	struct peer peer = {.sequence = 5000, .port = 2600};
	struct frame f;

	(void)state;
	listening(&listener, PORT, BACKLOG);
	build_tcp(&f, &s);
	host_receive(&f);
	host_run();
	assert_true(next_tcp(&peer.last, 2600));
	for (int i = 0; i < 3; i++) {
		peer.sequence = 5000;
		peer_syn(&peer);
		assert_true(next_tcp(&peer.last, 2600));
		assert_int_equal(peer.last.flags, SYN | ACK);
	}
	peer.acknowledgement = peer.last.sequence + 1;
	peer_send(&peer, ACK, "data", 4);
	accept_from(&listener, &server);
	assert_int_equal(program_receive(&server, received, 10), 4);
	program_close(&server);
	peer_send(&peer, RST, NULL, 0);
	program_close(&listener);
	host_drop_sent();
}

/* What became of a connection before it was accepted is what its program sees. */
static void connections_that_end_before_accept(void **state)
{
	struct program listener, server;
	struct peer ended, reset;

	(void)state;
	listening(&listener, PORT, BACKLOG);
	half_way(&ended, 2500);
	peer_send(&ended, ACK | FIN, "all", 3);
	half_way(&reset, 2501);
	peer_send(&reset, ACK, "some", 4);
	peer_send(&reset, RST, NULL, 0);
	assert_int_equal(pending(&listener), 2);
	accept_from(&listener, &server);
	assert_int_equal(program_receive(&server, received, 10), 3);
	assert_true(program_status(&server) & CHANNEL_EOF);
	program_close(&server);
	accept_from(&listener, &server);
	assert_int_equal(program_receive(&server, received, 10), 4);
	assert_true(program_status(&server) & CHANNEL_ERROR);
	assert_int_equal(atomic_load(&server.channel.shared->error), STATUS_CONNECTION_RESET);
	program_close(&server);
	program_close(&listener);
	host_advance(200 * SECOND_NS);
	host_drop_sent();
}

static void cookies_say_what_the_syn_said(void **state)
{
	static const uint16_t sizes[][2] = {{0, 536},     {100, 256},   {536, 536},  {1000, 536},
	                                    {1360, 1360}, {1459, 1360}, {9000, 1460}};
	uint64_t now = 1000 * SECOND_NS;

	(void)state;
	for (unsigned i = 0; i < 7 * 16 * 2; i++) {
		struct syn syn = {.local_address = 1,
		                  .remote_address = 2,
		                  .local_port = 3,
		                  .remote_port = (uint16_t)i,
		                  .sequence = 5,
		                  .mss = sizes[i % 7][0],
		                  .window_scale = (int8_t)(i / 7 % 16 - 1),
		                  .sack = i & 1};
		struct syn back = syn, read;
		uint32_t cookie = syn_cookie_make(&syn, now);
		uint8_t options[SYN_OPTIONS_MAX];

		assert_true(syn_cookie_check(&back, cookie, now + SYN_COOKIE_PERIOD_NS));
		assert_int_equal(back.mss, sizes[i % 7][1]);
		assert_int_equal(back.window_scale, syn.window_scale);
		assert_int_equal(back.sack, syn.sack);
		assert_false(syn_cookie_check(&back, cookie, now + SYN_COOKIE_LIFE_NS));
		syn_read_options(&read, options, syn_write_options(&back, options));
		assert_int_equal(read.mss, back.mss);
		assert_int_equal(read.window_scale, back.window_scale);
		assert_int_equal(read.sack, back.sack);
	}
}

int handshake_tests(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(cookies_say_what_the_syn_said),
	        cmocka_unit_test(forged_syns_keep_nobody_out),
	        cmocka_unit_test(cookies_cannot_be_made_up),
	        cmocka_unit_test(full_queues_answer_nothing),
	        cmocka_unit_test(repeated_syns),
	        cmocka_unit_test(unaccepted_connections_are_bounded),
	        cmocka_unit_test(connections_that_end_before_accept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
