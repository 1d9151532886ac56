/* SPDX-License-Identifier: MIT */
/*
 * The memory of a service, taken at its start and as large as the machine's memory allows.  What
 * can be written of the image is found by its program headers; pages that are read-only once the
 * image is relocated (RELRO) are left alone.
 */
#include <capos/abi.h>
#include <capos/cap.h>
#include <capos/clock.h>
#include <capos/elf.h>
#include <capos/start.h>

/* Deeper than any service's calls: the largest frames hold one message's header and some names. */
#define STACK_BYTES 65536u

/* Made by the linker: the image's first byte.  Native programs are linked for address 0. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

static void touch(uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to; at = (at | (CAPOS_PAGE_SIZE - 1)) + 1) {
		volatile uint8_t *byte = (volatile uint8_t *)(uintptr_t)at;

		*byte = *byte; /* NOLINT(clang-analyzer-core.uninitialized.Assign): kept as it is */
	}
}

__attribute__((noinline)) static void commit_stack(void)
{
	uint8_t bytes[STACK_BYTES];

	touch((uintptr_t)bytes, (uintptr_t)bytes + sizeof(bytes));
}

/* Where the part that became read-only (image_protect) ends. */
static uint64_t writable_from(const struct elf_header *h, const struct elf_segment *segments)
{
	for (uint32_t i = 0; i < h->phnum; i++)
		if (segments[i].type == ELF_SEGMENT_RELRO)
			return (segments[i].vaddr + segments[i].memsz) &
			       ~(uint64_t)(CAPOS_PAGE_SIZE - 1);
	return 0;
}

void memory_commit(void)
{
	const struct elf_header *h = (const struct elf_header *)__ehdr_start;
	const struct elf_segment *s = (const struct elf_segment *)(__ehdr_start + h->phoff);
	uint64_t base = (uintptr_t)__ehdr_start, first = writable_from(h, s);

	for (uint32_t i = 0; i < h->phnum; i++, s++) {
		uint64_t from = s->vaddr > first ? s->vaddr : first, end = s->vaddr + s->memsz;

		if (s->type == ELF_SEGMENT_LOAD && s->flags & ELF_FLAG_WRITE)
			touch(base + from, base + end);
	}
	commit_stack();
}

int memory_make(uint64_t size, void **out)
{
	cap_t memory;
	int result = cap_memory_create_committed(size, &memory);

	if (result)
		return result;
	result = cap_memory_map(memory, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, out);
	(void)cap_release(memory); /* the mapping keeps it */
	return result;
}

uint32_t memory_portion(uint32_t full, uint32_t least)
{
	const struct capos_clock_page *clock = (const void *)(uintptr_t)CAPOS_CLOCK_ADDR;
	uint64_t pages = clock->memory_pages, of = MEMORY_FULL / CAPOS_PAGE_SIZE;
	uint64_t portion = pages < of ? full * pages / of : full;

	return portion > least ? (uint32_t)portion : least;
}
