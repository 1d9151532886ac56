/* SPDX-License-Identifier: MIT */
/*
 * Small things that every kernel file uses: pages, panic, assertions, the log, memory routines.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <capos/format.h>

/* Physical addresses, and the pages that they are counted in. */
typedef uint64_t paddr_t;
#define PADDR_NONE ((paddr_t)0)
#define PAGE_SIZE  4096ull
#define PAGE_SHIFT 12

_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define assert(condition)                                                                     \
	do {                                                                                  \
		if (__builtin_expect(!(condition), 0))                                        \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition); \
	} while (0)

/* Lines go to the serial port. %s %d %u %x %p %c with l, ll, z, width and 0, as libcapos's
 * fmt_snprintf. */
void klog(const char *format, ...) __attribute__((format(printf, 1, 2)));

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
