/* SPDX-License-Identifier: MIT */
/*
 * The pool is one ChaCha20 key.  Reading takes the next key from the stream first and gives out
 * what follows; mixing adds the bytes to the key and runs it through the cipher.
 */
#include "entropy.h"
#include "arch.h"
#include "cpu.h"
#include "kernel.h"

/* Fresh bytes of the processor are mixed in after so many given out. */
#define RESEED_BYTES 65536u
#define SEED_BYTES   32u

static uint32_t key[8];
static uint64_t until_reseed;
static const uint32_t nonce[3];

void entropy_wipe(void *memory, size_t length)
{
	memset(memory, 0, length);
	__asm__ volatile("" : : "r"(memory) : "memory"); /* or the compiler leaves it out */
}

static void stir(void)
{
	uint32_t block[16];
	chacha20_block(key, 0, nonce, block);
	memcpy(key, block, sizeof(key));
	entropy_wipe(block, sizeof(block));
}

void entropy_mix(const void *bytes, size_t length)
{
	const uint8_t *from = bytes;
	while (length > 0) {
		size_t chunk = length < sizeof(key) ? length : sizeof(key);
		for (size_t i = 0; i < chunk; i++)
			((uint8_t *)key)[i] ^= from[i];
		stir();
		from += chunk;
		length -= chunk;
	}
}

static void reseed(void)
{
	uint8_t seed[SEED_BYTES];
	arch_random_seed(seed, sizeof(seed));
	entropy_mix(seed, sizeof(seed));
	entropy_wipe(seed, sizeof(seed));
	until_reseed = RESEED_BYTES;
}

void entropy_read(void *buffer, size_t length)
{
	uint8_t *to = buffer;
	uint32_t stream[8], block[16];
	assert(kernel_locked());
	if (until_reseed == 0)
		reseed();
	until_reseed -= length < until_reseed ? length : until_reseed;
	memcpy(stream, key, sizeof(stream));
	stir();
	for (uint32_t counter = 1; length > 0; counter++) {
		size_t chunk = length < sizeof(block) ? length : sizeof(block);
		chacha20_block(stream, counter, nonce, block);
		memcpy(to, block, chunk);
		to += chunk;
		length -= chunk;
	}
	entropy_wipe(stream, sizeof(stream));
	entropy_wipe(block, sizeof(block));
}
