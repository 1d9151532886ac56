/* SPDX-License-Identifier: MIT */
/*
 * QEMU's command line, as a list that execvp takes.
 */
#ifndef CAPOS_TOOLS_ARGUMENTS_H
#define CAPOS_TOOLS_ARGUMENTS_H

#include "tools/capos/capos.h"

#define ARGUMENTS_MAX 1024 /* all options at most LIST_MAX times */

/*
 * The descriptors that QEMU inherits, from CHILD_FD on in this order: its ends of the
 * virtio-serial ports, of the serial port, of its own stderr, and of its monitor (QMP; only
 * with its user network); the archive; the socket of the network's helper process.
 */
enum machine_line {
	LINE_STDIN,
	LINE_STDOUT,
	LINE_STDERR,
	LINE_CONTROL,
	LINE_OUTPUT,
	LINE_PORT_COUNT,
	LINE_SERIAL = LINE_PORT_COUNT,
	LINE_EMULATOR,
	LINE_MONITOR,
	LINE_COUNT,
	CHILD_ARCHIVE = LINE_COUNT,
	CHILD_NETWORK,
	CHILD_COUNT,
};
#define CHILD_FD 10

struct arguments {
	char *items[ARGUMENTS_MAX]; /* owned; NULL-terminated */
	size_t count;
};

/* Adds a copy of each text; ends the process when there are too many. */
void arguments_add(struct arguments *args, const char *item);
void arguments_add_option(struct arguments *args, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void arguments_free(struct arguments *args);

/* The whole command line for one start. */
void arguments_build(struct arguments *args, const struct settings *settings, bool kvm,
                     const char *kernel);
/* Prints it to stderr. */
void arguments_show(const struct arguments *args);

/* Prints to stdout how QEMU starts an image by hand; doc/running.md says the same. */
void arguments_print_example(const char *kernel, const char *archive);

/* The emulator's name or path. */
const char *machine_emulator(void);

#endif
