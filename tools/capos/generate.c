/* SPDX-License-Identifier: MIT */
/*
 * generate WHAT: writes to stdout what is made at build time from the tables of options.h, so that
 * it never says anything else than the command does.
 *
 *     man          capos(1)
 *     man COMMAND  capos-COMMAND(1)
 *     bash, zsh, fish
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "tools/capos/options.h"

/* What `capos sdk` takes (sdk.c). */
#define SDK_WORDS "cmake meson env"

/* Commands with a page and options of their own. */
static bool has_options(enum command command)
{
	return command == COMMAND_RUN || command == COMMAND_SHELL || command == COMMAND_IMAGE ||
	       command == COMMAND_CAPS;
}

static bool takes(enum command command, const struct option_entry *option)
{
	return (option->commands & COMMAND_BIT(command)) != 0;
}

/* Length of the help's first clause: what a list of choices has space for. */
static size_t clause_length(const char *help)
{
	size_t length = 0;

	while (help[length] != '\0' && !(strchr(".;:", help[length]) &&
	                                 (help[length + 1] == ' ' || help[length + 1] == '\0')))
		length++;
	return length;
}

/* ---- Manual pages ---- */

/* Text for troff: each sentence as it is, what troff would understand escaped. */
static void put_roff(const char *text)
{
	bool begin = true;

	for (; *text != '\0'; text++) {
		if (begin && (*text == '.' || *text == '\''))
			printf("\\&");
		if (*text == '-')
			printf("\\-");
		else if (*text == '\\')
			printf("\\e");
		else if (*text == '\n')
			printf("\n.PP\n");
		else
			putchar(*text);
		begin = *text == '\n';
	}
	putchar('\n');
}

static void put_heading(const char *name, const char *brief)
{
	printf(".\\\" Made by tools/capos/generate.c\n"
	       ".TH %s 1 \"\" \"capOS %s\" \"capOS\"\n"
	       ".SH NAME\n",
	       name, PACKAGE_VERSION);
	printf("%s \\- ", name);
	put_roff(brief);
}

static void put_man_options(enum command command)
{
	printf(".SH OPTIONS\n");
	for (size_t i = 0; i < option_count; i++) {
		const struct option_entry *option = &option_table[i];
		if (!takes(command, option))
			continue;
		printf(".TP\n.B ");
		if (option->letter != '\0')
			printf("\\-%c\\fR, \\fB", option->letter);
		printf("\\-\\-");
		for (const char *c = option->name; *c != '\0'; c++)
			printf(*c == '-' ? "\\-" : "%c", *c);
		printf(option->value ? "\\fR \\fI%s\\fR\n" : "\n", option->value);
		put_roff(option->help);
	}
}

static void put_page(enum command command)
{
	const struct command_entry *entry = &command_table[command];
	char name[64];

	snprintf(name, sizeof(name), "capos-%s", entry->name);
	put_heading(name, entry->brief);
	printf(".SH SYNOPSIS\n.B capos\n");
	put_roff(entry->usage);
	printf(".SH DESCRIPTION\n");
	put_roff(entry->text);
	put_man_options(command);
	printf(".SH SEE ALSO\n.BR capos (1),\n.BR capos\\-toolchain (1)\n");
}

static void put_main_page(void)
{
	put_heading("capos", "runs programs in capOS machines");
	printf(".SH SYNOPSIS\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		printf(".B capos\n");
		put_roff(command_table[i].usage);
		printf(".br\n");
	}
	printf(".SH DESCRIPTION\n");
	put_roff("capOS is a capability operating system on which Unix network programs run with "
	         "exactly the network rights that they were given. This command starts it in an "
	         "emulated machine.");
	printf(".SH COMMANDS\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		printf(".TP\n.B %s\n", command_table[i].name);
		put_roff(command_table[i].brief);
	}
	printf(".SH ENVIRONMENT\n.TP\n.B CAPOS_QEMU\n");
	put_roff("The emulator, instead of the one that was found when capos was built.");
	printf(".TP\n.B NO_COLOR\n");
	put_roff("When it is set and not empty, messages are never coloured.");
	printf(".SH EXIT STATUS\n");
	put_roff("Of capos run the program's; 125 when capos itself failed.");
	printf(".SH SEE ALSO\n.BR capos\\-run (1),\n.BR capos\\-image (1),\n"
	       ".BR capos\\-caps (1),\n.BR capos\\-toolchain (1)\n");
}

/* ---- Completion: bash ---- */

static void put_bash_values(void)
{
	printf("\tcase $previous in\n");
	for (size_t i = 0; i < option_count; i++) {
		const struct option_entry *option = &option_table[i];
		if (!option->value)
			continue;
		printf("\t--%s", option->name);
		if (option->letter != '\0')
			printf(" | -%c", option->letter);
		if (option->complete && option->complete[0] == '<')
			printf(") COMPREPLY=($(compgen -P \"$prefix\" -f -- \"$current\")); return "
			       ";;\n");
		else if (option->complete)
			printf(") COMPREPLY=($(compgen -P \"$prefix\" -W '%s' -- "
			       "\"$current\")); return ;;\n",
			       option->complete);
		else
			printf(") return ;;\n");
	}
	printf("\tesac\n");
}

static void put_words(enum command command)
{
	for (size_t i = 0; i < option_count; i++) {
		if (takes(command, &option_table[i]))
			printf("--%s ", option_table[i].name);
	}
	printf("--help");
}

static void put_bash(void)
{
	printf("# Completion of capos for bash.  Made by tools/capos/generate.c\n"
	       "_capos() {\n"
	       "\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} i "
	       "options= prefix=\n"
	       "\tCOMPREPLY=()\n"
	       "\t# --name=value: = may part words, as it does unless COMP_WORDBREAKS was "
	       "changed.\n"
	       "\tif [ \"$previous\" = = ]; then\n"
	       "\t\tprevious=${COMP_WORDS[COMP_CWORD-2]}\n"
	       "\telif [ \"$current\" = = ]; then\n"
	       "\t\tcurrent=\n"
	       "\telif [[ $current == --*=* ]]; then\n"
	       "\t\tprevious=${current%%%%=*} prefix=$previous= current=${current#*=}\n"
	       "\tfi\n"
	       "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W '");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("%s ", command_table[i].name);
	printf("--help --version' -- \"$current\"))\n"
	       "\t\treturn\n"
	       "\tfi\n"
	       "\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	       "\t\tif [ \"${COMP_WORDS[i]}\" = -- ]; then\n"
	       "\t\t\tCOMPREPLY=($(compgen -f -- \"$current\"))\n"
	       "\t\t\treturn\n"
	       "\t\tfi\n"
	       "\tdone\n");
	put_bash_values();
	printf("\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		printf("\t%s) options='", command_table[i].name);
		put_words((enum command)i);
		printf("' ;;\n");
	}
	printf("\tesac\n"
	       "\tcase ${COMP_WORDS[1]}$current in\n"
	       "\thelp[!-]* | help) COMPREPLY=($(compgen -W '");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("%s%s", i > 0 ? " " : "", command_table[i].name);
	printf("' -- \"$current\")) ;;\n"
	       "\tsdk[!-]* | sdk) COMPREPLY=($(compgen -W '" SDK_WORDS "' -- \"$current\")) ;;\n"
	       "\tversion*) ;;\n"
	       "\t*) case $current in\n"
	       "\t\t-*) COMPREPLY=($(compgen -W \"$options\" -- \"$current\")) ;;\n"
	       "\t\t*) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n"
	       "\t\tesac ;;\n"
	       "\tesac\n"
	       "}\n"
	       "complete -o filenames -F _capos capos\n");
}

/* ---- Completion: zsh ---- */

/* Within single quotes, as a part of an _arguments specification. */
static void put_zsh(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\'')
			printf("'\\''");
		else if (strchr("[]:\\", text[i]))
			printf("\\%c", text[i]);
		else
			putchar(text[i]);
	}
}

static void put_zsh_option(const struct option_entry *option)
{
	printf("\t\t\t");
	/* The value is the next word, or follows behind = or the letter. */
	if (option->letter != '\0')
		printf("'*'{-%c%s,--%s%s}'[", option->letter, option->value ? "+" : "",
		       option->name, option->value ? "=" : "");
	else
		printf("'*--%s%s[", option->name, option->value ? "=" : "");
	put_zsh(option->help, clause_length(option->help));
	printf("]");
	if (option->value) {
		printf(":");
		put_zsh(option->value, strlen(option->value));
		if (option->complete && option->complete[0] == '<') {
			printf(":_files");
		} else if (option->complete) {
			printf(":(");
			put_zsh(option->complete, strlen(option->complete));
			printf(")");
		} else {
			printf(": ");
		}
	}
	printf("' \\\n");
}

static void put_zsh_all(void)
{
	printf("#compdef capos\n# Completion of capos for zsh.  Made by tools/capos/generate.c\n"
	       "_capos() {\n"
	       "\tlocal curcontext=\"$curcontext\" state line\n"
	       "\tlocal -a commands\n"
	       "\tcommands=(\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("\t\t'%s:%s'\n", command_table[i].name, command_table[i].brief);
	printf("\t)\n"
	       "\t_arguments -C '1: :->command' '*:: :->rest'\n"
	       "\tcase $state in\n"
	       "\tcommand) _describe command commands ;;\n"
	       "\trest)\n"
	       "\t\tcase $line[1] in\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (!has_options((enum command)i))
			continue;
		printf("\t\t%s) _arguments \\\n", command_table[i].name);
		for (size_t j = 0; j < option_count; j++) {
			if (takes((enum command)i, &option_table[j]))
				put_zsh_option(&option_table[j]);
		}
		printf("\t\t\t'--help[prints the options]' '*:: :_files' ;;\n");
	}
	printf("\t\thelp) _describe command commands ;;\n"
	       "\t\tsdk) compadd " SDK_WORDS " ;;\n"
	       "\t\tesac ;;\n"
	       "\tesac\n"
	       "}\n"
	       "_capos \"$@\"\n");
}

/* ---- Completion: fish ---- */

static void put_fish_text(const char *text, size_t length)
{
	putchar('\'');
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\'' || text[i] == '\\')
			putchar('\\');
		putchar(text[i]);
	}
	putchar('\'');
}

static void put_fish(void)
{
	printf("# Completion of capos for fish.  Made by tools/capos/generate.c\n"
	       "complete -c capos -n __fish_use_subcommand -f\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		printf("complete -c capos -n __fish_use_subcommand -a %s -d ",
		       command_table[i].name);
		put_fish_text(command_table[i].brief, strlen(command_table[i].brief));
		putchar('\n');
	}
	printf("complete -c capos -n '__fish_seen_subcommand_from help' -f -a '");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("%s%s", i > 0 ? " " : "", command_table[i].name);
	printf("'\n"
	       "complete -c capos -n '__fish_seen_subcommand_from sdk' -f -a '" SDK_WORDS "'\n"
	       "complete -c capos -n '__fish_seen_subcommand_from version' -f\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		for (size_t j = 0; j < option_count; j++) {
			const struct option_entry *option = &option_table[j];
			if (!takes((enum command)i, option))
				continue;
			printf("complete -c capos -n '__fish_seen_subcommand_from %s' -l %s",
			       command_table[i].name, option->name);
			if (option->letter != '\0')
				printf(" -s %c", option->letter);
			if (option->value && option->complete && option->complete[0] == '<')
				printf(" -r -F");
			else if (option->value)
				printf(" -x");
			if (option->complete && option->complete[0] != '<')
				printf(" -a '%s'", option->complete);
			printf(" -d ");
			put_fish_text(option->help, clause_length(option->help));
			putchar('\n');
		}
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	bool made = true;

	if (strcmp(what, "bash") == 0) {
		put_bash();
	} else if (strcmp(what, "zsh") == 0) {
		put_zsh_all();
	} else if (strcmp(what, "fish") == 0) {
		put_fish();
	} else if (strcmp(what, "man") == 0 && argc == 2) {
		put_main_page();
	} else if (strcmp(what, "man") == 0) {
		made = false;
		for (size_t i = 0; i < COMMAND_COUNT; i++) {
			if (strcmp(command_table[i].name, argv[2]) != 0)
				continue;
			put_page((enum command)i);
			made = true;
		}
	} else {
		made = false;
	}
	if (!made)
		die("generate: man [COMMAND], bash, zsh or fish");
	return finish_stdout(0);
}
