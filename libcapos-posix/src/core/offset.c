/* SPDX-License-Identifier: MIT */
/*
 * Each common offset is in a MemoryObject of its own: so the kernel knows who has it, and it cannot
 * outlast them.
 */
#include <capos/cap.h>

#include "core/fd.h"
#include "core/offset.h"

int offset_restore(struct shared_offset *offset)
{
	void *address;
	int result = cap_memory_map(offset->memory, 0, CAPOS_PAGE_SIZE,
	                            CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address);

	offset->at = result ? NULL : address;
	return errno_of(result);
}

int offset_share(struct shared_offset *offset, off_t value)
{
	int result;

	if (offset->at)
		return 0;
	result = errno_of(cap_memory_create(CAPOS_PAGE_SIZE, &offset->memory));
	if (result)
		return result;
	result = offset_restore(offset);
	if (result) {
		cap_release(offset->memory);
		return result;
	}
	*offset->at = value;
	return 0;
}

void offset_drop(struct shared_offset *offset)
{
	if (!offset->at)
		return;
	cap_memory_unmap(offset->at, CAPOS_PAGE_SIZE);
	cap_release(offset->memory);
	offset->at = NULL;
}
