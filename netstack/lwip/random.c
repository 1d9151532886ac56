/* SPDX-License-Identifier: MIT */
/*
 * SipHash-2-4 as the one pseudo-random function of netstack; sequence numbers and random numbers
 * have keys of their own, so that neither reveals anything about the other.
 */
#include <string.h>

#include "netstack/lwip/platform.h"
#include "netstack/lwip/random.h"

static uint8_t number_key[16], sequence_key[16], port_key[16], cookie_key[16];
static uint64_t counter;

static inline uint64_t rotate(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static inline void round_of(uint64_t v[4])
{
	v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
	v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

static uint64_t load(const uint8_t *p, size_t n)
{
	uint64_t value = 0;

	while (n--)
		value = value << 8 | p[n];
	return value;
}

uint64_t siphash(const uint8_t key[16], const void *data, size_t length)
{
	const uint8_t *p = data;
	uint64_t k0 = load(key, 8), k1 = load(key + 8, 8), m;
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
	                 k1 ^ 0x7465646279746573};
	size_t left = length;

	for (; left >= 8; left -= 8, p += 8) {
		m = load(p, 8);
		v[3] ^= m;
		round_of(v), round_of(v);
		v[0] ^= m;
	}
	m = load(p, left) | (uint64_t)length << 56;
	v[3] ^= m;
	round_of(v), round_of(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	round_of(v), round_of(v), round_of(v), round_of(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void random_seed(const uint8_t seed[RANDOM_SEED_SIZE])
{
	memcpy(number_key, seed, sizeof(number_key));
	memcpy(sequence_key, seed + 16, sizeof(sequence_key));
	memcpy(port_key, seed + 32, sizeof(port_key));
	memcpy(cookie_key, seed + 48, sizeof(cookie_key));
}

uint32_t port_random(void)
{
	counter++;
	return (uint32_t)siphash(number_key, &counter, sizeof(counter));
}

uint32_t random_below(uint32_t bound)
{
	/* Values below this many would make the first remainders likelier. */
	uint32_t unfair = (uint32_t)-bound % bound, value;

	do
		value = port_random();
	while (value < unfair);
	return value % bound;
}

uint16_t random_port(void)
{
	return (uint16_t)(EPHEMERAL_FIRST + random_below(EPHEMERAL_COUNT));
}

uint16_t next_port(uint32_t remote_address, uint16_t remote_port)
{
	static uint32_t next; /* over all peers */
	uint32_t peer[2] = {remote_address, remote_port};
	uint32_t offset = (uint32_t)siphash(port_key, peer, sizeof(peer));

	return (uint16_t)(EPHEMERAL_FIRST + (offset + next++) % EPHEMERAL_COUNT);
}

uint32_t port_initial_sequence(uint32_t local_address, uint16_t local_port, uint32_t remote_address,
                               uint16_t remote_port)
{
	struct {
		uint32_t local, remote;
		uint16_t local_port, remote_port;
	} connection = {local_address, remote_address, local_port, remote_port};

	_Static_assert(sizeof(connection) == 12, "hashed without padding");
	return (uint32_t)(platform_now() / 4000) +
	       (uint32_t)siphash(sequence_key, &connection, sizeof(connection));
}

uint64_t random_cookie_hash(const void *data, size_t length)
{
	return siphash(cookie_key, data, length);
}
