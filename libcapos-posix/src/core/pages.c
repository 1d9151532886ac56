/* SPDX-License-Identifier: MIT */
/*
 * Pages of the library's own: private to this process, and copied by fork.
 */
#include <capos/cap.h>
#include <capos/object.h>

#include "core/pages.h"

void *pages_map(size_t size)
{
	uint64_t address = 0;
	cap_t memory;
	int result;

	if (cap_memory_create(size, &memory))
		return NULL;
	result = cap_memory_map_near(memory, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, true,
	                             &address);
	cap_release(memory); /* the mapping keeps it */
	return result ? NULL : (void *)address;
}

void pages_unmap(void *pages, size_t size)
{
	cap_memory_unmap(pages, size);
}
