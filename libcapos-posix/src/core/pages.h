/* SPDX-License-Identifier: MIT */
/*
 * Zeroed pages straight from the kernel.
 */
#ifndef POSIX_PAGES_H
#define POSIX_PAGES_H

#include <stddef.h>

#include <capos/abi.h>

#define PAGE_BYTES    4096u
#define PAGES_SIZE(n) (((n) + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1))

void *pages_map(size_t size); /* NULL: no memory */
void pages_unmap(void *pages, size_t size);

/* Memory that processes will have in common: without the right to take pages of it away, by which
 * one of them would end the others.  CAP_OK or enum cap_error. */
int pages_create_common(size_t size, cap_t *memory);

/* Maps memory that fork does not copy: that of *memory, or new, zeroed, when it is CAP_NULL.  0 or
 * -errno, then a *memory that was given is released. */
int pages_share(size_t size, cap_t *memory, void **address);
void pages_release_shared(void *address, size_t size, cap_t memory);

#endif
