/* SPDX-License-Identifier: MIT */
/*
 * The command line.  One table of options says for each command what it takes; help, parsing and
 * the guess at a misspelt name all come from it.
 */
#include "tools/capos/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "tools/capos/grant.h"

#define MEMORY_DEFAULT 256
#define MEMORY_MIN     4                  /* MiB: below it not even the boot archive fits */
#define MEMORY_MAX     (1u << 20)         /* MiB: 1 TiB */
#define TIMEOUT_MAX    UINT64_C(31536000) /* seconds: a year */

#define RUN   (1u << COMMAND_RUN)
#define IMAGE (1u << COMMAND_IMAGE)
#define CAPS  (1u << COMMAND_CAPS)

struct option {
	const char *name;
	const char *value; /* in the help; NULL: takes none */
	unsigned commands;
	/* value is NULL for an option without one.  NULL, or what is wrong with the value. */
	const char *(*set)(struct settings *settings, const char *value);
	const char *help;
};

static const char too_many[] = "given too often";

static const char *set_allow(struct settings *s, const char *value)
{
	if (s->ngrants == LIST_MAX)
		return too_many;
	return parse_grant(value, &s->grants[s->ngrants++]);
}

static const char *set_forward(struct settings *s, const char *value)
{
	if (s->nforwards == LIST_MAX)
		return too_many;
	return parse_forward(value, &s->forwards[s->nforwards++]);
}

static const char *set_net(struct settings *s, const char *value)
{
	if (strcmp(value, "user") == 0)
		s->net = NET_USER;
	else if (strcmp(value, "none") == 0)
		s->net = NET_NONE;
	else if (strncmp(value, "tap:", 4) == 0 && value[4] != '\0' && !strpbrk(value + 4, ",= /"))
		s->net = NET_TAP;
	else
		return "must be user, tap:INTERFACE or none";
	s->tap = s->net == NET_TAP ? value + 4 : NULL;
	return NULL;
}

static const char *set_address(struct settings *s, const char *value)
{
	s->address = value; /* request.c reads it, and dies on a wrong one */
	return NULL;
}

static const char *set_file(struct settings *s, const char *value)
{
	const char *colon = strrchr(value, ':');

	if (s->nfiles == LIST_MAX)
		return too_many;
	if (!colon || colon == value || colon[1] != '/')
		return "must be HOST:GUEST, with GUEST an absolute path";
	char *host = must_format("%.*s", (int)(colon - value), value);
	s->files[s->nfiles++] = (struct host_file){.host_path = host, .guest_path = colon + 1};
	return NULL;
}

static const char *set_env(struct settings *s, const char *value)
{
	if (s->env.count == LIST_MAX)
		return too_many;
	if (value[0] == '=' || !strchr(value, '='))
		return "must be NAME=VALUE";
	s->env.items[s->env.count++] = value;
	return NULL;
}

static const char *set_memory(struct settings *s, const char *value)
{
	uint64_t mib;

	if (!parse_number(value, MEMORY_MIN, MEMORY_MAX, &mib))
		return "must be a number of MiB, at least 4";
	s->memory_mib = (uint32_t)mib;
	return NULL;
}

static const char *set_timeout(struct settings *s, const char *value)
{
	uint64_t seconds;

	if (!parse_number(value, 1, TIMEOUT_MAX, &seconds))
		return "must be a number of seconds, at least 1";
	s->timeout_seconds = (uint32_t)seconds;
	return NULL;
}

static const char *set_accel(struct settings *s, const char *value)
{
	static const char *const names[] = {"auto", "kvm", "tcg"};

	for (int i = ACCEL_AUTO; i <= ACCEL_TCG; i++) {
		if (strcmp(value, names[i]) == 0) {
			s->accel = (enum accel)i;
			return NULL;
		}
	}
	return "must be auto, kvm or tcg";
}

#define SET_STRING(field)                                                     \
	static const char *set_##field(struct settings *s, const char *value) \
	{                                                                     \
		s->field = value;                                             \
		return *value != '\0' ? NULL : "must be the name of a file";  \
	}
SET_STRING(pcap)
SET_STRING(log)
SET_STRING(image)
SET_STRING(kernel)

static const char *set_verbose(struct settings *s, const char *value)
{
	(void)value;
	s->verbose = true;
	return NULL;
}

static const struct option options[] = {
        {"allow", "GRANT", RUN | IMAGE | CAPS, set_allow,
         "what the program may do to the network: connect=HOST:PORT (PORT * is any),\n"
         "listen=PORT, udp, icmp, resolve, none.  Repeatable.  Without it: everything;\n"
         "with it: exactly what is named."},
        {"forward", "tcp:HOSTPORT:GUESTPORT", RUN, set_forward,
         "a port of the host's loopback address that leads to the guest's; also udp:.\n"
         "Repeatable."},
        {"net", "user|tap:IFACE|none", RUN | CAPS, set_net,
         "the network card: behind QEMU's user network (the default; the host is\n"
         "10.0.2.2), at a tap device, or no card."},
        {"address", "ADDR/BITS[,gw=ADDR][,dns=ADDR]", RUN | IMAGE | CAPS, set_address,
         "a static IPv4 address instead of DHCP; none: no address."},
        {"file", "HOST:GUEST", RUN | IMAGE, set_file, "puts a file into the guest.  Repeatable."},
        {"env", "NAME=VALUE", RUN | IMAGE, set_env,
         "sets an environment variable of the program.  Repeatable."},
        {"memory", "MIB", RUN | CAPS, set_memory, "the machine's memory (256)."},
        {"accel", "auto|kvm|tcg", RUN | CAPS, set_accel,
         "how the processor is made.  auto: KVM where it works, else TCG."},
        {"timeout", "SECONDS", RUN | CAPS, set_timeout,
         "ends the machine after that time, with exit status 125."},
        {"pcap", "FILE", RUN, set_pcap, "writes every frame of the network card to FILE."},
        {"log", "FILE", RUN | CAPS, set_log, "writes the kernel's and the services' log to FILE."},
        {"verbose", NULL, RUN | IMAGE | CAPS, set_verbose,
         "shows that log, and how the machine is started, on stderr."},
        {"image", "FILE", RUN | IMAGE | CAPS, set_image,
         "the system to start from, instead of the one that came with capos."},
        {"kernel", "FILE", RUN | IMAGE | CAPS, set_kernel, "the kernel, likewise."},
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static const struct {
	const char *name, *usage, *text;
} commands[] = {
        [COMMAND_RUN] = {"run", "run [OPTION...] -- PROGRAM [ARG...]",
                         "Boots a machine and runs PROGRAM in it: a name from the image's PATH, a "
                         "path in the image, or\nelse the path of a host file, which is put in.  "
                         "Its stdin, stdout and stderr are those of this\ncommand.  The exit "
                         "status is the program's; 128+N when signal N ended it; 127 when there "
                         "is no\nsuch program; 125 when the machine failed."},
        [COMMAND_IMAGE] = {"image", "image [OPTION...] FILE [-- PROGRAM [ARG...]]",
                           "Writes a bootable archive to FILE and the kernel to FILE.kernel, for "
                           "any emulator that boots by\nPVH: -kernel FILE.kernel -initrd FILE.  "
                           "With PROGRAM it runs that."},
        [COMMAND_CAPS] =
                {"caps", "caps [OPTION...]",
                 "Boots a machine and prints which process holds which capabilities, and which a "
                 "program with these\ngrants would be given."},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_indented(const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		printf("        %.*s\n", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

_Noreturn static void help_command(enum command command)
{
	printf("usage: capos %s\n\n%s\n\noptions:\n", commands[command].usage,
	       commands[command].text);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &options[i];
		if (!(o->commands & 1u << command))
			continue;
		printf("  --%s%s%s\n", o->name, o->value ? " " : "", o->value ? o->value : "");
		print_indented(o->help);
	}
	exit(fflush(stdout) == 0 ? 0 : EXIT_MACHINE);
}

_Noreturn static void help_general(void)
{
	printf("capos: runs programs in capOS machines\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  capos %s\n", commands[i].usage);
	printf("\n`capos COMMAND --help` tells more about each.\n");
	exit(fflush(stdout) == 0 ? 0 : EXIT_MACHINE);
}

/* Ends the process: no such name.  prefix: "--" for options. */
_Noreturn static void die_unknown(const char *what, const char *prefix, const char *name,
                                  const char *const *names, size_t count)
{
	const char *near = nearest_name(name, names, count);

	if (near)
		die("unknown %s %s%s; did you mean %s%s?", what, prefix, name, prefix, near);
	die("unknown %s %s%s; see capos --help", what, prefix, name);
}

static const struct option *find_option(enum command command, const char *name)
{
	const char *names[OPTION_COUNT + 1];
	size_t count = 0;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (!(options[i].commands & 1u << command))
			continue;
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
		names[count++] = options[i].name;
	}
	names[count++] = "help";
	die_unknown("option", "--", name, names, count);
}

/* Takes one option, and its value from the same or the next argument; how many arguments it
 * used. */
static int take_option(enum command command, char **argv, struct settings *settings)
{
	const char *argument = argv[0];
	const char *equals = strchr(argument, '=');
	int used = 1;

	if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
		help_command(command);
	if (strncmp(argument, "--", 2) != 0)
		die("unknown option %s; options start with two dashes (see capos %s --help)",
		    argument, commands[command].name);
	char *name = must_format("%.*s",
	                         equals ? (int)(equals - argument - 2) : (int)strlen(argument + 2),
	                         argument + 2);
	const struct option *option = find_option(command, name);
	free(name);

	const char *value = equals ? equals + 1 : NULL;
	if (!option->value && value)
		die("--%s takes no value", option->name);
	if (option->value && !value) {
		value = argv[1];
		if (!value)
			die("--%s needs a value: %s", option->name, option->value);
		used = 2;
	}
	const char *problem = option->set(settings, value);
	if (problem)
		die("--%s%s%s: %s", option->name, value ? " " : "", value ? value : "", problem);
	return used;
}

/* What no option alone can know. */
static void check_together(enum command command, const struct settings *s)
{
	for (size_t i = 0; i < s->ngrants; i++) {
		if (s->grants[i].kind == GRANT_NONE && s->ngrants > 1)
			die("--allow none stands alone");
	}
	if (s->nforwards > 0 && s->net != NET_USER)
		die("--forward needs --net user");
	if (s->pcap && s->net == NET_NONE)
		die("--pcap needs a network card (--net user or tap:IFACE)");
	if (command == COMMAND_RUN && !s->program)
		die("no program: capos %s", commands[command].usage);
	if (command == COMMAND_CAPS && s->program)
		die("capos caps runs no program");
	if (command == COMMAND_IMAGE && !s->output)
		die("no file: capos %s", commands[command].usage);
}

static enum command find_command(const char *name)
{
	const char *names[COMMAND_COUNT];

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return (enum command)i;
		names[i] = commands[i].name;
	}
	if (name[0] == '-')
		die("unknown option %s before the command; see capos --help", name);
	die_unknown("command", "", name, names, COMMAND_COUNT);
}

enum command options_parse(int argc, char **argv, struct settings *s)
{
	*s = (struct settings){.memory_mib = MEMORY_DEFAULT};
	if (argc < 2)
		die("no command; see capos --help");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		help_general();
	if (strcmp(argv[1], "--version") == 0) {
		printf("capos %s\n", PACKAGE_VERSION);
		exit(0);
	}
	enum command command = find_command(argv[1]);

	int i = 2;
	while (i < argc && strcmp(argv[i], "--") != 0) {
		if (argv[i][0] == '-' && argv[i][1] != '\0') {
			i += take_option(command, argv + i, s);
		} else if (command == COMMAND_IMAGE && !s->output) {
			s->output = argv[i++];
		} else if (command == COMMAND_RUN) {
			break; /* the program; -- may be left out */
		} else {
			die("unexpected argument %s; see capos %s --help", argv[i],
			    commands[command].name);
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
