/* SPDX-License-Identifier: MIT */
/*
 * Time from the clock page, without entering the kernel and without a call: fields count only when
 * the sequence word was even and the same before and after they were read.
 */
#ifndef LIBCAPOS_CLOCK_READ_H
#define LIBCAPOS_CLOCK_READ_H

#include <stdint.h>

#include <capos/abi.h>
#include <capos/clock.h>

#include "arch/x86_64/cycles.h"

/* The monotonic clock, in ns; Unix time is so much more. */
static inline uint64_t clock_read(int64_t *realtime_offset)
{
	const volatile struct capos_clock_page *page =
	        (const volatile struct capos_clock_page *)CAPOS_CLOCK_ADDR;

	for (;;) {
		uint32_t seq = __atomic_load_n(&page->seq, __ATOMIC_ACQUIRE);
		uint64_t mult = page->mult, base_tsc = page->base_tsc, base_ns = page->base_ns;
		uint32_t shift = page->shift;
		int64_t offset = page->realtime_offset_ns;
		uint64_t cycles = arch_cycles();

		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (seq & 1 || seq != __atomic_load_n(&page->seq, __ATOMIC_RELAXED))
			continue;
		*realtime_offset = offset;
		/* A counter that stands behind the base (another processor's) must not wrap
		 * around. */
		cycles = cycles > base_tsc ? cycles - base_tsc : 0;
		return base_ns + (uint64_t)(((unsigned __int128)cycles * mult) >> shift % 64);
	}
}

#endif
