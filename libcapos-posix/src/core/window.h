/* SPDX-License-Identifier: MIT */
/*
 * A part of a memory object that is mapped to be read without the kernel, once it is read again and
 * again.  The object may shrink at any time: its size is read from a page that the kernel keeps.
 */
#ifndef POSIX_WINDOW_H
#define POSIX_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capos/abi.h>

#define WINDOW_BYTES (1u << 20)
#define WINDOW_PAGES (WINDOW_BYTES / 4096u)

/* One descriptor's view of an object.  All zeroes: nothing is mapped or known. */
struct window {
	const uint8_t *base;              /* NULL: not mapped */
	const uint64_t *size;             /* of the object, then whether it is marked; as base */
	uint64_t index;                   /* of the part, in WINDOW_BYTES */
	uint64_t seen[WINDOW_PAGES / 64]; /* its pages that the kernel copied from */
	uint32_t again;                   /* reads of such pages */
	uint32_t elsewhere;               /* reads of other parts, one after the other */
	bool refused;                     /* it cannot be mapped */
};

/* Reads as the kernel would.  False: the kernel is to be asked, and window_note told what it
 * read. */
bool window_read(struct window *w, cap_t object, void *to, size_t length, uint64_t offset,
                 size_t *got);
void window_note(struct window *w, uint64_t offset, size_t length);
void window_close(struct window *w);
/* Something else is mapped there from now on, or nothing. */
void window_forget(uint64_t start, uint64_t end);

#endif
