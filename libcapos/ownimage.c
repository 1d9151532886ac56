/* SPDX-License-Identifier: MIT */
/*
 * What a native program does to its own image before main: it was linked for address 0 and loaded
 * anywhere, so addresses in its data are corrected; the stack protector gets its secret; and what
 * only the correction had to write becomes read-only (RELRO).  Not part of libc, where musl does
 * all this.
 *
 * image_relocate and image_set_guard run before addresses in data are right and before the guard
 * has its value: they use neither.
 */
#include <capos/cap.h>
#include <capos/elf.h>
#include <capos/log.h>
#include <capos/schema/kernel.h>
#include <capos/schema/kernel_client.h>

#define NO_GUARD __attribute__((no_stack_protector))

#define AT_NULL   0
#define AT_RANDOM 25

#define DEATH_ABORT 6 /* SIGABRT, as where a program finds itself damaged */

uintptr_t __stack_chk_guard; /* the compiler's name */

_Noreturn void __stack_chk_fail(void);
void image_relocate(char *base, const struct elf_dynamic *dynamic);
void image_set_guard(const uint64_t *stack);
void image_protect(const char *base);

NO_GUARD void image_relocate(char *base, const struct elf_dynamic *dynamic)
{
	const struct elf_relocation *r = NULL;
	uint64_t size = 0;

	for (; dynamic->tag; dynamic++) {
		if (dynamic->tag == ELF_DYNAMIC_RELA)
			r = (const struct elf_relocation *)(base + dynamic->value);
		else if (dynamic->tag == ELF_DYNAMIC_RELA_SIZE)
			size = dynamic->value;
	}
	for (; r && size >= sizeof(*r); size -= sizeof(*r), r++) {
		if ((uint32_t)r->info != ELF_RELOCATION_RELATIVE)
			__builtin_trap(); /* the linker makes no others for such an image */
		*(uint64_t *)(base + r->offset) = (uint64_t)base + (uint64_t)r->addend;
	}
}

/* The first byte stays 0: a string that runs over does not carry the guard along. */
NO_GUARD void image_set_guard(const uint64_t *stack)
{
	const uint64_t *aux = stack + 1 + stack[0] + 1; /* argc, argv, NULL */

	while (*aux)
		aux++;
	for (aux++; aux[0] != AT_NULL; aux += 2)
		if (aux[0] == AT_RANDOM)
			__stack_chk_guard = *(const uint64_t *)aux[1] & ~(uint64_t)0xff;
}

void image_protect(const char *base)
{
	const struct elf_header *h = (const struct elf_header *)base;
	const struct elf_segment *s = (const struct elf_segment *)(base + h->phoff);

	for (uint32_t i = 0; i < h->phnum; i++, s++) {
		if (s->type != ELF_SEGMENT_RELRO)
			continue;
		uint64_t start = (uint64_t)base + s->vaddr, end = start + s->memsz;
		struct process_protect_params params = {.address = start &
		                                                   ~(uint64_t)(CAPOS_PAGE_SIZE - 1),
		                                        .access = CAP_RIGHT_READ};
		params.size = (end & ~(uint64_t)(CAPOS_PAGE_SIZE - 1)) - params.address;
		if (params.size > 0 && process_protect(CAP_SELF, &params, NULL))
			log_fatal("its own image cannot be made read-only");
	}
}

void __stack_chk_fail(void)
{
	log_line("a buffer on the stack was overrun: the process ends");
	cap_exit(CAPOS_EXIT_STATUS(0, DEATH_ABORT));
}
