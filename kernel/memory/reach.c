/* SPDX-License-Identifier: MIT */
/*
 * Reaching the memory of a space: faults fill the page tables from the mappings, copies and words
 * of futexes go through the direct map, and what frames of an object change is taken out of the
 * tables.
 */
#include "kernel.h"
#include "arch.h"
#include "memory/mapping.h"
#include "work.h"

/* ---- Faults ---- */

/* A fault on a page of a file also enters its neighbours that are present, within this many
 * bytes. */
#define AROUND_SIZE (16 * PAGE_SIZE)

/* Whether the first store to a page says when its object was changed: a file's pages, as others see
 * them.  So they are writable in the tables only after a store. */
static bool notes_stores(const struct mapping *m)
{
	return m->object->sparse && !m->private_copy;
}

/* What the page tables are to allow, of a frame that was not asked for to be written: nothing that
 * others share is written there. */
static uint32_t access_shared(const struct mapping *m, uint64_t address, paddr_t frame)
{
	if (m->access & CAP_RIGHT_WRITE && m->object->kind == MEMOBJ_ANON &&
	    (page_refs(frame) > 1 || notes_stores(m) ||
	     memobj_borrows(m->object, mapping_page(m, address))))
		return m->access & ~CAP_RIGHT_WRITE;
	return m->access;
}

/* Enters a frame into the page tables, the tables' frames charged to the account; false: no
 * memory. */
static bool enter(struct space *s, const struct mapping *m, uint64_t address, paddr_t frame,
                  bool write)
{
	const uint64_t most = ARCH_TABLE_LEVELS - 1;
	bool device = m->object->kind == MEMOBJ_DEVICE;
	uint32_t access = write ? m->access : access_shared(m, address, frame);

	if (!account_charge(s->account, most))
		return false;
	unsigned done = arch_table_map(s->root, address, frame, access, device);
	uint64_t used = done > 0 ? done - 1 : 0;
	s->tables += (uint32_t)used;
	account_release(s->account, most - used);
	return done > 0;
}

/* Spares a program the faults on the pages beside address that are in memory anyway, as those of
 * files are.  The page at address is in the tables, and so all of the block's share its table. */
static void enter_around(struct space *s, const struct mapping *m, uint64_t address)
{
	uint64_t block = address & ~(AROUND_SIZE - 1);
	uint64_t end = min(block + AROUND_SIZE, m->end);
	struct arch_table_part part = arch_table_part(s->root, address);

	for (uint64_t at = max(block, m->start); at < end; at += PAGE_SIZE) {
		if (arch_table_part_has(&part, at))
			continue;
		paddr_t frame = memobj_peek(m->object, mapping_page(m, at));
		if (frame != PADDR_NONE)
			arch_table_part_enter(&part, at, frame, access_shared(m, at, frame));
	}
}

/* As space_resolve; *of: the mapping. */
static paddr_t resolve(struct space *s, uint64_t address, uint32_t access, bool *no_memory,
                       struct mapping **of)
{
	*no_memory = false;
	struct mapping *m = mapping_find(s, address);
	if (!m || m->held_by || (access & m->access) != access || access == 0)
		return PADDR_NONE;
	address &= ~(PAGE_SIZE - 1);
	uint64_t index = mapping_page(m, address);
	if (index >= m->object->npages)
		return PADDR_NONE;

	bool write = (access & CAP_RIGHT_WRITE) != 0;
	paddr_t frame = memobj_frame(m->object, index, write);
	if (frame == PADDR_NONE || !enter(s, m, address, frame, write)) {
		*no_memory = true;
		return PADDR_NONE;
	}
	if (write && notes_stores(m))
		m->object->changed_ns = arch_clock_ns();
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
	const struct mapping *m = mapping_find(s, address);
	if (!m)
		return CAPOS_FAULT_UNMAPPED;
	bool allowed = !m->held_by && (access & ~m->access) == 0;
	bool beyond = mapping_page(m, address & ~(PAGE_SIZE - 1)) >= m->object->npages;
	return allowed && beyond ? CAPOS_FAULT_BEYOND : CAPOS_FAULT_ACCESS;
}

/* ---- How much a space has ---- */

bool space_count_resident(const struct space *s, uint64_t *at, uint64_t *pages)
{
	struct tree_node *node = tree_at_least(&s->mappings, *at, 0);

	for (; node; node = tree_next(node)) {
		const struct mapping *m = container_of(node, struct mapping, node);
		*pages += min(m->object->present, (m->end - m->start) / PAGE_SIZE);
		*at = m->end;
		steps_spend(1);
		if (steps_over())
			return false;
	}
	return true;
}

bool space_weigh(const struct space *s, uint64_t *at, uint64_t *pages)
{
	struct tree_node *node = tree_at_least(&s->mappings, *at, 0);

	if (*at == 0)
		*pages += s->tables;
	for (; node; node = tree_next(node)) {
		const struct mapping *m = container_of(node, struct mapping, node);
		if (m->object->account == s->account)
			*pages += min(m->object->present / m->object->nmappings,
			              (m->end - m->start) / PAGE_SIZE);
		*at = m->end;
		steps_spend(1);
		if (steps_over())
			return false;
	}
	return true;
}

const struct account *space_limit_reached(struct space *s, uint64_t address)
{
	/* A page, with what may lack above it in the tables and in its object's tree. */
	const uint64_t needed = 2 * ARCH_TABLE_LEVELS;
	const struct mapping *m = mapping_find(s, address);

	if (m && account_at_limit(m->object->account, needed))
		return m->object->account;
	return account_at_limit(s->account, needed) ? s->account : NULL;
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
		struct mapping *m = mapping_find(s, address);
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

/* Copies between a space and the kernel's memory: out to the space, and that is only read then, or
 * in. */
static int copy_bytes(struct space *s, uint64_t address, char *own, uint64_t length, bool out)
{
	int error = CAP_OK;

	if (!user_range(address, length))
		return CAP_EFAULT;
	for (uint64_t done = 0, chunk; done < length; done += chunk) {
		chunk = min(length - done, left_in_page(address + done));
		char *user = reach(s, address + done, out, &error);
		if (!user)
			return error;
		if (out)
			memcpy(user, own + done, chunk);
		else
			memcpy(own + done, user, chunk);
	}
	return CAP_OK;
}

int space_copy_in(struct space *s, void *to, uint64_t from, uint64_t length)
{
	return copy_bytes(s, from, to, length, false);
}

int space_copy_out(struct space *s, uint64_t to, const void *from, uint64_t length)
{
	return copy_bytes(s, to, (char *)from, length, true);
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
	const struct mapping *m = mapping_find(s, address);
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
	uint64_t first = mapping_page(m, m->start);
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
		end = max(end, mapping_page(m, m->end));
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
