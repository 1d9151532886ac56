/* SPDX-License-Identifier: MIT */
/*
 * The locks of the C library's own (malloc, stdio's list of files, atexit, thread creation and so
 * on): fork takes them all, so none may be waited for without end.
 */
#include <stdint.h>

#include "core/fair.h"
#include "libc.h"
#include "lock.h"
#include "pthread_impl.h"

#define FAIR_TURNS 64u /* more than there are locks that threads wait for at a time, mostly */

/* Of all locks, by address: each is one word only. */
static uint32_t turns[FAIR_TURNS];

static bool fair_sleep(uint32_t *at, uint32_t value)
{
	return !__syscall(SYS_futex, at, FUTEX_WAIT | FUTEX_PRIVATE, value, 0);
}

static void fair_wake(uint32_t *at, bool all)
{
	__wake(at, all ? -1 : 1, 1);
}

static uint32_t *turn_of(volatile int *lock)
{
	return &turns[(uintptr_t)lock / sizeof(*lock) % FAIR_TURNS];
}

void __lock(volatile int *lock)
{
	const int threads = libc.need_locks;

	if (!threads)
		return;
	fair_lock((uint32_t *)lock, turn_of(lock));
	if (threads < 0) /* the other ones have ended, as is seen by now */
		libc.need_locks = 0;
}

void __unlock(volatile int *lock)
{
	if (*lock >= 0) /* taken before there were threads */
		return;
	if (libc.threads_minus_1)
		(void)fair_unlock((uint32_t *)lock, turn_of(lock));
	else /* in a child those that waited do not exist */
		a_store(lock, 0);
}
