/* SPDX-License-Identifier: MIT */
/*
 * The kernel's source of random bytes: ChaCha20 (RFC 8439) over a key that is replaced by every
 * use, so that nothing given out can be found again from the state.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_ENTROPY_H
#define KERNEL_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

/* Mixes bytes into the key.  No bytes make it weaker. */
void entropy_mix(const void *bytes, size_t length);
void entropy_read(void *buffer, size_t length);
/* Overwrites what must not be found in memory later. */
void entropy_wipe(void *memory, size_t length);

/* The block function, for tests against the RFC's vectors. */
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                    uint32_t out[16]);

#endif
