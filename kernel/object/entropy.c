/* SPDX-License-Identifier: MIT */
/*
 * The pool is one ChaCha20 key.  Reading takes the next key from the stream first and gives out
 * what follows; mixing adds the bytes to the key and runs it through the cipher.
 */
#include "object/entropy.h"
#include "kcall.h"
#include "kernel.h"
#include "work.h"

/* Fresh bytes of the processor are mixed in after so many given out. */
#define RESEED_BYTES 65536u
#define SEED_BYTES   32u

static uint32_t key[8];
static uint64_t until_reseed;
static const uint32_t nonce[3];

static void wipe(void *memory, size_t length)
{
	memset(memory, 0, length);
	__asm__ volatile("" : : "r"(memory) : "memory"); /* or the compiler leaves it out */
}

static void stir(void)
{
	uint32_t block[16];
	chacha20_block(key, 0, nonce, block);
	memcpy(key, block, sizeof(key));
	wipe(block, sizeof(block));
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
	wipe(seed, sizeof(seed));
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
	wipe(stream, sizeof(stream));
	wipe(block, sizeof(block));
}

/* Of one call: a block of 64 bytes takes some microseconds. */
#define READ_MAX    1024u
#define STEPS_BLOCK 70u

static int read(void *object, struct msg_call *msg, const struct entropy_source_read_params *params,
                struct entropy_source_read_results *results)
{
	struct cpu *cpu = this_cpu();
	(void)object;
	(void)msg;
	if (params->length > READ_MAX)
		return CAP_EINVAL;
	entropy_read(cpu->data, params->length);
	steps_spend(params->length / 64 * STEPS_BLOCK);
	results->data = MSG_DATA(cpu->data, params->length);
	return CAP_OK;
}

int entropy_call(struct object_header *object, struct msg_call *msg)
{
	static const struct entropy_source_ops ops = {.read = read};
	int result = entropy_source_dispatch(&ops, object, msg);
	wipe(this_cpu()->data, sizeof(this_cpu()->data));
	return result;
}
