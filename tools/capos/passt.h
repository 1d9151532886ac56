/* SPDX-License-Identifier: MIT */
/*
 * passt (https://passt.top): the guest's network through a process without privileges.  It speaks
 * Ethernet over one end of a socket pair, and ends when the other end is closed.
 */
#ifndef CAPOS_TOOLS_PASST_H
#define CAPOS_TOOLS_PASST_H

#include <sys/types.h>

#include "tools/capos/capos.h"

/* Whether it is installed. */
bool passt_exists(void);

/*
 * Starts it with the addresses of QEMU's user network, and the ports of the settings.  error_fd
 * gets its messages; *socket is the emulator's end, above the number `above`.  0 or an errno value.
 */
int passt_start(const struct settings *settings, int error_fd, int above, int *socket, pid_t *pid);

#endif
