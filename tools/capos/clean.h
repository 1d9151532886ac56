/* SPDX-License-Identifier: MIT */
/*
 * Makes text from outside safe to print (capos/text.h): what a terminal would obey, and bytes that
 * are not UTF-8, become '?'.  Everything that the host command prints of what the guest or the
 * emulator said goes through here; only the program's own stdout and stderr are passed on
 * unchanged.  Pure.
 */
#ifndef CAPOS_TOOLS_CLEAN_H
#define CAPOS_TOOLS_CLEAN_H

#include <stddef.h>

/* A stream of text in pieces, which may divide a character.  Zeroed: the start. */
struct clean {
	char pending[3]; /* the begin of a character */
	size_t have;     /* bytes in pending */
};

#define CLEAN_PIECE 4096 /* bytes cleaned at a time */

/* Bytes that `out` must have for `size` bytes in: what was pending, and a NUL. */
#define CLEAN_SPACE(size) ((size) + 4)

/* Cleans the next piece of a stream into out, where newlines and tabs stay; the number of bytes
 * there.  A character that is not complete is kept for the next piece. */
size_t clean_add(struct clean *clean, const char *in, size_t size, char *out);

/* Ends the stream: what is pending is no character. */
size_t clean_finish(struct clean *clean, char out[CLEAN_SPACE(0)]);

/* Cleans one line in place: newlines and tabs too become '?'. */
void clean_line(char *line);

#endif
