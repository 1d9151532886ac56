/* SPDX-License-Identifier: MIT */
/*
 * Which of the program's memory is locked.  All memory stays where it is anyway: this is what is
 * reported of it.
 */
#ifndef POSIX_LOCKED_H
#define POSIX_LOCKED_H

#include <stdbool.h>
#include <stdint.h>

/* A new mapping; locked: it is to be in any case, else as mlockall said. */
void locked_mapped(uint64_t start, uint64_t end, bool locked);
void locked_unmapped(uint64_t start, uint64_t end);
/* Whether some of that is locked. */
bool locked_any(uint64_t start, uint64_t end);

#endif
