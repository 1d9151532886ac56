/* SPDX-License-Identifier: MIT */
/*
 * What the rooms lwip/ and socket/ need of the system.  platform.c provides it over
 * capabilities, the unit tests over the host's memory and a clock that they move.
 */
#ifndef NETSTACK_PLATFORM_H
#define NETSTACK_PLATFORM_H

#include <stdint.h>

#define SECOND_NS 1000000000ull
#define MS_NS     1000000ull

/* At start, before anything else of this file is used. */
void platform_start(void);

/* Monotonic nanoseconds. */
uint64_t platform_now(void);

/* Zeroed memory that can be handed to another process under *handle, drawn from that account (0:
 * netstack's own) and committed: no store to it fails later.  NULL: the account has no more.  The
 * caller owns it. */
void *platform_memory_create(uint64_t account, uint64_t size, uint64_t *handle);
void platform_memory_destroy(void *memory, uint64_t size, uint64_t handle);

/* Wakes another process, when netstack next enters the kernel. */
void platform_signal(uint64_t event, uint64_t bits);
/* Gives up an event or account that a client sent. */
void platform_release(uint64_t handle);

void platform_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
