/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: mappings in a list sorted by address, without overlap, and page tables that cache
 * them.  A page-table entry is writable only while its frame belongs to one object alone, so that
 * sharing a frame means write-protecting it first and every later store comes here.  Interrupts are
 * off throughout.
 */
#include <capos/abi.h>
#include <capos/layout.h>
#include "kernel.h"
#include "memory/slab.h"
#include "memory/space.h"
#include "work.h"
#include "arch/x86_64/arch.h"

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

/* ---- The list ---- */

bool space_init(struct space *s, struct account *account)
{
	uint64_t random;

	*s = (struct space){.account = account};
	arch_random_seed((uint8_t *)&random, sizeof(random));
	s->chosen_top = capos_layout_choose(CAPOS_MAP_FIRST, random);
	if (!account_charge(account, 1))
		return false;
	s->root = arch_table_create();
	if (s->root == PADDR_NONE)
		account_release(account, 1);
	return s->root != PADDR_NONE;
}

/* The mapping of address, or NULL. */
static struct mapping *find(struct space *s, uint64_t address)
{
	struct mapping *m = s->last_hit;

	if (m && address >= m->start && address < m->end)
		return m;
	for (m = s->first; m && m->start <= address; m = m->next) {
		if (address < m->end) {
			s->last_hit = m;
			return m;
		}
	}
	return NULL;
}

/* The link that points to the first mapping ending above address: where one at address is, or would
 * go. */
static struct mapping **link_at(struct space *s, uint64_t address)
{
	struct mapping **link = &s->first;

	while (*link && (*link)->end <= address)
		link = &(*link)->next;
	return link;
}

/* Enters m, filled in but for its links, at its place; takes over one reference to its object. */
static void insert(struct space *s, struct mapping **link, struct mapping *m)
{
	m->space = s;
	m->next = *link;
	*link = m;
	m->next_of_object = m->object->mappings;
	m->link_of_object = &m->object->mappings;
	if (m->next_of_object)
		m->next_of_object->link_of_object = &m->next_of_object;
	m->object->mappings = m;
	m->object->nmappings++;
	s->count++;
}

/* Takes *link out of the lists and frees it; nobody will use its part of the page tables again. */
static void drop(struct space *s, struct mapping **link)
{
	struct mapping *m = *link;

	*link = m->next;
	*m->link_of_object = m->next_of_object;
	if (m->next_of_object)
		m->next_of_object->link_of_object = m->link_of_object;
	m->object->nmappings--;
	if (s->last_hit == m)
		s->last_hit = NULL;
	s->count--;
	memobj_put(m->object);
	account_free(s->account, &mapping_slab, m);
}

void space_destroy(struct space *s)
{
	if (s->root == PADDR_NONE)
		return;
	while (s->first) /* its part of the tables goes with all of them */
		drop(s, &s->first);
	while (!arch_table_destroy(s->root))
		steps_spent = 0;
	s->root = PADDR_NONE;
	account_release(s->account, s->tables + 1); /* the root too */
	s->tables = 0;
}

/* ---- Map, unmap, protect ---- */

static bool range_ok(uint64_t address, uint64_t size)
{
	return address % PAGE_SIZE == 0 && size > 0 && address >= CAPOS_USER_MIN &&
	       address < CAPOS_USER_MAX && size <= CAPOS_USER_MAX - address;
}

/* The highest gap below s->chosen_top that holds size bytes; 0: none. */
static uint64_t choose_address(const struct space *s, uint64_t size)
{
	uint64_t low = CAPOS_USER_MIN, best = 0;

	for (const struct mapping *m = s->first;; m = m->next) {
		uint64_t high = m ? min(m->start, s->chosen_top) : s->chosen_top;
		if (high >= low && high - low >= size)
			best = high - size;
		if (!m || m->end >= s->chosen_top)
			return best;
		low = m->end;
	}
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
static uint32_t limit_of(const struct memobj *object, uint32_t asked, uint32_t access,
                         bool private_copy)
{
	uint32_t limit = asked != 0 ? asked : private_copy ? ACCESS_MASK : access;

	if (!object->code)
		limit &= ~CAP_RIGHT_EXEC;
	else if (!private_copy)
		limit &= ~CAP_RIGHT_WRITE;
	return narrowed(limit, access);
}

int space_map(struct space *s, struct memobj *object, uint64_t offset, uint64_t size,
              uint32_t access, bool private_copy, bool kernel_owned, uint64_t *address)
{
	uint32_t limit = (access >> 8) & ACCESS_MASK;

	access &= ACCESS_MASK;
	int error = check_map(object, offset, size, access, private_copy);
	if (error)
		return error;
	limit = limit_of(object, limit, access, private_copy);
	if ((access & ~limit) != 0)
		return CAP_ERIGHTS;
	size = align_up(size);
	uint64_t start = *address != 0 ? *address : choose_address(s, size);
	if (start == 0 || s->count >= SPACE_MAPPINGS_MAX ||
	    (!private_copy && object->nmappings >= OBJECT_MAPPINGS_MAX))
		return CAP_ENOMEM;
	if (!range_ok(start, size))
		return CAP_EINVAL;
	struct mapping **link = link_at(s, start);
	if (*link && (*link)->start < start + size)
		return CAP_EEXIST;

	struct mapping *m = account_alloc(s->account, &mapping_slab);
	if (!m)
		return CAP_ENOMEM;
	*m = (struct mapping){.start = start,
	                      .end = start + size,
	                      .access = access,
	                      .limit = limit,
	                      .private_copy = private_copy,
	                      .kernel_owned = kernel_owned};
	if (private_copy) {
		m->object = memobj_slice(object, offset, size, s->account);
		if (!m->object) {
			account_free(s->account, &mapping_slab, m);
			return CAP_ENOMEM;
		}
	} else {
		m->object = object;
		m->offset = offset;
		memobj_get(object);
	}
	insert(s, link, m);
	*address = start;
	return CAP_OK;
}

int space_fork(struct space *to, const struct space *from)
{
	struct mapping **link = &to->first;

	assert(!to->first);
	for (const struct mapping *m = from->first; m; m = m->next) {
		if (m->kernel_owned)
			continue;
		struct mapping *copy = account_alloc(to->account, &mapping_slab);
		if (!copy)
			return CAP_ENOMEM;
		*copy = *m;
		if (m->private_copy) {
			copy->object =
			        memobj_slice(m->object, m->offset, m->end - m->start, to->account);
			copy->offset = 0;
		} else if (m->object->nmappings < OBJECT_MAPPINGS_MAX) {
			memobj_get(m->object);
		} else {
			copy->object = NULL;
		}
		if (!copy->object) {
			account_free(to->account, &mapping_slab, copy);
			return CAP_ENOMEM;
		}
		insert(to, link, copy);
		link = &copy->next;
	}
	to->chosen_top = from->chosen_top;
	return CAP_OK;
}

static void adopt_mappings(struct space *s)
{
	for (struct mapping *m = s->first; m; m = m->next)
		m->space = s;
}

void space_swap(struct space *a, struct space *b)
{
	struct space other = *a;

	*a = *b;
	*b = other;
	adopt_mappings(a);
	adopt_mappings(b);
}

/* Makes two mappings of *link, the second starting at address, using spare for it. */
static void split(struct space *s, struct mapping **link, uint64_t address, struct mapping *spare)
{
	struct mapping *m = *link;

	assert(spare);
	*spare = *m;
	spare->start = address;
	spare->offset = m->offset + (address - m->start);
	m->end = address;
	memobj_get(m->object);
	insert(s, &m->next, spare);
}

/* Of an object that is mapped in more pieces than this, frames that nobody can reach stay until it
 * goes: looking for them each time would take too long. */
#define DISCARD_PIECES_MAX 512u

/*
 * Gives up frames that nobody can reach any more: the object is held by mappings (and the caller)
 * alone and none of them shows those pages.
 */
static void discard_unreachable(struct memobj *object, uint64_t first, uint64_t count)
{
	uint64_t holders = 0;

	if (object->nmappings > DISCARD_PIECES_MAX)
		return;
	for (const struct mapping *m = object->mappings; m; m = m->next_of_object) {
		uint64_t index = page_index(m, m->start);
		if (index < first + count && first < index + (m->end - m->start) / PAGE_SIZE)
			return;
		holders++;
	}
	if (holders > 0 && holders + 1 == object->refs)
		memobj_discard(object, first, count);
}

/* Takes all of *link out. */
static void unmap_whole(struct space *s, struct mapping **link)
{
	struct mapping *m = *link;
	struct memobj *object = m->object;
	uint64_t first = page_index(m, m->start), count = (m->end - m->start) / PAGE_SIZE;

	arch_table_unmap_range(s->root, m->start, m->end);
	memobj_get(object);
	drop(s, link);
	discard_unreachable(object, first, count);
	memobj_put(object);
}

/* Whether the range cuts m in its inside at that address. */
static bool cuts(const struct mapping *m, uint64_t address)
{
	return m && m->start < address && address < m->end;
}

/*
 * Splits mappings so that the borders of [start, end) cut none, with mappings allocated before
 * anything is changed.  CAP_OK, CAP_ENOMEM, or CAP_EINVAL when a part is the kernel's.
 */
static int split_borders(struct space *s, uint64_t start, uint64_t end)
{
	struct mapping *spare[2] = {NULL, NULL};
	uint64_t at[2] = {start, end};
	uint32_t needed = 0;

	for (struct mapping *m = *link_at(s, start); m && m->start < end; m = m->next) {
		uint32_t cut = (uint32_t)cuts(m, start) + cuts(m, end);
		if (m->kernel_owned)
			return CAP_EINVAL;
		if (cut > 0 && m->object->nmappings + cut > OBJECT_MAPPINGS_MAX)
			return CAP_ENOMEM;
		needed += cut;
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
		struct mapping **link = link_at(s, at[i]);
		if (cuts(*link, at[i]))
			split(s, link, at[i], spare[used++]);
	}
	return CAP_OK;
}

int space_unmap(struct space *s, uint64_t address, uint64_t size)
{
	if (size > CAPOS_USER_MAX || !range_ok(address, size = align_up(size)))
		return CAP_EINVAL;
	int error = split_borders(s, address, address + size);
	if (error)
		return error;
	struct mapping **link = link_at(s, address);
	while (*link && (*link)->start < address + size)
		unmap_whole(s, link);
	return CAP_OK;
}

void space_unmap_kernel(struct space *s, uint64_t address)
{
	struct mapping **link = link_at(s, address);

	assert(*link && (*link)->start == address && (*link)->kernel_owned);
	unmap_whole(s, link);
}

static int check_protect(struct space *s, uint64_t start, uint64_t end, uint32_t access)
{
	const struct mapping *m = *link_at(s, start);

	for (uint64_t at = start; at < end; at = m->end, m = m->next) {
		if (!m || m->start > at)
			return CAP_EFAULT;
		if ((access & ~m->limit) != 0)
			return CAP_ERIGHTS;
	}
	return CAP_OK;
}

int space_protect(struct space *s, uint64_t address, uint64_t size, uint32_t access)
{
	access &= ACCESS_MASK;
	if (size > CAPOS_USER_MAX || !range_ok(address, size = align_up(size)))
		return CAP_EINVAL;
	if ((access & CAP_RIGHT_WRITE) != 0 && (access & CAP_RIGHT_EXEC) != 0)
		return CAP_EINVAL;
	uint64_t end = address + size;
	int error = check_protect(s, address, end, access);
	if (!error)
		error = split_borders(s, address, end);
	if (error)
		return error;
	for (struct mapping *m = *link_at(s, address); m && m->start < end; m = m->next) {
		if ((m->access & ~access) != 0)
			arch_table_unmap_range(s->root, m->start, m->end);
		m->access = access;
		m->limit = narrowed(m->limit, access);
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

	if (!write && m->object->kind == MEMOBJ_ANON && page_refs(frame) > 1)
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

paddr_t space_resolve(struct space *s, uint64_t address, uint32_t access, bool *no_memory)
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
	if (!write && m->object->kind == MEMOBJ_ANON)
		enter_around(s, m, address);
	return frame;
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
		const struct mapping *m = find(s, address);
		bool no_memory;
		if (!m || m->object->kind == MEMOBJ_DEVICE) {
			*error = CAP_EFAULT;
			return NULL;
		}
		frame = space_resolve(s, address, write ? CAP_RIGHT_WRITE : CAP_RIGHT_READ,
		                      &no_memory);
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

int space_copy_across(struct space *to_space, uint64_t to, struct space *from_space, uint64_t from,
                      uint64_t length)
{
	int error = CAP_OK;

	if (!user_range(to, length) || !user_range(from, length))
		return CAP_EFAULT;
	while (length > 0) {
		uint64_t chunk = min(length, min(left_in_page(to), left_in_page(from)));
		/* The target first: making it writable may replace the frame that the source is
		 * in. */
		char *target = reach(to_space, to, true, &error);
		if (!target)
			return error;
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

int space_futex_key(struct space *s, uint64_t address, struct memobj **object, uint64_t *offset,
                    uint32_t *value)
{
	int error = CAP_OK;

	if (address % sizeof(uint32_t) != 0)
		return CAP_EINVAL;
	if (!user_range(address, sizeof(uint32_t)))
		return CAP_EFAULT;
	const char *word = reach(s, address, false, &error);
	if (!word)
		return error;
	const struct mapping *m = find(s, address);
	assert(m); /* what the page tables show is mapped */
	*value = *(const volatile uint32_t *)word;
	*object = m->object;
	*offset = m->offset + (address - m->start);
	return CAP_OK;
}

/* ---- When frames change under mappings ---- */

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

	for (const struct mapping *m = object->mappings; m; m = m->next_of_object)
		if (shown(m, index, count, &start, &end))
			arch_table_unmap_range(m->space->root, start, end);
}

void space_forget_frame(struct memobj *object, uint64_t index)
{
	space_forget_frames(object, index, 1);
}

void space_write_protect(struct memobj *object, uint64_t index, uint64_t count)
{
	uint64_t start, end;

	for (const struct mapping *m = object->mappings; m; m = m->next_of_object)
		if (shown(m, index, count, &start, &end))
			arch_table_write_protect_range(m->space->root, start, end);
}
