/* SPDX-License-Identifier: MIT */
/*
 * A run: a machine, what goes in and out of it, and how it ends.
 */
#ifndef CAPOS_TOOLS_SESSION_H
#define CAPOS_TOOLS_SESSION_H

#include "tools/capos/capos.h"

/* Runs the machine to its end; the exit status for this process. */
int session_run(const struct settings *settings);

#endif
