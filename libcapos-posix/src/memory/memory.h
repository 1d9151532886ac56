/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of memory.
 */
#ifndef POSIX_MEMORY_H
#define POSIX_MEMORY_H

#include <stdint.h>

/* Most bytes that may be mapped (RLIMIT_AS), and of those the program mapped itself (RLIMIT_DATA);
 * UINT64_MAX: no limit. */
void memory_set_limit(uint64_t bytes);
void memory_set_data_limit(uint64_t bytes);

/* What a static program wrote only while it was relocated becomes read-only. */
void relro_protect(void);

#endif
