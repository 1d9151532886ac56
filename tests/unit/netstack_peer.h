/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the whole stack share: bytes to send, addresses, a TCP peer led by hand; and
 * the groups of tests, which one stack serves in the order of main().
 */
#ifndef NETSTACK_PEER_H
#define NETSTACK_PEER_H

#include <stddef.h>
#include <stdint.h>

#include "netstack/socket/socket.h"
#include "tests/unit/netstack_host.h"

#define LARGE (1u << 20)

/* The bytes that tests send, no two stretches alike, and where they receive. */
extern uint8_t pattern[LARGE], received[LARGE];
void make_pattern(void);

struct endpoint at(const char *address, uint16_t port);
int connect_to(struct program *p, const char *address, uint16_t port);
void listening(struct program *listener, uint16_t port, uint32_t backlog);

struct peer {
	struct segment last; /* what netstack sent last */
	uint32_t sequence;   /* our next */
	uint32_t acknowledgement;
	uint16_t port, netstack_port;
};
void peer_send(struct peer *peer, uint8_t flags, const void *payload, size_t length);
/* A program with a connection to the peer. */
void connected(struct program *p, struct peer *peer, uint16_t port);

/* Each returns how many of its tests failed. */
int tcp_tests(void);
int names_tests(void);
int loopback_tests(void);
int datagram_tests(void);
int fragment_tests(void);
int handshake_tests(void);
int hostile_tests(void);
int share_tests(void);

#endif
