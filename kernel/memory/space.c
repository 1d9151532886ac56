/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: mappings in a tree by address, without overlap, and page tables that cache them.
 * A page-table entry is writable only while its frame belongs to one object alone, so that sharing
 * a frame means write-protecting it first and every later store comes here.  Interrupts are off
 * throughout.
 */
#include <capos/abi.h>
#include <capos/layout.h>
#include "kernel.h"
#include "memory/mapping.h"
#include "work.h"
#include "arch.h"

struct slab mapping_slab = SLAB_INIT(struct mapping);

/* ---- The tree ---- */

bool space_init(struct space *s, struct account *account)
{
	uint64_t random;

	*s = (struct space){.account = account};
	arch_random_seed((uint8_t *)&random, sizeof(random));
	s->chosen_top = capos_layout_choose(CAPOS_MAP_FIRST, random);
	s->chosen_low = s->chosen_top;
	if (!account_charge(account, 1))
		return false;
	s->root = arch_table_create();
	if (s->root == PADDR_NONE)
		account_release(account, 1);
	return s->root != PADDR_NONE;
}

static struct mapping *mapping_of(struct tree_node *node)
{
	return node ? container_of(node, struct mapping, node) : NULL;
}

struct mapping *mapping_next(const struct mapping *m)
{
	return mapping_of(tree_next(&m->node));
}

/* The last mapping that starts at address or below; NULL: none. */
static struct mapping *at_most(const struct space *s, uint64_t address)
{
	return mapping_of(tree_at_most(&s->mappings, address, 0));
}

const struct mapping *space_mapping_from(const struct space *s, uint64_t address)
{
	const struct mapping *m = mapping_of(tree_at_most(&s->mappings, address, 0));

	return m && m->end > address ? m : mapping_of(tree_at_least(&s->mappings, address, 0));
}

/* The mapping of address, or NULL. */
struct mapping *mapping_find(struct space *s, uint64_t address)
{
	struct mapping *m = s->last_hit;

	if (m && address >= m->start && address < m->end)
		return m;
	m = at_most(s, address);
	if (!m || address >= m->end)
		return NULL;
	s->last_hit = m;
	return m;
}

/* The first mapping that ends above address; NULL: none. */
struct mapping *mapping_ends_above(const struct space *s, uint64_t address)
{
	struct mapping *m = at_most(s, address);

	if (m && m->end > address)
		return m;
	return m ? mapping_next(m) : mapping_of(tree_first(&s->mappings));
}

void mapping_set_start(struct mapping *m, uint64_t start)
{
	m->start = start;
	m->node.key = (struct tree_key){.high = start};
}

/* Enters m, filled in but for its links, at its place; takes over one reference to its object. */
void mapping_insert(struct space *s, struct mapping *m)
{
	m->root = s->root;
	mapping_set_start(m, m->start);
	tree_insert(&s->mappings, &m->node);
	m->next_of_object = m->object->mappings;
	m->link_of_object = &m->object->mappings;
	if (m->next_of_object)
		m->next_of_object->link_of_object = &m->next_of_object;
	m->object->mappings = m;
	m->object->nmappings++;
	m->stores = !m->private_copy && (m->limit & CAP_RIGHT_WRITE) != 0;
	m->object->nstoring += m->stores;
	s->count++;
	s->mapped += m->end - m->start;
}

/* Takes m out of the lists and frees it; its part of the page tables is empty, or goes whole. */
void mapping_drop(struct space *s, struct mapping *m)
{
	tree_remove(&s->mappings, &m->node);
	*m->link_of_object = m->next_of_object;
	if (m->next_of_object)
		m->next_of_object->link_of_object = m->link_of_object;
	m->object->nmappings--;
	m->object->nstoring -= m->stores;
	if (s->last_hit == m)
		s->last_hit = NULL;
	s->count--;
	s->mapped -= m->end - m->start;
	steps_spend(STEPS_MAPPING);
	memobj_put(m->object);
	account_free(s->account, &mapping_slab, m);
}

bool space_destroy(struct space *s)
{
	struct tree_node *node;

	if (s->root == PADDR_NONE)
		return true;
	/* Their part of the tables goes with all of them. */
	while ((node = tree_first(&s->mappings))) {
		if (steps_over())
			return false;
		mapping_drop(s, mapping_of(node));
	}
	if (!arch_table_destroy(s->root))
		return false;
	s->root = PADDR_NONE;
	account_release(s->account, s->tables + 1); /* the root too */
	s->tables = 0;
	return true;
}

/* ---- Map, unmap, protect ---- */

bool mapping_range_ok(uint64_t address, uint64_t size)
{
	return address % PAGE_SIZE == 0 && size > 0 && address >= CAPOS_USER_MIN &&
	       address < CAPOS_USER_MAX && size <= CAPOS_USER_MAX - address;
}

/* So many gaps are looked at before the space below all that was chosen is taken. */
#define CHOICE_GAPS_MAX 512u

/* A gap below s->chosen_top that holds size bytes, the highest of the first few; 0: none. */
uint64_t mapping_choose(const struct space *s, uint64_t size)
{
	uint64_t high = s->chosen_top;
	struct mapping *m = at_most(s, high - 1);

	for (unsigned i = 0; i < CHOICE_GAPS_MAX; i++) {
		uint64_t low = m ? m->end : CAPOS_USER_MIN;
		if (high >= low && high - low >= size)
			return high - size;
		if (!m)
			return 0;
		high = min(high, m->start);
		m = mapping_of(tree_previous(&m->node));
	}
	high = s->chosen_low;
	m = at_most(s, high - 1);
	uint64_t low = m ? m->end : CAPOS_USER_MIN;
	return high >= low && high - low >= size ? high - size : 0;
}

static int check_map(const struct memobj *object, uint64_t offset, uint64_t size, uint32_t access,
                     bool private_copy)
{
	if (offset % PAGE_SIZE != 0 || size == 0 || size > CAPOS_USER_MAX ||
	    offset > UINT64_MAX - size)
		return CAP_EINVAL;
	if ((access & CAP_RIGHT_WRITE) != 0 && (access & CAP_RIGHT_EXEC) != 0)
		return CAP_EINVAL;
	if (object->kind == MEMOBJ_DEVICE && (private_copy || (access & CAP_RIGHT_EXEC) != 0))
		return CAP_EINVAL;
	return CAP_OK;
}

/* What is left of a limit when a mapping has that access: data is not code. */
uint32_t mapping_narrowed(uint32_t limit, uint32_t access)
{
	if ((access & CAP_RIGHT_WRITE) != 0)
		limit &= ~CAP_RIGHT_EXEC;
	if ((access & CAP_RIGHT_EXEC) != 0)
		limit &= ~CAP_RIGHT_WRITE;
	return limit;
}

/* The limit of a new mapping; asked: SPACE_LIMIT's rights, or 0. */
static uint32_t limit_of(bool code, uint32_t asked, uint32_t access, bool private_copy)
{
	uint32_t limit = asked != 0 ? asked : private_copy ? ACCESS_MASK : access;

	if (!code)
		limit &= ~CAP_RIGHT_EXEC;
	else if (!private_copy)
		limit &= ~CAP_RIGHT_WRITE;
	return mapping_narrowed(limit, access);
}

int space_check_map(const struct memobj *object, uint64_t offset, uint64_t size, uint32_t access,
                    bool private_copy, bool code)
{
	uint32_t asked = (access >> 8) & ACCESS_MASK;

	access &= ACCESS_MASK;
	int error = check_map(object, offset, size, access, private_copy);
	if (error)
		return error;
	return (access & ~limit_of(code, asked, access, private_copy)) != 0 ? CAP_ERIGHTS : CAP_OK;
}

/* Whether an object may have so many more mappings.  What a service shows all programs is mapped by
 * each of their processes, and no program keeps others from that, or from forking with it. */
bool mapping_allowed(const struct memobj *object, uint32_t more)
{
	return frames_stay(object) ||
	       object->nmappings + more <=
	               (object->shares ? SHARING_MAPPINGS_MAX : OBJECT_MAPPINGS_MAX);
}

int mapping_place(struct space *s, const struct mapping *filled, uint64_t size, uint64_t *address)
{
	size = page_up(size);
	uint64_t start = *address != 0 ? *address : mapping_choose(s, size);
	if (start == 0 || s->count >= SPACE_MAPPINGS_MAX ||
	    (!filled->kernel_owned && !mapping_allowed(filled->object, 1)))
		return CAP_ENOMEM;
	if (!mapping_range_ok(start, size))
		return CAP_EINVAL;
	const struct mapping *other = mapping_ends_above(s, start);
	if (other && other->start < start + size)
		return CAP_EEXIST;
	struct mapping *m = account_alloc(s->account, &mapping_slab);
	if (!m)
		return CAP_ENOMEM;
	*m = *filled;
	m->start = start;
	m->end = start + size;
	m->held_by = 0;
	mapping_insert(s, m);
	if (*address == 0)
		s->chosen_low = min(s->chosen_low, start);
	*address = start;
	return CAP_OK;
}

int space_map_copy(struct space *s, bool code, struct memobj *copy, uint64_t size, uint32_t access,
                   uint64_t *address)
{
	uint32_t asked = (access >> 8) & ACCESS_MASK;

	access &= ACCESS_MASK;
	const struct mapping m = {.object = copy,
	                          .access = access,
	                          .limit = limit_of(code, asked, access, true),
	                          .private_copy = true,
	                          .anonymous =
	                                  !copy->backing && !copy->sparse && copy->present == 0};
	if ((access & ~m.limit) != 0)
		return CAP_ERIGHTS;
	return mapping_place(s, &m, size, address);
}

int space_map(struct space *s, struct memobj *object, uint64_t offset, uint64_t size,
              uint32_t access, bool private_copy, bool kernel_owned, uint64_t *address)
{
	int error = space_check_map(object, offset, size, access, private_copy, object->code);
	if (error)
		return error;
	if (private_copy) {
		struct memobj *copy = memobj_slice(object, offset,
		                                   memobj_covers(object, offset, size), s->account);
		if (!copy)
			return CAP_ENOMEM;
		error = space_map_copy(s, object->code, copy, size, access, address);
		if (error)
			memobj_put(copy);
		return error;
	}
	uint32_t asked = (access >> 8) & ACCESS_MASK;
	access &= ACCESS_MASK;
	const struct mapping m = {.object = object,
	                          .offset = offset,
	                          .access = access,
	                          .limit = limit_of(object->code, asked, access, false),
	                          .kernel_owned = kernel_owned};
	memobj_get(object);
	error = mapping_place(s, &m, size, address);
	if (error)
		memobj_put(object);
	return error;
}

/* ---- Fork ---- */

/* Enters a mapping with the place and rights of another, of the object; with the reference. */
static int place_like(struct space *s, const struct mapping *m, struct memobj *object,
                      uint64_t offset)
{
	uint64_t address = m->start;
	struct mapping filled = *m;

	filled.object = object;
	filled.offset = offset;
	return mapping_place(s, &filled, m->end - m->start, &address);
}

/* The limit of the copy of a private mapping.  The copy is made in pieces, and meanwhile other
 * threads may make the mapping writable and store to it: what could still become code or data is
 * data in the copy. */
static uint32_t limit_of_copy(uint32_t limit)
{
	return (limit & CAP_RIGHT_WRITE) != 0 ? limit & ~CAP_RIGHT_EXEC : limit;
}

/* Copies one mapping: CAP_OK, CAP_ENOMEM, CAP_EAGAIN: its object is mapped as often as may be; or
 * begins to, when it is private. */
static int fork_mapping(struct space_fork *f, const struct mapping *m)
{
	f->at = m->end;
	if (m->kernel_owned)
		return CAP_OK;
	if (m->private_copy) {
		f->copied = *m;
		f->copied.limit = limit_of_copy(m->limit);
		if (!slice_begin(&f->slice, m->object, m->offset,
		                 memobj_covers(m->object, m->offset, m->end - m->start),
		                 f->to->account, false))
			f->at = m->start; /* may be tried again */
		return f->slice.copy ? CAP_OK : CAP_ENOMEM;
	}
	if (!mapping_allowed(m->object, 1)) {
		f->at = m->start;
		return CAP_EAGAIN;
	}
	memobj_get(m->object);
	int error = place_like(f->to, m, m->object, m->offset);
	if (error) {
		memobj_put(m->object);
		f->at = m->start;
	}
	return error;
}

static int finish_slice(struct space_fork *f)
{
	int error = f->slice.from ? slice_go_on(&f->slice) : CAP_OK;
	if (!error)
		error = place_like(f->to, &f->copied, f->slice.copy, 0);
	if (!error)
		f->slice.copy = NULL;
	return error;
}

int space_fork(struct space_fork *f)
{
	const struct mapping *m;

	for (;;) {
		if (steps_over())
			return WORK_AGAIN;
		int error = f->slice.copy ? finish_slice(f) : CAP_OK;
		if (error)
			return error;
		m = mapping_of(tree_at_least(&f->from->mappings, f->at, 0));
		if (!m)
			break;
		steps_spend(STEPS_MAPPING);
		error = fork_mapping(f, m);
		if (error)
			return error;
	}
	f->to->chosen_top = f->from->chosen_top;
	f->to->chosen_low = f->from->chosen_low;
	return CAP_OK;
}

void space_fork_abandon(struct space_fork *f)
{
	if (f->slice.from)
		slice_abandon(&f->slice);
	else if (f->slice.copy)
		memobj_put(f->slice.copy);
}

void space_swap(struct space *a, struct space *b)
{
	struct space other = *a;

	*a = *b;
	*b = other;
}
