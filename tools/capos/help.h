/* SPDX-License-Identifier: MIT */
/*
 * The command's help, made from the tables of options.h.
 */
#ifndef CAPOS_TOOLS_HELP_H
#define CAPOS_TOOLS_HELP_H

#include "tools/capos/options.h"

/* Both print to stdout and end the process. */
_Noreturn void help_command(enum command command);
_Noreturn void help_general(void);

#endif
