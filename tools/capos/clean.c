/* SPDX-License-Identifier: MIT */
/*
 * Makes text from outside safe to print, by the function with which the kernel and init judge it
 * too (capos/text.h).
 */
#include "tools/capos/clean.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <capos/text.h>

/* Bytes at the end of the text that may be the begin of a character whose rest is still to come. */
static size_t incomplete_length(const char *text, size_t size)
{
	for (size_t back = 1; back <= 3 && back <= size; back++) {
		unsigned char byte = (unsigned char)text[size - back];
		size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
		if (byte >= 0xc0)
			return length > back ? back : 0;
		if (byte < 0x80)
			return 0;
	}
	return 0;
}

/* Cleans text of whole characters, in which newlines and tabs stay. */
static size_t clean_whole(const char *text, size_t size, char *out)
{
	size_t length = 0;

	for (size_t done = 0; done < size;) {
		size_t run = 0;
		while (done + run < size && text[done + run] != '\n' && text[done + run] != '\t')
			run++;
		length += text_clean(out + length, (uint32_t)run + 1, text + done, (uint32_t)run);
		done += run;
		if (done < size)
			out[length++] = text[done++];
	}
	return length;
}

size_t clean_add(struct clean *clean, const char *in, size_t size, char *out)
{
	char joined[CLEAN_PIECE + sizeof(clean->pending)];
	size_t length = 0;

	while (size > 0) {
		size_t piece = size < CLEAN_PIECE ? size : CLEAN_PIECE;
		memcpy(joined, clean->pending, clean->have);
		memcpy(joined + clean->have, in, piece);
		size_t whole = clean->have + piece;
		clean->have = incomplete_length(joined, whole);
		whole -= clean->have;
		memcpy(clean->pending, joined + whole, clean->have);
		length += clean_whole(joined, whole, out + length);
		in += piece;
		size -= piece;
	}
	return length;
}

size_t clean_finish(struct clean *clean, char out[CLEAN_SPACE(0)])
{
	size_t length = clean_whole(clean->pending, clean->have, out);

	clean->have = 0;
	return length;
}

void clean_line(char *line)
{
	size_t length = strlen(line);

	text_clean(line, (uint32_t)length + 1, line, (uint32_t)length);
}
