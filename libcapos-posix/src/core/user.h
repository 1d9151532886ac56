/* SPDX-License-Identifier: MIT */
/*
 * The program's memory, as system calls reach it: copies that a bad pointer ends with -EFAULT and
 * that cost no more than others while pointers are good (arch/: a fault there goes on at a fixup).
 * No file of the library follows a pointer of the program in another way.
 */
#ifndef POSIX_USER_H
#define POSIX_USER_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/* Of arch/: bytes that were not copied; length of a string, -1: it cannot be read. */
size_t posix_user_copy(void *to, const void *from, size_t n);
long posix_user_length(const char *s, size_t most);
/* Makes the word `new` if it is *old: 1.  0: it is not, *old is what it is; -1: not writable. */
int posix_user_exchange(uint32_t *word, uint32_t *old, uint32_t new);

/* 0 or -EFAULT; then a part may have been copied. */
static inline int user_read(void *to, long from, size_t n)
{
	return posix_user_copy(to, (const void *)from, n) ? -EFAULT : 0;
}

static inline int user_write(long to, const void *from, size_t n)
{
	return posix_user_copy((void *)to, from, n) ? -EFAULT : 0;
}

/* The same of one object: int user_get(T *to, long from), int user_put(long to, const T *from). */
#define user_get(to, from) user_read((to), (long)(from), sizeof(*(to)))
#define user_put(to, from) user_write((long)(to), (from), sizeof(*(from)))

/* Copies a string with its 0: its length; -EFAULT; -ENAMETOOLONG: it does not fit into size. */
long user_string(char *to, size_t size, long from);

/* Where an instruction that faulted goes on; 0: it is no guarded access. */
uint64_t user_fixup(uint64_t rip);

#endif
