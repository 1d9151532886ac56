/* SPDX-License-Identifier: MIT */
/*
 * Moving and lengthening mappings: they keep their object, access and limit, and nothing is copied.
 * A range is taken out of the page tables in pieces, then moved at once; meanwhile it gives no
 * access, so that no entry of the tables is left behind.
 */
#include "kernel.h"
#include "arch.h"
#include "memory/mapping.h"
#include "work.h"

/* They are moved at once. */
#define MOVED_MAX 32u

/* Not more than it holds at most: the range may have many others by now. */
static void let_all_go(struct space *s, const struct remap *r, uint64_t number)
{
	struct mapping *m = mapping_ends_above(s, r->from);

	for (uint32_t n = 0; m && m->start < r->from + r->size && n < MOVED_MAX;
	     m = mapping_next(m), n++) {
		if (m->held_by == number)
			m->held_by = 0;
	}
}

static bool alike(const struct mapping *a, const struct mapping *b)
{
	return a->access == b->access && a->private_copy == b->private_copy &&
	       a->anonymous == b->anonymous;
}

/* The last mapping of the range, all of which is mapped, and alike if it is to be longer. */
static int check(struct space *s, const struct remap *r, struct mapping **last)
{
	const struct mapping *first = mapping_find(s, r->from);
	struct mapping *m = mapping_find(s, r->from);

	for (uint32_t n = 0;; n++, m = mapping_next(m)) {
		if (!m || m->start > (n > 0 ? (*last)->end : r->from) || m->kernel_owned)
			return CAP_EFAULT;
		if (n == MOVED_MAX)
			return CAP_ETOOBIG;
		if (r->new_size > r->size && !alike(first, m))
			return CAP_EFAULT;
		*last = m;
		if (m->end >= r->from + r->size)
			return CAP_OK;
	}
}

static bool is_free(const struct space *s, uint64_t start, uint64_t size)
{
	const struct mapping *m = mapping_ends_above(s, start);

	return size == 0 || !m || m->start >= start + size;
}

/* Whether the last page of its object is m's last, and no one else knows the object. */
static bool ends_own_object(const struct mapping *m)
{
	return m->object->header.refs == 1 && m->object->nmappings == 1 && !m->object->committed &&
	       mapping_page(m, m->end) == m->object->npages;
}

/* Makes what is to come behind the last mapping, for when that ends at `end`.  Of a shared one it
 * is more of its object; of memory that had nothing in it, zeroes.  *longer: the mapping itself is
 * to be made so much longer. */
static int prepare_growth(struct space *s, const struct mapping *last, uint64_t end, uint64_t more,
                          uint64_t *longer)
{
	struct mapping filled = *last;
	int error;

	*longer = more;
	if (!last->private_copy)
		return CAP_OK;
	if (!last->anonymous)
		return CAP_ETYPE;
	if (ends_own_object(last))
		return memobj_resize(last->object, (last->object->npages * PAGE_SIZE) + more)
		               ? CAP_OK
		               : CAP_ENOMEM;
	*longer = 0;
	filled.object = memobj_create(more, s->account);
	if (!filled.object)
		return CAP_ENOMEM;
	filled.offset = 0;
	error = mapping_place(s, &filled, more, &end);
	if (error)
		memobj_put(filled.object);
	return error;
}

/* Takes the range out of the tables, from *at on; false: the budget is spent.  What this remap does
 * not hold (it came since, was protected, or another remap took it) may have entries anywhere. */
static bool hide(struct space *s, const struct remap *r, uint64_t *at, uint64_t number)
{
	struct mapping *m = mapping_find(s, r->from);
	const uint64_t end = r->from + r->size;

	for (; m && m->start < end; m = mapping_next(m)) {
		if (m->held_by != number)
			*at = r->from;
		m->held_by = number;
	}
	for (*at = max(*at, r->from); *at < end;) {
		if (steps_over())
			return false;
		*at = arch_table_unmap_some(s->root, *at, end);
	}
	return true;
}

static void move(struct space *s, const struct remap *r, uint64_t to)
{
	struct mapping *m, *moved[MOVED_MAX];
	uint32_t n = 0;

	for (m = mapping_find(s, r->from); m && m->start < r->from + r->size; m = mapping_next(m))
		moved[n++] = m;
	for (uint32_t i = 0; i < n; i++) {
		m = moved[i];
		tree_remove(&s->mappings, &m->node);
		m->end += to - r->from;
		mapping_set_start(m, m->start + (to - r->from));
		tree_insert(&s->mappings, &m->node);
		m->held_by = 0;
	}
	s->last_hit = NULL;
	steps_spend(2 * STEPS_MAPPING * n);
}

/* All that can fail is done before anything is moved. */
static int finish(struct space *s, const struct remap *r, struct mapping *last, uint64_t *address)
{
	const bool stays = *address == r->from;
	const uint64_t more = r->new_size - r->size;
	uint64_t longer = 0;
	int error;

	if (*address == 0) {
		*address = mapping_choose(s, r->new_size);
		if (*address == 0)
			return CAP_ENOMEM;
		s->chosen_low = min(s->chosen_low, *address);
	}
	if (!mapping_range_ok(*address, r->new_size))
		return CAP_EINVAL;
	if (stays ? !is_free(s, r->from + r->size, more) : !is_free(s, *address, r->new_size))
		return CAP_EEXIST;
	error = more ? prepare_growth(s, last, *address + r->size, more, &longer) : CAP_OK;
	if (error)
		return error;
	if (!stays)
		move(s, r, *address);
	last->end += longer;
	s->mapped += longer;
	return CAP_OK;
}

/* Another mapping of what a shared one shows. */
static int duplicate(struct space *s, const struct remap *r, uint64_t *address)
{
	const struct mapping *m = mapping_find(s, r->from);
	struct mapping filled;
	int error;

	if (!m || m->kernel_owned)
		return CAP_EFAULT;
	if (m->private_copy)
		return CAP_EINVAL;
	filled = *m;
	filled.offset += r->from - m->start;
	memobj_get(filled.object);
	error = mapping_place(s, &filled, r->new_size, address);
	if (error)
		memobj_put(filled.object);
	return error;
}

/* progress: how far the range is hidden, and this remap's number. */
int space_remap(struct space *s, const struct remap *r, uint64_t *address, uint64_t progress[2])
{
	static uint64_t newest;
	struct mapping *last;
	int error;

	if (r->size == 0)
		return duplicate(s, r, address);
	if (!mapping_range_ok(r->from, r->size) || r->new_size < r->size)
		return CAP_EINVAL;
	if (progress[1] == 0)
		progress[1] = ++newest;
	error = check(s, r, &last);
	if (!error && *address != r->from) {
		error = mapping_split(s, r->from, r->from + r->size);
		if (!error && !hide(s, r, &progress[0], progress[1]))
			return WORK_AGAIN;
		if (!error)
			error = check(s, r, &last);
	}
	if (!error)
		error = finish(s, r, last, address);
	if (error)
		let_all_go(s, r, progress[1]);
	return error;
}
