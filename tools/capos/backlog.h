/* SPDX-License-Identifier: MIT */
/*
 * More connections to a published port at a time.  QEMU's user network listens with a backlog of 1:
 * of clients that come together all but two wait for a second or more, and some give up.
 */
#ifndef CAPOS_TOOLS_BACKLOG_H
#define CAPOS_TOOLS_BACKLOG_H

#include <sys/types.h>

#include "tools/capos/capos.h"

/* Raises the backlog of that child's listening sockets for the published TCP ports.  The number of
 * those that were found; a host that does not allow it leaves them as they are. */
size_t backlog_raise(pid_t pid, const struct settings *settings);

#endif
