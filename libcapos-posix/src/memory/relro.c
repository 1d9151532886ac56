/* SPDX-License-Identifier: MIT */
/*
 * What a program needs to write only while it is relocated is read-only from its first system call
 * on. A static program has relocated itself by then; of dynamic ones and of itself the dynamic
 * linker takes care.
 */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include <capos/abi.h>
#include <capos/log.h>

#include "core/core.h"
#include "memory/memory.h"

/* From the linker: the program's ELF header, which is loaded with it. */
extern const Elf64_Ehdr __ehdr_start __attribute__((weak, visibility("hidden")));
/* The dynamic linker's entry: absent from static programs. */
extern void __dls3(void) __attribute__((weak));

void relro_protect(void)
{
	const Elf64_Phdr *segments;
	uint64_t image = (uint64_t)&__ehdr_start, linked = UINT64_MAX, first, end;

	if (__dls3 || !image)
		return;
	segments = (const Elf64_Phdr *)(image + __ehdr_start.e_phoff);
	for (unsigned i = 0; i < __ehdr_start.e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && segments[i].p_vaddr < linked)
			linked = segments[i].p_vaddr;
	for (unsigned i = 0; i < __ehdr_start.e_phnum; i++) {
		if (segments[i].p_type != PT_GNU_RELRO)
			continue;
		first = image - linked + segments[i].p_vaddr;
		end = (first + segments[i].p_memsz) & ~(uint64_t)(PAGE_BYTES - 1);
		first &= ~(uint64_t)(PAGE_BYTES - 1);
		/* A failure leaves the program as it would be without: its log says so. */
		if (first < end && cap_memory_protect(first, end - first, CAP_RIGHT_READ))
			log_line("posix: what was relocated stays writable");
	}
}
