/* SPDX-License-Identifier: MIT */
/*
 * Nice values and scheduling policies, of this process and of others.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
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

int main(void)
{
	nice_values();
	policies();
	return tap_finish();
}
