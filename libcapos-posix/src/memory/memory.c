/* SPDX-License-Identifier: MIT */
/*
 * Mappings: every anonymous mapping is a memory object of its own, held by the mapping alone; a
 * shared mapping of a file shows the file's own pages, a private one a copy of them.  The kernel
 * knows what is mapped where; recorded (shared.c) is only where shared mappings are.
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
#include "memory/pieces.h"
#include "memory/shared.h"

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

/* CAP_NULL: private zeroes. */
static int map_near(cap_t memory, uint64_t offset, size_t length, uint32_t access,
                    bool private_copy, uint64_t *where)
{
	return memory ? cap_memory_map_near(memory, offset, length, access, private_copy, where)
	              : cap_memory_map_zeroes(length, access, where);
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
	if (fixed && !(flags & MAP_FIXED_NOREPLACE)) {
		cap_memory_unmap((void *)where, length);
		/* Also if nothing comes there: the library's own pages may then. */
		window_forget(where, where + PAGES_SIZE(length));
	}
	result = map_near(memory, offset, length, access, private_copy, &where);
	if (result && where && !fixed) {
		where = 0;
		result = map_near(memory, offset, length, access, private_copy, &where);
	}
	cap_release(memory);
	return result ? errno_of(result) : (long)where;
}

static void forget_range(uint64_t start, uint64_t end)
{
	locked_unmapped(start, end);
	window_forget(start, end);
}

/* Something else is there now, or nothing. */
static void forget(uint64_t start, uint64_t end)
{
	forget_range(start, end);
	shared_unmapped(start, end);
}

/* What a shared mapping of a volume's file holds. */
struct kept {
	cap_t file;
	uint64_t offset;
};

/* A new mapping: its address, or -errno. */
static long note_mapping(long address, size_t size, long flags, const struct kept *kept)
{
	uint64_t start = (uint64_t)address;

	if (address < 0 && address > -4096) {
		cap_release(kept->file);
		return address;
	}
	forget(start, start + size);
	locked_mapped(start, start + size, flags & MAP_LOCKED);
	if ((flags & MAP_TYPE) == MAP_PRIVATE ||
	    shared_mapped(start, start + size, kept->file, kept->offset))
		return address;
	cap_memory_unmap((void *)address, size);
	return -ENOMEM;
}

static bool is_zeroes(long fd)
{
	const struct file *f = fd_file((int)fd);

	return f && f->ops->zeroes && (f->flags & O_ACCMODE) == O_RDWR;
}

/* The pages of an open file.  keep: what the mapping is to hold. */
static int shared_object(struct file *f, cap_t *memory, cap_t *keep)
{
	int result = f->ops->share ? f->ops->share(f, memory) : -ENODEV;

	if (result || !f->ops->keep)
		return result;
	result = f->ops->keep(f, keep);
	if (result)
		cap_release(*memory);
	return result;
}

static long file_object(long fd, long protection, long flags, cap_t *memory, cap_t *keep)
{
	struct file *f = fd_file((int)fd);

	if (!f || f->flags & O_PATH)
		return -EBADF;
	if (!file_reads(f))
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
	return shared_object(f, memory, keep);
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

/* That Linux knows from before there was MAP_SHARED_VALIDATE, which refuses all others. */
#define VALID_FLAGS                                                                              \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_GROWSDOWN | \
	 MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB |    \
	 MAP_32BIT | MAP_FIXED_NOREPLACE)

long sys_mmap(long address, long length, long protection, long flags, long fd, long offset)
{
	size_t size = PAGES_SIZE((size_t)length);
	long result = check_protection(protection);
	long type = flags & MAP_TYPE;
	struct kept kept = {.file = CAP_NULL, .offset = (uint64_t)offset};
	cap_t memory;

	if (!result)
		result = absent_flags(ABSENT_MMAP, (unsigned long)flags);
	if (result)
		return result;
	if (type == MAP_SHARED_VALIDATE && !(flags & MAP_ANONYMOUS)) {
		if (flags & ~(long)VALID_FLAGS)
			return -EOPNOTSUPP;
		type = MAP_SHARED;
		flags = (flags & ~(long)MAP_TYPE) | MAP_SHARED;
	}
	if (length <= 0 || offset & (PAGE_BYTES - 1) || (type != MAP_PRIVATE && type != MAP_SHARED))
		return -EINVAL;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) && address & (PAGE_BYTES - 1))
		return -EINVAL;
	if (size < (size_t)length || size > CAPOS_USER_MAX ||
	    !within_limits(size, protection, flags))
		return -ENOMEM;
	if (flags & MAP_ANONYMOUS || is_zeroes(fd)) {
		if (exceeds_memory(size, protection, flags))
			return -ENOMEM;
		memory = CAP_NULL;
		if (type == MAP_SHARED)
			result = errno_of(cap_memory_create(size, &memory));
		offset = 0;
	} else {
		result = file_object(fd, protection, flags, &memory, &kept.file);
	}
	if (!result)
		result = map_object(memory, address, size, protection, flags, (uint64_t)offset);
	return note_mapping(result, size, flags, &kept);
}

long memory_map_shared(cap_t memory, long address, size_t size, bool write, bool replace)
{
	long flags = MAP_SHARED | (!address ? 0 : replace ? MAP_FIXED : MAP_FIXED_NOREPLACE);
	long protection = PROT_READ | (write ? PROT_WRITE : 0);
	const struct kept nothing = {.file = CAP_NULL};

	if (!within_limits(size, protection, flags)) {
		cap_release(memory);
		return -ENOMEM;
	}
	return note_mapping(map_object(memory, address, size, protection, flags, 0), size, flags,
	                    &nothing);
}

long sys_munmap(long address, long length)
{
	if (address & (PAGE_BYTES - 1) || length <= 0)
		return -EINVAL;
	forget((uint64_t)address, (uint64_t)address + PAGES_SIZE((size_t)length));
	return errno_of(cap_memory_unmap((void *)address, PAGES_SIZE((size_t)length)));
}

static int protect(uint64_t address, uint64_t size, uint32_t access)
{
	int status = cap_memory_protect(address, size, access);

	return status == CAP_ERIGHTS ? -EACCES : status == CAP_EFAULT ? -ENOMEM : errno_of(status);
}

long sys_mprotect(long address, long length, long protection)
{
	const size_t size = PAGES_SIZE((size_t)length);
	long result = check_protection(protection);

	if (result)
		return result;
	if (address & (PAGE_BYTES - 1))
		return -EINVAL;
	if (!length)
		return 0;
	if ((uint64_t)address + size <= (uint64_t)address)
		return -ENOMEM;
	result = protect((uint64_t)address, size, access_of(protection));
	/* What is in front of where it fails is changed all the same. */
	if (result == -ENOMEM || result == -EACCES)
		result = memory_pieces((uint64_t)address, size, false, protect,
		                       access_of(protection));
	return result;
}

/* ---- mremap ---- */

struct remap {
	uint64_t from, size, new_size;
};

/* What is noted of the old place holds for the new one. */
static void note_move(const struct remap *r, uint64_t to)
{
	const bool locked = locked_any(r->from, r->from + r->size);

	shared_moved(r->from, r->size, to, r->new_size);
	if (r->size)
		forget_range(r->from, r->from + r->size);
	forget_range(to, to + r->new_size);
	locked_mapped(to, to + r->new_size, locked);
}

/* To that address, where nothing is, or (0) where there is room, or (where it is) just longer.  The
 * address or -errno, -EEXIST. */
static long remap(const struct remap *r, uint64_t to)
{
	int result = cap_memory_remap(r->from, r->size, r->new_size, &to);

	switch (result) {
	case CAP_OK:
		break;
	case CAP_ETYPE:
		return absent(ABSENT_LONGER_FILE);
	case CAP_ETOOBIG:
		return -ENOMEM;
	default:
		return errno_of(result);
	}
	if (to != r->from || r->new_size != r->size)
		note_move(r, to);
	return (long)to;
}

static bool may_grow(const struct remap *r)
{
	return r->new_size <= r->size ||
	       (within_limits(r->new_size - r->size, PROT_WRITE, MAP_PRIVATE) &&
	        !exceeds_memory(r->new_size, PROT_WRITE, 0));
}

/* Whether something is mapped there: 0 or -EFAULT. */
static long check_there(uint64_t address)
{
	const struct remap first = {.from = address, .size = PAGE_BYTES, .new_size = PAGE_BYTES};
	long result = remap(&first, address);

	return result < 0 ? result : 0;
}

/* Without what is more than the new size. */
static long shorten(struct remap *r)
{
	long result;

	if (r->new_size >= r->size)
		return 0;
	result = sys_munmap((long)(r->from + r->new_size), (long)(r->size - r->new_size));
	r->size = r->new_size;
	return result;
}

/* To where the program says, in the place of what is there. */
static long move_to(struct remap *r, uint64_t to)
{
	long result;

	if (to & (PAGE_BYTES - 1) || to > CAPOS_USER_MAX - r->new_size ||
	    (r->from < to + r->new_size && to < r->from + r->size))
		return -EINVAL;
	result = check_there(r->from);
	if (!result && !may_grow(r))
		result = -ENOMEM;
	if (!result)
		result = sys_munmap((long)to, (long)r->new_size);
	if (!result)
		result = shorten(r);
	return result ? result : remap(r, to);
}

static long resize(struct remap *r, bool may_move)
{
	long result = r->size ? -EEXIST : 0;

	if (!may_grow(r))
		return -ENOMEM;
	if (r->size) /* else another mapping of the same, somewhere else */
		result = remap(r, r->from);
	if (result != -EEXIST && r->size)
		return result;
	return may_move ? remap(r, 0) : -ENOMEM;
}

/* Nothing is copied: the kernel moves mappings as they are.  Only of a private mapping of a file
 * there is no more to show than was mapped. */
long sys_mremap(long address, long old_length, long new_length, long flags, long new_address)
{
	struct remap r = {.from = (uint64_t)address,
	                  .size = PAGES_SIZE((size_t)old_length),
	                  .new_size = PAGES_SIZE((size_t)new_length)};
	const bool may_move = flags & MREMAP_MAYMOVE;
	long result;

	if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) {
		result = absent_flags(ABSENT_MREMAP, (unsigned long)flags);
		return result ? result : -EINVAL;
	}
	if (r.from & (PAGE_BYTES - 1) || old_length < 0 || new_length <= 0 ||
	    (flags & MREMAP_FIXED && !may_move) || (!r.size && !may_move))
		return -EINVAL;
	if (r.new_size < (size_t)new_length || r.new_size > CAPOS_USER_MAX)
		return -ENOMEM;
	if (flags & MREMAP_FIXED)
		return move_to(&r, (uint64_t)new_address);
	if (r.new_size > r.size)
		return resize(&r, may_move);
	result = check_there(r.from);
	if (!result)
		result = shorten(&r);
	return result ? result : address;
}

/* Anonymous memory reads as zeroes again. */
static int discard(uint64_t address, uint64_t size, uint32_t unused)
{
	int status = cap_memory_discard(address, size);

	(void)unused;
	if (status == CAP_EFAULT)
		return -ENOMEM;
	return status == CAP_ETYPE ? (int)absent(ABSENT_DISCARD_OF_FILE) : (int)errno_of(status);
}

static long discard_range(uint64_t address, size_t size)
{
	int result = size ? discard(address, size, 0) : 0;

	return result == -ENOMEM ? memory_pieces(address, size, true, discard, 0) : result;
}

/* What is stored to a file's pages is in the file, and goes to the host if it is in a volume. */
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
	shared_note_stores((uint64_t)address, (uint64_t)address + size);
	return shared_write_back((uint64_t)address, (uint64_t)address + size, flags & MS_SYNC);
}

/* 0 or -ENOMEM.  Of a range of very many mappings it is not asked for. */
static long check_mapped(long address, size_t size)
{
	uint64_t here = (uint64_t)address;

	return size && cap_memory_remap(here, size, size, &here) == CAP_EFAULT ? -ENOMEM : 0;
}

/* Advice that may be ignored is; that which changes what the memory holds is refused. */
long sys_madvise(long address, long length, long advice)
{
	if (address & (PAGE_BYTES - 1))
		return -EINVAL;
	if (advice == MADV_DONTNEED)
		return discard_range((uint64_t)address, PAGES_SIZE((size_t)length));
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
		return check_mapped(address, PAGES_SIZE((size_t)length));
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
