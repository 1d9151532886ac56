/* SPDX-License-Identifier: MIT */
/*
 * A small vsnprintf: integers, strings and characters, no floating point, no locale.  It never
 * writes past size, always ends with NUL when size is not 0, and answers the length that the whole
 * text has.
 */
#include <stdbool.h>
#include <stdint.h>

#include <capos/format.h>

struct output {
	char *buffer;
	size_t size;
	size_t length; /* of the text so far, whether it fitted or not */
};

struct spec {
	bool left, zero;
	int width;
	int precision; /* -1: none given */
	int longs;     /* 0 int, 1 long or size_t, 2 long long */
};

static void put(struct output *out, char c)
{
	if (out->length + 1 < out->size)
		out->buffer[out->length] = c;
	out->length++;
}

static void put_repeated(struct output *out, char c, int count)
{
	while (count-- > 0)
		put(out, c);
}

/* text of length bytes, padded to the width; prefix (a sign) goes before padding zeros. */
static void put_padded(struct output *out, const struct spec *spec, const char *prefix,
                       const char *text, int length)
{
	bool zero = spec->zero && !spec->left;
	int pad = spec->width - length;

	for (const char *p = prefix; *p; p++)
		pad--;
	if (!spec->left && !zero)
		put_repeated(out, ' ', pad);
	while (*prefix)
		put(out, *prefix++);
	if (zero)
		put_repeated(out, '0', pad);
	for (int i = 0; i < length; i++)
		put(out, text[i]);
	if (spec->left)
		put_repeated(out, ' ', pad);
}

static void put_number(struct output *out, const struct spec *spec, uint64_t value,
                       const char *prefix, unsigned base, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[20]; /* 2^64 has 20 decimal digits */
	int place = sizeof(text);

	do {
		text[--place] = digits[value % base];
		value /= base;
	} while (value);
	put_padded(out, spec, prefix, text + place, (int)sizeof(text) - place);
}

static void put_string(struct output *out, struct spec *spec, const char *text)
{
	int length = 0;

	if (!text)
		text = "(null)";
	while ((spec->precision < 0 || length < spec->precision) && text[length])
		length++;
	spec->zero = false;
	put_padded(out, spec, "", text, length);
}

/* va_list is an array type, so it travels in a struct to be advanced by what it is passed to. */
struct arguments {
	va_list list;
};

static int64_t signed_argument(struct arguments *args, int longs)
{
	if (longs >= 2)
		return va_arg(args->list, long long);
	return longs ? va_arg(args->list, long) : va_arg(args->list, int);
}

static uint64_t unsigned_argument(struct arguments *args, int longs)
{
	if (longs >= 2)
		return va_arg(args->list, unsigned long long);
	return longs ? va_arg(args->list, unsigned long) : va_arg(args->list, unsigned int);
}

static const char *parse_count(const char *p, struct arguments *args, int *count)
{
	*count = 0;
	if (*p == '*') {
		*count = va_arg(args->list, int);
		return p + 1;
	}
	while (*p >= '0' && *p <= '9' && *count < 100000)
		*count = *count * 10 + (*p++ - '0');
	return p;
}

static const char *parse_spec(const char *p, struct arguments *args, struct spec *spec)
{
	*spec = (struct spec){.precision = -1};
	for (; *p == '-' || *p == '0'; p++) {
		spec->left |= *p == '-';
		spec->zero |= *p == '0';
	}
	p = parse_count(p, args, &spec->width);
	if (spec->width < 0) {
		spec->left = true;
		spec->width = spec->width == INT32_MIN ? 0 : -spec->width;
	}
	if (*p == '.')
		p = parse_count(p + 1, args, &spec->precision);
	for (; *p == 'l' || *p == 'z'; p++)
		spec->longs++;
	return p;
}

static void put_conversion(struct output *out, char conversion, struct spec *spec,
                           struct arguments *args)
{
	int64_t value;
	char c;

	switch (conversion) {
	case 'd':
	case 'i':
		value = signed_argument(args, spec->longs);
		put_number(out, spec, value < 0 ? 0 - (uint64_t)value : (uint64_t)value,
		           value < 0 ? "-" : "", 10, false);
		break;
	case 'u':
		put_number(out, spec, unsigned_argument(args, spec->longs), "", 10, false);
		break;
	case 'x':
	case 'X':
		put_number(out, spec, unsigned_argument(args, spec->longs), "", 16,
		           conversion == 'X');
		break;
	case 'p':
		put_number(out, spec, (uintptr_t)va_arg(args->list, void *), "0x", 16, false);
		break;
	case 'c':
		c = (char)va_arg(args->list, int);
		spec->zero = false;
		put_padded(out, spec, "", &c, 1);
		break;
	case 's':
		put_string(out, spec, va_arg(args->list, const char *));
		break;
	case '%':
		put(out, '%');
		break;
	default: /* shown as it stands, so that the mistake is seen */
		put(out, '%');
		put(out, conversion);
	}
}

int fmt_vsnprintf(char *buffer, size_t size, const char *format, va_list args)
{
	struct output out = {.buffer = buffer, .size = size};
	struct arguments rest;

	va_copy(rest.list, args);
	for (const char *p = format; *p; p++) {
		struct spec spec;

		if (*p != '%') {
			put(&out, *p);
			continue;
		}
		p = parse_spec(p + 1, &rest, &spec);
		if (!*p)
			break;
		put_conversion(&out, *p, &spec, &rest);
	}
	va_end(rest.list);
	if (size)
		buffer[out.length < size ? out.length : size - 1] = 0;
	return (int)out.length;
}

int fmt_snprintf(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = fmt_vsnprintf(buffer, size, format, args);
	va_end(args);
	return length;
}
