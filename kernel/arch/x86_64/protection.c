/* SPDX-License-Identifier: MIT */
/*
 * Which protections are on, read from the processor and the page tables as they are, not from what
 * the kernel meant to set.  memory_init panics when the tables are not sound.
 */
#include "x86.h"

#define EFER_NXE (1ull << 11)

/* No page of this table, or of those below it, is writable and executable. */
static bool table_sound(const uint64_t *table, unsigned level, unsigned first)
{
	for (unsigned i = first; i < TABLE_ENTRIES; i++) {
		uint64_t entry = table[i];
		if ((entry & PTE_PRESENT) == 0)
			continue;
		if (level == 0 || (entry & PTE_LARGE) != 0) {
			if ((entry & PTE_WRITE) != 0 && (entry & PTE_NO_EXECUTE) == 0)
				return false;
		} else if (!table_sound(page_ptr(entry & PTE_FRAME), level - 1, 0)) {
			return false; /* at most ARCH_TABLE_LEVELS deep */
		}
	}
	return true;
}

/* Whether the direct map shows a page of the image's code or constants writable. */
static bool constants_sound(void)
{
	for (const char *at = kernel_text_start; at < kernel_rodata_end; at += PAGE_SIZE)
		if (table_writable(memory_kernel_root, memory_image_paddr(at) + ARCH_DIRECT_MAP) ||
		    table_writable(memory_kernel_root, (uint64_t)at))
			return false;
	return true;
}

bool protection_tables_sound(void)
{
	const uint64_t *root = page_ptr(memory_kernel_root);
	return table_sound(root, ARCH_TABLE_LEVELS - 1, TABLE_ENTRIES / 2) && constants_sound();
}

unsigned arch_protections(struct arch_protection *out)
{
	uint64_t cr4 = READ_REGISTER(cr4);
	const struct arch_protection all[ARCH_PROTECTIONS] = {
	        {"SMEP: the kernel runs no program's page", (cr4 & CR4_SMEP) != 0, 0},
	        {"SMAP: the kernel reads no program's page", (cr4 & CR4_SMAP) != 0, 0},
	        {"UMIP: programs do not see the descriptor tables", (cr4 & CR4_UMIP) != 0, 0},
	        {"NX: pages that are not executable", (rdmsr(MSR_EFER) & EFER_NXE) != 0, 0},
	        {"WP: the kernel keeps to read-only pages", (READ_REGISTER(cr0) & CR0_WP) != 0, 0},
	        {"no kernel page is writable and executable", protection_tables_sound(), 0},
	        {"place of the kernel's image", memory_image_offset != 0, IMAGE_BITS},
	        {"place of the kernel's view of memory", arch_direct_map != DIRECT_MAP_FIRST,
	         DIRECT_MAP_BITS},
	        {"stack protector in the kernel", __stack_chk_guard != 0, 56},
	};

	memcpy(out, all, sizeof(all));
	return ARCH_PROTECTIONS;
}
