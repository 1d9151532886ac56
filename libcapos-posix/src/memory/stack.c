/* SPDX-License-Identifier: MIT */
/*
 * The first thread's stack: as long as the kernel made it, and longer once RLIMIT_STACK says so.  A
 * page of it takes memory when it is touched, as all of it does.
 */
#include <stddef.h>

#include <capos/cap.h>
#include <capos/object.h>

#include "core/core.h"
#include "memory/memory.h"

/* Without a limit too; nothing is so far below a stack (capos/layout.h). */
#define STACK_MAX (1ull << 30)

static uint64_t top, low; /* 0: not asked for yet */

/* The start block is at the stack's top.  False: nothing is mapped there. */
static bool find_stack(void)
{
	struct cap_mapping list[CAP_MAPPINGS_MAX];
	const uint64_t inside = (uint64_t)__capos_auxv();
	uint64_t next;
	uint32_t count;

	if (top)
		return true;
	if (cap_process_mappings(inside, list, &count, &next) || !count || list[0].start > inside)
		return false;
	top = list[0].end;
	low = list[0].start;
	return true;
}

void memory_set_stack_limit(uint64_t bytes)
{
	uint64_t wanted = PAGES_SIZE(bytes < STACK_MAX ? bytes : STACK_MAX), place;

	if (!find_stack() || wanted <= top - low)
		return;
	place = top - wanted;
	if (!cap_memory_map_zeroes(low - place, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &place))
		low = place; /* else it stays as it is, as where something is in the way */
}
