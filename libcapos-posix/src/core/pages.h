/* SPDX-License-Identifier: MIT */
/*
 * Zeroed pages straight from the kernel.
 */
#ifndef POSIX_PAGES_H
#define POSIX_PAGES_H

#include <stddef.h>

#define PAGE_BYTES    4096u
#define PAGES_SIZE(n) (((n) + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1))

void *pages_map(size_t size); /* NULL: no memory */
void pages_unmap(void *pages, size_t size);

#endif
