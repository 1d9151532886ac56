/* SPDX-License-Identifier: MIT */
/*
 * What processes that come from each other by fork have in common: one event that wakes them all,
 * and locks.
 *
 * They trust each other: they are one program's, with the same capabilities at first.
 */
#ifndef POSIX_FAMILY_H
#define POSIX_FAMILY_H

#include <stdatomic.h>
#include <stdint.h>

void family_wake(void); /* all others: they look again at what they wait for */

/*
 * A lock in shared memory, held for a copy and never while waiting.  A member that died with it
 * held it for FAMILY_LOCK_NS at most: then another takes it over.  Signals are left pending.
 */
#define FAMILY_LOCK_NS 1000000000ull
void family_lock(_Atomic uint32_t *word);
void family_unlock(_Atomic uint32_t *word);

#endif
