/* SPDX-License-Identifier: MIT */
/*
 * What a directory is good for besides names of files: files without a name, exchanged names, room
 * for a file, groups that are handed on, FIFOs, listings that are gone through in pieces.  In a
 * volume most of it is made of what the host's server has instead.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define PAGE  4096
#define DEPTH 300
#define MANY  500

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static mode_t mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? 0 : st.st_mode;
}

static int links_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : (int)st.st_nlink;
}

static int count(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n - 2;
}

static void groups(void)
{
	struct stat st;

	umask(022);
	ok(mkdir("g", 0755) == 0 && chown("g", -1, 77) == 0 && chmod("g", 02775) == 0,
	   "a directory with a group of its own");
	ok(mkdir("g/d", 0755) == 0 && mode_of("g/d") == (S_IFDIR | 02755),
	   "one made in it hands the group on");
	ok(stat("g/d", &st) == 0 && st.st_gid == 77, "and has it");
	ok(mkdir("g/d/e", 0700) == 0 && mode_of("g/d/e") == (S_IFDIR | 02700), "so does the next");
	close(open("g/f", O_CREAT | O_WRONLY, 0644));
	ok(stat("g/f", &st) == 0 && st.st_gid == 77 && st.st_mode == (S_IFREG | 0644),
	   "a file has the group alone");
	ok(symlink("f", "g/l") == 0 && lstat("g/l", &st) == 0 && st.st_gid == 77, "a link too");
	ok(chmod("g", 0755) == 0 && mkdir("g/n", 0755) == 0 && mode_of("g/n") == (S_IFDIR | 0755),
	   "without the bit it does not");
}

static int link_of(int fd, const char *to)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
}

static void unnamed(void)
{
	char text[8] = "";
	int fd, other;

	mkdir("t", 0755);
	fd = open("t", O_TMPFILE | O_RDWR, 0640);
	ok(fd >= 0 && links_of(fd) == 0 && count("t") == 0, "a file without a name");
	ok(write(fd, "first", 5) == 5 && pread(fd, text, 5, 0) == 5 && !strcmp(text, "first"),
	   "is written and read");
	close(open("t/there", O_CREAT | O_WRONLY, 0600));
	fails(link_of(fd, "t/there"), EEXIST, "it gets no name that is taken");
	fails(link_of(fd, "none/x"), ENOENT, "nor one in no directory");
	ok(link_of(fd, "t/named") == 0 && links_of(fd) == 1 && count("t") == 2, "but another");
	ok(mode_of("t/named") == (S_IFREG | 0640), "with its mode");
	ok(pwrite(fd, "F", 1, 0) == 1 && ftruncate(fd, 3) == 0, "it is the same file");
	other = open("t/named", O_RDONLY);
	memset(text, 0, sizeof(text));
	ok(read(other, text, 7) == 3 && !strcmp(text, "Fir"), "for who opens it");
	ok(link_of(fd, "t/again") == 0 && links_of(other) == 2, "a second name");
	ok(rename("t/named", "t/moved") == 0 && link_of(other, "t/third") == 0 && links_of(fd) == 3,
	   "a third, of the one that only reads");
	ok(unlink("t/moved") == 0 && unlink("t/again") == 0 && unlink("t/third") == 0 &&
	           links_of(fd) == 0,
	   "all are taken away");
	fails(link_of(fd, "t/never"), ENOENT, "then it gets none any more");
	close(other);
	close(fd);
	fd = open("t", O_TMPFILE | O_WRONLY | O_EXCL, 0600);
	ok(fd >= 0 && write(fd, "x", 1) == 1 && links_of(fd) == 0, "one that is never to have one");
	fails(link_of(fd, "t/never"), ENOENT, "has none");
	close(fd);
	unlink("t/there");
	fd = open("t", O_TMPFILE | O_RDWR, 0600);
	ok(fd >= 0 && write(fd, "stays", 5) == 5 && rmdir("t") == 0, "its directory goes");
	memset(text, 0, sizeof(text));
	ok(pread(fd, text, 7, 0) == 5 && !strcmp(text, "stays") && links_of(fd) == 0,
	   "and it stays");
	close(fd);
	fails(open("t", O_TMPFILE | O_RDWR, 0600), ENOENT, "in no directory");
	fails(open("g/f", O_TMPFILE | O_RDWR, 0600), ENOTDIR, "in a file");
}

static int exchange(const char *a, const char *b)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}

static void exchanges(void)
{
	int fd;
	char byte = 0;

	mkdir("x", 0755);
	mkdir("x/y", 0755);
	mkdir("x/y/z", 0755);
	fd = open("x/f", O_CREAT | O_RDWR, 0644);
	(void)!write(fd, "f", 1);
	ok(exchange("x/f", "x/y") == 0 && mode_of("x/f") == (S_IFDIR | 0755) &&
	           mode_of("x/y") == (S_IFREG | 0644) && mode_of("x/f/z") == (S_IFDIR | 0755),
	   "a file and a directory");
	ok(pread(fd, &byte, 1, 0) == 1 && byte == 'f' && links_of(fd) == 1,
	   "the file is open all the time");
	ok(count("x") == 2, "no other name comes of it");
	fails(exchange("x/f", "x/f/z"), EINVAL, "a directory and what is in it");
	fails(exchange("x/f/z", "x/f"), EINVAL, "the other way round");
	ok(mode_of("x/f/z") == (S_IFDIR | 0755) && count("x") == 2, "all is as it was");
	fails(exchange("x/f", "x/none"), ENOENT, "and what is not there");
	fails(exchange("x/none", "x/f"), ENOENT, "the other way round");
	ok(exchange("x/y", "x/y") == 0, "one with itself");
	ok(exchange("x/y", "x/f/z") == 0 && mode_of("x/f/z") == (S_IFREG | 0644) &&
	           mode_of("x/y") == (S_IFDIR | 0755),
	   "in different directories");
	close(fd);
}

static long long blocks_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : (long long)st.st_blocks;
}

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_size;
}

static void room(void)
{
	static char back[16 * PAGE];
	int fd = open("room", O_CREAT | O_RDWR | O_TRUNC, 0644), other;

	ok(pwrite(fd, "middle", 6, 5 * PAGE - 3) == 6 && ftruncate(fd, 10 * PAGE) == 0 &&
	           blocks_of(fd) <= 2 * 8,
	   "a file of holes");
	ok(fallocate(fd, FALLOC_FL_KEEP_SIZE, PAGE, 3 * PAGE) == 0 && size_of(fd) == 10 * PAGE &&
	           blocks_of(fd) >= 4 * 8,
	   "gets room for a part of it");
	ok(posix_fallocate(fd, 0, 10 * PAGE) == 0 && size_of(fd) == 10 * PAGE &&
	           blocks_of(fd) >= 10 * 8,
	   "and for all of it");
	ok(pread(fd, back, sizeof(back), 0) == 10 * PAGE &&
	           !memcmp(back + 5 * PAGE - 3, "middle", 6) && !back[0] && !back[5 * PAGE - 4] &&
	           !back[5 * PAGE + 3],
	   "which has the same bytes");
	other = open("room", O_WRONLY);
	ok(ftruncate(fd, 0) == 0 && ftruncate(fd, 4 * PAGE) == 0 &&
	           posix_fallocate(other, 100, 3 * PAGE) == 0 && blocks_of(fd) >= 4 * 8,
	   "by one that only writes");
	ok(posix_fallocate(other, 8 * PAGE, 2 * PAGE) == 0 && size_of(fd) == 10 * PAGE,
	   "behind its end");
	ok(pread(fd, back, sizeof(back), 0) == 10 * PAGE && !back[0] && !back[9 * PAGE],
	   "it becomes longer by zeroes");
	fails(fallocate(open("room", O_RDONLY), 0, 0, 1), EBADF, "not by one that only reads");
	close(other);
	close(fd);
}

static void fifos(void)
{
	struct dirent *e;
	bool seen = false;
	int fd;
	char byte;
	DIR *d;

	mkdir("p", 0755);
	ok(mkfifo("p/fifo", 0640) == 0 && mode_of("p/fifo") == (S_IFIFO | 0640), "a FIFO");
	d = opendir("p");
	while (d && (e = readdir(d)))
		seen |= !strcmp(e->d_name, "fifo") && e->d_type == DT_FIFO;
	closedir(d);
	ok(seen, "the directory says what it is");
	ok(rename("p/fifo", "p/pipe") == 0 && link("p/pipe", "p/other") == 0 &&
	           unlink("p/pipe") == 0 && mode_of("p/other") == (S_IFIFO | 0640),
	   "it has another name");
	fd = open("p/other", O_RDWR);
	ok(fd >= 0 && write(fd, "x", 1) == 1 && read(fd, &byte, 1) == 1, "and is one");
	ok(chmod("p/other", 0600) == 0 && mode_of("p/other") == (S_IFIFO | 0600), "chmod");
	ok(unlink("p/other") == 0 && write(fd, "y", 1) == 1 && read(fd, &byte, 1) == 1 &&
	           links_of(fd) == 0,
	   "without a name as well");
	close(fd);
	close(open("p/other", O_CREAT | O_WRONLY, 0644));
	ok(mode_of("p/other") == (S_IFREG | 0644), "a file in its place is a file");
	ok(mkfifo("p/again", 0600) == 0 && rename("p/other", "p/again") == 0 &&
	           mode_of("p/again") == (S_IFREG | 0644),
	   "and one that takes its place");
}

static void listing(void)
{
	char name[32];
	DIR *d;
	struct dirent *e;
	int n = 0, wrong = 0;
	long middle = 0;

	mkdir("m", 0755);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "m/file-number-%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	ok(count("m") == MANY, "all of them are listed");
	d = opendir("m");
	while ((e = readdir(d)) && n < MANY / 2)
		n++;
	middle = telldir(d);
	while ((e = readdir(d)))
		n++;
	seekdir(d, middle);
	for (n = 0; (e = readdir(d));)
		n++;
	ok(n > 0 && n < MANY, "from the middle again");
	rewinddir(d);
	for (n = 0; (e = readdir(d));)
		n++;
	ok(n == MANY + 2, "from the start again");
	rewinddir(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			wrong += unlinkat(dirfd(d), e->d_name, 0) != 0;
	closedir(d);
	ok(!wrong && rmdir("m") == 0, "removed while they are listed");
}

static void depth(void)
{
	static char path[8192], expected[8192];
	bool fine = true;
	int top = open(".", O_RDONLY), length;

	(void)!getcwd(expected, sizeof(expected));
	length = (int)strlen(expected);
	for (int i = 0; i < DEPTH && fine; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d%d", i);
		length += sprintf(expected + length, "/%s", name);
		fine = !mkdir(name, 0755) && !chdir(name);
	}
	ok(fine && getcwd(path, sizeof(path)) && !strcmp(path, expected), "getcwd far below");
	ok(fchdir(top) == 0 && rename("d0", "e0") == 0 && chdir("e0/d1/d2") == 0 &&
	           getcwd(path, sizeof(path)) && !strcmp(strstr(path, "/e0"), "/e0/d1/d2"),
	   "and after something above was renamed");
	ok(renameat(top, "e0/d1", top, "moved") == 0 && getcwd(path, sizeof(path)) &&
	           !strcmp(strstr(path, "/moved"), "/moved/d2"),
	   "or moved away from under it");
	ok(fchdir(top) == 0 && mkdir("gone", 0755) == 0 && chdir("gone") == 0 &&
	           unlinkat(top, "gone", AT_REMOVEDIR) == 0,
	   "one that is removed");
	ok(!getcwd(path, sizeof(path)) && errno == ENOENT, "has no path");
	(void)!fchdir(top);
	close(top);
}

static void syncs(void)
{
	int fd = open("s", O_CREAT | O_RDWR, 0644);

	ok(write(fd, "text", 4) == 4 && syncfs(fd) == 0, "syncfs");
	sync();
	ok(write(fd, "more", 4) == 4 && fdatasync(fd) == 0 && fsync(fd) == 0, "fsync after sync");
	close(fd);
	fails(syncfs(fd), EBADF, "of nothing");
}

static void locks(void)
{
	int first = open("g", O_RDONLY), status = 0;
	pid_t child;

	ok(flock(first, LOCK_EX) == 0, "a directory is locked");
	child = fork();
	if (!child) {
		int own = open("g", O_RDONLY);

		_exit(own >= 0 && flock(own, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK ? 0 : 1);
	}
	ok(waitpid(child, &status, 0) == child && status == 0, "against another process");
	child = fork();
	if (!child) {
		close(first);
		_exit(flock(open("g", O_RDONLY), LOCK_EX) ? 1 : 0);
	}
	close(first);
	ok(waitpid(child, &status, 0) == child && status == 0, "which waits for it");
}

int main(void)
{
	char directory[] = "/tmp/places-XXXXXX";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!mkdtemp(directory) || chdir(directory))
		return 1;
	groups();
	unnamed();
	exchanges();
	room();
	fifos();
	listing();
	depth();
	syncs();
	locks();
	return tap_finish();
}
