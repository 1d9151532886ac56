/* SPDX-License-Identifier: MIT */
/*
 * The command line.  Two tables, of commands and of options, are the one description of it: the
 * parser (options.c), the help (help.c), and the man pages and completions (generate.c) read them.
 */
#ifndef CAPOS_TOOLS_OPTIONS_H
#define CAPOS_TOOLS_OPTIONS_H

#include "tools/capos/capos.h"

enum command {
	COMMAND_RUN,
	COMMAND_SHELL,
	COMMAND_IMAGE,
	COMMAND_CAPS,
	COMMAND_SDK,
	COMMAND_HELP,
	COMMAND_VERSION,
	COMMAND_COUNT
};

struct command_entry {
	const char *name;
	const char *usage; /* what follows "capos " */
	const char *brief; /* one line */
	const char *text;  /* paragraphs, each on one line */
};
extern const struct command_entry command_table[COMMAND_COUNT];

#define COMMAND_BIT(command) (1u << (command))

struct option_entry {
	const char *name;
	char letter;       /* for -x; '\0': none */
	const char *value; /* in the help; NULL: takes none */
	unsigned commands; /* bits of those that take it */
	/* What a shell completes the value with: "<file>", words, or NULL: nothing. */
	const char *complete;
	/* value is NULL for an option without one.  NULL, or what is wrong with the value. */
	const char *(*set)(struct settings *settings, const char *value);
	const char *help; /* one paragraph on one line */
};
extern const struct option_entry option_table[];
extern const size_t option_count;

#define MEMORY_DEFAULT 256 /* MiB */

/*
 * Reads the command line into settings.  A wrong one ends the process with EXIT_MACHINE and a line
 * that names what is wrong; help and version print and end it with 0.
 */
enum command options_parse(int argc, char **argv, struct settings *settings);

#endif
