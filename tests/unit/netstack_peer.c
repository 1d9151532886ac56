/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the whole stack share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <capos/schema/network.h>
#include <capos/schema/status.h>

#include "netstack/lwip/stack.h"
#include "netstack/socket/tcp.h"
#include "netstack/socket/tcp_listen.h"
#include "netstack/socket/tcp_open.h"
#include "netstack/socket/tcp_options.h"
#include "tests/unit/netstack_host.h"
#include "tests/unit/netstack_peer.h"

uint8_t pattern[LARGE], received[LARGE];

void make_pattern(void)
{
	for (uint32_t i = 0; i < LARGE; i++)
		pattern[i] = (uint8_t)(i * 2654435761u >> 24);
}

struct endpoint at(const char *address, uint16_t port)
{
	return (struct endpoint){{host_address(address)}, port};
}

int connect_to(struct program *p, const char *address, uint16_t port)
{
	uint32_t a = host_address(address);
	int status = tcp_socket_connect(p->socket, &a, 1, port);

	host_run();
	return status;
}

void listening(struct program *listener, uint16_t port, uint32_t backlog)
{
	assert_int_equal(program_open(listener, SOCKET_TCP, NULL), STATUS_OK);
	assert_int_equal(tcp_socket_set_option(listener->socket, SOCKET_OPTION_REUSE_ADDRESS, 1),
	                 STATUS_OK);
	assert_int_equal(tcp_socket_bind(listener->socket, at("0.0.0.0", port)), STATUS_OK);
	assert_int_equal(tcp_socket_listen(listener->socket, backlog), STATUS_OK);
	host_run();
	assert_true(program_status(listener) & CHANNEL_LISTENING);
}

void peer_send(struct peer *peer, uint8_t flags, const void *payload, size_t length)
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

void connected(struct program *p, struct peer *peer, uint16_t port)
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
