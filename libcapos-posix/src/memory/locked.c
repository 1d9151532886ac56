/* SPDX-License-Identifier: MIT */
/*
 * mlock and its kin.  Kept are the spans that differ from the rest, which is unlocked, or locked
 * after mlockall; of them none overlap, and all are mapped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include <capos/cap.h>
#include <capos/object.h>

#include "core/core.h"
#include "memory/locked.h"
#include "memory/memory.h"
#include "memory/pieces.h"
#include "memory/shared.h"

#define ONFAULT 1u /* MLOCK_ONFAULT */

struct span {
	struct span *next;
	uint64_t start, end;
};

static struct span *spans;
static bool rest_locked; /* what no span has */
static bool future;      /* MCL_FUTURE */

/* Without that range.  False: a span is in two parts then, for which there is no memory. */
static bool cut(uint64_t start, uint64_t end)
{
	for (struct span **at = &spans, *s; (s = *at);) {
		if (s->end <= start || end <= s->start) {
			at = &s->next;
			continue;
		}
		if (s->start < start && end < s->end) {
			struct span *behind = posix_alloc(sizeof(*behind));

			if (!behind)
				return false;
			*behind = (struct span){.next = s->next, .start = end, .end = s->end};
			s->next = behind;
			s->end = start;
			return true;
		}
		if (s->start < start)
			s->end = start;
		else if (end < s->end)
			s->start = end;
		else
			s->end = s->start;
		if (s->start < s->end) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		posix_free(s);
	}
	return true;
}

static long set(uint64_t start, uint64_t end, bool locked)
{
	struct span *s;

	if (!cut(start, end))
		return -ENOMEM;
	if (locked == rest_locked || start == end)
		return 0;
	s = posix_alloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct span){.next = spans, .start = start, .end = end};
	spans = s;
	return 0;
}

static void set_all(bool locked)
{
	while (spans) {
		struct span *s = spans;

		spans = s->next;
		posix_free(s);
	}
	rest_locked = locked;
}

static uint64_t bytes_of_spans(uint64_t start, uint64_t end)
{
	uint64_t bytes = 0;

	for (const struct span *s = spans; s; s = s->next) {
		uint64_t from = s->start > start ? s->start : start;
		uint64_t to = s->end < end ? s->end : end;

		bytes += from < to ? to - from : 0;
	}
	return bytes;
}

/* ---- Of the other files ---- */

void locked_mapped(uint64_t start, uint64_t end, bool locked)
{
	/* Without memory for it the mapping is reported as the rest is. */
	if (spans || rest_locked || future || locked)
		(void)set(start, end, future || locked);
}

void locked_unmapped(uint64_t start, uint64_t end)
{
	if (spans)
		(void)cut(start, end);
}

bool locked_any(uint64_t start, uint64_t end)
{
	uint64_t other = bytes_of_spans(start, end);

	return rest_locked ? other < end - start : other > 0;
}

uint64_t memory_locked_bytes(void)
{
	uint64_t other = bytes_of_spans(0, UINT64_MAX), all;
	struct cap_process process;

	if (!rest_locked)
		return other;
	all = cap_process_status(&process) ? 0 : process.mapped_pages * PAGE_BYTES;
	return all > other ? all - other : 0;
}

static void unlock_all(void)
{
	set_all(false);
	future = false;
}

void memory_forked(void)
{
	unlock_all();
	shared_forked();
}

/* ---- System calls ---- */

/* The range's pages.  -ENOMEM: not all of them are mapped. */
static long check_range(long address, long length, uint64_t *start, uint64_t *end)
{
	long begin = address & -(long)PAGE_BYTES;
	size_t size = PAGES_SIZE((size_t)length + (size_t)(address - begin));

	if (size < (size_t)length)
		return -EINVAL;
	*start = (uint64_t)begin;
	*end = *start + size;
	return memory_check_mapped(begin, size);
}

static int set_piece(uint64_t start, uint64_t size, uint32_t locked)
{
	return (int)set(start, start + size, locked);
}

/* Of a range with a hole, what is in front of it. */
static long set_range(long address, long length, bool locked)
{
	uint64_t start, end;
	long result = check_range(address, length, &start, &end);

	if (result == -ENOMEM)
		(void)memory_pieces(start, end - start, false, set_piece, locked);
	return result ? result : set(start, end, locked);
}

long sys_mlock(long address, long length)
{
	return set_range(address, length, true);
}

long sys_mlock2(long address, long length, long flags)
{
	return flags & ~(long)ONFAULT ? -EINVAL : set_range(address, length, true);
}

long sys_munlock(long address, long length)
{
	return set_range(address, length, false);
}

long sys_mlockall(long flags)
{
	if (!flags || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
		return -EINVAL;
	future = flags & MCL_FUTURE;
	if (flags & MCL_CURRENT)
		set_all(true);
	return 0;
}

long sys_munlockall(void)
{
	unlock_all();
	return 0;
}
