/* SPDX-License-Identifier: MIT */
/*
 * A script's first line as Linux reads it: "#!", the interpreter, and all that follows it as one
 * argument, without the blanks around.
 */
#include <errno.h>
#include <stddef.h>
#include <stdbool.h>
#include <string.h>

#include "process/script.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

int script_read(const void *file, uint64_t size, struct script_line *line)
{
	const uint64_t most = sizeof(line->text) - 1;
	uint64_t length = size < most ? size : most;
	char *end, *at;

	if (length < 2 || memcmp(file, "#!", 2))
		return 0;
	memcpy(line->text, file, length);
	line->text[length] = 0;
	end = memchr(line->text, '\n', length);
	/* A line that is cut off in the interpreter's name names another. */
	if (!end && length == most && !strpbrk(skip_blanks(line->text + 2), " \t"))
		return -ENOEXEC;
	if (!end)
		end = line->text + strlen(line->text);
	while (end > line->text + 2 && is_blank(end[-1]))
		end--;
	*end = 0;
	line->interpreter = skip_blanks(line->text + 2);
	if (!*line->interpreter)
		return -ENOEXEC;
	at = line->interpreter + strcspn(line->interpreter, " \t");
	line->argument = NULL;
	if (*at) {
		*at = 0;
		line->argument = skip_blanks(at + 1);
	}
	return 1;
}
