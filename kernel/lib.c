/* SPDX-License-Identifier: MIT */
/*
 * Panic, the log, text formatting and memory routines: everything here works at any time after the
 * serial port is set up, allocates nothing and takes no lock.
 */
#include "kernel.h"
#include "arch/x86_64/arch.h"
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
		kvsnprintf(line, sizeof(line), format, args);
		va_end(args);
		klog("PANIC: %s", line);
		arch_backtrace();
		logbuffer_flush();
	}
	arch_halt_after_panic();
}

void klog(const char *format, ...)
{
	char line[LINE_MAX + 1];
	va_list args;

	va_start(args, format);
	int length = kvsnprintf(line, LINE_MAX, format, args);
	va_end(args);
	if (length >= LINE_MAX)
		length = LINE_MAX - 1;
	if (length == 0 || line[length - 1] != '\n')
		line[length++] = '\n';
	logbuffer_kernel(line, (size_t)length);
}

/* ---- Formatting ---- */

struct output {
	char *buffer;
	size_t size;
	size_t length; /* of the whole text, also of what did not fit */
};

static void put(struct output *out, char c)
{
	if (out->length + 1 < out->size)
		out->buffer[out->length] = c;
	out->length++;
}

struct conversion {
	bool left, zero;
	int width;
	int precision; /* -1: none */
};

static void put_padded(struct output *out, const struct conversion *c, const char *text,
                       size_t length)
{
	size_t padding = (size_t)c->width > length ? (size_t)c->width - length : 0;

	if (!c->left)
		for (; padding > 0; padding--)
			put(out, ' ');
	for (size_t i = 0; i < length; i++)
		put(out, text[i]);
	for (; padding > 0; padding--)
		put(out, ' ');
}

static void put_number(struct output *out, struct conversion *c, uint64_t value, unsigned base,
                       bool negative)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	if (c->zero && !c->left) {
		if (negative) {
			put(out, '-');
			c->width -= c->width > 0;
		}
		for (int n = c->width - (int)(sizeof(digits) - at); n > 0; n--)
			put(out, '0');
		c->width = 0;
	} else if (negative) {
		digits[--at] = '-';
	}
	put_padded(out, c, digits + at, sizeof(digits) - at);
}

static size_t length_within(const char *text, int limit)
{
	size_t length = 0;

	while ((limit < 0 || length < (size_t)limit) && text[length] != '\0')
		length++;
	return length;
}

static const char *parse_number(const char *format, int *number, va_list *args)
{
	if (*format == '*') {
		*number = va_arg(*args, int);
		return format + 1;
	}
	*number = 0;
	while (*format >= '0' && *format <= '9')
		*number = *number * 10 + (*format++ - '0');
	return format;
}

/* One conversion, format standing after its '%'; returns what follows it. */
static const char *convert(struct output *out, const char *format, va_list *args)
{
	struct conversion c = {.precision = -1};
	unsigned longs = 0;

	for (;; format++) {
		if (*format == '-')
			c.left = true;
		else if (*format == '0')
			c.zero = true;
		else
			break;
	}
	format = parse_number(format, &c.width, args);
	if (*format == '.')
		format = parse_number(format + 1, &c.precision, args);
	for (; *format == 'l' || *format == 'z'; format++)
		longs++;

	switch (*format) {
	case 'd':
	case 'i': {
		int64_t value = longs > 0 ? va_arg(*args, int64_t) : va_arg(*args, int);
		put_number(out, &c, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0);
		break;
	}
	case 'u':
	case 'x': {
		uint64_t value = longs > 0 ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
		put_number(out, &c, value, *format == 'u' ? 10 : 16, false);
		break;
	}
	case 'p':
		put(out, '0');
		put(out, 'x');
		put_number(out, &c, (uint64_t)va_arg(*args, void *), 16, false);
		break;
	case 'c': {
		char one = (char)va_arg(*args, int);
		put_padded(out, &c, &one, 1);
		break;
	}
	case 's': {
		const char *text = va_arg(*args, const char *);
		if (!text)
			text = "(null)";
		put_padded(out, &c, text, length_within(text, c.precision));
		break;
	}
	case '%':
		put(out, '%');
		break;
	default: /* unknown: shown as it stands */
		put(out, '%');
		return format;
	}
	return format + 1;
}

int kvsnprintf(char *buffer, size_t size, const char *format, va_list args)
{
	struct output out = {.buffer = buffer, .size = size};
	va_list rest;

	va_copy(rest, args);
	while (*format != '\0') {
		if (*format == '%')
			format = convert(&out, format + 1, &rest);
		else
			put(&out, *format++);
	}
	va_end(rest);
	if (size > 0)
		buffer[out.length < size ? out.length : size - 1] = '\0';
	return (int)out.length;
}

int ksnprintf(char *buffer, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int length = kvsnprintf(buffer, size, format, args);
	va_end(args);
	return length;
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
