/* SPDX-License-Identifier: MIT */
/*
 * Two programs that talk through one stack; nothing of it reaches the wire.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <capos/schema/network.h>
#include <capos/schema/status.h>

#include "netstack/lwip/platform.h"
#include "netstack/lwip/stack.h"
#include "netstack/socket/socket_option.h"
#include "netstack/socket/tcp.h"
#include "netstack/socket/tcp_listen.h"
#include "netstack/socket/tcp_open.h"
#include "netstack/socket/tcp_options.h"
#include "tests/unit/netstack_host.h"
#include "tests/unit/netstack_peer.h"

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

#define BACKLOG 40u /* more than the least */
#define CLIENTS 48u

static void backlog_is_kept(void **state)
{
	struct program listener, client[CLIENTS];
	unsigned connected_now = 0;
	struct socket *s;

	(void)state;
	listening(&listener, 5001, BACKLOG);
	for (unsigned i = 0; i < CLIENTS; i++) {
		assert_int_equal(program_open(&client[i], SOCKET_TCP, NULL), STATUS_OK);
		connect_to(&client[i], "127.0.0.1", 5001);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		connected_now += !!(program_status(&client[i]) & CHANNEL_CONNECTED);
	assert_int_equal(connected_now, BACKLOG);
	assert_int_equal(atomic_load(&listener.channel.shared->pending), BACKLOG);
	assert_int_equal(tcp_socket_accept(listener.socket, &s), STATUS_OK);
	tcp_socket_close(s);
	host_advance(4 * SECOND_NS); /* another SYN of the others finds the place */
	assert_int_equal(atomic_load(&listener.channel.shared->pending), BACKLOG);
	program_close(&listener); /* those that wait are reset */
	for (unsigned i = 0; i < CLIENTS; i++) {
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
		assert_int_equal(socket_get_option(p.socket, option, &value), STATUS_OK);
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

int loopback_tests(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(much_data_both_ways),
	        cmocka_unit_test(backlog_is_kept),
	        cmocka_unit_test(many_connections_one_after_another),
	        cmocka_unit_test(addresses_in_use),
	        cmocka_unit_test(socket_limits),
	        cmocka_unit_test(options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
