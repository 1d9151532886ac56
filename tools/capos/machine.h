/* SPDX-License-Identifier: MIT */
/*
 * One emulated machine: QEMU as a child process, with a socket for each thing that comes out of it,
 * and perhaps passt beside it.  The process that starts a machine stops it; if it dies first, the
 * host's kernel kills QEMU, and passt ends with it.
 */
#ifndef CAPOS_TOOLS_MACHINE_H
#define CAPOS_TOOLS_MACHINE_H

#include <sys/types.h>

#include "tools/capos/arguments.h"

struct machine {
	pid_t pid;   /* 0 when it does not run */
	pid_t passt; /* likewise */
	int status;  /* of waitpid, once it has ended by itself */
	bool kvm;
	int lines[LINE_COUNT]; /* our ends, non-blocking; -1 when closed */
};

/* Whether KVM exists and the processor can do it: that /dev/kvm opens is not enough. */
bool machine_can_use_kvm(void);

/*
 * Starts QEMU on a kernel and an archive (a memory file).  0, or an errno value: then nothing is
 * left of it.
 */
int machine_start(struct machine *machine, const struct settings *settings, bool kvm,
                  const char *kernel, int archive_fd);

/* True when QEMU has ended by itself; it is reaped then. */
bool machine_has_ended(struct machine *machine);
/* Whether it ended because the guest's kernel panicked, which nothing else in the guest can
 * pretend. */
bool machine_has_panicked(const struct machine *machine);

/* True when passt runs no longer, as long as QEMU does. */
bool machine_network_failed(struct machine *machine);

/* Ends the machine's processes at once.  What they sent can still be read from the lines. */
void machine_kill(struct machine *machine);
/* The same, and closes the lines. */
void machine_stop(struct machine *machine);

#endif
