/* SPDX-License-Identifier: MIT */
/*
 * ELF images of x86-64 (System V ABI, chapters 4 and 5; gABI): the layouts, and the checks that
 * every reader makes first.  Pure; used by the kernel, the library and init.
 */
#ifndef CAPOS_ELF_H
#define CAPOS_ELF_H

#include <stdbool.h>
#include <stdint.h>

enum {
	ELF_TYPE_EXEC = 2, /* linked for fixed addresses */
	ELF_TYPE_DYN = 3,  /* may be loaded anywhere */
	ELF_MACHINE_X86_64 = 62,
	ELF_SEGMENT_LOAD = 1,
	ELF_SEGMENT_INTERP = 3,
	ELF_SEGMENT_PHDR = 6,
	ELF_SEGMENT_RELRO = 0x6474e552,
	ELF_FLAG_EXEC = 1,
	ELF_FLAG_WRITE = 2,
	ELF_FLAG_READ = 4,
	ELF_DYNAMIC_RELA = 7,
	ELF_DYNAMIC_RELA_SIZE = 8,
	ELF_RELOCATION_RELATIVE = 8,
};

struct elf_header {
	uint8_t ident[16]; /* magic, class, byte order, version, ... */
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_dynamic {
	uint64_t tag, value;
};

struct elf_relocation {
	uint64_t offset, info;
	int64_t addend;
};

_Static_assert(sizeof(struct elf_header) == 64, "ELF64 header layout");
_Static_assert(sizeof(struct elf_segment) == 56, "ELF64 program header layout");
_Static_assert(sizeof(struct elf_relocation) == 24, "ELF64 relocation layout");

/* Whether it is the header of a 64-bit, little-endian x86-64 image with 1 to most program headers,
 * which lie within a file of size bytes. */
static inline bool elf_header_ok(const struct elf_header *h, uint64_t size, uint32_t most)
{
	return h->ident[0] == 0x7f && h->ident[1] == 'E' && h->ident[2] == 'L' &&
	       h->ident[3] == 'F' && h->ident[4] == 2 && h->ident[5] == 1 && h->ident[6] == 1 &&
	       h->machine == ELF_MACHINE_X86_64 && h->phentsize == sizeof(struct elf_segment) &&
	       h->phnum >= 1 && h->phnum <= most && h->phoff <= size &&
	       h->phnum * sizeof(struct elf_segment) <= size - h->phoff;
}

#endif
