/* SPDX-License-Identifier: MIT */
/*
 * clock_gettime: the clocks that go by the clock page are read without the dispatcher, as upstream
 * reads them from Linux's vDSO.
 */
#include <time.h>

#include "syscall.h"

/* False: it is no such clock. */
__attribute__((__visibility__("hidden"))) _Bool __capos_clock(long clock, struct timespec *t);

int __clock_gettime(clockid_t clock, struct timespec *t)
{
	if (__capos_clock(clock, t))
		return 0;
	return __syscall_ret(__syscall(SYS_clock_gettime, clock, t));
}

weak_alias(__clock_gettime, clock_gettime);
