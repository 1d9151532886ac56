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
#include "memory/slab.h"
#include "memory/space.h"
#include "work.h"
#include "arch.h"

#define ACCESS_MASK (CAP_RIGHT_READ | CAP_RIGHT_WRITE | CAP_RIGHT_EXEC)

/* A fault on a page of a file also enters its neighbours that are present, within this many
 * bytes. */
#define AROUND_SIZE (16 * PAGE_SIZE)

static struct slab mapping_slab = SLAB_INIT(struct mapping);

static uint64_t align_up(uint64_t value)
{
	return (value + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t page_index(const struct mapping *m, uint64_t address)
{
	return (m->offset + (address - m->start)) / PAGE_SIZE;
}

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

static struct mapping *next(const struct mapping *m)
{
	return mapping_of(tree_next(&m->node));
}

/* The last mapping that starts at address or below; NULL: none. */
static struct mapping *at_most(const struct space *s, uint64_t address)
{
	return mapping_of(tree_at_most(&s->mappings, address, 0));
}

/* The mapping of address, or NULL. */
static struct mapping *find(struct space *s, uint64_t address)
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
static struct mapping *ends_above(const struct space *s, uint64_t address)
{
	struct mapping *m = at_most(s, address);

	if (m && m->end > address)
		return m;
	return m ? next(m) : mapping_of(tree_first(&s->mappings));
}

static void set_start(struct mapping *m, uint64_t start)
{
	m->start = start;
	m->node.key = (struct tree_key){.high = start};
}

/* Enters m, filled in but for its links, at its place; takes over one reference to its object. */
static void insert(struct space *s, struct mapping *m)
{
	m->root = s->root;
	set_start(m, m->start);
	tree_insert(&s->mappings, &m->node);
	m->next_of_object = m->object->mappings;
	m->link_of_object = &m->object->mappings;
	if (m->next_of_object)
		m->next_of_object->link_of_object = &m->next_of_object;
	m->object->mappings = m;
	m->object->nmappings++;
	s->count++;
}

#define STEPS_MAPPING 6u /* to make or take out one */

/* Takes m out of the lists and frees it; its part of the page tables is empty, or goes whole. */
static void drop(struct space *s, struct mapping *m)
{
	tree_remove(&s->mappings, &m->node);
	*m->link_of_object = m->next_of_object;
	if (m->next_of_object)
		m->next_of_object->link_of_object = m->link_of_object;
	m->object->nmappings--;
	if (s->last_hit == m)
		s->last_hit = NULL;
	s->count--;
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
		drop(s, mapping_of(node));
	}
	if (!arch_table_destroy(s->root))
		return false;
	s->root = PADDR_NONE;
	account_release(s->account, s->tables + 1); /* the root too */
	s->tables = 0;
	return true;
}

/* ---- Map, unmap, protect ---- */

static bool range_ok(uint64_t address, uint64_t size)
{
	return address % PAGE_SIZE == 0 && size > 0 && address >= CAPOS_USER_MIN &&
	       address < CAPOS_USER_MAX && size <= CAPOS_USER_MAX - address;
}

/* So many gaps are looked at before the space below all that was chosen is taken. */
#define CHOICE_GAPS_MAX 512u

/* A gap below s->chosen_top that holds size bytes, the highest of the first few; 0: none. */
static uint64_t choose_address(const struct space *s, uint64_t size)
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
static uint32_t narrowed(uint32_t limit, uint32_t access)
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
	return narrowed(limit, access);
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

/* Whether an object may have so many more mappings. */
static bool may_map(const struct memobj *object, uint32_t more)
{
	return object->nmappings + more <=
	       (object->shares ? SHARING_MAPPINGS_MAX : OBJECT_MAPPINGS_MAX);
}

/* Enters *filled, all but its place and links, at *address, or where it is chosen; with the
 * caller's reference of its object. */
static int place(struct space *s, const struct mapping *filled, uint64_t size, uint64_t *address)
{
	size = align_up(size);
	uint64_t start = *address != 0 ? *address : choose_address(s, size);
	if (start == 0 || s->count >= SPACE_MAPPINGS_MAX ||
	    (!filled->kernel_owned && !may_map(filled->object, 1)))
		return CAP_ENOMEM;
	if (!range_ok(start, size))
		return CAP_EINVAL;
	const struct mapping *other = ends_above(s, start);
	if (other && other->start < start + size)
		return CAP_EEXIST;
	struct mapping *m = account_alloc(s->account, &mapping_slab);
	if (!m)
		return CAP_ENOMEM;
	*m = *filled;
	m->start = start;
	m->end = start + size;
	insert(s, m);
	if (*address == 0)
		s->chosen_low = min(s->chosen_low, start);
	*address = start;
	return CAP_OK;
}

int space_map_copy(struct space *s, bool code, struct memobj *copy, uint32_t access,
                   uint64_t *address)
{
	uint32_t asked = (access >> 8) & ACCESS_MASK;

	access &= ACCESS_MASK;
	const struct mapping m = {.object = copy,
	                          .access = access,
	                          .limit = limit_of(code, asked, access, true),
	                          .private_copy = true,
	                          .anonymous = !copy->backing && copy->present == 0};
	if ((access & ~m.limit) != 0)
		return CAP_ERIGHTS;
	return place(s, &m, copy->size, address);
}

int space_map(struct space *s, struct memobj *object, uint64_t offset, uint64_t size,
              uint32_t access, bool private_copy, bool kernel_owned, uint64_t *address)
{
	int error = space_check_map(object, offset, size, access, private_copy, object->code);
	if (error)
		return error;
	if (private_copy) {
		struct memobj *copy = memobj_slice(object, offset, size, s->account);
		if (!copy)
			return CAP_ENOMEM;
		error = space_map_copy(s, object->code, copy, access, address);
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
	error = place(s, &m, size, address);
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
	return place(s, &filled, m->end - m->start, &address);
}

/* The limit of the copy of a private mapping.  The copy is made in pieces, and meanwhile other
 * threads may make the mapping writable and store to it: what could still become code or data is
 * data in the copy. */
static uint32_t limit_of_copy(uint32_t limit)
{
	return (limit & CAP_RIGHT_WRITE) != 0 ? limit & ~CAP_RIGHT_EXEC : limit;
}

/* Copies one mapping: CAP_OK, CAP_ENOMEM; or begins to, when it is private. */
static int fork_mapping(struct space_fork *f, const struct mapping *m)
{
	f->at = m->end;
	if (m->kernel_owned)
		return CAP_OK;
	if (m->private_copy) {
		f->copied = *m;
		f->copied.limit = limit_of_copy(m->limit);
		if (!slice_begin(&f->slice, m->object, m->offset, m->end - m->start, f->to->account,
		                 false))
			f->at = m->start; /* may be tried again */
		return f->slice.copy ? CAP_OK : CAP_ENOMEM;
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

/* ---- Unmap and protect ---- */

/* Makes two mappings of m, the second starting at address, using spare for it. */
static void split(struct space *s, struct mapping *m, uint64_t address, struct mapping *spare)
{
	assert(spare);
	*spare = *m;
	spare->start = address;
	spare->offset = m->offset + (address - m->start);
	m->end = address;
	memobj_get(m->object);
	insert(s, spare);
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
		uint64_t index = page_index(o, o->start);
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
	uint64_t first = page_index(m, m->start), count = (stop - m->start) / PAGE_SIZE;

	/* The last mapping of an object takes all frames with it; else those go that cannot be
	 * reached any more. */
	if (m->object->header.refs > 1 && shown_here_alone(m, first, count))
		stop = m->start +
		       (memobj_discard_some(m->object, first, first + count) - first) * PAGE_SIZE;
	if (stop == m->end) {
		drop(s, m);
		return;
	}
	m->offset += stop - m->start;
	set_start(m, stop);
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
static int split_borders(struct space *s, uint64_t start, uint64_t end)
{
	struct mapping *spare[2] = {NULL, NULL};
	uint64_t at[2] = {start, end};
	struct mapping *cut[2] = {find(s, start), find(s, end)};
	uint32_t needed = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (!cuts(cut[i], at[i]))
			continue;
		if (cut[i]->kernel_owned)
			return CAP_EINVAL;
		uint32_t of_object = 1 + (i == 1 && needed > 0 && cut[0]->object == cut[1]->object);
		if (!may_map(cut[i]->object, of_object))
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
		struct mapping *m = find(s, at[i]);
		if (cuts(m, at[i]))
			split(s, m, at[i], spare[used++]);
	}
	return CAP_OK;
}

/* Looks through the mappings of a range as far as the budget goes, from *at on: CAP_OK, WORK_AGAIN,
 * CAP_EINVAL for one that is the kernel's.  With protect also CAP_EFAULT for a gap, CAP_ERIGHTS. */
static int check_range(struct space *s, uint64_t *at, uint64_t end, bool protect, uint32_t access)
{
	for (struct mapping *m = ends_above(s, *at); *at < end; m = next(m)) {
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
	if (size > CAPOS_USER_MAX || !range_ok(address, size = align_up(size)))
		return CAP_EINVAL;
	uint64_t end = address + size;
	int error = check_range(s, begun(&progress[0], address), end, false, 0);
	if (!error)
		error = split_borders(s, address, end);
	if (error)
		return error;
	progress[0] = end;
	for (struct mapping *m; (m = ends_above(s, address)) && m->start < end;) {
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
	if (size > CAPOS_USER_MAX || !range_ok(address, size = align_up(size)))
		return CAP_EINVAL;
	uint64_t end = address + size;
	for (uint64_t *at = begun(&progress[0], address); *at < end;) {
		struct mapping *m = find(s, *at);
		if (!m)
			return CAP_EFAULT;
		if (m->private_copy && !m->anonymous)
			return CAP_ETYPE;
		if (steps_over())
			return WORK_AGAIN;
		steps_spend(1);
		uint64_t stop = min(m->end, end);
		if (m->private_copy) {
			uint64_t from = page_index(m, *at), to = from + (stop - *at) / PAGE_SIZE;
			stop = *at + (memobj_discard_some(m->object, from, to) - from) * PAGE_SIZE;
		}
		*at = stop;
	}
	return CAP_OK;
}

void space_unmap_kernel(struct space *s, uint64_t address)
{
	struct mapping *m = find(s, address);

	assert(m && m->start == address && m->kernel_owned);
	arch_table_unmap_range(s->root, m->start, m->end);
	drop(s, m);
}

/* Gives m the access and takes what it showed out of the tables from *at on, as far as the budget
 * goes; false: something is left. */
static bool protect_some(struct space *s, struct mapping *m, uint32_t access, uint64_t *at)
{
	m->access = access;
	m->limit = narrowed(m->limit, access);
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
	if (size > CAPOS_USER_MAX || !range_ok(address, size = align_up(size)))
		return CAP_EINVAL;
	if ((access & CAP_RIGHT_WRITE) != 0 && (access & CAP_RIGHT_EXEC) != 0)
		return CAP_EINVAL;
	uint64_t end = address + size;
	int error = check_range(s, begun(&progress[0], address), end, true, access);
	if (!error)
		error = split_borders(s, address, end);
	if (error)
		return error;
	progress[0] = end;
	uint64_t *at = begun(&progress[1], address);
	for (struct mapping *m; *at < end && (m = ends_above(s, *at)) && m->start < end;) {
		/* What came since may not be what was checked. */
		if (m->kernel_owned || (access & ~m->limit) != 0)
			return m->kernel_owned ? CAP_EINVAL : CAP_ERIGHTS;
		if (!protect_some(s, m, access, at))
			return WORK_AGAIN;
	}
	return CAP_OK;
}

/* ---- Faults ---- */

/* Enters a frame into the page tables, the tables' frames charged to the account; false: no
 * memory. */
static bool enter(struct space *s, const struct mapping *m, uint64_t address, paddr_t frame,
                  bool write)
{
	const uint64_t most = ARCH_TABLE_LEVELS - 1;
	bool device = m->object->kind == MEMOBJ_DEVICE;
	uint32_t access = m->access;

	if (!write && m->object->kind == MEMOBJ_ANON &&
	    (page_refs(frame) > 1 || memobj_borrows(m->object, page_index(m, address))))
		access &= ~CAP_RIGHT_WRITE;
	if (!account_charge(s->account, most))
		return false;
	unsigned done = arch_table_map(s->root, address, frame, access, device);
	uint64_t used = done > 0 ? done - 1 : 0;
	s->tables += (uint32_t)used;
	account_release(s->account, most - used);
	return done > 0;
}

/* Spares a program the faults on the pages beside address that are in memory anyway, as those of
 * files are. */
static void enter_around(struct space *s, const struct mapping *m, uint64_t address)
{
	uint64_t block = address & ~(AROUND_SIZE - 1);
	uint64_t end = min(block + AROUND_SIZE, m->end);

	for (uint64_t at = max(block, m->start); at < end; at += PAGE_SIZE) {
		if (at == address || arch_table_lookup(s->root, at, false) != PADDR_NONE)
			continue;
		paddr_t frame = memobj_peek(m->object, page_index(m, at));
		if (frame != PADDR_NONE && !enter(s, m, at, frame, false))
			return;
	}
}

/* As space_resolve; *of: the mapping. */
static paddr_t resolve(struct space *s, uint64_t address, uint32_t access, bool *no_memory,
                       struct mapping **of)
{
	*no_memory = false;
	struct mapping *m = find(s, address);
	if (!m || (access & m->access) != access || access == 0)
		return PADDR_NONE;
	address &= ~(PAGE_SIZE - 1);
	uint64_t index = page_index(m, address);
	if (index >= m->object->npages)
		return PADDR_NONE;

	bool write = (access & CAP_RIGHT_WRITE) != 0;
	paddr_t frame = memobj_frame(m->object, index, write);
	if (frame == PADDR_NONE || !enter(s, m, address, frame, write)) {
		*no_memory = true;
		return PADDR_NONE;
	}
	steps_spend(STEPS_PAGE_COPY);
	*of = m;
	return frame;
}

paddr_t space_resolve(struct space *s, uint64_t address, uint32_t access, bool *no_memory)
{
	struct mapping *m;
	paddr_t frame = resolve(s, address, access, no_memory, &m);
	if (frame != PADDR_NONE && access != CAP_RIGHT_WRITE && m->object->kind == MEMOBJ_ANON)
		enter_around(s, m, address & ~(PAGE_SIZE - 1));
	return frame;
}

uint32_t space_fault_cause(struct space *s, uint64_t address, uint32_t access)
{
	const struct mapping *m = find(s, address);
	if (!m)
		return CAPOS_FAULT_UNMAPPED;
	bool allowed = (access & ~m->access) == 0;
	bool beyond = page_index(m, address & ~(PAGE_SIZE - 1)) >= m->object->npages;
	return allowed && beyond ? CAPOS_FAULT_BEYOND : CAPOS_FAULT_ACCESS;
}

/* ---- Copies ---- */

static bool user_range(uint64_t address, uint64_t length)
{
	return address <= CAPOS_USER_MAX && length <= CAPOS_USER_MAX - address;
}

/* The byte at address in the direct map, good up to the end of its page; NULL with *error. */
static char *reach(struct space *s, uint64_t address, bool write, int *error)
{
	paddr_t frame = arch_table_lookup(s->root, address, write);

	if (frame == PADDR_NONE) {
		struct mapping *m = find(s, address);
		bool no_memory;
		if (!m || m->object->kind == MEMOBJ_DEVICE) {
			*error = CAP_EFAULT;
			return NULL;
		}
		frame = resolve(s, address, write ? CAP_RIGHT_WRITE : CAP_RIGHT_READ, &no_memory,
		                &m);
		if (frame == PADDR_NONE) {
			*error = no_memory ? CAP_ENOMEM : CAP_EFAULT;
			return NULL;
		}
	}
	return (char *)page_ptr(frame) + address % PAGE_SIZE;
}

static uint64_t left_in_page(uint64_t address)
{
	return PAGE_SIZE - address % PAGE_SIZE;
}

int space_copy_in(struct space *s, void *to, uint64_t from, uint64_t length)
{
	int error = CAP_OK;

	if (!user_range(from, length))
		return CAP_EFAULT;
	while (length > 0) {
		uint64_t chunk = min(length, left_in_page(from));
		const char *source = reach(s, from, false, &error);
		if (!source)
			return error;
		memcpy(to, source, chunk);
		to = (char *)to + chunk;
		from += chunk;
		length -= chunk;
	}
	return CAP_OK;
}

int space_copy_out(struct space *s, uint64_t to, const void *from, uint64_t length)
{
	int error = CAP_OK;

	if (!user_range(to, length))
		return CAP_EFAULT;
	while (length > 0) {
		uint64_t chunk = min(length, left_in_page(to));
		char *target = reach(s, to, true, &error);
		if (!target)
			return error;
		memcpy(target, from, chunk);
		from = (const char *)from + chunk;
		to += chunk;
		length -= chunk;
	}
	return CAP_OK;
}

#define STEPS_COPY 20u /* of a page of a message */
/* More than the largest message takes, unless its pages are mapped in many places. */
#define STEPS_MESSAGE 900u

int space_copy_across(struct space *to_space, uint64_t to, struct space *from_space, uint64_t from,
                      uint64_t length, enum copy_side *side)
{
	int error = CAP_OK;

	*side = COPY_SOURCE;
	if (!user_range(from, length))
		return CAP_EFAULT;
	*side = COPY_TARGET;
	if (!user_range(to, length))
		return CAP_EFAULT;
	for (bool first = true; length > 0; first = false) {
		uint64_t chunk = min(length, min(left_in_page(to), left_in_page(from)));
		if (!first && steps_spent >= STEPS_MESSAGE)
			return WORK_AGAIN;
		steps_spend(STEPS_COPY);
		/* The target first: making it writable may replace the frame that the source is
		 * in. */
		*side = COPY_TARGET;
		char *target = reach(to_space, to, true, &error);
		if (!target)
			return error;
		*side = COPY_SOURCE;
		const char *source = reach(from_space, from, false, &error);
		if (!source)
			return error;
		memmove(target, source, chunk);
		to += chunk;
		from += chunk;
		length -= chunk;
	}
	return CAP_OK;
}

int space_prepare(struct space *s, uint64_t address, uint64_t length)
{
	bool made = false;
	int error = CAP_OK;

	if (!user_range(address, length))
		return CAP_EFAULT;
	for (uint64_t end = address + length; address < end; address += left_in_page(address)) {
		if (arch_table_lookup(s->root, address, true) != PADDR_NONE)
			continue;
		/* A page that is shared is taken out of all mappings of its object. */
		if (made && steps_begun())
			return WORK_AGAIN;
		if (!reach(s, address, true, &error))
			return error;
		made = true;
	}
	return CAP_OK;
}

/* NULL with *error. */
static uint32_t *futex_word(struct space *s, uint64_t address, bool write, struct memobj **object,
                            uint64_t *offset, int *error)
{
	*error = CAP_EINVAL;
	if (address % sizeof(uint32_t) != 0)
		return NULL;
	*error = CAP_EFAULT;
	if (!user_range(address, sizeof(uint32_t)))
		return NULL;
	char *word = reach(s, address, write, error);
	if (!word)
		return NULL;
	const struct mapping *m = find(s, address);
	assert(m); /* what the page tables show is mapped */
	*object = m->object;
	*offset = m->offset + (address - m->start);
	return (uint32_t *)(void *)word;
}

int space_futex_key(struct space *s, uint64_t address, struct memobj **object, uint64_t *offset,
                    uint32_t *value)
{
	int error;
	const uint32_t *word = futex_word(s, address, false, object, offset, &error);

	if (!word)
		return error;
	*value = *(const volatile uint32_t *)word;
	return CAP_OK;
}

uint32_t *space_futex_word(struct space *s, uint64_t address, struct memobj **object,
                           uint64_t *offset)
{
	int error;

	return futex_word(s, address, true, object, offset, &error);
}

/* ---- When frames change under mappings ---- */

#define STEPS_SHOWN 4u /* to change a page in one of its object's mappings */

/* The part of m that shows pages [index, index + count) of its object; false: none. */
static bool shown(const struct mapping *m, uint64_t index, uint64_t count, uint64_t *start,
                  uint64_t *end)
{
	uint64_t first = page_index(m, m->start);
	uint64_t from = max(index, first);
	uint64_t to = min(index + count, first + (m->end - m->start) / PAGE_SIZE);

	if (from >= to)
		return false;
	*start = m->start + (from - first) * PAGE_SIZE;
	*end = m->start + (to - first) * PAGE_SIZE;
	return true;
}

void space_forget_frames(struct memobj *object, uint64_t index, uint64_t count)
{
	uint64_t start, end;

	steps_spend(object->nmappings * STEPS_SHOWN);
	for (const struct mapping *m = object->mappings; m; m = m->next_of_object)
		if (shown(m, index, count, &start, &end))
			arch_table_unmap_range(m->root, start, end);
}

void space_forget_frame(struct memobj *object, uint64_t index)
{
	space_forget_frames(object, index, 1);
}

uint64_t space_shown_end(const struct memobj *object)
{
	uint64_t end = 0;

	steps_spend(object->nmappings / 4);
	for (const struct mapping *m = object->mappings; m; m = m->next_of_object)
		end = max(end, page_index(m, m->end));
	return end;
}

void space_write_protect(struct memobj *object, uint64_t index, uint64_t count)
{
	uint64_t start, end;

	steps_spend(object->nmappings * STEPS_SHOWN);
	for (const struct mapping *m = object->mappings; m; m = m->next_of_object)
		if (shown(m, index, count, &start, &end))
			arch_table_write_protect_range(m->root, start, end);
}
