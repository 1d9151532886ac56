/* SPDX-License-Identifier: MIT */
/*
 * The commands and the options: what each is called, takes and does.  A value is checked here, as
 * far as it can be without the others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/capos/address.h"
#include "tools/capos/environment.h"
#include "tools/capos/grant.h"
#include "tools/capos/hostdata.h"
#include "tools/capos/options.h"

#define MEMORY_MIN      9                  /* MiB: with the standard image, fetches of files work */
#define MEMORY_MAX      (1u << 20)         /* MiB: 1 TiB */
#define TIMEOUT_MAX     UINT64_C(31536000) /* seconds: a year */
#define NAME_MAX_LENGTH 64
#define GUEST_MOUNT_MAX 255 /* as init takes it */

#define RUN   (COMMAND_BIT(COMMAND_RUN) | COMMAND_BIT(COMMAND_SHELL))
#define IMAGE COMMAND_BIT(COMMAND_IMAGE)
#define CAPS  COMMAND_BIT(COMMAND_CAPS)

static const char too_many[] = "given too often";

/* ---- Rights and network ---- */

static const char *set_allow(struct settings *s, const char *value)
{
	if (s->ngrants == LIST_MAX)
		return too_many;
	return parse_grant(value, &s->grants[s->ngrants++]);
}

static const char *add_forward(struct settings *s, const struct forward *forward)
{
	for (size_t i = 0; i < s->nforwards; i++) {
		if (s->forwards[i].udp == forward->udp &&
		    s->forwards[i].host_port == forward->host_port)
			return "that port of the host is published already";
	}
	if (s->nforwards == LIST_MAX)
		return too_many;
	s->forwards[s->nforwards++] = *forward;
	return NULL;
}

static const char *set_forward(struct settings *s, const char *value)
{
	struct forward forward;
	const char *problem = parse_forward(value, &forward);

	return problem ? problem : add_forward(s, &forward);
}

static const char *set_publish(struct settings *s, const char *value)
{
	struct forward forward;
	const char *problem = parse_publish(value, &forward);

	return problem ? problem : add_forward(s, &forward);
}

static const char *set_net(struct settings *s, const char *value)
{
	s->tap = NULL;
	if (strcmp(value, "auto") == 0)
		s->net = NET_AUTO;
	else if (strcmp(value, "user") == 0)
		s->net = NET_USER;
	else if (strcmp(value, "passt") == 0)
		s->net = NET_PASST;
	else if (strcmp(value, "none") == 0)
		s->net = NET_NONE;
	else if (strncmp(value, "tap:", 4) != 0 || value[4] == '\0' || strpbrk(value + 4, ",= /"))
		return "must be auto, user, passt, tap:INTERFACE or none";
	if (value[0] == 't') {
		s->net = NET_TAP;
		s->tap = value + 4;
	}
	return NULL;
}

static const char *set_address(struct settings *s, const char *value)
{
	struct address address;

	s->address = value;
	return parse_address(value, &address);
}

/* ---- Files ---- */

static bool is_guest_path(const char *path)
{
	if (*path != '/')
		return false;
	while (*path != '\0') {
		size_t length = strcspn(++path, "/");
		if ((length == 1 && path[0] == '.') ||
		    (length == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += length;
	}
	return true;
}

static bool is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 && (path[length] == '/' || !path[length]);
}

static const char *set_file(struct settings *s, const char *value)
{
	const char *colon = strrchr(value, ':');

	if (s->nfiles == LIST_MAX)
		return too_many;
	if (!colon || colon == value || colon[1] != '/')
		return "must be HOST:GUEST, with GUEST an absolute path";
	if (!is_guest_path(colon + 1))
		return "the path in the guest must have no . and no .. in it";
	if (is_below(colon + 1, "/proc"))
		return "nothing can be put into /proc, which the system makes";
	char *host = must_format("%.*s", (int)(colon - value), value);
	s->files[s->nfiles++] = (struct host_file){.host_path = host, .guest_path = colon + 1};
	return NULL;
}

static const char *set_output(struct settings *s, const char *value)
{
	const char *colon = strchr(value, ':');

	if (s->noutputs == LIST_MAX)
		return too_many;
	if (value[0] != '/' || !colon || colon[1] == '\0')
		return "must be GUEST:HOST, with GUEST an absolute path";
	char *guest = must_format("%.*s", (int)(colon - value), value);
	if (!is_guest_path(guest))
		return "the path in the guest must have no . and no .. in it";
	s->outputs[s->noutputs++] = (struct host_file){.host_path = colon + 1, .guest_path = guest};
	return NULL;
}

/* Whether another volume can be mounted there; takes slashes at its end away. */
static const char *check_mount(const struct settings *s, char *guest)
{
	size_t length = strlen(guest);

	while (length > 1 && guest[length - 1] == '/')
		guest[--length] = '\0';
	if (!is_guest_path(guest) || length < 2 || length > GUEST_MOUNT_MAX || strstr(guest, "//"))
		return "must have a path of at most 255 bytes without . and .. in the guest, and "
		       "not its root";
	if (is_below(guest, "/proc") || is_below(guest, "/dev"))
		return "cannot be in /proc or /dev, which the system makes";
	for (size_t i = 0; i < s->nvolumes; i++)
		if (is_below(guest, s->volumes[i].guest_path) ||
		    is_below(s->volumes[i].guest_path, guest))
			return "cannot be where another volume is, nor above or below it";
	return NULL;
}

static const char *set_volume(struct settings *s, const char *value)
{
	struct volume *v = &s->volumes[s->nvolumes];
	char *text = must_format("%s", value);
	char *guest = text;

	if (s->nvolumes == VOLUMES_MAX)
		return "there can be at most 8 volumes";
	/* The host's name may have colons in it. */
	for (char *at = strchr(text, ':'); at; at = strchr(at + 1, ':'))
		if (at[1] == '/')
			guest = at + 1;
	if (guest == text || guest - 1 == text)
		return "must be HOST:GUEST or HOST:GUEST:ro, with GUEST an absolute path";
	guest[-1] = '\0';
	char *options = strchr(guest, ':');
	if (options) {
		*options++ = '\0';
		if (strcmp(options, "ro") != 0 && strcmp(options, "rw") != 0)
			return "may end in :ro or :rw, and in nothing else";
	}
	*v = (struct volume){.host_path = text,
	                     .guest_path = guest,
	                     .read_only = options && strcmp(options, "ro") == 0};
	const char *problem = check_mount(s, guest);
	if (!problem)
		s->nvolumes++;
	return problem;
}

static const char *set_file_limit(struct settings *s, const char *value)
{
	return parse_size(value, 1, INT64_MAX, &s->file_limit)
	               ? NULL
	               : "must be a number of bytes, at least 1, also with K, M or G behind it";
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

/* ---- The program's surroundings ---- */

static const char *set_env(struct settings *s, const char *value)
{
	return environment_add(&s->env, value);
}

static const char *set_env_file(struct settings *s, const char *value)
{
	return environment_read(&s->env_files, value);
}

static const char *set_workdir(struct settings *s, const char *value)
{
	s->directory = value;
	/* The files service has a directory of that name, which is empty. */
	if (is_below(value, "/proc"))
		return "cannot be in /proc, which each program makes for itself; try "
		       "sh -c \"cd /proc; ...\"";
	return is_guest_path(value) ? NULL : "must be an absolute path without . and .. in it";
}

static const char *set_name(struct settings *s, const char *value)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                              "0123456789_.-";
	size_t length = strlen(value);

	s->name = value;
	if (length == 0 || length > NAME_MAX_LENGTH || strspn(value, allowed) != length)
		return "must be 1 to 64 letters, digits, dots, dashes and underscores";
	return NULL;
}

/* A terminal has one input, which is open anyhow. */
static const char *set_interactive(struct settings *s, const char *value)
{
	(void)s;
	(void)value;
	return NULL;
}

static const char *set_tty(struct settings *s, const char *value)
{
	(void)value;
	s->terminal = true;
	return NULL;
}

static const char *set_rm(struct settings *s, const char *value)
{
	(void)s;
	(void)value;
	return NULL;
}

/* ---- The machine ---- */

static const char *set_memory(struct settings *s, const char *value)
{
	uint64_t mib, bytes;

	if (!parse_number(value, MEMORY_MIN, MEMORY_MAX, &mib)) {
		if (!parse_size(value, (uint64_t)MEMORY_MIN << 20, (uint64_t)MEMORY_MAX << 20,
		                &bytes) ||
		    bytes % (1u << 20) != 0)
			return "must be a number of MiB, 9 to 1048576";
		mib = bytes >> 20;
	}
	s->memory_mib = (uint32_t)mib;
	return NULL;
}
_Static_assert(MEMORY_MIN == 9 && MEMORY_MAX == 1048576, "as the message says");

static const char *set_seconds(const char *value, uint32_t *out)
{
	uint64_t seconds;

	if (!parse_duration(value, 1, TIMEOUT_MAX, &seconds))
		return "must be a number of seconds, or of minutes or hours with m or h behind it: "
		       "at least a second, at most 365 days";
	*out = (uint32_t)seconds;
	return NULL;
}

static const char *set_timeout(struct settings *s, const char *value)
{
	return set_seconds(value, &s->timeout_seconds);
}

static const char *set_drain(struct settings *s, const char *value)
{
	return set_seconds(value, &s->drain_seconds);
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

static const char *set_verbose(struct settings *s, const char *value)
{
	(void)value;
	s->verbose = true;
	return NULL;
}

/* ---- The tables ---- */

const struct option_entry option_table[] = {
        {"allow", 0, "GRANT", RUN | IMAGE | CAPS, "connect= listen= udp icmp resolve none",
         set_allow,
         "what the program may do to the network: connect=HOST:PORT (PORT * is any), "
         "listen=PORT, udp, icmp, resolve (looking up names), none. Repeatable. Without it: "
         "everything; with it: exactly what is named."},
        {"publish", 'p', "HOSTPORT:GUESTPORT[/udp]", RUN, NULL, set_publish,
         "a port of the host's loopback address that leads to the guest's. Where --allow is "
         "given, it includes the right to listen on that TCP port; UDP needs --allow udp. "
         "Repeatable."},
        {"forward", 0, "tcp:HOSTPORT:GUESTPORT", RUN, "tcp: udp:", set_forward,
         "the same as --publish; also udp:HOSTPORT:GUESTPORT."},
        {"net", 0, "auto|user|passt|tap:IFACE|none", RUN | CAPS, "auto user passt tap: none",
         set_net,
         "what the network card is connected to: QEMU's user network, passt, a tap device, or "
         "no card. auto, the default, is user. The host is 10.0.2.2 behind user and passt."},
        {"address", 0, "ADDR/BITS[,gw=ADDR][,dns=ADDR]", RUN | IMAGE | CAPS, "none", set_address,
         "a static IPv4 address instead of DHCP; none: no address."},
        {"file", 0, "HOST:GUEST", RUN | IMAGE, "<file>", set_file,
         "puts a file, or a directory with all that is in it, into the guest: with modes, times, "
         "symbolic links and empty directories. Where GUEST ends in a slash, a file goes below it "
         "under its own name. Repeatable."},
        {"output", 0, "GUEST:HOST", RUN, NULL, set_output,
         "copies a file or a directory out of the guest when the program has ended, also when it "
         "failed or was killed. Repeatable."},
        {"volume", 'v', "HOST:GUEST[:ro]", RUN | CAPS, "<file>", set_volume,
         "gives the guest a directory of the host, at GUEST: what is written there is in HOST at "
         "once. ro: to read only. Symbolic links in it lead where they say in the guest, never "
         "out of HOST in the host. At most 8."},
        {"zoneinfo", 0, NULL, RUN | IMAGE, NULL, set_zoneinfo,
         "puts this machine's time zones into the guest, for TZ=Europe/Berlin and the like."},
        {"certificates", 0, NULL, RUN | IMAGE, NULL, set_certificates,
         "puts the certificates of authorities that this machine trusts into the guest, as "
         "/etc/ssl/cert.pem and /etc/ssl/certs/ca-certificates.crt."},
        {"env", 'e', "NAME[=VALUE]", RUN | IMAGE, NULL, set_env,
         "sets an environment variable of the program; without a value it is the host's. "
         "Repeatable."},
        {"env-file", 0, "FILE", RUN | IMAGE, "<file>", set_env_file,
         "sets the variables in FILE: a NAME=VALUE on each line, and comments behind #. --env "
         "overrides it. Repeatable."},
        {"workdir", 'w', "DIR", RUN | IMAGE, NULL, set_workdir,
         "the directory of the guest in which the program starts."},
        {"name", 0, "NAME", RUN | CAPS, NULL, set_name,
         "the machine's name, as the host's list of processes shows it."},
        {"interactive", 'i', NULL, RUN, NULL, set_interactive,
         "accepted: the program's stdin is always open."},
        {"tty", 't', NULL, RUN, NULL, set_tty,
         "gives the program a terminal, which is the one on stdin: line editing, Ctrl-C and other "
         "keys, job control and the window's size work as on the host. -it does the same."},
        {"rm", 0, NULL, RUN, NULL, set_rm, "accepted: nothing of a machine is ever left behind."},
        {"memory", 'm', "MIB", RUN | CAPS, NULL, set_memory,
         "the machine's memory (256); at least 9."},
        {"accel", 0, "auto|kvm|tcg", RUN | CAPS, "auto kvm tcg", set_accel,
         "how the processor is emulated. auto: KVM where it works, else TCG."},
        {"timeout", 0, "TIME", RUN | CAPS, NULL, set_timeout,
         "ends the machine after that time, with exit status 125: a number of seconds, or 5s, 1m, "
         "1h."},
        {"drain", 0, "TIME", RUN, NULL, set_drain,
         "how long after the program's end its output may take to be read (60); then the rest is "
         "dropped, and the exit status is 125."},
        {"pcap", 0, "FILE", RUN, "<file>", set_pcap,
         "writes every frame of the network card to FILE."},
        {"log", 0, "FILE", RUN | CAPS, "<file>", set_log,
         "writes the kernel's and the services' log to FILE."},
        {"file-limit", 0, "SIZE", RUN | CAPS, NULL, set_file_limit,
         "the most that --log, --pcap and all of --output may each grow to (1G); what is more is "
         "cut off, and a message says so."},
        {"verbose", 0, NULL, RUN | CAPS, NULL, set_verbose,
         "shows the kernel's and the services' log, and how the machine is started, on stderr."},
        {"image", 0, "FILE", RUN | IMAGE | CAPS, "<file>", set_image,
         "the system to start from, instead of the one that came with capos. When no program is "
         "given, `capos run` runs what the image says."},
        {"kernel", 0, "FILE", RUN | IMAGE | CAPS, "<file>", set_kernel, "the kernel, likewise."},
};
const size_t option_count = sizeof(option_table) / sizeof(option_table[0]);

const struct command_entry command_table[COMMAND_COUNT] = {
        [COMMAND_RUN] =
                {"run", "run [OPTION...] -- PROGRAM [ARG...]",
                 "boots a machine and runs a program in it",
                 "Boots a machine and runs PROGRAM in it: a name from the image's PATH, a path in "
                 "the image, or else the path of a host file, which is put in. Its stdin, stdout "
                 "and stderr are those of this command.\n"
                 "The exit status is the program's; 128+N when signal N ended it; 127 when there "
                 "is no such program, 126 when it cannot be executed; 125 when the machine "
                 "failed or the command line is wrong."},
        [COMMAND_SHELL] = {"shell", "shell [OPTION...]", "boots a machine and runs a shell in it",
                           "Boots a machine and runs a shell in it on this terminal: the same as "
                           "capos run -it [OPTION...] -- sh."},
        [COMMAND_IMAGE] =
                {"image", "image [OPTION...] FILE [-- PROGRAM [ARG...]]",
                 "writes a system that boots by itself",
                 "Writes a bootable archive to FILE and the kernel to FILE.kernel, for any "
                 "emulator that boots by PVH, and prints a command line of QEMU that starts them. "
                 "With PROGRAM the system runs it; `capos run --image FILE` does so too. Without, "
                 "it runs no program until `capos run --image FILE -- PROGRAM` names one."},
        [COMMAND_CAPS] = {"caps", "caps [OPTION...]",
                          "prints which process holds which capabilities",
                          "Boots a machine and prints which process holds which capabilities, and "
                          "which a program with these grants would be given."},
        [COMMAND_SDK] = {"sdk", "sdk cmake|meson|env", "prints what builds for capOS need",
                         "Prints what a build for capOS needs: the toolchain file of CMake (cmake "
                         "-DCMAKE_TOOLCHAIN_FILE=\"$(capos sdk cmake)\"), the cross file of Meson "
                         "(meson setup --cross-file \"$(capos sdk meson)\", with the tools on the "
                         "PATH), or shell commands that put the tools on the PATH and name them in "
                         "CC and others (eval \"$(capos sdk env)\")."},
        [COMMAND_HELP] = {"help", "help [COMMAND]", "prints what a command takes",
                          "Prints what a command takes, or the list of commands."},
        [COMMAND_VERSION] = {"version", "version", "prints the version", "Prints the version."},
};
