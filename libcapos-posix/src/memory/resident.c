/* SPDX-License-Identifier: MIT */
/*
 * Memory that stays: a page that was written never leaves the machine's memory, so these calls only
 * check their ranges.  They look at every page, as Linux does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "core/core.h"

#define ONFAULT 1u /* MLOCK_ONFAULT */

/* musl has no header for these (membarrier(2)). */
enum {
	BARRIER_QUERY = 0,
	BARRIER_GLOBAL = 1 << 0,
	BARRIER_GLOBAL_EXPEDITED = 1 << 1,
	BARRIER_REGISTER_GLOBAL_EXPEDITED = 1 << 2,
	BARRIER_PRIVATE_EXPEDITED = 1 << 3,
	BARRIER_REGISTER_PRIVATE_EXPEDITED = 1 << 4,
};

/* 0, -ENOMEM: not all of it is mapped. */
static int check_mapped(long address, size_t size)
{
	char byte;

	for (size_t at = 0; at < size; at += PAGE_BYTES) {
		if (user_read(&byte, address + (long)at, 1))
			return -ENOMEM;
	}
	return 0;
}

static long check_range(long address, long length)
{
	long begin = address & -(long)PAGE_BYTES;
	size_t size = PAGES_SIZE((size_t)length + (size_t)(address - begin));

	if (size < (size_t)length)
		return -EINVAL;
	return check_mapped(begin, size);
}

long sys_mlock(long address, long length)
{
	return check_range(address, length);
}

long sys_mlock2(long address, long length, long flags)
{
	return flags & ~(long)ONFAULT ? -EINVAL : check_range(address, length);
}

long sys_munlock(long address, long length)
{
	return check_range(address, length);
}

long sys_mlockall(long flags)
{
	if (!flags || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
		return -EINVAL;
	return 0;
}

long sys_munlockall(void)
{
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
	result = check_mapped(address, size);
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
