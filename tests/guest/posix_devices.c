/* SPDX-License-Identifier: MIT */
/*
 * Devices and the files of /proc have the names of other files: they are found through symbolic
 * links, from a working directory and from an open one, by opendir and by stat.  Linux says the
 * same.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "posix_tap.h"

static bool is_null(const char *path)
{
	struct stat st;
	char byte;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	int result = fd >= 0 && write(fd, "x", 1) == 1 && read(fd, &byte, 1) == 0 &&
	             fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) &&
	             stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);

	close(fd);
	return result;
}

static void through_links(void)
{
	struct stat st;
	char byte = 1;
	int fd, dir;

	symlink("/dev/null", "absolute");
	symlink("absolute", "twice");
	symlink("/dev", "directory");
	symlink("../../../../../dev/zero", "relative");
	ok(is_null("absolute"), "a link to /dev/null swallows what is written to it");
	ok(is_null("twice"), "also a link to such a link");
	ok(is_null("directory/null"), "and a link to /dev");
	fd = open("relative", O_RDONLY);
	ok(fd >= 0 && read(fd, &byte, 1) == 1 && byte == 0, "a relative link to /dev/zero");
	close(fd);
	ok(lstat("absolute", &st) == 0 && S_ISLNK(st.st_mode), "lstat says that it is a link");
	fails(open("absolute", O_RDWR | O_NOFOLLOW), ELOOP, "O_NOFOLLOW does not follow it");
	fails(open("absolute", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST, "O_EXCL finds the link");
	fails(open("absolute", O_RDONLY | O_DIRECTORY), ENOTDIR, "a device is no directory");
	dir = open("/dev", O_RDONLY | O_DIRECTORY);
	fd = openat(dir, "null", O_WRONLY);
	ok(fd >= 0 && write(fd, "x", 1) == 1, "openat of an open /dev");
	close(fd);
	close(dir);
	ok(access("absolute", R_OK | W_OK) == 0, "access follows the link");
	unlink("absolute");
	unlink("twice");
	unlink("relative");
	unlink("directory");
}

static void from_directory(const char *back)
{
	ok(chdir("/dev") == 0 && is_null("null") && is_null("./null") && is_null("../dev/null"),
	   "a program in /dev opens null");
	chdir(back);
}

static void listed(void)
{
	static const char *const names[] = {"null", "zero", "full",  "random", "urandom", "tty",
	                                    "ptmx", "fd",   "stdin", "stdout", "stderr"};
	DIR *dir = opendir("/dev");
	const struct dirent *e;
	unsigned found = 0;

	while (dir && (e = readdir(dir)))
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			found += !strcmp(e->d_name, names[i]);
	ok(found == sizeof(names) / sizeof(names[0]), "a listing of /dev shows the devices");
	closedir(dir);
}

/* What containers do with the logs of servers. */
static void descriptors(void)
{
	char text[10] = "", target[100] = "";
	struct stat st, other;
	int ends[2], copy = dup(1), fd;
	bool written;

	symlink("/dev/stdout", "log");
	symlink("/proc/self/fd/1", "log.1");
	fflush(stdout);
	if (pipe(ends))
		return;
	dup2(ends[1], 1);
	fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
	written = fd >= 0 && write(fd, "one", 3) == 3;
	close(fd);
	fd = open("log.1", O_WRONLY);
	written = written && fd >= 0 && write(fd, "two", 3) == 3;
	close(fd);
	written = written && stat("log", &st) == 0 && fstat(1, &other) == 0 &&
	          S_ISFIFO(st.st_mode) && st.st_ino == other.st_ino;
	dup2(copy, 1);
	ok(written, "links to /dev/stdout and /proc/self/fd/1 are the standard output");
	ok(read(ends[0], text, sizeof(text)) == 6 && !memcmp(text, "onetwo", 6), "and write to it");
	ok(lstat("/dev/stdout", &st) == 0 && S_ISLNK(st.st_mode), "/dev/stdout is a link itself");
	ok(readlink("/dev/stdout", target, sizeof(target)) == 15 &&
	           !strcmp(target, "/proc/self/fd/1"),
	   "to the descriptor");
	close(copy);
	close(ends[0]);
	close(ends[1]);
	unlink("log");
	unlink("log.1");
}

static void made(const char *back)
{
	static char text[4096];
	struct stat st;
	int fd;

	symlink("/proc/uptime", "uptime");
	symlink("/proc", "proc");
	symlink("/proc/nothing", "nothing");
	fd = open("uptime", O_RDONLY);
	ok(fd >= 0 && read(fd, text, sizeof(text)) > 0, "a link to a file of /proc");
	close(fd);
	fd = open("proc/self/stat", O_RDONLY);
	ok(fd >= 0 && read(fd, text, sizeof(text)) > 0, "a link to /proc");
	close(fd);
	ok(stat("uptime", &st) == 0 && S_ISREG(st.st_mode), "stat follows it");
	fails(open("nothing", O_RDONLY), ENOENT, "what /proc does not have is ENOENT");
	fails(open("nothing", O_RDWR | O_CREAT, 0600), ENOENT, "and is not made");
	fails(stat("nothing", &st), ENOENT, "stat of it, too");
	fails(access("nothing", F_OK), ENOENT, "and access");
	ok(realpath("/proc/self", text) && realpath("/proc/self/exe", text) && strrchr(text, '/'),
	   "realpath of links in /proc");
	fails(readlink("/proc/self/stat", text, sizeof(text)), EINVAL, "a file there is no link");
	ok(stat("/proc/./uptime", &st) == 0 && stat("/proc/self/../uptime", &st) == 0 &&
	           stat("/tmp/../proc//uptime", &st) == 0 && stat("/../proc/uptime", &st) == 0,
	   "however its path is written");
	ok(chdir("/") == 0 && stat("proc/uptime", &st) == 0 && stat("./proc/uptime", &st) == 0,
	   "from the root directory");
	ok(chdir("/proc") == 0 && stat("./uptime", &st) == 0 && stat("self/../uptime", &st) == 0 &&
	           stat("../proc/uptime", &st) == 0 && stat("../tmp", &st) == 0,
	   "and from there");
	ok(system("cat ./uptime self/../uptime >/dev/null") == 0, "also for another program");
	chdir(back);
	fails(mkdir("/proc/directory", 0755), ENOENT, "nothing is made there");
	ok(open("/proc/file", O_RDWR | O_CREAT, 0600) == -1, "no file either");
	unlink("uptime");
	unlink("proc");
	unlink("nothing");
}

int main(void)
{
	char directory[] = "/tmp/devices.XXXXXX";

	if (!mkdtemp(directory) || chdir(directory))
		return 99;
	through_links();
	from_directory(directory);
	listed();
	descriptors();
	made(directory);
	chdir("/");
	ok(rmdir(directory) == 0, "nothing is left");
	return tap_finish();
}
