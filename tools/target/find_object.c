/* SPDX-License-Identifier: MIT */
/*
 * What the host's libgcc asks of glibc to unwind a stack (_dl_find_object, glibc 2.35), answered by
 * dl_iterate_phdr, which musl has.  The structure is glibc's interface: its shape is fixed.
 */
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>
#include <stdint.h>

struct dl_find_object {
	unsigned long long flags;
	void *map_start, *map_end;
	struct link_map *link_map;
	void *eh_frame; /* PT_GNU_EH_FRAME */
	unsigned long long reserved[7];
};
_Static_assert(sizeof(struct dl_find_object) == 96, "as glibc has it on x86-64");

struct search {
	uintptr_t address;
	struct dl_find_object *found;
};

static int look(struct dl_phdr_info *object, size_t size, void *context)
{
	const struct search *s = context;
	void *eh_frame = NULL;
	int is_there = 0;

	(void)size;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + header->p_vaddr;

		if (header->p_type == PT_GNU_EH_FRAME)
			eh_frame = (void *)start;
		if (header->p_type != PT_LOAD || s->address - start >= header->p_memsz)
			continue;
		is_there = 1;
		s->found->map_start = (void *)start;
		s->found->map_end = (void *)(start + header->p_memsz);
	}
	if (!is_there || !eh_frame)
		return 0;
	s->found->eh_frame = eh_frame;
	return 1;
}

/* 0, or -1: no object with tables for unwinding has code at that address. */
__attribute__((visibility("hidden"))) int _dl_find_object(void *address,
                                                          struct dl_find_object *found);

int _dl_find_object(void *address, struct dl_find_object *found)
{
	struct search s = {.address = (uintptr_t)address, .found = found};

	*found = (struct dl_find_object){.flags = 0};
	return dl_iterate_phdr(look, &s) ? 0 : -1;
}
