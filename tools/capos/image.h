/* SPDX-License-Identifier: MIT */
/*
 * What a machine boots: the kernel's file, and the base system's archive with what one run adds to
 * it.
 */
#ifndef CAPOS_TOOLS_IMAGE_H
#define CAPOS_TOOLS_IMAGE_H

#include "tools/capos/capos.h"

/* The kernel's file; the caller frees it.  One that cannot be read ends the process. */
char *image_kernel_path(const struct settings *settings);

/*
 * Writes the archive for these settings to fd: base system, --file, the program if it is a host
 * file, etc/program (unless there is neither a program nor a list of capabilities to ask for) and a
 * fresh seed. Ends the process with a message when something is missing or damaged, or the machine
 * has too little memory for it.
 */
void image_write(const struct settings *settings, int fd);

#endif
