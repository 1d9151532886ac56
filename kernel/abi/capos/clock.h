/* SPDX-License-Identifier: MIT */
/*
 * The clock page: how a program reads time without entering the kernel.  The kernel alone writes
 * it; readers follow the sequence word.
 */
#ifndef CAPOS_CLOCK_H
#define CAPOS_CLOCK_H

#include <stdint.h>

/*
 * monotonic_ns = base_ns + ((rdtsc() - base_tsc) * mult >> shift), computed in 128 bits.
 * realtime_ns (Unix time) = monotonic_ns + realtime_offset_ns.
 * Read seq until it is even, read the fields, read seq again: equal means that they belong
 * together.
 */
struct capos_clock_page {
	uint32_t seq;
	uint32_t shift;
	uint64_t mult;
	uint64_t base_tsc;
	uint64_t base_ns;
	int64_t realtime_offset_ns;
	uint64_t tsc_hz;       /* measured at boot, for information */
	uint64_t memory_pages; /* usable physical memory, in pages, for information */
};

#endif
