/* SPDX-License-Identifier: MIT */
/*
 * What netstack's pure files need of the system (lwip/platform.h), over capabilities.  Memory that
 * netstack uses for itself is all present from platform_commit() on: nothing that arrives or is
 * asked for later makes it touch a page that is not there.
 */
#include <capos/cap.h>
#include <capos/elf.h>
#include <capos/log.h>

#include "netstack/lwip/platform.h"

/* Deeper than any call of netstack goes: a message is built on the stack nowhere. */
#define STACK_USED (128u << 10)

extern const char __ehdr_start[] __attribute__((visibility("hidden"))); /* the linker's name */

uint64_t platform_now(void)
{
	return cap_now();
}

void *platform_memory_create(uint64_t size, uint64_t *handle)
{
	void *memory;

	if (cap_memory_create(size, handle))
		return NULL;
	if (cap_memory_map(*handle, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &memory)) {
		(void)cap_release(*handle);
		return NULL;
	}
	return memory;
}

void platform_memory_destroy(void *memory, uint64_t size, uint64_t handle)
{
	(void)cap_memory_unmap(memory, size);
	(void)cap_release(handle);
}

void platform_signal(uint64_t event, uint64_t bits)
{
	struct capos_sqe sqe = {
	        .op = CAP_OP_SIGNAL, .flags = CAPOS_SQE_QUIET, .cap = event, .arg = bits};

	/* A capability that is no event wakes nothing, which is the client's own loss. */
	(void)cap_submit_quiet(&sqe);
}

void platform_event_release(uint64_t event)
{
	(void)cap_release(event);
}

void platform_log(const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	fmt_vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	log_line("%s", line);
}

_Noreturn void port_assert_failed(const char *message, int line, const char *file)
{
	log_fatal("lwIP is broken: %s (%s:%d)", message, file, line);
}

/* ---- Memory of netstack's own ---- */

/* Stores to each page what stands there. */
static void touch(volatile char *from, const volatile char *end)
{
	for (volatile char *at = from; at < end; at += CAPOS_PAGE_SIZE)
		*at = *at;
	if (from < end)
		((volatile char *)end)[-1] = end[-1];
}

static void touch_stack(void)
{
	volatile char used[STACK_USED];

	touch(used, used + sizeof(used));
}

void platform_commit(void)
{
	const struct elf_header *h = (const void *)__ehdr_start;
	const struct elf_segment *segments = (const void *)(__ehdr_start + h->phoff);
	uint64_t read_only = 0; /* up to here, and written before */

	for (uint32_t i = 0; i < h->phnum; i++)
		if (segments[i].type == ELF_SEGMENT_RELRO)
			read_only = segments[i].vaddr + segments[i].memsz;
	for (uint32_t i = 0; i < h->phnum; i++) {
		const struct elf_segment *s = &segments[i];
		uint64_t start = s->vaddr > read_only ? s->vaddr : read_only;

		if (s->type == ELF_SEGMENT_LOAD && (s->flags & ELF_FLAG_WRITE))
			touch((char *)__ehdr_start + start, __ehdr_start + s->vaddr + s->memsz);
	}
	touch_stack();
}
