/* SPDX-License-Identifier: MIT */
/*
 * The processor's counter, inline: programs read the time more often than anything else.
 */
#ifndef LIBCAPOS_CYCLES_H
#define LIBCAPOS_CYCLES_H

#include <stdint.h>

/* The counter that the clock page's base_tsc and mult are about. */
static inline uint64_t arch_cycles(void)
{
	uint32_t low, high;

	/* The fence keeps the read between the two reads of the clock page's sequence word. */
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

#endif
