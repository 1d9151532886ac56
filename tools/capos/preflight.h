/* SPDX-License-Identifier: MIT */
/*
 * What can be known to fail before a machine is started: ports in use, devices that do not exist,
 * files that cannot be written.
 */
#ifndef CAPOS_TOOLS_PREFLIGHT_H
#define CAPOS_TOOLS_PREFLIGHT_H

#include "tools/capos/capos.h"

/* Ends the process with a message at the first fault.  Leaves nothing behind. */
void preflight(const struct settings *settings);

#endif
