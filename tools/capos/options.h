/* SPDX-License-Identifier: MIT */
/*
 * The command line: commands, their options, their help.
 */
#ifndef CAPOS_TOOLS_OPTIONS_H
#define CAPOS_TOOLS_OPTIONS_H

#include "tools/capos/capos.h"

enum command { COMMAND_RUN, COMMAND_IMAGE, COMMAND_CAPS };

/*
 * Reads the command line into settings.  A wrong one ends the process with EXIT_MACHINE and a line
 * that names what is wrong; --help and --version end it with 0.
 */
enum command options_parse(int argc, char **argv, struct settings *settings);

#endif
