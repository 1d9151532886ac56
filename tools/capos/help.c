/* SPDX-License-Identifier: MIT */
/*
 * The command's help.  Text is wrapped here: the tables hold paragraphs.
 */
#include "tools/capos/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH  80
#define INDENT 8 /* of an option's description */

static void print_wrapped(const char *text, int indent)
{
	int column = 0;

	while (*text != '\0') {
		int length = (int)strcspn(text, " \n");
		if (column > 0 && column + 1 + length > WIDTH) {
			putchar('\n');
			column = 0;
		}
		column += column == 0 ? printf("%*s%.*s", indent, "", length, text)
		                      : printf(" %.*s", length, text);
		text += length;
		if (*text == '\n') {
			printf("\n\n");
			column = 0;
		}
		text += *text != '\0';
	}
	putchar('\n');
}

_Noreturn static void finish(void)
{
	exit(finish_stdout(0));
}

static void print_option(const struct option_entry *option)
{
	printf("  ");
	if (option->letter != '\0')
		printf("-%c, ", option->letter);
	printf("--%s%s%s\n", option->name, option->value ? " " : "",
	       option->value ? option->value : "");
	print_wrapped(option->help, INDENT);
}

void help_command(enum command command)
{
	bool any = false;

	printf("usage: capos %s\n\n", command_table[command].usage);
	print_wrapped(command_table[command].text, 0);
	for (size_t i = 0; i < option_count; i++) {
		if (!(option_table[i].commands & COMMAND_BIT(command)))
			continue;
		printf("%s", any ? "" : "\noptions:\n");
		any = true;
		print_option(&option_table[i]);
	}
	finish();
}

void help_general(void)
{
	printf("capos: runs programs in capOS machines\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  capos %s\n      %s\n", command_table[i].usage, command_table[i].brief);
	printf("\n`capos help COMMAND` says more about each.\n");
	finish();
}
