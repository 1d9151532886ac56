/* SPDX-License-Identifier: MIT */
/*
 * What kernel_fake.h promises: the architecture as far as memory code needs it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <capos/abi.h>
#include "kernel/kernel.h"
#include "kernel/work.h"
#include "kernel/memory/page.h"
#include "kernel/memory/slab.h"
#include "kernel/memory/memobj.h"
#include "kernel/arch.h"
#include "tests/unit/kernel_fake.h"

#define ENTRIES_MAX 8192u

/* As much as arch_table_unmap_some takes out at once here. */
#define FAKE_UNMAP_PIECE (16 * PAGE_SIZE)

uint64_t fake_direct_map;
static void *arena;
static uint64_t free_at_start, live_at_start;

static struct entry {
	paddr_t root, frame;
	uint64_t address;
	uint32_t access;
	bool device;
} entries[ENTRIES_MAX];
static unsigned entry_count;

void fake_start(uint64_t pages)
{
	if (!arena) {
		arena = aligned_alloc(PAGE_SIZE, FAKE_ARENA_PAGES * PAGE_SIZE);
		if (!arena || pages > FAKE_ARENA_PAGES)
			abort();
		memset(arena, 0xa5, FAKE_ARENA_PAGES * PAGE_SIZE);
		fake_direct_map = (uint64_t)arena - FAKE_ARENA_START;
		page_add_range(FAKE_ARENA_START, FAKE_ARENA_START + pages * PAGE_SIZE);
	}
	free_at_start = page_free_count();
	live_at_start = slab_live_objects();
}

/* Each slab keeps one empty page for the next object, so some frames may stay away. */
#define SLAB_SPARES 20u

bool *fake_lock;

void fake_drain(void)
{
	bool locked = !fake_lock || *fake_lock;
	if (!locked)
		*fake_lock = true;
	while (work_pending()) {
		steps_spent = 0;
		work_run();
	}
	if (!locked)
		*fake_lock = false;
	steps_spent = 0;
}

void fake_check_clean(void)
{
	fake_drain();
	if (slab_live_objects() != live_at_start || entry_count != 0 ||
	    page_free_count() + SLAB_SPARES < free_at_start)
		panic("not clean: %lu objects, %u table entries, %lu of %lu frames free",
		      slab_live_objects(), entry_count, page_free_count(), free_at_start);
}

uint64_t fake_table_entries(void)
{
	return entry_count;
}

void panic(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

char fake_serial[FAKE_SERIAL_SIZE];
size_t fake_serial_length;

void fake_serial_add(const char *text, size_t length)
{
	if (fake_serial_length + length < sizeof(fake_serial))
		memcpy(fake_serial + fake_serial_length, text, length);
	fake_serial_length += length;
}

void klog(const char *format, ...)
{
	char line[512];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	assert(length >= 0 && (size_t)length < sizeof(line) - 1);
	line[length++] = '\n';
	fake_serial_add(line, (size_t)length);
}

/* ---- Page tables ---- */

paddr_t arch_table_create(void)
{
	return page_alloc(true);
}

bool arch_table_destroy(paddr_t root)
{
	arch_table_unmap_range(root, 0, CAPOS_USER_MAX);
	page_put(root);
	return true;
}

static struct entry *find(paddr_t root, uint64_t address)
{
	for (unsigned i = 0; i < entry_count; i++)
		if (entries[i].root == root && entries[i].address == (address & ~(PAGE_SIZE - 1)))
			return &entries[i];
	return NULL;
}

unsigned arch_table_map(paddr_t root, uint64_t address, paddr_t frame, uint32_t access, bool device)
{
	assert(address % PAGE_SIZE == 0 && frame % PAGE_SIZE == 0);
	assert((access & CAP_RIGHT_WRITE) == 0 || (access & CAP_RIGHT_EXEC) == 0);
	struct entry *e = find(root, address);
	if (!e) {
		assert(entry_count < ENTRIES_MAX);
		e = &entries[entry_count++];
	}
	*e = (struct entry){root, frame, address, access, device};
	return 1;
}

struct arch_table_part arch_table_part(paddr_t root, uint64_t address)
{
	assert(find(root, address));
	return (struct arch_table_part){.root = root};
}

bool arch_table_part_has(const struct arch_table_part *part, uint64_t address)
{
	return find(part->root, address);
}

void arch_table_part_enter(const struct arch_table_part *part, uint64_t address, paddr_t frame,
                           uint32_t access)
{
	assert(!find(part->root, address));
	arch_table_map(part->root, address, frame, access, false);
}

void arch_table_unmap_range(paddr_t root, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < entry_count;) {
		struct entry *e = &entries[i];
		if (e->root == root && e->address >= start && e->address < end)
			*e = entries[--entry_count];
		else
			i++;
	}
}

uint64_t arch_table_unmap_some(paddr_t root, uint64_t start, uint64_t end)
{
	if (end - start > FAKE_UNMAP_PIECE)
		end = start + FAKE_UNMAP_PIECE;
	steps_spend(128);
	arch_table_unmap_range(root, start, end);
	return end;
}

void arch_table_write_protect_range(paddr_t root, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < entry_count; i++) {
		struct entry *e = &entries[i];
		if (e->root == root && e->address >= start && e->address < end)
			e->access &= ~CAP_RIGHT_WRITE;
	}
}

paddr_t arch_table_lookup(paddr_t root, uint64_t address, bool write)
{
	const struct entry *e = find(root, address);
	if (!e || e->device || (write && (e->access & CAP_RIGHT_WRITE) == 0))
		return PADDR_NONE;
	/* What the kernel is built on: a frame that can be stored to belongs to one object. */
	if ((e->access & CAP_RIGHT_WRITE) != 0)
		assert(page_refs(e->frame) == 1);
	return e->frame;
}

void arch_random_seed(uint8_t *buffer, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buffer[i] = (uint8_t)rand();
}

bool fake_write(struct memobj *m, uint64_t offset, const void *from, uint64_t length)
{
	if (m->kind == MEMOBJ_DEVICE || offset > m->size || length > m->size - offset)
		return false;
	for (uint64_t done = 0, chunk; done < length; done += chunk) {
		uint64_t within = (offset + done) % PAGE_SIZE;
		chunk = length - done < PAGE_SIZE - within ? length - done : PAGE_SIZE - within;
		paddr_t frame = memobj_frame(m, (offset + done) / PAGE_SIZE, true);
		if (frame == PADDR_NONE)
			return false;
		memcpy((char *)page_ptr(frame) + within, (const char *)from + done, chunk);
	}
	return true;
}

/* The tests that need more than memory have a clock of their own. */
__attribute__((weak)) uint64_t arch_clock_ns(void)
{
	return 1;
}
