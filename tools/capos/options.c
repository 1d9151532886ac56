/* SPDX-License-Identifier: MIT */
/*
 * Reads the command line by the tables of options.h, guesses at misspelt names, and checks what no
 * option alone can know.
 */
#include "tools/capos/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "tools/capos/environment.h"
#include "tools/capos/foreign.h"
#include "tools/capos/grant.h"
#include "tools/capos/help.h"

#define NAMES_MAX 64 /* of commands or options, for a guess */

#define FILE_LIMIT_DEFAULT (UINT64_C(1) << 30)
/* A person may look at a page of output for a while; a script that waits must end. */
#define DRAIN_DEFAULT 60

/* Ends the process: no such command or option ("--" before it).  help: what says which exist. */
_Noreturn static void die_unknown(const char *what, const char *prefix, const char *name,
                                  const char *const *names, size_t count, const char *help)
{
	const char *near = nearest_name(name, names, count);

	if (near)
		die("unknown %s %s%s; did you mean %s%s?", what, prefix, name, prefix, near);
	die("unknown %s %s%s; see capos %s", what, prefix, name, help);
}

static enum command find_command(const char *name)
{
	const char *names[COMMAND_COUNT];

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(command_table[i].name, name) == 0)
			return (enum command)i;
		names[i] = command_table[i].name;
	}
	if (name[0] == '-')
		die("unknown option %s before the command; see capos help", name);
	die_unknown("command", "", name, names, COMMAND_COUNT, "help");
}

/* ---- One option ---- */

/* Ends the process if `capos run` has that option: it has all that exist. */
static void die_of_another_command(enum command command, const char *name, size_t length)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option_entry *option = &option_table[i];
		if ((option->commands & COMMAND_BIT(COMMAND_RUN)) &&
		    strncmp(option->name, name, length) == 0 && option->name[length] == '\0')
			die("capos %s takes no --%s; capos run does", command_table[command].name,
			    option->name);
	}
}

static const struct option_entry *find_long(enum command command, const char *name, size_t length)
{
	const char *names[NAMES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < option_count; i++) {
		const struct option_entry *option = &option_table[i];
		if (!(option->commands & COMMAND_BIT(command)))
			continue;
		if (strncmp(option->name, name, length) == 0 && option->name[length] == '\0')
			return option;
		if (count < NAMES_MAX - 1)
			names[count++] = option->name;
	}
	names[count++] = "help";
	die_of_another_command(command, name, length);
	const char *instead = foreign_option(name, length);
	if (instead)
		die("there is no option --%.*s: %s", (int)length, name, instead);
	die_unknown("option", "--", must_format("%.*s", (int)length, name), names, count,
	            must_format("help %s", command_table[command].name));
}

static const struct option_entry *find_letter(enum command command, const char *argument)
{
	for (size_t i = 0; i < option_count; i++) {
		if ((option_table[i].commands & COMMAND_BIT(command)) &&
		    option_table[i].letter == argument[1])
			return &option_table[i];
	}
	for (size_t i = 0; i < option_count; i++) {
		if (option_table[i].letter == argument[1])
			die_of_another_command(command, option_table[i].name,
			                       strlen(option_table[i].name));
	}
	const char *instead = foreign_letter(argument[1]);
	if (instead)
		die("there is no option %s: %s", argument, instead);
	die("unknown option %s; see capos help %s", argument, command_table[command].name);
}

/* How the option was written: for messages. */
static const char *spelling(const struct option_entry *option, bool is_long)
{
	return is_long ? must_format("--%s", option->name) : must_format("-%c", option->letter);
}

/* Takes one option, and its value from the same or the next argument; how many arguments it
 * used. */
static int take_option(enum command command, char **argv, struct settings *settings)
{
	const char *argument = argv[0];
	bool is_long = argument[1] == '-';
	const struct option_entry *option;
	const char *value = NULL;
	int used = 1;

	if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
		help_command(command);
	if (is_long) {
		size_t length = strcspn(argument + 2, "=");
		option = find_long(command, argument + 2, length);
		if (argument[2 + length] == '=')
			value = argument + 2 + length + 1;
	} else {
		option = find_letter(command, argument);
		if (argument[2] != '\0' && argument[2] != '=' && !option->value) {
			/* Letters that take no value may stand together: -it. */
			option->set(settings, NULL);
			argv[0] = must_format("-%s", argument + 2);
			return take_option(command, argv, settings);
		}
		if (argument[2] != '\0')
			value = argument + 2 + (argument[2] == '=');
	}
	const char *name = spelling(option, is_long);
	if (!option->value && value)
		die("%s takes no value", name);
	if (option->value && !value) {
		value = argv[1];
		if (!value)
			die("%s needs a value: %s", name, option->value);
		used = 2;
	}
	const char *problem = option->set(settings, value);
	if (problem)
		die("%s%s%s: %s", name, value ? " " : "", value ? value : "", problem);
	return used;
}

/* ---- What no option alone can know ---- */

static bool may_listen(const struct settings *s, const struct forward *forward)
{
	for (size_t i = 0; i < s->ngrants; i++) {
		const struct grant *grant = &s->grants[i];
		if (forward->udp
		            ? grant->kind == GRANT_UDP
		            : grant->kind == GRANT_LISTEN && grant->port == forward->guest_port)
			return true;
	}
	return false;
}

/* A published TCP port is a port that the program may listen on. */
static void add_implied_grants(struct settings *s)
{
	for (size_t i = 0; i < s->nforwards && s->ngrants > 0; i++) {
		const struct forward *forward = &s->forwards[i];
		if (may_listen(s, forward))
			continue;
		if (forward->udp)
			die("publishing the UDP port %u needs --allow udp as well: there is no "
			    "right "
			    "to a single UDP port",
			    forward->guest_port);
		if (s->ngrants == LIST_MAX)
			die("too many network rights");
		s->grants[s->ngrants++] =
		        (struct grant){.kind = GRANT_LISTEN, .port = forward->guest_port};
	}
}

/* What a shell is, and the host's name for the kind of its terminal. */
static void add_terminal(enum command command, struct settings *s)
{
	static char shell[] = "sh", *program[] = {shell, NULL};
	struct string_list term = {.count = 0};

	if (command == COMMAND_SHELL) {
		if (s->program)
			die("capos shell runs no program: capos run -it -- %s", s->program[0]);
		s->program = program;
		s->terminal = true;
	}
	if (!s->terminal || !getenv("TERM"))
		return;
	environment_add(&term, "TERM");
	environment_merge(&s->env, &term);
}

static void check_together(enum command command, struct settings *s)
{
	for (size_t i = 0; i < s->ngrants; i++) {
		if (s->grants[i].kind == GRANT_NONE && s->ngrants > 1)
			die("--allow none stands alone");
	}
	if (s->nforwards > 0 && (s->net == NET_TAP || s->net == NET_NONE))
		die("a port can be published only by --net user or --net passt");
	if (s->pcap && s->net == NET_NONE)
		die("--pcap needs a network card (not --net none)");
	if (command == COMMAND_RUN && !s->program && !s->image)
		die("no program: capos %s", command_table[command].usage);
	if (command == COMMAND_CAPS && s->program)
		die("capos caps runs no program");
	if (command == COMMAND_IMAGE && !s->written_image)
		die("no file: capos %s", command_table[command].usage);
	const char *problem = environment_merge(&s->env, &s->env_files);
	if (problem)
		die("--env-file: %s", problem);
	add_terminal(command, s);
	add_implied_grants(s);
}

/* ---- The whole ---- */

_Noreturn static void print_version(void)
{
	printf("capos %s\n", PACKAGE_VERSION);
	exit(finish_stdout(0));
}

/* help and version: ends the process; returns when it is another command. */
static void run_informative(enum command command, char **arguments)
{
	if (command == COMMAND_SDK && arguments[0] &&
	    (strcmp(arguments[0], "--help") == 0 || strcmp(arguments[0], "-h") == 0))
		help_command(command);
	if (command != COMMAND_HELP && command != COMMAND_VERSION)
		return;
	bool more = arguments[0] && strcmp(arguments[0], "--help") != 0 &&
	            strcmp(arguments[0], "-h") != 0;
	if (arguments[0] && !more)
		help_command(command);
	if (more && (command == COMMAND_VERSION || arguments[1]))
		die("unexpected argument %s; see capos help",
		    arguments[command == COMMAND_HELP ? 1 : 0]);
	if (command == COMMAND_VERSION)
		print_version();
	if (more)
		help_command(find_command(arguments[0]));
	help_general();
}

enum command options_parse(int argc, char **argv, struct settings *s)
{
	*s = (struct settings){
	        .memory_mib = MEMORY_DEFAULT,
	        .drain_seconds = DRAIN_DEFAULT,
	        .file_limit = FILE_LIMIT_DEFAULT,
	};
	if (argc < 2)
		die("no command; see capos help");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		help_general();
	if (strcmp(argv[1], "--version") == 0)
		print_version();
	enum command command = find_command(argv[1]);
	run_informative(command, argv + 2);
	if (command == COMMAND_SDK) {
		s->program = argv + 2;
		return command;
	}

	int i = 2;
	while (i < argc && strcmp(argv[i], "--") != 0) {
		if (argv[i][0] == '-' && argv[i][1] != '\0') {
			i += take_option(command, argv + i, s);
		} else if (command == COMMAND_IMAGE && !s->written_image) {
			s->written_image = argv[i++];
		} else if (command == COMMAND_RUN) {
			break; /* the program; -- may be left out */
		} else {
			die("unexpected argument %s; see capos help %s", argv[i],
			    command_table[command].name);
		}
	}
	if (i < argc && strcmp(argv[i], "--") == 0)
		i++;
	if (i < argc)
		s->program = argv + i;
	s->list_capabilities = command == COMMAND_CAPS;
	check_together(command, s);
	return command;
}
