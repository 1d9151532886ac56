/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel will be, drawn at each boot: the image within the top slot of the address space
 * (18 bits, steps of 2 MiB), the direct map among the slots below (17 bits, steps of 1 GiB), and
 * the secret of the stack protector.
 *
 * All here runs at the image's physical address, before addresses in its data are right: it may use
 * no table of pointers, and calls only what does the same.
 */
#include <capos/archive.h>
#include <capos/elf.h>
#include "x86.h"
#include "entropy.h"

extern const struct elf_relocation kernel_relocations[] __attribute__((visibility("hidden")));
extern const struct elf_relocation kernel_relocations_end[] __attribute__((visibility("hidden")));

uint64_t arch_direct_map;
uint64_t memory_image_offset;
uintptr_t __stack_chk_guard; /* the compiler's name */

uint64_t boot_relocate(const struct hvm_start_info *info);

/* Physical addresses are as good as pointers here. */
static const void *physical(paddr_t address)
{
	return (const void *)address;
}

/* Adds the seed that the host put into the boot archive; entropy.c takes it too, later. */
static void mix_host_seed(const struct hvm_start_info *info, uint8_t *key, size_t size)
{
	if (info->magic != START_INFO_MAGIC || info->nr_modules == 0)
		return;
	const struct hvm_module *module = physical(info->modlist);
	if (module->start == 0 || module->size < sizeof(struct capos_archive_header))
		return;
	const struct capos_archive_header *h = physical(module->start);
	for (size_t i = 0; h->magic == CAPOS_ARCHIVE_MAGIC && i < sizeof(h->seed); i++)
		key[i % size] ^= h->seed[i];
}

/* Numbers that tell nothing of what they were made from. */
static void draw(const struct hvm_start_info *info, uint32_t out[16])
{
	const uint32_t nonce[3] = {0};
	uint32_t key[8];

	arch_random_seed((uint8_t *)key, sizeof(key));
	mix_host_seed(info, (uint8_t *)key, sizeof(key));
	chacha20_block(key, 1, nonce, out);
}

/* Corrects every address in the image's data. */
static void relocate(uint64_t offset)
{
	for (const struct elf_relocation *r = kernel_relocations; r < kernel_relocations_end; r++) {
		if ((uint32_t)r->info != ELF_RELOCATION_RELATIVE)
			__builtin_trap(); /* the linker makes no others for this image */
		*(uint64_t *)(r->offset - KERNEL_BASE) = (uint64_t)r->addend + offset;
	}
}

NO_STACK_PROTECTOR uint64_t boot_relocate(const struct hvm_start_info *info)
{
	uint32_t random[16];

	draw(info, random);
	uint64_t image = IMAGE_SLOT_BASE + (random[0] % IMAGE_PLACES) * LARGE_PAGE_SIZE;
	arch_direct_map = DIRECT_MAP_FIRST + (random[1] % DIRECT_MAP_PLACES) * HUGE_PAGE_SIZE;
	/* The first byte stays 0: a string that runs over does not carry the guard along. */
	__stack_chk_guard = ((uint64_t)random[2] << 32 | random[3]) & ~0xffull;
	memory_image_offset = image - KERNEL_BASE;
	relocate(memory_image_offset);
	memory_map_first(image);
	return image;
}
