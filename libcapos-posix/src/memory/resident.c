/* SPDX-License-Identifier: MIT */
/*
 * Memory that stays: a page that was written never leaves the machine's memory, so these calls look
 * at every page of their ranges, as Linux does, and at nothing else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "core/core.h"
#include "memory/memory.h"

/* musl has no header for these (membarrier(2)). */
enum {
	BARRIER_QUERY = 0,
	BARRIER_GLOBAL = 1 << 0,
	BARRIER_GLOBAL_EXPEDITED = 1 << 1,
	BARRIER_REGISTER_GLOBAL_EXPEDITED = 1 << 2,
	BARRIER_PRIVATE_EXPEDITED = 1 << 3,
	BARRIER_REGISTER_PRIVATE_EXPEDITED = 1 << 4,
};

int memory_check_mapped(long address, size_t size)
{
	char byte;

	for (size_t at = 0; at < size; at += PAGE_BYTES) {
		if (user_read(&byte, address + (long)at, 1))
			return -ENOMEM;
	}
	return 0;
}

long sys_mincore(long address, long length, long vector)
{
	size_t size = PAGES_SIZE((size_t)length);
	const uint8_t resident = 1;
	int result;

	if (address & (PAGE_BYTES - 1))
		return -EINVAL;
	if (size < (size_t)length)
		return -ENOMEM;
	result = memory_check_mapped(address, size);
	for (size_t page = 0; !result && page < size / PAGE_BYTES; page++)
		result = user_put(vector + (long)page, &resident) ? -EFAULT : 0;
	return result;
}

/* On one processor what switches threads is a barrier for all of them. */
long sys_membarrier(long command, long flags, long cpu)
{
	static bool registered;

	(void)cpu;
	if (flags)
		return -EINVAL;
	switch (command) {
	case BARRIER_QUERY:
		return BARRIER_GLOBAL | BARRIER_GLOBAL_EXPEDITED |
		       BARRIER_REGISTER_GLOBAL_EXPEDITED | BARRIER_PRIVATE_EXPEDITED |
		       BARRIER_REGISTER_PRIVATE_EXPEDITED;
	case BARRIER_REGISTER_PRIVATE_EXPEDITED:
		registered = true;
		return 0;
	case BARRIER_PRIVATE_EXPEDITED:
		return registered ? 0 : -EPERM;
	case BARRIER_GLOBAL:
	case BARRIER_GLOBAL_EXPEDITED:
	case BARRIER_REGISTER_GLOBAL_EXPEDITED:
		return 0;
	default:
		return -EINVAL;
	}
}
