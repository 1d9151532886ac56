/* SPDX-License-Identifier: MIT */
/*
 * What /proc/self/fd/N and /dev/fd/N lead to, and what these links read: as if the file was opened
 * by a name that it may have no more.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define USER  4242
#define PLACE "/tmp/reopen.d"
#define FILE_ PLACE "/file"

static const char *link_of(int fd)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static bool reads(const char *path, const char *expected)
{
	char target[256] = "";
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	if (length < 0 || strcmp(target, expected))
		printf("# %s reads %s\n", path, target);
	return length >= 0 && !strcmp(target, expected);
}

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_size;
}

/* 0 or the errno with which it cannot be opened. */
static int try_open(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* The same in a process of another user. */
static int try_as_user(const char *path, int flags)
{
	int status;
	pid_t child = fork();

	if (!child) {
		if (setgid(USER) || setuid(USER))
			_exit(255);
		_exit(try_open(path, flags));
	}
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

static void permissions(void)
{
	int fd = open(FILE_, O_CREAT | O_RDWR, 0600);
	int only_read = open(FILE_, O_RDONLY);
	const char *path = link_of(fd);

	ok(try_as_user(path, O_RDONLY) == EACCES && try_as_user(path, O_RDWR) == EACCES,
	   "a file of mode 0600 is not opened again by another user");
	fchmod(fd, 0604);
	ok(!try_as_user(path, O_RDONLY), "one of mode 0604 is, to be read");
	ok(try_as_user(path, O_WRONLY) == EACCES, "not to be written");
	ok(try_as_user(path, O_RDONLY | O_TRUNC) == EACCES, "nor to be cut");
	fchmod(fd, 0606);
	path = link_of(only_read);
	ok(!try_as_user(path, O_RDWR), "one that was opened to be read is opened to be written");
	unlink(FILE_);
	ok(!try_as_user(path, O_RDWR), "also when it has no name");
	fchmod(fd, 0604);
	ok(try_as_user(path, O_RDWR) == EACCES, "and by its permission bits then");
	ok(!try_open(path, O_RDWR), "the superuser does as it likes");
	close(fd);
	close(only_read);
}

static void cutting(void)
{
	int fd = open(FILE_, O_CREAT | O_RDWR, 0600), again;
	char text[16] = "";

	write(fd, "hello", 5);
	again = open(link_of(fd), O_RDONLY);
	ok(read(again, text, 5) == 5 && !strcmp(text, "hello"), "it has an offset of its own");
	close(again);
	ok(!try_open(link_of(fd), O_WRONLY | O_TRUNC) && size_of(fd) == 0, "O_TRUNC cuts it");
	write(fd, "hello", 5);
	snprintf(text, sizeof(text), "/dev/fd/%d", fd);
	ok(!try_open(text, O_RDONLY | O_TRUNC) && size_of(fd) == 0,
	   "and does so when it is opened to be read, by /dev/fd");
	snprintf(text, sizeof(text), "/dev/fd/%d", fd);
	ok(try_open(text, O_CREAT | O_EXCL | O_RDWR) == EEXIST, "O_EXCL");
	ok(try_open(link_of(fd), O_RDONLY | O_NOFOLLOW) == ELOOP, "O_NOFOLLOW");
	ok(try_open(link_of(fd), O_RDONLY | O_DIRECTORY) == ENOTDIR, "O_DIRECTORY of a file");
	again = open(FILE_, O_PATH);
	ok(!try_open(link_of(again), O_RDWR), "what was opened with O_PATH is opened");
	close(again);
	close(fd);
	unlink(FILE_);
}

static void directories(void)
{
	int fd, again;

	mkdir(PLACE "/inner", 0700);
	mkdir(PLACE "/inner/most", 0755);
	fd = open(PLACE "/inner", O_RDONLY | O_DIRECTORY);
	again = open(link_of(fd), O_RDONLY | O_DIRECTORY);
	ok(faccessat(again, "most", F_OK, 0) == 0, "a directory is opened again");
	ok(try_open(link_of(fd), O_RDWR) == EISDIR && try_as_user(link_of(fd), O_RDWR) == EISDIR,
	   "not to be written");
	ok(try_as_user(link_of(fd), O_RDONLY) == EACCES, "nor by who may not read it");
	close(again);
	again = open(PLACE "/inner/most", O_RDONLY);
	rmdir(PLACE "/inner/most");
	ok(reads(link_of(again), PLACE "/inner/most (deleted)"), "a directory that was removed");
	chdir(PLACE "/inner");
	rmdir(PLACE "/inner");
	ok(reads(link_of(fd), PLACE "/inner (deleted)"), "so was the one it was in");
	ok(reads("/proc/self/cwd", PLACE "/inner (deleted)"), "which this process is in");
	ok(!getcwd((char[64]){0}, 64) && errno == ENOENT, "it is nowhere");
	chdir("/");
	close(again);
	close(fd);
}

static void names(void)
{
	int fd = open(FILE_, O_CREAT | O_RDWR, 0600), other;
	struct stat st;

	ok(reads(link_of(fd), FILE_), "the link of a file");
	rename(FILE_, PLACE "/new");
	ok(reads(link_of(fd), PLACE "/new"), "that got another name");
	unlink(PLACE "/new");
	ok(reads(link_of(fd), PLACE "/new (deleted)"), "and lost it");
	ok(!stat(link_of(fd), &st) && st.st_nlink == 0, "can be followed");
	close(fd);
	fd = open(FILE_, O_CREAT | O_RDWR, 0600);
	other = open(PLACE "/other", O_CREAT | O_RDWR, 0600);
	rename(PLACE "/other", FILE_);
	ok(reads(link_of(fd), FILE_ " (deleted)"), "the link of a file that was replaced");
	ok(reads(link_of(other), FILE_), "and of what replaced it");
	close(other);
	close(fd);
	unlink(FILE_);
	fd = open(PLACE, O_TMPFILE | O_RDWR, 0600);
	ok(!try_open(link_of(fd), O_RDWR), "a file that never had a name is opened");
	ok(try_as_user(link_of(fd), O_RDONLY) == EACCES, "not by another user");
	close(fd);
}

static void links_themselves(void)
{
	static const struct {
		int flags;
		mode_t mode;
	} kinds[] = {{O_RDONLY, 0500}, {O_WRONLY, 0300}, {O_RDWR, 0700}, {O_PATH, 0}};
	struct stat st;

	close(open(FILE_, O_CREAT | O_RDWR, 0600));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int fd = open(FILE_, kinds[i].flags);

		ok(!lstat(link_of(fd), &st) && st.st_mode == (S_IFLNK | kinds[i].mode) &&
		           st.st_size == 64,
		   "the link's mode says how it is open");
		close(fd);
	}
}

/* By its number, from itself and from its child. */
static void by_number(void)
{
	int fd = open(FILE_, O_RDWR), status;
	char path[64];
	pid_t child;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	ok(!try_open(path, O_RDWR), "a process opens its own descriptor by its number");
	child = fork();
	if (!child) {
		close(fd);
		_exit(try_open(path, O_RDONLY) || try_open(path, O_WRONLY | O_TRUNC));
	}
	waitpid(child, &status, 0);
	ok(status == 0, "its child opens what it has open");
	close(fd);
	unlink(FILE_);
}

/* ---- Calls by these paths ---- */

/* musl makes some of its functions of them, when a descriptor was opened with O_PATH. */
static void calls_on_files(void)
{
	const struct timespec times[2] = {{1, 0}, {2, 0}};
	int fd = open(FILE_, O_CREAT | O_RDWR, 0600), named;
	const char *path = link_of(fd);
	struct stat st;

	write(fd, "hello", 5);
	ok(!chmod(path, 0640) && !fstat(fd, &st) && (st.st_mode & 07777) == 0640, "chmod");
	ok(!chown(path, USER, USER) && !fstat(fd, &st) && st.st_uid == USER, "chown");
	ok(!truncate(path, 3) && size_of(fd) == 3, "truncate");
	ok(!utimensat(AT_FDCWD, path, times, 0) && !fstat(fd, &st) && st.st_mtime == 2,
	   "utimensat");
	ok(!access(path, R_OK) && !stat(path, &st), "access and stat");
	named = open(FILE_, O_PATH);
	ok(!fchmod(named, 0600) && !fstat(fd, &st) && (st.st_mode & 07777) == 0600,
	   "fchmod of what was opened with O_PATH");
	ok(!fchown(named, 0, 0) && !fstat(fd, &st) && !st.st_uid, "fchown");
	unlink(FILE_);
	ok(!chmod(path, 0604) && !fstat(fd, &st) && (st.st_mode & 07777) == 0604,
	   "chmod of what has no name");
	close(named);
	close(fd);
}

static void paths_through_directories(void)
{
	char path[96], here[128];
	int fd, file;
	DIR *listed;

	mkdir(PLACE "/inner", 0755);
	fd = open(PLACE "/inner", O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "%s/file", link_of(fd));
	file = open(path, O_CREAT | O_RDWR, 0600);
	ok(file >= 0 && !access(PLACE "/inner/file", F_OK), "a file is made through a link");
	ok(!access(path, R_OK) && !chmod(path, 0644) && !link(path, PLACE "/hard"),
	   "and named by it");
	ok(!rename(path, PLACE "/moved") && !access(PLACE "/moved", F_OK), "and renamed");
	ok(!unlink(PLACE "/moved") && !unlink(PLACE "/hard"), "there it is");
	snprintf(path, sizeof(path), "/dev/fd/%d/../inner", fd);
	ok(!access(path, X_OK), "through /dev/fd");
	ok(!chdir(link_of(fd)) && getcwd(here, sizeof(here)) && !strcmp(here, PLACE "/inner"),
	   "chdir");
	close(open("file", O_CREAT | O_RDWR, 0600));
	ok(!access("/proc/self/cwd/file", R_OK) && !try_open("/proc/self/cwd/file", O_RDWR),
	   "through the working directory");
	ok(!try_open("/proc/self/root" PLACE "/inner/file", O_RDWR), "through the root");
	listed = opendir("/proc/self/cwd");
	ok(listed && readdir(listed), "the working directory is listed");
	closedir(listed);
	unlink("/proc/self/cwd/file");
	ok(access(PLACE "/inner/file", F_OK) && errno == ENOENT, "something goes from there");
	chdir("/");
	close(file);
	close(fd);
	rmdir(PLACE "/inner");
}

int main(void)
{
	umask(0);
	mkdir(PLACE, 0755);
	permissions();
	cutting();
	directories();
	names();
	links_themselves();
	by_number();
	calls_on_files();
	paths_through_directories();
	rmdir(PLACE);
	return tap_finish();
}
