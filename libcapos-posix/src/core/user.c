/* SPDX-License-Identifier: MIT */
/*
 * Strings of the program, and the table of guarded instructions.
 */
#include "core/user.h"

/* Made in arch/; each member relative to its own address. */
struct fixup {
	int32_t begin, end, target;
};

extern const struct fixup posix_fixups[], posix_fixups_end[];

static uint64_t place(const int32_t *relative)
{
	return (uint64_t)relative + (uint64_t)(int64_t)*relative;
}

uint64_t user_fixup(uint64_t rip)
{
	for (const struct fixup *f = posix_fixups; f < posix_fixups_end; f++) {
		if (rip >= place(&f->begin) && rip < place(&f->end))
			return place(&f->target);
	}
	return 0;
}

long user_string(char *to, size_t size, long from)
{
	long length = posix_user_length((const char *)from, size);

	if (length < 0)
		return -EFAULT;
	if ((size_t)length == size)
		return -ENAMETOOLONG;
	if (user_read(to, from, (size_t)length))
		return -EFAULT;
	to[length] = 0; /* another thread may have changed it meanwhile */
	return length;
}
