/* SPDX-License-Identifier: MIT */
/*
 * Options that tools for containers and emulators have and capos has not: what to use instead.
 * Pure.
 */
#ifndef CAPOS_TOOLS_FOREIGN_H
#define CAPOS_TOOLS_FOREIGN_H

#include <stddef.h>

/* What to use instead of --NAME, the first length bytes of name; NULL: no such option is known. */
const char *foreign_option(const char *name, size_t length);

/* What to use instead of -LETTER. */
const char *foreign_letter(char letter);

#endif
