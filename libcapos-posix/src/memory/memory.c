/* SPDX-License-Identifier: MIT */
/*
 * Mappings: every anonymous mapping is a memory object of its own, held by the mapping alone; a
 * shared mapping of a file shows the file's own pages, a private one a copy of them.  The kernel
 * knows what is mapped where; recorded here is only where shared mappings are, since mremap must
 * not take them for private ones.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include <capos/cap.h>
#include <capos/clock.h>
#include <capos/object.h>

#include "core/core.h"
#include "memory/locked.h"
#include "memory/memory.h"

static uint32_t access_of(long protection)
{
	return (protection & PROT_READ ? CAP_RIGHT_READ : 0) |
	       (protection & PROT_WRITE ? CAP_RIGHT_READ | CAP_RIGHT_WRITE : 0) |
	       (protection & PROT_EXEC ? CAP_RIGHT_READ | CAP_RIGHT_EXEC : 0);
}

/* msync looks at so much whether it is mapped: as much as takes no time. */
#define SYNC_LOOKED_AT (1024 * PAGE_BYTES)

#define PROT_SEM 8 /* of Linux: atomic operations are wanted; they always work */

/* 0, or why a protection is refused: memory is never writable and executable at once. */
static long check_protection(long protection)
{
	long result;

	if (protection & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) {
		result = absent_flags(ABSENT_MPROTECT, (unsigned long)protection);
		return result ? result : -EINVAL;
	}
	if (protection & PROT_WRITE && protection & PROT_EXEC)
		return absent(ABSENT_WRITABLE_CODE);
	return 0;
}

/* Maps the object (whose capability it consumes) where the flags say; without them the address is
 * a wish, which the dynamic linker relies on for programs that cannot be moved.  Address or
 * -errno. */
static long map_object(cap_t memory, long address, size_t length, long protection, long flags,
                       uint64_t offset)
{
	bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	bool private_copy = (flags & MAP_TYPE) == MAP_PRIVATE;
	uint32_t access = access_of(protection);
	uint64_t where = (uint64_t)address & ~(uint64_t)(PAGE_BYTES - 1);
	int result;

	if (fixed && where < CAPOS_USER_MIN) {
		cap_release(memory);
		return -EPERM;
	}
	if (fixed && !(flags & MAP_FIXED_NOREPLACE))
		cap_memory_unmap((void *)where, length);
	result = cap_memory_map_near(memory, offset, length, access, private_copy, &where);
	if (result && where && !fixed) {
		where = 0;
		result = cap_memory_map_near(memory, offset, length, access, private_copy, &where);
	}
	cap_release(memory);
	return result ? errno_of(result) : (long)where;
}

/* ---- Where shared mappings are ---- */

struct shared_range {
	struct shared_range *next;
	uint64_t start, end;
};

static struct shared_range *shared_ranges;

bool memory_is_shared(uint64_t start, uint64_t end)
{
	const struct shared_range *r = shared_ranges;

	while (r && (r->end <= start || end <= r->start))
		r = r->next;
	return r;
}

/* Something else is there now, or nothing.  A range that is cut in its inside stays as it is. */
static void forget(uint64_t start, uint64_t end)
{
	locked_unmapped(start, end);
	for (struct shared_range **at = &shared_ranges, *r; (r = *at);) {
		if (r->start >= start && r->start < end)
			r->start = end < r->end ? end : r->end;
		else if (r->end > start && r->end <= end)
			r->end = start;
		if (r->start < r->end) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		posix_free(r);
	}
}

/* A new mapping: its address, or -errno. */
static long note_mapping(long address, size_t size, bool shared, bool locked)
{
	uint64_t start = (uint64_t)address;
	struct shared_range *r;

	if (address < 0 && address > -4096)
		return address;
	forget(start, start + size);
	locked_mapped(start, start + size, locked);
	if (!shared)
		return address;
	r = posix_alloc(sizeof(*r));
	if (!r) {
		cap_memory_unmap((void *)address, size);
		return -ENOMEM;
	}
	*r = (struct shared_range){.next = shared_ranges, .start = start, .end = start + size};
	shared_ranges = r;
	return address;
}

static long file_object(long fd, long protection, long flags, cap_t *memory)
{
	struct file *f = fd_file((int)fd);

	if (!f)
		return -EBADF;
	if ((f->flags & O_ACCMODE) == O_WRONLY)
		return -EACCES;
	if ((flags & MAP_TYPE) == MAP_SHARED && protection & PROT_WRITE &&
	    (f->flags & O_ACCMODE) != O_RDWR)
		return -EACCES;
	if (!f->ops->memory)
		return -ENODEV;
	if ((flags & MAP_TYPE) == MAP_PRIVATE)
		return f->ops->memory(f, memory);
	/* The pages of a file may change, so they are not executed; copies of them are. */
	if (protection & PROT_EXEC)
		return absent(ABSENT_SHARED_CODE);
	return f->ops->share ? f->ops->share(f, memory) : -ENODEV;
}

/* ---- Limits: asked of the kernel only while there is one ---- */

static uint64_t limit = UINT64_MAX, data_limit = UINT64_MAX;
static uint64_t at_start; /* bytes that were mapped when the data limit was set first: the image */

static uint64_t mapped_bytes(void)
{
	struct cap_process process;

	return cap_process_status(&process) ? 0 : process.mapped_pages * PAGE_BYTES;
}

void memory_set_limit(uint64_t bytes)
{
	limit = bytes;
}

void memory_set_data_limit(uint64_t bytes)
{
	if (!at_start)
		at_start = mapped_bytes();
	data_limit = bytes;
}

/* Whether so many bytes more are within the limits. */
static bool within_limits(size_t size, long protection, long flags)
{
	bool data = (flags & MAP_TYPE) == MAP_PRIVATE && protection & PROT_WRITE;
	uint64_t mapped;

	if (limit == UINT64_MAX && (data_limit == UINT64_MAX || !data))
		return true;
	mapped = mapped_bytes();
	if (mapped + size > limit)
		return false;
	return !data || data_limit == UINT64_MAX || mapped + size <= at_start + data_limit;
}

/* What is to be written and can never be there all at once is refused here, not by a fault
 * later. */
static bool exceeds_memory(size_t size, long protection, long flags)
{
	const struct capos_clock_page *clock = (const struct capos_clock_page *)CAPOS_CLOCK_ADDR;

	return protection & PROT_WRITE && !(flags & MAP_NORESERVE) &&
	       size / PAGE_BYTES > clock->memory_pages;
}

long sys_mmap(long address, long length, long protection, long flags, long fd, long offset)
{
	size_t size = PAGES_SIZE((size_t)length);
	long result = check_protection(protection);
	long type = flags & MAP_TYPE;
	cap_t memory;

	if (!result)
		result = absent_flags(ABSENT_MMAP, (unsigned long)flags);
	if (result)
		return result;
	if (type == MAP_SHARED_VALIDATE && !(flags & MAP_ANONYMOUS))
		type = MAP_SHARED; /* the same but for flags that are refused anyway */
	if (length <= 0 || offset & (PAGE_BYTES - 1) || (type != MAP_PRIVATE && type != MAP_SHARED))
		return -EINVAL;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) && address & (PAGE_BYTES - 1))
		return -EINVAL;
	if (size < (size_t)length || size > CAPOS_USER_MAX ||
	    !within_limits(size, protection, flags))
		return -ENOMEM;
	if (flags & MAP_ANONYMOUS) {
		if (exceeds_memory(size, protection, flags))
			return -ENOMEM;
		result = errno_of(cap_memory_create(size, &memory));
		offset = 0;
	} else {
		result = file_object(fd, protection, flags, &memory);
	}
	if (!result)
		result = map_object(memory, address, size, protection, flags, (uint64_t)offset);
	return note_mapping(result, size, type == MAP_SHARED, flags & MAP_LOCKED);
}

long memory_map_shared(cap_t memory, long address, size_t size, bool write, bool replace)
{
	long flags = MAP_SHARED | (!address ? 0 : replace ? MAP_FIXED : MAP_FIXED_NOREPLACE);
	long protection = PROT_READ | (write ? PROT_WRITE : 0);

	if (!within_limits(size, protection, flags)) {
		cap_release(memory);
		return -ENOMEM;
	}
	return note_mapping(map_object(memory, address, size, protection, flags, 0), size, true,
	                    false);
}

long sys_munmap(long address, long length)
{
	if (address & (PAGE_BYTES - 1) || length <= 0)
		return -EINVAL;
	forget((uint64_t)address, (uint64_t)address + PAGES_SIZE((size_t)length));
	return errno_of(cap_memory_unmap((void *)address, PAGES_SIZE((size_t)length)));
}

long sys_mprotect(long address, long length, long protection)
{
	long result = check_protection(protection);
	int status;

	if (result)
		return result;
	if (address & (PAGE_BYTES - 1))
		return -EINVAL;
	if (!length)
		return 0;
	status = cap_memory_protect((uint64_t)address, PAGES_SIZE((size_t)length),
	                            access_of(protection));
	if (status == CAP_EFAULT)
		return -ENOMEM;
	return status == CAP_ERIGHTS ? -EACCES : errno_of(status);
}

/* More pages right behind a mapping. */
static long grow_in_place(long address, size_t old_size, size_t new_size)
{
	cap_t memory;
	int result = cap_memory_create(new_size - old_size, &memory);

	if (result)
		return errno_of(result);
	return map_object(memory, address + (long)old_size, new_size - old_size,
	                  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED_NOREPLACE, 0);
}

/* What was at one place comes to another, where new memory is. */
static long move_memory(long address, size_t old_size, long moved, size_t new_size)
{
	bool locked = locked_any((uint64_t)address, (uint64_t)address + old_size);

	if (posix_user_copy((void *)moved, (const void *)address,
	                    old_size < new_size ? old_size : new_size)) {
		pages_unmap((void *)moved, new_size);
		return -EFAULT;
	}
	pages_unmap((void *)address, old_size);
	locked_unmapped((uint64_t)address, (uint64_t)address + old_size);
	locked_mapped((uint64_t)moved, (uint64_t)moved + new_size, locked);
	return moved;
}

/* To where the program says, in the place of what is there. */
static long move_to(long address, size_t old_size, long new_address, size_t new_size)
{
	cap_t memory;
	long result;

	if (new_address & (PAGE_BYTES - 1) ||
	    (address < new_address + (long)new_size && new_address < address + (long)old_size))
		return -EINVAL;
	if (memory_is_shared((uint64_t)address, (uint64_t)address + old_size))
		return absent(ABSENT_LONGER_SHARED);
	if (new_size > old_size && !within_limits(new_size - old_size, PROT_WRITE, MAP_PRIVATE))
		return -ENOMEM;
	result = errno_of(cap_memory_create(new_size, &memory));
	if (!result)
		result = map_object(memory, new_address, new_size, PROT_READ | PROT_WRITE,
		                    MAP_PRIVATE | MAP_FIXED, 0);
	if (result < 0)
		return result;
	forget((uint64_t)new_address, (uint64_t)new_address + new_size);
	return move_memory(address, old_size, new_address, new_size);
}

/* Of readable and writable anonymous memory, which is what malloc asks it for; other memory is
 * refused. */
long sys_mremap(long address, long old_length, long new_length, long flags, long new_address)
{
	size_t old_size = PAGES_SIZE((size_t)old_length), new_size = PAGES_SIZE((size_t)new_length);
	bool locked;
	long result;
	void *moved;

	if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) {
		result = absent_flags(ABSENT_MREMAP, (unsigned long)flags);
		return result ? result : -EINVAL;
	}
	if (address & (PAGE_BYTES - 1) || old_length <= 0 || new_length <= 0)
		return -EINVAL;
	if (new_size < (size_t)new_length || new_size > CAPOS_USER_MAX)
		return -ENOMEM;
	if (flags & MREMAP_FIXED)
		return flags & MREMAP_MAYMOVE ? move_to(address, old_size, new_address, new_size)
		                              : -EINVAL;
	if (new_size == old_size)
		return address;
	if (new_size < old_size) {
		result = sys_munmap(address + (long)new_size, (long)(old_size - new_size));
		return result ? result : address;
	}
	if (!within_limits(new_size - old_size, PROT_WRITE, MAP_PRIVATE))
		return -ENOMEM;
	if (memory_is_shared((uint64_t)address, (uint64_t)address + old_size))
		return absent(ABSENT_LONGER_SHARED);
	locked = locked_any((uint64_t)address, (uint64_t)address + old_size);
	result = grow_in_place(address, old_size, new_size);
	if (result >= 0) {
		locked_mapped((uint64_t)address + old_size, (uint64_t)address + new_size, locked);
		return address;
	}
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	moved = pages_map(new_size);
	if (!moved)
		return -ENOMEM;
	return move_memory(address, old_size, (long)moved, new_size);
}

/* Anonymous memory reads as zeroes again. */
static long discard(long address, size_t size)
{
	int status = cap_memory_discard((uint64_t)address, size);

	if (status == CAP_EFAULT)
		return -ENOMEM;
	return status == CAP_ETYPE ? absent(ABSENT_DISCARD_OF_FILE) : errno_of(status);
}

/* Nothing is kept back: what is stored to a file's pages is in the file. */
long sys_msync(long address, long length, long flags)
{
	size_t size = PAGES_SIZE((size_t)length);
	char byte;

	if (address & (PAGE_BYTES - 1) || flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) ||
	    (flags & MS_ASYNC && flags & MS_SYNC))
		return -EINVAL;
	if (size < (size_t)length)
		return -ENOMEM;
	for (size_t at = 0; at < size && at < SYNC_LOOKED_AT; at += PAGE_BYTES)
		if (user_read(&byte, address + (long)at, 1))
			return -ENOMEM;
	if (flags & MS_INVALIDATE && locked_any((uint64_t)address, (uint64_t)address + size))
		return -EBUSY;
	return 0;
}

/* Advice that may be ignored is; that which changes what the memory holds is refused. */
long sys_madvise(long address, long length, long advice)
{
	if (address & (PAGE_BYTES - 1))
		return -EINVAL;
	if (advice == MADV_DONTNEED)
		return length ? discard(address, PAGES_SIZE((size_t)length)) : 0;
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_FREE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_DOFORK: /* these three are how memory is anyway */
	case MADV_KEEPONFORK:
	case MADV_UNMERGEABLE:
		return 0;
	default:
		return absent_option(ABSENT_MADVISE, (unsigned long)advice, -EINVAL);
	}
}

/* There is no heap below the break: it never moves, and malloc takes mappings instead. */
long sys_brk(long address)
{
	(void)address;
	return 0;
}
