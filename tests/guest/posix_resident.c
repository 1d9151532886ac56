/* SPDX-License-Identifier: MIT */
/*
 * Locked memory, barriers and the scheduler's answers, on capOS and on Linux.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

/* Pages that are counted as locked; -1: that is not said. */
static long count(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	long found = -1;

	while (status && fgets(line, sizeof(line), status)) {
		if (sscanf(line, "VmLck: %ld kB", &found) == 1)
			found /= PAGE / 1024;
	}
	if (status)
		fclose(status);
	return found;
}

static char *map(size_t n, int flags)
{
	char *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

	memset(p, 1, n * PAGE);
	return p;
}

static void counted(void)
{
	char *p = map(8, MAP_PRIVATE), *q;
	int status = -1;
	pid_t child;

	ok(count() == 0, "nothing is counted as locked");
	ok(mlock(p + 1, 4 * PAGE) == 0 && count() == 5, "pages in part are counted whole");
	ok(mlock(p, 2 * PAGE) == 0 && count() == 5, "and once");
	ok(munlock(p + 2 * PAGE, PAGE) == 0 && count() == 4, "a page in between is unlocked");
	ok(munmap(p + PAGE, PAGE) == 0 && count() == 3, "what is unmapped is not locked");
	child = fork();
	if (child == 0)
		_exit(count() == 0 ? 7 : 1);
	ok(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7,
	   "a child has nothing locked");
	q = map(2, MAP_PRIVATE | MAP_LOCKED);
	ok(count() == 5, "MAP_LOCKED");
	fails(msync(q, PAGE, MS_SYNC | MS_INVALIDATE), EBUSY, "locked pages are not invalidated");
	ok(msync(p + 6 * PAGE, PAGE, MS_SYNC | MS_INVALIDATE) == 0, "but others");
	ok(munlockall() == 0 && count() == 0, "munlockall");
	ok(mlockall(MCL_CURRENT) == 0 && count() >= 9, "mlockall counts what there is");
	fails(msync(q, PAGE, MS_INVALIDATE), EBUSY, "all of it");
	munmap(q, 2 * PAGE);
	q = map(2, MAP_PRIVATE);
	ok(msync(q, 2 * PAGE, MS_INVALIDATE) == 0, "and not what comes later");
	ok(mlockall(MCL_FUTURE) == 0 && munmap(q, 2 * PAGE) == 0, "unless that is asked for");
	q = map(2, MAP_SHARED);
	fails(msync(q, 2 * PAGE, MS_INVALIDATE), EBUSY, "MCL_FUTURE");
	munlockall();
	ok(count() == 0 && msync(q, 2 * PAGE, MS_INVALIDATE) == 0, "nothing is locked again");
	ok(mlock(q, 2 * PAGE) == 0 && count() == 2, "two pages");
	munmap(q, 2 * PAGE);
	p = map(4, MAP_PRIVATE);
	mlock(p, 4 * PAGE);
	p = mremap(p, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	ok(p != MAP_FAILED && count() == 64, "locked memory that grows stays locked");
	q = map(64, MAP_PRIVATE);
	p = mremap(p, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	ok(p == q && count() == 64, "and where it is moved to");
	munmap(p, 64 * PAGE);
	ok(count() == 0, "until it is gone");
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

/* ---- What ps and top read ---- */

/* The number behind the name in a file of /proc: pages, or KiB. */
static long number_in(const char *path, const char *name, int field)
{
	char text[4096], *at;
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = 0;
	at = name ? strstr(text, name) : text;
	if (at && name)
		at += strlen(name);
	while (at && --field > 0)
		at = strchr(at + 1, ' ');
	return at ? strtol(at, NULL, 10) : -1;
}

#define TOUCHED (8l << 20)

static void shown(void)
{
	long before = number_in("/proc/self/statm", NULL, 2), more, kib, pages;
	char *a = mmap(NULL, TOUCHED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char parents[64];
	pid_t child;
	int status;

	ok(before > 0 && number_in("/proc/self/statm", NULL, 2) - before < 256,
	   "what is mapped and not touched is not in memory");
	memset(a, 1, TOUCHED);
	more = number_in("/proc/self/statm", NULL, 2);
	ok(more - before >= TOUCHED / 4096 && more - before < TOUCHED / 4096 + 256,
	   "what is touched is");
	kib = number_in("/proc/self/status", "VmRSS:", 1);
	ok(kib >= TOUCHED / 1024 && kib < more * 4 + 1024, "status says the same");
	/* Behind the name, which may have blanks, the 22nd. */
	pages = number_in("/proc/self/stat", ") ", 22);
	ok(pages >= TOUCHED / 4096 && pages < more + 256, "and stat");
	snprintf(parents, sizeof(parents), "/proc/%d/statm", (int)getpid());
	child = fork();
	if (!child)
		_exit(number_in(parents, NULL, 2) < TOUCHED / 4096);
	ok(waitpid(child, &status, 0) == child && status == 0, "another process sees it");
	munmap(a, TOUCHED);
	ok(number_in("/proc/self/statm", NULL, 2) - before < 256, "what is given back is not");
}

int main(void)
{
	shown();
	locked();
	counted();
	barriers();
	scheduled();
	clocks();
	return tap_finish();
}
