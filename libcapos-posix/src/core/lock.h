/* SPDX-License-Identifier: MIT */
/*
 * Locks in memory that several processes share: held for a copy and never while waiting.  When a
 * holder ends, the kernel marks the lock and wakes one that waits (abi.h, "The end of a thread"),
 * so nothing is ever taken over because time has passed.  Signals are left pending.
 */
#ifndef POSIX_LOCK_H
#define POSIX_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* True: its last holder ended with it; what it protects may be half changed. */
bool shared_lock(_Atomic uint32_t *word);
void shared_unlock(_Atomic uint32_t *word);

#endif
