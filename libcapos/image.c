/* SPDX-License-Identifier: MIT */
/*
 * What the auxiliary vector says about an ELF image, read from the file's bytes: every offset is
 * checked against the file's size before it is used.  Loading it is the kernel's business.
 */
#include <string.h>

#include <capos/elf.h>
#include <capos/layout.h>
#include <capos/start.h>

#define SEGMENTS_MAX 64u

/* The address at which the program headers stand once loaded; 0 when no segment holds them. */
static uint64_t headers_address(const uint8_t *file, const struct elf_header *h)
{
	uint64_t size = (uint64_t)h->phnum * sizeof(struct elf_segment);

	for (uint32_t i = 0; i < h->phnum; i++) {
		struct elf_segment s;

		memcpy(&s, file + h->phoff + i * sizeof(s), sizeof(s));
		if (s.type == ELF_SEGMENT_PHDR)
			return s.vaddr;
		if (s.type == ELF_SEGMENT_LOAD && s.offset <= h->phoff && s.filesz >= size &&
		    h->phoff - s.offset <= s.filesz - size)
			return s.vaddr + (h->phoff - s.offset);
	}
	return 0;
}

int start_image_facts(const void *file, uint64_t size, uint64_t load_bias, struct start_image *out)
{
	struct elf_header h;
	uint64_t phdr;

	if (size < sizeof(h))
		return CAP_ENOEXEC;
	memcpy(&h, file, sizeof(h));
	if (!elf_header_ok(&h, size, SEGMENTS_MAX))
		return CAP_ENOEXEC;
	phdr = headers_address(file, &h);
	*out = (struct start_image){
	        .phdr = phdr ? load_bias + phdr : 0,
	        .phnum = phdr ? h.phnum : 0,
	        .phent = sizeof(struct elf_segment),
	        .entry = load_bias + h.entry,
	};
	return CAP_OK;
}

void start_choose_place(const void *file, uint64_t size, const uint64_t random[2],
                        struct start_place *out)
{
	struct elf_header h;

	*out = (struct start_place){.stack_top = capos_layout_choose(CAPOS_STACK_FIRST, random[0])};
	if (size < sizeof(h))
		return;
	memcpy(&h, file, sizeof(h));
	if (h.type == ELF_TYPE_DYN)
		out->load_bias = capos_layout_choose(CAPOS_IMAGE_FIRST, random[1]);
}
