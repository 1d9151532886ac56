/* SPDX-License-Identifier: MIT */
/*
 * Numbers that cannot be predicted from outside: a keyed hash of a counter, and TCP's initial
 * sequence numbers.  The key comes from the EntropySource once, at start; without it nothing here
 * may be used.
 */
#ifndef NETSTACK_RANDOM_H
#define NETSTACK_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define RANDOM_SEED_SIZE 64

/* SipHash-2-4 (Aumasson and Bernstein) of length bytes under a key of 16 bytes. */
uint64_t siphash(const uint8_t key[16], const void *data, size_t length);

void random_seed(const uint8_t seed[RANDOM_SEED_SIZE]);
uint32_t port_random(void);
/* 0 .. bound-1, evenly; bound > 0. */
uint32_t random_below(uint32_t bound);

/* Ports that netstack chooses itself: half of all, as RFC 6056 wants many. */
#define EPHEMERAL_FIRST 0x8000u
#define EPHEMERAL_COUNT 0x8000u

/* Any of them (RFC 6056, algorithm 1): for questions to name servers, and for sockets without a
 * fixed peer. */
uint16_t random_port(void);
/*
 * The next one for connections to that peer (RFC 6056, algorithm 3): unpredictable from elsewhere,
 * and none comes again before all others did, since the peer may still have the former connection
 * of that port in TIME_WAIT.
 */
uint16_t next_port(uint32_t remote_address, uint16_t remote_port);

/* RFC 6528: a clock of 4 microseconds plus a keyed hash of the connection.  Addresses in network
 * order. */
uint32_t port_initial_sequence(uint32_t local_address, uint16_t local_port, uint32_t remote_address,
                               uint16_t remote_port);

/* A hash for SYN cookies, under a key of its own. */
uint64_t random_cookie_hash(const void *data, size_t length);

#endif
