/* SPDX-License-Identifier: MIT */
/*
 * Each common description is in a MemoryObject of its own: so the kernel knows who has it, and it
 * cannot outlast them.
 */
#define _GNU_SOURCE
#include <fcntl.h>

#include <capos/cap.h>

#include "core/description.h"
#include "core/fd.h"
#include "core/pages.h"

/* What F_SETFL may change; the rest of the flags stays as open() set it. */
#define SETTABLE_FLAGS (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

int description_restore(struct shared_description *shared)
{
	void *address;
	int result = cap_memory_map(shared->memory, 0, CAPOS_PAGE_SIZE,
	                            CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address);

	shared->at = result ? NULL : address;
	return errno_of(result);
}

int description_share(struct file *f)
{
	struct shared_description *shared = &f->shared;
	int result;

	if (shared->at)
		return 0;
	result = errno_of(pages_create_common(CAPOS_PAGE_SIZE, &shared->memory));
	if (result)
		return result;
	result = description_restore(shared);
	if (result) {
		cap_release(shared->memory);
		return result;
	}
	shared->at->offset = f->offset;
	atomic_store(&shared->at->flags, f->flags);
	return 0;
}

void description_drop(struct shared_description *shared)
{
	if (!shared->at)
		return;
	cap_memory_unmap(shared->at, CAPOS_PAGE_SIZE);
	cap_release(shared->memory);
	shared->at = NULL;
}

int file_flags(const struct file *f)
{
	if (!f->shared.at)
		return f->flags;
	return (f->flags & ~SETTABLE_FLAGS) | (atomic_load(&f->shared.at->flags) & SETTABLE_FLAGS);
}

void file_set_flags(struct file *f, int mask, int flags)
{
	mask &= SETTABLE_FLAGS;
	if (!f->shared.at) {
		f->flags = (f->flags & ~mask) | (flags & mask);
		return;
	}
	int seen = atomic_load(&f->shared.at->flags);
	while (!atomic_compare_exchange_weak(&f->shared.at->flags, &seen,
	                                     (seen & ~mask) | (flags & mask)))
		;
}

off_t *file_offset(struct file *f)
{
	return f->shared.at ? &f->shared.at->offset : &f->offset;
}
