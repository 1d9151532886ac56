/* SPDX-License-Identifier: MIT */
/*
 * Nice values and scheduling policies, of this process and of others.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#ifndef SCHED_RESET_ON_FORK
#define SCHED_RESET_ON_FORK 0x40000000
#endif

static pid_t pausing(void)
{
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	return child;
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static int exits(pid_t child, int expected)
{
	int status;

	return waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       WEXITSTATUS(status) == expected;
}

/* The 18th and 19th field of /proc/N/stat. */
static int shown(pid_t pid, int priority, int nice)
{
	int got[2] = {99, 99};
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f,
	           "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
	           "%d %d",
	           &got[0], &got[1]) != 2)
		got[0] = 99;
	fclose(f);
	return got[0] == priority && got[1] == nice;
}

static void nice_values(void)
{
	pid_t child = pausing(), second;

	ok(setpriority(PRIO_PROCESS, (id_t)child, 5) == 0 &&
	           getpriority(PRIO_PROCESS, (id_t)child) == 5,
	   "a nice value of another process");
	ok(getpriority(PRIO_PROCESS, 0) == 0, "is not one's own");
	ok(shown(child, 25, 5), "it is in /proc");
	ok(setpriority(PRIO_PROCESS, (id_t)child, 100) == 0 &&
	           getpriority(PRIO_PROCESS, (id_t)child) == 19 &&
	           setpriority(PRIO_PROCESS, (id_t)child, -100) == 0 &&
	           getpriority(PRIO_PROCESS, (id_t)child) == -20,
	   "from -20 to 19");
	second = pausing();
	setpgid(child, child);
	setpgid(second, child);
	setpriority(PRIO_PROCESS, (id_t)second, 3);
	setpriority(PRIO_PROCESS, (id_t)child, 7);
	ok(getpriority(PRIO_PGRP, (id_t)child) == 3, "of a group: the lowest");
	ok(setpriority(PRIO_PGRP, (id_t)child, 9) == 0 &&
	           getpriority(PRIO_PROCESS, (id_t)child) == 9 &&
	           getpriority(PRIO_PROCESS, (id_t)second) == 9,
	   "or for all of it");
	end(child), end(second);
	fails(getpriority(PRIO_PROCESS, (id_t)child), ESRCH, "of no process");
	fails(setpriority(PRIO_PROCESS, (id_t)child, 1), ESRCH, "nor for none");
	fails(getpriority(PRIO_PGRP, (id_t)child), ESRCH, "of no group");
	fails(getpriority(3, 0), EINVAL, "of no such kind");
	errno = 0;
	ok((getpriority(PRIO_USER, 0), errno == 0), "of a user");
	child = fork();
	if (!child) {
		setpriority(PRIO_PROCESS, 0, 6);
		if (!fork())
			_exit(getpriority(PRIO_PROCESS, 0) == 6 && nice(2) == 8 ? 0 : 1);
		wait(NULL);
		execl("/bin/sh", "sh", "-c", "exit $(nice)", NULL);
		_exit(99);
	}
	ok(exits(child, 6), "a child inherits it, and a program that is executed has it");
}

static long policy(pid_t pid)
{
	return syscall(SYS_sched_getscheduler, pid);
}

static long set_policy(pid_t pid, int number)
{
	return syscall(SYS_sched_setscheduler, pid, number, &(int){0});
}

static void policies(void)
{
	pid_t child = pausing();

	ok(policy(0) == SCHED_OTHER && policy(child) == SCHED_OTHER, "the usual policy");
	ok(set_policy(child, SCHED_BATCH) == 0 && policy(child) == SCHED_BATCH, "SCHED_BATCH");
	ok(policy(0) == SCHED_OTHER, "of another process");
	ok(set_policy(child, SCHED_IDLE) == 0 && policy(child) == SCHED_IDLE, "SCHED_IDLE");
	ok(syscall(SYS_sched_setparam, child, &(int){0}) == 0 && policy(child) == SCHED_IDLE,
	   "sched_setparam leaves the policy");
	fails(syscall(SYS_sched_setparam, child, &(int){1}), EINVAL, "which has no priorities");
	fails(set_policy(child, 77), EINVAL, "no such policy");
	end(child);
	fails(set_policy(child, SCHED_BATCH), ESRCH, "no such process");
	fails(policy(child), ESRCH, "that has a policy");
	set_policy(0, SCHED_BATCH);
	child = fork();
	if (!child)
		_exit(policy(0) == SCHED_BATCH ? 0 : 1);
	ok(exits(child, 0), "a child inherits it");
	ok(set_policy(0, SCHED_BATCH | SCHED_RESET_ON_FORK) == 0 &&
	           policy(0) == (SCHED_BATCH | SCHED_RESET_ON_FORK),
	   "SCHED_RESET_ON_FORK");
	setpriority(PRIO_PROCESS, 0, -5);
	child = fork();
	if (!child)
		_exit(policy(0) == SCHED_BATCH && getpriority(PRIO_PROCESS, 0) == 0 ? 0 : 1);
	ok(exits(child, 0), "it begins without that, and without a nice value below 0");
	setpriority(PRIO_PROCESS, 0, 0);
	set_policy(0, SCHED_OTHER);
}

/* ---- sched_setattr and sched_getattr, for which musl has no functions ---- */

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t utilization[2];
	char later[8]; /* of a version that nobody has */
};
#define FIRST 48 /* bytes of the first version */
#define KNOWN 56
enum { RESETS = 1, KEEP_POLICY = 8, KEEP_REST = 16, UTILIZATION = 0x60 };

static int set(pid_t pid, struct attributes a)
{
	return syscall(SYS_sched_setattr, pid, &a, 0);
}

static bool is(pid_t pid, uint32_t policy, uint64_t flags, int nice, uint32_t priority)
{
	struct attributes a;

	memset(&a, 0x55, sizeof(a));
	if (syscall(SYS_sched_getattr, pid, &a, KNOWN, 0))
		return false;
	return a.size == KNOWN && a.policy == policy && a.flags == flags && a.nice == nice &&
	       a.priority == priority && !a.deadline && a.later[0] == 0x55;
}

static void attributes_are_set(void)
{
	ok(is(0, SCHED_OTHER, 0, 0, 0), "the attributes at first");
	ok(!set(0, (struct attributes){.size = FIRST, .nice = 5}) && is(0, 0, 0, 5, 0) &&
	           getpriority(PRIO_PROCESS, 0) == 5,
	   "a nice value");
	ok(!set(0, (struct attributes){.nice = 40}) && is(0, 0, 0, 19, 0), "one that is too large");
	ok(!set(0, (struct attributes){.policy = SCHED_BATCH, .nice = 2}) &&
	           is(0, SCHED_BATCH, 0, 2, 0),
	   "a policy with it");
	ok(!set(0, (struct attributes){.policy = SCHED_RR, .priority = 10, .nice = 9}) &&
	           is(0, SCHED_RR, 0, 0, 10),
	   "one of real time has a priority in place of it");
	ok(!set(0, (struct attributes){.flags = KEEP_POLICY, .policy = 77, .priority = 5}) &&
	           is(0, SCHED_RR, 0, 0, 5),
	   "SCHED_FLAG_KEEP_POLICY");
	ok(!set(0, (struct attributes){.flags = KEEP_REST, .policy = SCHED_FIFO}) &&
	           is(0, SCHED_RR, 0, 0, 5),
	   "SCHED_FLAG_KEEP_PARAMS keeps all");
	ok(!set(0, (struct attributes){.flags = RESETS}) && is(0, SCHED_OTHER, RESETS, 0, 0) &&
	           policy(0) == SCHED_RESET_ON_FORK,
	   "SCHED_FLAG_RESET_ON_FORK");
	ok(!set(0, (struct attributes){.flags = KEEP_POLICY}) && is(0, SCHED_OTHER, RESETS, 0, 0),
	   "stays with the policy");
	ok(!set(0, (struct attributes){.size = FIRST}) && is(0, SCHED_OTHER, 0, 0, 0), "and goes");
}

static void attributes_are_refused(void)
{
	struct attributes a = {.size = FIRST - 1};

	fails(set(0, (struct attributes){.policy = SCHED_FIFO}), EINVAL, "no priority");
	fails(set(0, (struct attributes){.policy = SCHED_RR, .priority = 100}), EINVAL,
	      "one that is too high");
	fails(set(0, (struct attributes){.priority = 1}), EINVAL, "one that the policy has not");
	fails(set(0, (struct attributes){.policy = 4}), EINVAL, "no policy");
	fails(set(0, (struct attributes){.policy = -1}), EINVAL, "a negative one");
	fails(set(0, (struct attributes){.flags = 0x80}), EINVAL, "no flag");
	fails(set(0, (struct attributes){.flags = UTILIZATION}), EINVAL,
	      "a flag whose values are behind the end");
	fails(syscall(SYS_sched_setattr, 0, &a, 0), E2BIG, "a size that is too small");
	ok(a.size == KNOWN, "the right one is told");
	a = (struct attributes){.size = sizeof(a), .later = {1}};
	fails(syscall(SYS_sched_setattr, 0, &a, 0), E2BIG, "something that is not known");
	a = (struct attributes){.size = sizeof(a)};
	ok(!syscall(SYS_sched_setattr, 0, &a, 0), "room for it is allowed");
	fails(syscall(SYS_sched_setattr, 0, &a, 1), EINVAL, "flags of the call");
	fails(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL, "no attributes");
	fails(syscall(SYS_sched_getattr, 0, &a, FIRST - 1, 0), EINVAL, "no room for them");
	fails(syscall(SYS_sched_getattr, 0, &a, 4097, 0), EINVAL, "more than a page");
	fails(syscall(SYS_sched_getattr, -1, &a, FIRST, 0), EINVAL, "a negative process");
	fails(syscall(SYS_sched_getattr, 3999999, &a, FIRST, 0), ESRCH, "no process");
	memset(&a, 0x55, sizeof(a));
	ok(!syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) && a.size == KNOWN && !a.later[7],
	   "what is not known is 0");
	memset(&a, 0x55, sizeof(a));
	ok(!syscall(SYS_sched_getattr, 0, &a, FIRST, 0) && a.size == FIRST &&
	           a.utilization[0] == 0x55555555,
	   "of less room that is filled");
}

static void attributes_of_others(void)
{
	pid_t child = pausing(), user;

	ok(!set(child, (struct attributes){.policy = SCHED_BATCH, .nice = 7}) &&
	           is(child, SCHED_BATCH, 0, 7, 0),
	   "the attributes of another process");
	ok(!set(child, (struct attributes){.policy = SCHED_FIFO, .priority = 3}) &&
	           is(child, SCHED_FIFO, 0, 0, 3),
	   "of real time");
	user = fork();
	if (!user) {
		if (setuid(4242) || set(0, (struct attributes){.nice = 2}))
			_exit(1);
		if (set(0, (struct attributes){.nice = 1}) != -1 || errno != EPERM)
			_exit(2);
		if (set(0, (struct attributes){.policy = SCHED_RR, .priority = 1}) != -1 ||
		    errno != EPERM)
			_exit(3);
		if (set(child, (struct attributes){.nice = 9}) != -1 || errno != EPERM)
			_exit(4);
		_exit(is(0, SCHED_OTHER, 0, 2, 0) ? 0 : 5);
	}
	ok(exits(user, 0), "a user gives itself less, and others nothing");
	end(child);
}

int main(void)
{
	nice_values();
	policies();
	attributes_are_set();
	attributes_are_refused();
	attributes_of_others();
	return tap_finish();
}
