/* SPDX-License-Identifier: MIT */
/*
 * One emulated machine: QEMU as a child process, with a socket for each thing that comes out of it.
 * Whoever starts a machine stops it; should this process die, the kernel kills QEMU.
 */
#ifndef CAPOS_TOOLS_MACHINE_H
#define CAPOS_TOOLS_MACHINE_H

#include <sys/types.h>

#include "tools/capos/capos.h"

/* The machine's ends of these are the virtio-serial ports, the serial port, and QEMU's own
 * stderr. */
enum machine_line {
	LINE_STDIN,
	LINE_STDOUT,
	LINE_STDERR,
	LINE_CONTROL,
	LINE_PORT_COUNT,
	LINE_SERIAL = LINE_PORT_COUNT,
	LINE_EMULATOR,
	LINE_COUNT,
};

struct machine {
	pid_t pid; /* 0 when it does not run */
	bool kvm;
	int lines[LINE_COUNT]; /* our ends, non-blocking; -1 when closed */
};

/* Whether KVM is there and the processor can do it: that /dev/kvm opens is not enough. */
bool machine_can_use_kvm(void);

/*
 * Starts QEMU on a kernel and an archive (a memory file).  0, or an errno value: then nothing is
 * left of it.
 */
int machine_start(struct machine *machine, const struct settings *settings, bool kvm,
                  const char *kernel, int archive_fd);

/* True when QEMU has ended by itself; it is reaped then. */
bool machine_has_ended(struct machine *machine);

/* Ends the machine at once and closes its lines. */
void machine_stop(struct machine *machine);

/* The emulator's name or path. */
const char *machine_emulator(void);

#endif
