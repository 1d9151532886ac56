/* SPDX-License-Identifier: MIT */
/*
 * Working directories below /proc, and paths that start there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

static bool read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

static int ends_with(pid_t child, int expected)
{
	int status;

	return waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       WEXITSTATUS(status) == expected;
}

static int is_here(const char *format, int number)
{
	char expected[64], here[256];

	snprintf(expected, sizeof(expected), format, number);
	return getcwd(here, sizeof(here)) && !strcmp(here, expected);
}

static int opens(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	return fd >= 0 && close(fd) == 0;
}

/* The working directory below /proc, and paths that start there. */
static void in_proc(void)
{
	char command[128], text[256] = "", before[256];
	struct stat st;
	pid_t child;

	getcwd(before, sizeof(before));
	ok(chdir("/proc/self") == 0 && is_here("/proc/%d", getpid()), "the directory of a process");
	ok(read_file("stat", text, sizeof(text)) && atoi(text) == getpid(), "its files");
	ok(stat("fd", &st) == 0 && S_ISDIR(st.st_mode) && opens(".", O_RDONLY | O_DIRECTORY) &&
	           access("status", R_OK) == 0 && readlink("exe", text, sizeof(text)) > 0,
	   "its directories and links");
	ok(opens("../uptime", O_RDONLY) && opens("../../tmp", O_RDONLY | O_DIRECTORY),
	   "what is above it");
	fails(open("../tmp", O_RDONLY), ENOENT, "and not what is elsewhere");
	fails(open("self/stat", O_RDONLY), ENOENT, "or beside it");
	fails(open("none", O_RDONLY), ENOENT, "or nowhere");
	ok(opens("../../tmp/in_proc", O_CREAT | O_RDWR) &&
	           rename("../../tmp/in_proc", "../../tmp/in_proc2") == 0 &&
	           chmod("../../tmp/in_proc2", 0400) == 0 && unlink("../../tmp/in_proc2") == 0,
	   "files elsewhere are changed from there");
	child = fork();
	if (!child)
		_exit(read_file("stat", text, sizeof(text)) && atoi(text) == getppid() ? 0 : 1);
	ok(ends_with(child, 0), "a child is in the same directory");
	snprintf(command, sizeof(command), "read n rest <stat && test $n = %d", getpid());
	ok(system(command) == 0, "a program that it executes too");
	ok(chdir("fd") == 0 && is_here("/proc/%d/fd", getpid()) && chdir("..") == 0 &&
	           is_here("/proc/%d", getpid()) && chdir("../") == 0 && is_here("/proc", 0) &&
	           chdir("..") == 0 && is_here("/", 0),
	   "up and down");
	fails(chdir("/proc/self/stat"), ENOTDIR, "a file is no directory");
	fails(chdir("/proc/3999999"), ENOENT, "no process has that number");
	ok(chdir("/tmp") == 0 && chdir("/proc/self/cwd") == 0 && is_here("/tmp", 0),
	   "a link leads out of /proc");
	child = fork();
	if (!child)
		_exit(pause());
	snprintf(command, sizeof(command), "/proc/%d", child);
	ok(chdir(command) == 0 && is_here("/proc/%d", child), "of another process");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ok(open("stat", O_RDONLY) == -1, "which has ended");
	errno = 0;
	ok(!getcwd(text, sizeof(text)) && errno == ENOENT, "and its directory is no more");
	ok(chdir(before) == 0, "back");
}

/* The status file says what the calls say. */
/* cp refuses what another file seems to have taken the place of. */
static void told_by_path_and_descriptor(void)
{
	static const char *const paths[] = {"/proc",
	                                    "/proc/version",
	                                    "/proc/cpuinfo",
	                                    "/proc/mounts",
	                                    "/proc/self",
	                                    "/proc/self/stat",
	                                    "/proc/self/mounts",
	                                    "/proc/self/fd",
	                                    "/dev/null",
	                                    "/dev"};
	struct stat path, descriptor, others[10];

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = open(paths[i], O_RDONLY);
		bool differs = true;

		if (stat(paths[i], &path) || fstat(fd, &descriptor))
			printf("# %s: errno %d\n", paths[i], errno);
		close(fd);
		ok(path.st_dev == descriptor.st_dev && path.st_ino == descriptor.st_ino &&
		           path.st_mode == descriptor.st_mode && path.st_uid == descriptor.st_uid,
		   "stat says the same by a path and by a descriptor");
		others[i] = path;
		for (size_t k = 0; k < i; k++)
			differs &= others[k].st_ino != path.st_ino ||
			           others[k].st_dev != path.st_dev || k == 3;
		ok(differs, "and that one file is not another");
	}
}

static void privileges(void)
{
	static char status[4096];
	struct {
		uint32_t version;
		int pid;
	} header = {.version = 0x20080522};
	uint32_t sets[6] = {0};
	unsigned long effective = 1, permitted = 1;
	int promised = -1;
	const char *at;

	syscall(SYS_capget, &header, sets);
	ok(read_file("/proc/self/status", status, sizeof(status)), "the status of a process");
	at = strstr(status, "\nCapPrm:\t");
	ok(at && sscanf(at, " CapPrm: %lx CapEff: %lx", &permitted, &effective) == 2 &&
	           effective == (sets[0] | (unsigned long)sets[3] << 32) &&
	           permitted == (sets[1] | (unsigned long)sets[4] << 32),
	   "has its capabilities of Linux's kind");
	at = strstr(status, "\nNoNewPrivs:\t");
	ok(at && sscanf(at, " NoNewPrivs: %d", &promised) == 1 &&
	           promised == prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
	   "and whether a program may gain some");
}

int main(void)
{
	in_proc();
	told_by_path_and_descriptor();
	privileges();
	return tap_finish();
}
