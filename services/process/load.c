/* SPDX-License-Identifier: MIT */
/*
 * How busy a world is: what it has used since the last look counts as used evenly.  Linux counts
 * threads that are ready to run, which no one outside the kernel knows; on one processor that is
 * busy both are 1.
 */
#include "world.h"

#define NS_PER_MINUTE 60000000000ull
#define ONE           65536u /* a processor */

void world_update_load(struct world_load *load, uint64_t now_ns, uint64_t cpu_ns)
{
	static const uint64_t minutes[] = {1, 5, 15};
	uint64_t passed = now_ns - load->at_ns, used = cpu_ns - load->cpu_ns, rate;

	if (now_ns <= load->at_ns || cpu_ns < load->cpu_ns)
		return;
	/* Microseconds: of centuries they fit. */
	rate = used / 1000 * ONE / (passed / 1000 + 1);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t span = minutes[i] * NS_PER_MINUTE / 1000, weight = passed / 1000;

		load->average[i] =
		        (uint32_t)((load->average[i] * span + rate * weight) / (span + weight));
	}
	load->at_ns = now_ns;
	load->cpu_ns = cpu_ns;
}
