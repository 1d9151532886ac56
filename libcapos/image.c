/* SPDX-License-Identifier: MIT */
/*
 * What the auxiliary vector says about an ELF image, read from the file's bytes: every offset is
 * checked against the file's size before it is used.  Loading it is the kernel's business.
 */
#include <string.h>

#include <capos/start.h>

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 64, "ELF64 header layout");

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_segment) == 56, "ELF64 program header layout");

#define ELF_PT_LOAD  1u
#define ELF_PT_PHDR  6u
#define ELF_MACHINE  62u /* EM_X86_64 */
#define SEGMENTS_MAX 64u

static const uint8_t elf_ident[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1}; /* 64 bits, little-endian */

/* The address at which the program headers stand once loaded; 0 when no segment holds them. */
static uint64_t headers_address(const uint8_t *file, const struct elf_header *h)
{
	uint64_t size = (uint64_t)h->phnum * sizeof(struct elf_segment);

	for (uint32_t i = 0; i < h->phnum; i++) {
		struct elf_segment s;

		memcpy(&s, file + h->phoff + i * sizeof(s), sizeof(s));
		if (s.type == ELF_PT_PHDR)
			return s.vaddr;
		if (s.type == ELF_PT_LOAD && s.offset <= h->phoff && s.filesz >= size &&
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
	if (memcmp(h.ident, elf_ident, sizeof(elf_ident)) != 0 || h.machine != ELF_MACHINE ||
	    h.phentsize != sizeof(struct elf_segment) || !h.phnum || h.phnum > SEGMENTS_MAX ||
	    h.phoff > size || h.phnum * sizeof(struct elf_segment) > size - h.phoff)
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
