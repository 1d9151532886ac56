/* SPDX-License-Identifier: MIT */
/*
 * Cleaning of text that another process chose.  Pure, and free of memory of its own: the kernel
 * links this file too.
 */
#include <stdbool.h>

#include <capos/text.h>

/* Ranges of code points above ASCII that are not shown (Unicode 15: Cc, Zl, Zp, most of Cf, Cn's
 * noncharacters are checked apart). */
static const struct {
	uint32_t first, last;
} hidden[] = {
        {0x80, 0x9f},       /* C1 control characters */
        {0xad, 0xad},       /* soft hyphen */
        {0x61c, 0x61c},     /* Arabic letter mark */
        {0x180e, 0x180e},   /* Mongolian vowel separator */
        {0x200b, 0x200f},   /* zero width, direction marks */
        {0x2028, 0x202e},   /* line and paragraph separator, embeddings and overrides */
        {0x2060, 0x206f},   /* invisible operators, isolates */
        {0xd800, 0xdfff},   /* surrogates: not valid in UTF-8 */
        {0xfdd0, 0xfdef},   /* noncharacters */
        {0xfe00, 0xfe0f},   /* variation selectors */
        {0xfeff, 0xfeff},   /* byte order mark */
        {0xfff0, 0xfffb},   /* specials */
        {0xe0000, 0xe0fff}, /* tags, more variation selectors */
};

static bool shown(uint32_t code)
{
	if (code < 0x80)
		return code >= ' ' && code <= '~';
	for (uint32_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return false;
	return code <= 0x10ffff && (code & 0xfffe) != 0xfffe;
}

/* Bytes of the character at text if it is complete, in its shortest form and may be shown; else
 * 0. */
static uint32_t character(const unsigned char *text, uint32_t length)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length */
	uint32_t n = text[0] < 0x80   ? 1
	             : text[0] < 0xc0 ? 0
	             : text[0] < 0xe0 ? 2
	             : text[0] < 0xf0 ? 3
	             : text[0] < 0xf8 ? 4
	                              : 0;
	uint32_t code = n == 1 ? text[0] : text[0] & (0x7fu >> n);

	if (n == 0 || n > length)
		return 0;
	for (uint32_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	return code >= least[n] && shown(code) ? n : 0;
}

uint32_t text_clean(char *out, uint32_t size, const char *text, uint32_t length)
{
	const unsigned char *in = (const unsigned char *)text;
	uint32_t done = 0, at = 0;

	while (at < length) {
		uint32_t n = character(in + at, length - at);

		if (done + (n ? n : 1) >= size)
			break;
		if (!n) {
			out[done++] = '?';
			at++;
		}
		for (; n; n--)
			out[done++] = (char)in[at++];
	}
	out[done] = 0;
	return done;
}

static bool name_character(char c)
{
	static const char others[] = "-_.+@[]";

	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	for (const char *p = others; *p; p++)
		if (*p == c)
			return true;
	return false;
}

static bool same_letters(const char *name, const char *lower)
{
	while (*name && (*name | 0x20) == *lower) {
		name++;
		lower++;
	}
	return !*name && !*lower;
}

uint32_t text_clean_name(char *out, uint32_t size, const char *text, uint32_t length)
{
	static const char unnamed[] = "unnamed";
	uint32_t n = length < size - 1 ? length : size - 1;

	for (uint32_t i = 0; i < n; i++)
		out[i] = name_character(text[i]) ? text[i] : '_';
	out[n] = 0;
	if (same_letters(out, "kernel") || same_letters(out, "panic")) {
		for (uint32_t i = ++n; i > 0; i--)
			out[i] = out[i - 1];
		out[0] = '_';
	}
	if (n)
		return n;
	for (uint32_t i = 0; i < sizeof(unnamed); i++)
		out[i] = unnamed[i];
	return sizeof(unnamed) - 1;
}
