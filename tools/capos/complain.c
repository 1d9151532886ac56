/* SPDX-License-Identifier: MIT */
/*
 * How the host command reports failures.  The prefix is coloured on a terminal, unless NO_COLOR is
 * set (no-color.org) or the terminal is "dumb".
 */
#include "tools/capos/complain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/capos/capos.h"
#include "tools/capos/clean.h"

#define LINE_MAX_BYTES \
	4096 /* a path of PATH_MAX may be cut; a line longer than that helps no one */

static bool use_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return isatty(STDERR_FILENO) == 1 && (!no_colour || *no_colour == '\0') && terminal &&
	       strcmp(terminal, "dumb") != 0;
}

static void complain_v(const char *format, va_list args)
{
	char line[LINE_MAX_BYTES];

	if (vsnprintf(line, sizeof(line), format, args) < 0)
		snprintf(line, sizeof(line), "(an error whose text cannot be formatted)");
	clean_line(line);
	fprintf(stderr, use_colour() ? "\033[1;31mcapos:\033[0m %s\n" : "capos: %s\n", line);
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_v(format, args);
	va_end(args);
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_v(format, args);
	va_end(args);
	exit(EXIT_MACHINE);
}

int finish_stdout(int status)
{
	bool failed = ferror(stdout);
	int error = fflush(stdout) != 0 ? errno : 0;

	if (!failed && error == 0)
		return status;
	if (error != EPIPE)
		complain("stdout: %s", error != 0 ? strerror(error) : "it could not be written");
	return EXIT_MACHINE;
}

void *must(void *allocated)
{
	if (!allocated)
		die("no memory");
	return allocated;
}

char *must_format(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		die("no memory");
	return text;
}
