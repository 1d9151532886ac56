/* SPDX-License-Identifier: MIT */
/*
 * Panic, the log and memory routines: everything here works at any time after the
 * serial port is set up, allocates nothing and takes no lock.
 */
#include "kernel.h"
#include "arch.h"
#include "logbuffer.h"

#define LINE_MAX 512 /* longest log line in bytes; a kernel stack holds it easily */

_Noreturn void panic(const char *format, ...)
{
	static bool panicking;
	char line[LINE_MAX];
	va_list args;

	if (!panicking) {
		panicking = true;
		va_start(args, format);
		fmt_vsnprintf(line, sizeof(line), format, args);
		va_end(args);
		klog("PANIC: %s", line);
		arch_backtrace();
		logbuffer_flush();
	}
	arch_halt_after_panic();
}

/* Called by code that the compiler adds where a function's stack was overrun. */
_Noreturn void __stack_chk_fail(void);
void __stack_chk_fail(void)
{
	panic("a buffer on the kernel's stack was overrun");
}

void klog(const char *format, ...)
{
	char line[LINE_MAX + 1];
	va_list args;

	va_start(args, format);
	int length = fmt_vsnprintf(line, LINE_MAX, format, args);
	va_end(args);
	if (length >= LINE_MAX)
		length = LINE_MAX - 1;
	if (length == 0 || line[length - 1] != '\n')
		line[length++] = '\n';
	logbuffer_kernel(line, (size_t)length);
}

/* ---- Memory ---- */

/*
 * Moves of 8 bytes, eight at a time: under an emulator string instructions cost several times as
 * much, and the kernel has no vector registers to use.  NO_IDIOM keeps the compiler from turning
 * the loops into calls of themselves.
 */
typedef uint64_t __attribute__((may_alias, aligned(1))) word;
#ifdef __clang__
#define NO_IDIOM __attribute__((no_builtin))
#else
#define NO_IDIOM __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

NO_IDIOM void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	unsigned char *d = to;
	const unsigned char *s = from;

	for (; n >= 64; n -= 64, d += 64, s += 64) {
		const word *w = (const word *)s;
		word *v = (word *)d;
		uint64_t a = w[0], b = w[1], c = w[2], e = w[3];
		v[0] = a, v[1] = b, v[2] = c, v[3] = e;
		a = w[4], b = w[5], c = w[6], e = w[7];
		v[4] = a, v[5] = b, v[6] = c, v[7] = e;
	}
	for (; n >= 8; n -= 8, d += 8, s += 8)
		*(word *)d = *(const word *)s;
	for (; n > 0; n--)
		*d++ = *s++;
	return to;
}

NO_IDIOM void *memmove(void *to, const void *from, size_t n)
{
	unsigned char *d = to;
	const unsigned char *s = from;

	if ((uintptr_t)d - (uintptr_t)s >= n && (uintptr_t)s - (uintptr_t)d >= n)
		return memcpy(to, from, n);
	if (d < s) {
		for (; n >= 8; n -= 8, d += 8, s += 8)
			*(word *)d = *(const word *)s;
		for (; n > 0; n--)
			*d++ = *s++;
		return to;
	}
	for (; n >= 8; n -= 8)
		*(word *)(d + n - 8) = *(const word *)(s + n - 8);
	for (; n > 0; n--)
		d[n - 1] = s[n - 1];
	return to;
}

NO_IDIOM void *memset(void *to, int value, size_t n)
{
	unsigned char *d = to;
	uint64_t pattern = (unsigned char)value * 0x0101010101010101ull;

	for (; n >= 64; n -= 64, d += 64) {
		word *v = (word *)d;
		v[0] = pattern, v[1] = pattern, v[2] = pattern, v[3] = pattern;
		v[4] = pattern, v[5] = pattern, v[6] = pattern, v[7] = pattern;
	}
	for (; n >= 8; n -= 8, d += 8)
		*(word *)d = pattern;
	for (; n > 0; n--)
		*d++ = (unsigned char)value;
	return to;
}

NO_IDIOM int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n >= 8 && *(const word *)x == *(const word *)y; n -= 8, x += 8, y += 8)
		;
	for (; n > 0; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

NO_IDIOM size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}
