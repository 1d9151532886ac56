/* SPDX-License-Identifier: MIT */
/*
 * Locks in memory that several processes share: held for a copy and never while waiting.  When a
 * holder ends, the kernel marks the lock and wakes one that waits (abi.h, "The end of a thread"),
 * so nothing is ever taken over because time has passed.
 *
 * Who holds such memory may also write to the lock whatever it likes.  So who waits does it as in
 * any call that waits: other threads go on, and after the time in which an honest holder gives it
 * up, a signal ends the wait.
 */
#ifndef POSIX_LOCK_H
#define POSIX_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

#define SHARED_LOCK_DIED 1

/* 0; SHARED_LOCK_DIED: its last holder ended with it, and what it protects may be half changed;
 * -EINTR: it was not taken.  The caller has a reference of what the lock is in. */
__attribute__((warn_unused_result)) int shared_lock(_Atomic uint32_t *word);
/* Also -ETIMEDOUT: for what processes share that have nothing to do with each other. */
__attribute__((warn_unused_result)) int shared_lock_until(_Atomic uint32_t *word,
                                                          uint64_t deadline);
void shared_unlock(_Atomic uint32_t *word);

#endif
