/* SPDX-License-Identifier: MIT */
/*
 * Numbers that nobody outside can predict: a keyed hash of a counter, and TCP's initial sequence
 * numbers.  The key comes from the EntropySource once, at start; without it nothing here may be
 * used.
 */
#ifndef NETSTACK_RANDOM_H
#define NETSTACK_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define RANDOM_SEED_SIZE 32

/* SipHash-2-4 (Aumasson and Bernstein) of length bytes under a key of 16 bytes. */
uint64_t siphash(const uint8_t key[16], const void *data, size_t length);

void random_seed(const uint8_t seed[RANDOM_SEED_SIZE]);
uint32_t port_random(void);
/* 0 .. bound-1, evenly; bound > 0. */
uint32_t random_below(uint32_t bound);

/* RFC 6528: a clock of 4 microseconds plus a keyed hash of the connection.  Addresses in network
 * order. */
uint32_t port_initial_sequence(uint32_t local_address, uint16_t local_port, uint32_t remote_address,
                               uint16_t remote_port);

#endif
