/* SPDX-License-Identifier: MIT */
/*
 * Unmapping, discarding and protecting ranges of an address space, in pieces: a range is checked
 * whole before anything is changed, and each piece is changed at once.
 */
#include "kernel.h"
#include "arch.h"
#include "memory/mapping.h"
#include "work.h"

/* Makes two mappings of m, the second starting at address, using spare for it. */
static void split(struct space *s, struct mapping *m, uint64_t address, struct mapping *spare)
{
	assert(spare);
	*spare = *m;
	spare->start = address;
	spare->offset = m->offset + (address - m->start);
	s->mapped -= m->end - address; /* the second one's is counted anew */
	m->end = address;
	memobj_get(m->object);
	mapping_insert(s, spare);
}

/* Of an object that is mapped in more pieces than this, frames that are out of reach stay until it
 * goes: looking for them each time would take too long. */
#define DISCARD_PIECES_MAX 512u

/* Whether nothing but m shows those pages of its object: it is held by mappings alone, and no other
 * one shows them. */
static bool shown_here_alone(const struct mapping *m, uint64_t first, uint64_t count)
{
	const struct memobj *object = m->object;

	if (object->nmappings > DISCARD_PIECES_MAX || object->nmappings != object->header.refs)
		return false;
	steps_spend(object->nmappings / 4);
	for (const struct mapping *o = object->mappings; o; o = o->next_of_object) {
		uint64_t index = mapping_page(o, o->start);
		if (o != m && index < first + count &&
		    first < index + (o->end - o->start) / PAGE_SIZE)
			return false;
	}
	return true;
}

/* Takes a piece off the front of m, or all of it. */
static void unmap_some(struct space *s, struct mapping *m)
{
	uint64_t stop = arch_table_unmap_some(s->root, m->start, m->end);
	uint64_t first = mapping_page(m, m->start), count = (stop - m->start) / PAGE_SIZE;

	/* The last mapping of an object takes all frames with it; else those go that cannot be
	 * reached any more. */
	if (m->object->header.refs > 1 && shown_here_alone(m, first, count))
		stop = m->start +
		       (memobj_discard_some(m->object, first, first + count) - first) * PAGE_SIZE;
	if (stop == m->end) {
		mapping_drop(s, m);
		return;
	}
	m->offset += stop - m->start;
	s->mapped -= stop - m->start;
	mapping_set_start(m, stop);
}

/* Whether the range cuts m in its inside at that address. */
static bool cuts(const struct mapping *m, uint64_t address)
{
	return m && m->start < address && address < m->end;
}

/*
 * Splits mappings so that the borders of [start, end) cut none, with mappings allocated before
 * anything is changed.  CAP_OK, CAP_ENOMEM, or CAP_EINVAL for one that is the kernel's: a range
 * that changed since it was checked may cut such a one.
 */
int mapping_split(struct space *s, uint64_t start, uint64_t end)
{
	struct mapping *spare[2] = {NULL, NULL};
	uint64_t at[2] = {start, end};
	struct mapping *cut[2] = {mapping_find(s, start), mapping_find(s, end)};
	uint32_t needed = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (!cuts(cut[i], at[i]))
			continue;
		if (cut[i]->kernel_owned)
			return CAP_EINVAL;
		uint32_t of_object = 1 + (i == 1 && needed > 0 && cut[0]->object == cut[1]->object);
		if (!mapping_allowed(cut[i]->object, of_object))
			return CAP_ENOMEM;
		needed++;
	}
	if (needed > 0 && s->count + needed > SPACE_MAPPINGS_MAX)
		return CAP_ENOMEM;
	for (uint32_t i = 0; i < needed; i++) {
		spare[i] = account_alloc(s->account, &mapping_slab);
		if (!spare[i]) {
			if (i > 0)
				account_free(s->account, &mapping_slab, spare[0]);
			return CAP_ENOMEM;
		}
	}
	for (unsigned i = 0, used = 0; i < 2; i++) {
		struct mapping *m = mapping_find(s, at[i]);
		if (cuts(m, at[i]))
			split(s, m, at[i], spare[used++]);
	}
	return CAP_OK;
}

/* Looks through the mappings of a range as far as the budget goes, from *at on: CAP_OK, WORK_AGAIN,
 * CAP_EINVAL for one that is the kernel's.  With protect also CAP_EFAULT for a gap, CAP_ERIGHTS. */
static int check_range(struct space *s, uint64_t *at, uint64_t end, bool protect, uint32_t access)
{
	for (struct mapping *m = mapping_ends_above(s, *at); *at < end; m = mapping_next(m)) {
		if (protect && (!m || m->start > *at))
			return CAP_EFAULT;
		if (!m || m->start >= end)
			return CAP_OK;
		if (m->kernel_owned)
			return CAP_EINVAL;
		if (protect && (access & ~m->limit) != 0)
			return CAP_ERIGHTS;
		*at = m->end;
		steps_spend(1);
		if (*at < end && steps_over())
			return WORK_AGAIN;
	}
	return CAP_OK;
}

/* What a range operation has checked and done is kept as two addresses; 0 stands for its start. */
static uint64_t *begun(uint64_t *at, uint64_t start)
{
	if (*at < start)
		*at = start;
	return at;
}

int space_unmap(struct space *s, uint64_t address, uint64_t size, uint64_t progress[2])
{
	if (size > CAPOS_USER_MAX || !mapping_range_ok(address, size = page_up(size)))
		return CAP_EINVAL;
	uint64_t end = address + size;
	int error = check_range(s, begun(&progress[0], address), end, false, 0);
	if (!error)
		error = mapping_split(s, address, end);
	if (error)
		return error;
	progress[0] = end;
	for (struct mapping *m; (m = mapping_ends_above(s, address)) && m->start < end;) {
		if (m->kernel_owned)
			return CAP_EINVAL; /* it came since */
		if (steps_over())
			return WORK_AGAIN;
		unmap_some(s, m);
	}
	return CAP_OK;
}

int space_discard(struct space *s, uint64_t address, uint64_t size, uint64_t progress[2])
{
	if (size > CAPOS_USER_MAX || !mapping_range_ok(address, size = page_up(size)))
		return CAP_EINVAL;
	uint64_t end = address + size;
	for (uint64_t *at = begun(&progress[0], address); *at < end;) {
		struct mapping *m = mapping_find(s, *at);
		if (!m)
			return CAP_EFAULT;
		if (m->private_copy && !m->anonymous)
			return CAP_ETYPE;
		if (steps_over())
			return WORK_AGAIN;
		steps_spend(1);
		uint64_t stop = min(m->end, end);
		if (m->private_copy) {
			uint64_t from = mapping_page(m, *at), to = from + (stop - *at) / PAGE_SIZE;
			stop = *at + (memobj_discard_some(m->object, from, to) - from) * PAGE_SIZE;
		}
		*at = stop;
	}
	return CAP_OK;
}

void space_unmap_kernel(struct space *s, uint64_t address)
{
	struct mapping *m = mapping_find(s, address);

	assert(m && m->start == address && m->kernel_owned);
	arch_table_unmap_range(s->root, m->start, m->end);
	mapping_drop(s, m);
}

/* Gives m the access and takes what it showed out of the tables from *at on, as far as the budget
 * goes; false: something is left. */
static bool protect_some(struct space *s, struct mapping *m, uint32_t access, uint64_t *at)
{
	m->access = access;
	m->limit = mapping_narrowed(m->limit, access);
	m->held_by = 0;
	for (*at = max(*at, m->start); *at < m->end;) {
		if (steps_over())
			return false;
		*at = arch_table_unmap_some(s->root, *at, m->end);
	}
	return true;
}

int space_protect(struct space *s, uint64_t address, uint64_t size, uint32_t access,
                  uint64_t progress[2])
{
	access &= ACCESS_MASK;
	if (size > CAPOS_USER_MAX || !mapping_range_ok(address, size = page_up(size)))
		return CAP_EINVAL;
	if ((access & CAP_RIGHT_WRITE) != 0 && (access & CAP_RIGHT_EXEC) != 0)
		return CAP_EINVAL;
	uint64_t end = address + size;
	int error = check_range(s, begun(&progress[0], address), end, true, access);
	if (!error)
		error = mapping_split(s, address, end);
	if (error)
		return error;
	progress[0] = end;
	uint64_t *at = begun(&progress[1], address);
	for (struct mapping *m; *at < end && (m = mapping_ends_above(s, *at)) && m->start < end;) {
		/* What came since may not be what was checked. */
		if (m->kernel_owned || (access & ~m->limit) != 0)
			return m->kernel_owned ? CAP_EINVAL : CAP_ERIGHTS;
		if (!protect_some(s, m, access, at))
			return WORK_AGAIN;
	}
	return CAP_OK;
}
