/* SPDX-License-Identifier: MIT */
/*
 * The dynamic linker, which goes into an image only when a program in it needs it.
 */
#ifndef CAPOS_TOOLS_LINKER_H
#define CAPOS_TOOLS_LINKER_H

#include <stdbool.h>

#include "tools/capos/archive_writer.h"

/* musl's name for its libc.so, which is the linker too: what -dynamic programs and those of a stock
 * musl toolchain name. */
#define LINKER_PATH "/lib/ld-musl-x86_64.so.1"

/* Adds library, a host's path that stays the caller's, when an executable file of the host in the
 * archive names LINKER_PATH, or wanted says that one may come to the guest otherwise, and the
 * archive has nothing of that name.  0 or an errno value. */
int linker_add(struct archive_writer *writer, const char *library, bool wanted);

#endif
