/* SPDX-License-Identifier: MIT */
/*
 * Set-ID bits: who may set them, what they are taken away by, and what set-group-ID directories
 * hand on.  Started by user 0; each part runs in a child of its own, in a directory of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define USER  4242
#define GROUP 5252
#define OTHER 6262 /* a group that the user is not in */

/* What a child has counted goes on in its parent. */
static struct {
	int count, failed;
} * counted;

static unsigned mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_mode & 07777;
}

static int make(const char *path, unsigned mode, uid_t user, gid_t group)
{
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	return fd < 0 || fchown(fd, user, group) || fchmod(fd, mode) || close(fd) ? -1 : 0;
}

static void become_user(void)
{
	if (setgroups(0, NULL) || setresgid(GROUP, GROUP, GROUP) || setresuid(USER, USER, USER))
		ok(false, "setresuid");
}

static void owners(void)
{
	ok(!make("f", 06755, 0, 0) && !chown("f", 1, 1) && mode_of("f") == 0755,
	   "a new owner, and both bits are gone");
	ok(!chmod("f", 06755) && !chown("f", -1, -1) && mode_of("f") == 0755, "or the same one");
	ok(!chmod("f", 06644) && !chown("f", 2, -1) && mode_of("f") == 02644,
	   "set-group-ID stays where the group may not execute");
	ok(!mkdir("d", 0755) && !chmod("d", 06755) && !chown("d", 1, 1) && mode_of("d") == 06755,
	   "a directory keeps them");
	make("g", 0755, USER, OTHER);
	become_user();
	ok(!chmod("g", 06755) && mode_of("g") == 04755, "none of a group that one is not in");
}

static void contents(void)
{
	int fd;

	make("f", 06755, USER, GROUP);
	fd = open("f", O_WRONLY);
	ok(write(fd, "x", 1) == 1 && mode_of("f") == 06755, "user 0 writes, and they stay");
	close(fd);
	become_user();
	fd = open("f", O_WRONLY);
	ok(mode_of("f") == 06755, "another has it open");
	ok(write(fd, "x", 1) == 1 && mode_of("f") == 0755, "and writes, and they are gone");
	ok(!chmod("f", 06755) && mode_of("f") == 06755, "set again");
	ok(!write(fd, "", 0) && mode_of("f") == 06755, "nothing is written");
	ok(pwrite(fd, "x", 1, 0) == 1 && mode_of("f") == 0755, "written once more");
	ok(!chmod("f", 06755) && !ftruncate(fd, 0) && mode_of("f") == 0755, "ftruncate");
	ok(!chmod("f", 06755) && !posix_fallocate(fd, 0, 9) && mode_of("f") == 0755, "fallocate");
	ok(!chmod("f", 06755) && !truncate("f", 3) && mode_of("f") == 0755, "truncate");
	chmod("f", 06755);
	close(open("f", O_WRONLY | O_TRUNC));
	ok(mode_of("f") == 0755, "O_TRUNC");
	ok(!chmod("f", 06745) && write(fd, "x", 1) == 1 && mode_of("f") == 02745,
	   "not set-group-ID where the group may not execute");
	close(fd);
}

static unsigned made(const char *path, unsigned mode)
{
	close(open(path, O_CREAT | O_RDWR, mode));
	return mode_of(path);
}

static void making(void)
{
	struct stat st;

	ok(made("f", 06755) == 06755, "a file is made with them");
	ok(!mkdir("d", 07777) && mode_of("d") == 01755, "a directory is not");
	mkdir("e", 0700);
	if (chown("e", 0, OTHER) || chmod("e", 02777))
		ok(false, "chown");
	ok(made("e/f", 02755) == 02755, "nor takes a directory's group them from user 0");
	become_user();
	ok(made("e/g", 02755) == 0755, "others are not in that group");
	ok(made("e/h", 06745) == 06745, "which matters where it may execute");
	ok(!stat("e/h", &st) && st.st_uid == USER && st.st_gid == OTHER, "it is the directory's");
	ok(!mkdir("e/d", 07777) && mode_of("e/d") == 03755, "a directory hands the bit on");
	ok(!mkfifo("e/p", 0644) && mode_of("e/p") == 0644, "nothing else does");
}

static void reading(void)
{
	int fd;

	make("f", 0644, 0, 0);
	make("g", 0644, USER, GROUP);
	become_user();
	fails(open("f", O_RDONLY | O_NOATIME), EPERM, "only its owner hides that a file is read");
	fd = open("g", O_RDONLY | O_NOATIME);
	ok(fd >= 0, "who may");
	close(fd);
}

/* The place is the part's own, and empty. */
static void run(void (*part)(void))
{
	char place[] = "posix_modes.XXXXXX";
	pid_t child;
	int status;

	if (!mkdtemp(place) || chmod(place, 0777) || chdir(place)) {
		ok(false, "mkdtemp");
		return;
	}
	counted->count = tap_count;
	counted->failed = tap_failed;
	fflush(stdout);
	child = fork();
	if (!child) {
		part();
		counted->count = tap_count;
		counted->failed = tap_failed;
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, &status, 0);
	tap_count = counted->count;
	tap_failed = counted->failed;
	if (status)
		ok(false, "the part ends");
	(void)!chdir("..");
	(void)!system("rm -rf posix_modes.??????");
}

/* In the directory that is named, else in /tmp. */
int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	umask(022);
	counted = mmap(NULL, sizeof(*counted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	               -1, 0);
	if (counted == MAP_FAILED || chdir(argc > 1 ? argv[1] : "/tmp"))
		return 2;
	run(owners);
	run(contents);
	run(making);
	run(reading);
	return tap_finish();
}
