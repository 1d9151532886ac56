/* SPDX-License-Identifier: MIT */
/*
 * Page tables of address spaces: four levels, small pages only in the user half, the kernel half
 * shared by all.  A function that takes rights from an entry of the loaded tables flushes it from
 * the TLB here.
 */
#include <capos/abi.h>
#include "work.h"
#include "x86.h"

/* From this many entries on, loading the tables anew is cheaper than flushing one by one. */
#define FLUSH_SINGLY 16u

#define USER_ENTRIES (TABLE_ENTRIES / 2)

#define STEPS_TABLE 60u /* to go through a table that leads to others */
#define STEPS_FREE  2u
/* Entries that one piece of a long range goes through, and how many of them are a step. */
#define PIECE_ENTRIES    512u
#define ENTRIES_PER_STEP 4u

static uint64_t *entries(uint64_t entry)
{
	return page_ptr(entry & PTE_FRAME);
}

static unsigned shift_of(unsigned level)
{
	return 12 + 9 * level;
}

static bool is_loaded(paddr_t root)
{
	return arch_this_cpu()->root == root;
}

void table_init(paddr_t root)
{
	arch_this_cpu()->root = root;
	WRITE_REGISTER(cr3, root);
}

void arch_table_load(paddr_t root)
{
	if (!is_loaded(root))
		table_init(root);
}

paddr_t arch_table_create(void)
{
	const size_t half = PAGE_SIZE / 2;
	paddr_t root = page_alloc(false);

	if (root != PADDR_NONE) {
		char *table = page_ptr(root);
		memset(table, 0, half);
		memcpy(table + half, (char *)page_ptr(memory_kernel_root) + half, half);
	}
	return root;
}

/* Frees a table and those below it, as far as the budget goes; false: some are left. */
static bool free_table(paddr_t table, unsigned level, unsigned count)
{
	uint64_t *entry = entries(table);

	steps_spend(level > 0 ? STEPS_TABLE : STEPS_FREE);
	for (unsigned i = 0; level > 0 && (i = page_next_word(entry, i, count)) < count; i++) {
		if (steps_over() || !free_table(entry[i] & PTE_FRAME, level - 1, TABLE_ENTRIES))
			return false;
		entry[i] = 0;
	}
	page_put(table);
	return true;
}

bool arch_table_destroy(paddr_t root)
{
	assert(root != memory_kernel_root);
	if (is_loaded(root))
		table_init(memory_kernel_root);
	return free_table(root, ARCH_TABLE_LEVELS - 1, USER_ENTRIES);
}

/* The last-level entry of address; or NULL, with *reach: what one entry of the level that lacks
 * covers. */
static uint64_t *find_entry(paddr_t root, uint64_t address, uint64_t *reach)
{
	uint64_t *table = entries(root);

	*reach = PAGE_SIZE;
	for (unsigned level = ARCH_TABLE_LEVELS - 1;; level--) {
		uint64_t *entry = &table[address >> shift_of(level) & (TABLE_ENTRIES - 1)];
		if (level == 0)
			return entry;
		if ((*entry & PTE_PRESENT) == 0) {
			*reach = 1ull << shift_of(level);
			return NULL;
		}
		table = entries(*entry);
	}
}

bool table_writable(paddr_t root, uint64_t address)
{
	uint64_t *table = entries(root);

	for (unsigned level = ARCH_TABLE_LEVELS - 1;; level--) {
		uint64_t entry = table[address >> shift_of(level) & (TABLE_ENTRIES - 1)];
		if ((entry & PTE_PRESENT) == 0)
			return false;
		if (level == 0 || (entry & PTE_LARGE) != 0)
			return (entry & PTE_WRITE) != 0;
		table = entries(entry);
	}
}

static uint64_t protection(uint32_t access, bool device)
{
	uint64_t flags = PTE_PRESENT | PTE_USER | PTE_ACCESSED;

	if ((access & CAP_RIGHT_WRITE) != 0)
		flags |= PTE_WRITE | PTE_DIRTY;
	if ((access & CAP_RIGHT_EXEC) == 0)
		flags |= PTE_NO_EXECUTE;
	if (device)
		flags |= PTE_UNCACHED | PTE_WRITE_THROUGH;
	return flags;
}

unsigned arch_table_map(paddr_t root, uint64_t address, paddr_t frame, uint32_t access, bool device)
{
	uint64_t *table = entries(root);
	unsigned taken = 0;

	assert(address < CAPOS_USER_MAX && frame % PAGE_SIZE == 0);
	for (unsigned level = ARCH_TABLE_LEVELS - 1; level > 0; level--) {
		uint64_t *entry = &table[address >> shift_of(level) & (TABLE_ENTRIES - 1)];
		if ((*entry & PTE_PRESENT) == 0) {
			paddr_t page = page_alloc(true);
			if (page == PADDR_NONE)
				/* empty tables made so far stay; the next attempt finds them */
				return 0;
			*entry = page | PTE_TABLE | PTE_USER;
			taken++;
		}
		table = entries(*entry);
	}
	uint64_t *entry = &table[address >> PAGE_SHIFT & (TABLE_ENTRIES - 1)];
	uint64_t old = *entry;
	*entry = frame | protection(access, device);
	if ((old & PTE_PRESENT) != 0 && old != *entry && is_loaded(root))
		invlpg(address);
	return 1 + taken;
}

struct arch_table_part arch_table_part(paddr_t root, uint64_t address)
{
	uint64_t reach;
	struct arch_table_part part = {root, find_entry(root, address, &reach)};

	assert(part.entries);
	part.entries -= address >> PAGE_SHIFT & (TABLE_ENTRIES - 1);
	return part;
}

bool arch_table_part_has(const struct arch_table_part *part, uint64_t address)
{
	return part->entries[address >> PAGE_SHIFT & (TABLE_ENTRIES - 1)] & PTE_PRESENT;
}

void arch_table_part_enter(const struct arch_table_part *part, uint64_t address, paddr_t frame,
                           uint32_t access)
{
	part->entries[address >> PAGE_SHIFT & (TABLE_ENTRIES - 1)] =
	        frame | protection(access, false);
}

/* Ands every present entry of [start, end) with keep, and stops after so many entries; where. */
static uint64_t change_range(paddr_t root, uint64_t start, uint64_t end, uint64_t keep,
                             uint64_t most)
{
	bool loaded = is_loaded(root);
	unsigned changed = 0;
	uint64_t *entry = NULL;
	uint64_t reach = PAGE_SIZE;

	uint64_t address = start, visited = 0;
	for (; address < end && visited < most; address += PAGE_SIZE, visited++) {
		if (address == start || address % LARGE_PAGE_SIZE == 0) /* the next table */
			entry = find_entry(root, address, &reach);
		else
			entry++;
		if (!entry) {
			address = (address & ~(reach - 1)) + reach - PAGE_SIZE;
			continue;
		}
		if ((*entry & PTE_PRESENT) != 0 && (*entry & keep) != *entry) {
			*entry &= keep;
			if (loaded && ++changed <= FLUSH_SINGLY)
				invlpg(address);
		}
	}
	if (changed > FLUSH_SINGLY)
		table_init(root);
	steps_spend((uint32_t)(visited / ENTRIES_PER_STEP));
	return address < end ? address : end;
}

void arch_table_unmap_range(paddr_t root, uint64_t start, uint64_t end)
{
	change_range(root, start, end, 0, UINT64_MAX);
}

uint64_t arch_table_unmap_some(paddr_t root, uint64_t start, uint64_t end)
{
	return change_range(root, start, end, 0, PIECE_ENTRIES);
}

void arch_table_write_protect_range(paddr_t root, uint64_t start, uint64_t end)
{
	change_range(root, start, end, ~(PTE_WRITE | PTE_DIRTY), UINT64_MAX);
}

paddr_t arch_table_lookup(paddr_t root, uint64_t address, bool write)
{
	uint64_t reach;
	uint64_t need = PTE_PRESENT | (write ? PTE_WRITE : 0);

	if (address >= CAPOS_USER_MAX)
		return PADDR_NONE;
	const uint64_t *entry = find_entry(root, address, &reach);
	if (!entry || (*entry & (need | PTE_UNCACHED)) != need)
		return PADDR_NONE;
	return *entry & PTE_FRAME;
}
