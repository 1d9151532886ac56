/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of memory.
 */
#ifndef POSIX_MEMORY_H
#define POSIX_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capos/abi.h>

/* Most bytes that may be mapped (RLIMIT_AS), and of those the program mapped itself (RLIMIT_DATA);
 * UINT64_MAX: no limit. */
void memory_set_limit(uint64_t bytes);
void memory_set_data_limit(uint64_t bytes);
/* How long the first thread's stack may become (RLIMIT_STACK). */
void memory_set_stack_limit(uint64_t bytes);

/* Maps an object, whose capability it takes over, as mmap does with MAP_SHARED: anywhere when the
 * address is 0, else there, in place of what is mapped or (-EEXIST) not.  The address or -errno. */
long memory_map_shared(cap_t memory, long address, size_t size, bool write, bool replace);
/* Whether a part of that range is a shared mapping. */
bool memory_is_shared(uint64_t start, uint64_t end);

/* 0, -ENOMEM: not all of it is mapped. */
int memory_check_mapped(long address, size_t size);
/* What mlock and its kin have locked, which a child does not inherit. */
uint64_t memory_locked_bytes(void);
void memory_forked(void);
/* The program is about to end, or another takes its place: what it stored to files goes there. */
void memory_leave(void);

/* What a static program wrote only while it was relocated becomes read-only. */
void relro_protect(void);

#endif
