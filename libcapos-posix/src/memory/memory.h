/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of memory.
 */
#ifndef POSIX_MEMORY_H
#define POSIX_MEMORY_H

/* What a static program wrote only while it was relocated becomes read-only. */
void relro_protect(void);

#endif
