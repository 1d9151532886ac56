/* SPDX-License-Identifier: MIT */
/*
 * Locked memory, barriers and the scheduler's answers, on capOS and on Linux.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

#define PAGE       4096
#define NO_PROCESS 999999 /* above every number in use */

static void locked(void)
{
	unsigned char vector[4] = {0};
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ok(mlock(p + 1, 2 * PAGE) == 0 && munlock(p, 4 * PAGE) == 0, "memory is locked");
	memset(p, 1, 4 * PAGE);
	ok(mincore(p, 4 * PAGE, vector) == 0 && vector[0] & 1 && vector[3] & 1, "and is there");
	fails(mincore(p + 1, PAGE, vector), EINVAL, "mincore of no page");
	munmap(p + PAGE, PAGE);
	fails(mlock(p, 4 * PAGE), ENOMEM, "a hole is not locked");
	fails(munlock(p, 4 * PAGE), ENOMEM, "nor unlocked");
	fails(mincore(p, 4 * PAGE, vector), ENOMEM, "nor is it there");
	fails(syscall(SYS_mlock2, p, PAGE, 2), EINVAL, "an unknown flag of mlock2");
	ok(mlockall(MCL_CURRENT) == 0 && munlockall() == 0, "mlockall");
	fails(mlockall(0), EINVAL, "of nothing");
	fails(mlockall(64), EINVAL, "of something unknown");
	munmap(p, PAGE);
	munmap(p + 2 * PAGE, 2 * PAGE);
}

static void barriers(void)
{
	ok(syscall(SYS_membarrier, 0, 0, 0) > 0, "membarrier has commands");
	fails(syscall(SYS_membarrier, 8, 0, 0), EPERM, "a process registers first");
	ok(syscall(SYS_membarrier, 16, 0, 0) == 0 && syscall(SYS_membarrier, 8, 0, 0) == 0,
	   "and may then");
	fails(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL, "an unknown command");
}

static void scheduled(void)
{
	struct sched_param param;
	struct timespec t = {-1, -1};

	ok(sched_rr_get_interval(0, &t) == 0 && t.tv_sec == 0 && t.tv_nsec >= 0, "the slice");
	fails(sched_rr_get_interval(NO_PROCESS, &t), ESRCH, "of a process that does not exist");
	fails(sched_rr_get_interval(-1, &t), EINVAL, "of no process");
	fails(syscall(SYS_sched_getscheduler, NO_PROCESS), ESRCH, "which has no policy");
	fails(syscall(SYS_sched_getparam, NO_PROCESS, &param), ESRCH, "nor a priority");
}

static void clocks(void)
{
	struct timespec t;

	fails(clock_gettime(-1, &t), EINVAL, "a descriptor's clock");
	fails(clock_getres(1000, &t), EINVAL, "a clock that does not exist");
}

int main(void)
{
	locked();
	barriers();
	scheduled();
	clocks();
	return tap_finish();
}
