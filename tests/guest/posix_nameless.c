/* SPDX-License-Identifier: MIT */
/*
 * Open files whose names were taken away, and shared mappings that outlive what made them: by
 * close, exit, exec and a signal.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define PAGE 4096
#define RW   (PROT_READ | PROT_WRITE)

static int create(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? fd : -1;
}

/* Zeroes count as dots. */
static int holds(int fd, const char *text)
{
	char got[64] = "";
	ssize_t length = pread(fd, got, sizeof(got) - 1, 0);

	for (ssize_t i = 0; i < length; i++)
		got[i] = got[i] ? got[i] : '.';
	return length == (ssize_t)strlen(text) && !strcmp(got, text);
}

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_size;
}

static void lengths(void)
{
	int fd = create("f", "0123456789"), other = open("f", O_RDWR);
	struct stat st;

	ok(fd >= 0 && other >= 0 && unlink("f") == 0, "a file loses its name");
	ok(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 10, "it has none");
	ok(ftruncate(fd, 4) == 0 && size_of(fd) == 4 && holds(fd, "0123"), "it is made shorter");
	ok(size_of(other) == 4 && holds(other, "0123"), "for all who have it open");
	ok(ftruncate(fd, 8) == 0 && holds(other, "0123...."), "and longer, by zeroes");
	ok(pwrite(other, "x", 1, 11) == 1 && size_of(fd) == 12 && holds(fd, "0123.......x"),
	   "a write behind the end leaves a hole");
	ok(ftruncate(fd, 2) == 0 && pwrite(fd, "yz", 2, 5) == 2 && holds(fd, "01...yz"),
	   "and nothing of what was cut off");
	ok(fcntl(fd, F_SETFL, O_APPEND) == 0 && write(fd, "end", 3) == 3 &&
	           holds(other, "01...yzend"),
	   "O_APPEND");
	ok(lseek(other, 0, SEEK_END) == 10, "its end");
	ok(ftruncate(fd, 3 << 20) == 0 && size_of(fd) == 3 << 20 && ftruncate(fd, 0) == 0 &&
	           holds(fd, ""),
	   "to 3 MiB and to nothing");
	ok(fsync(fd) == 0 && fdatasync(fd) == 0, "fsync");
	close(fd);
	ok(size_of(other) == 0 && write(other, "again", 5) == 5,
	   "one closes it, the other goes on");
	close(other);
}

static void attributes(void)
{
	const struct timespec times[2] = {{5, 123456789}, {7, 987654321}};
	int fd = create("f", "x"), other = open("f", O_RDONLY);
	struct stat st;

	ok(utimensat(AT_FDCWD, "f", times, 0) == 0 && stat("f", &st) == 0 &&
	           st.st_atim.tv_nsec == 123456789 && st.st_mtim.tv_nsec == 987654321,
	   "a name's times, to the nanosecond");
	ok(unlink("f") == 0 && fchmod(fd, 0600) == 0 && fstat(other, &st) == 0 &&
	           (st.st_mode & 07777) == 0600,
	   "fchmod");
	ok(futimens(fd, times) == 0 && fstat(other, &st) == 0 && st.st_mtim.tv_sec == 7 &&
	           st.st_mtim.tv_nsec == 987654321,
	   "futimens, to the nanosecond");
	close(fd);
	close(other);
}

static void replaced(void)
{
	int old = create("a", "old text"), new = create("b", "new text"), fd;
	struct stat st;

	ok(rename("b", "a") == 0 && fstat(old, &st) == 0 && st.st_nlink == 0,
	   "another file takes its name");
	ok(ftruncate(old, 3) == 0 && ftruncate(new, 5) == 0 && holds(old, "old") &&
	           holds(new, "new t"),
	   "each has its length");
	fd = open("a", O_RDWR);
	ok(holds(fd, "new t") && pwrite(fd, "N", 1, 0) == 1 && holds(new, "New t"),
	   "the name leads to the new one");
	ok(pwrite(old, "O", 1, 0) == 1 && holds(old, "Old") && holds(fd, "New t"),
	   "and the old one is another");
	close(fd);
	ok(link("a", "second") == 0 && unlink("a") == 0 && fstat(new, &st) == 0 && st.st_nlink == 1,
	   "one of two names goes");
	fd = open("second", O_RDWR);
	ok(pwrite(fd, "!", 1, 0) == 1 && holds(new, "!ew t"), "the file is the same");
	ok(unlink("second") == 0, "the other goes");
	close(old);
	close(new);
	close(fd);
}

/* ---- Mappings ---- */

static int wait_for(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

static char *map(int fd, size_t size)
{
	return mmap(NULL, size, RW, MAP_SHARED, fd, 0);
}

static void stored_by_others(void)
{
	static const char *const words[] = {"by exit", "by signal", "by exec"};
	int fd = create("m", "");
	pid_t pid;

	ok(ftruncate(fd, PAGE) == 0, "a file of a page");
	for (int i = 0; i < 3; i++) {
		pid = fork();
		if (pid == 0) {
			int own = open("m", O_RDWR);
			char *p = map(own, PAGE);
			close(own);
			strcpy(p, words[i]);
			if (i == 0)
				_exit(0);
			if (i == 1)
				kill(getpid(), SIGKILL);
			execlp("true", "true", (char *)0);
			_exit(1);
		}
		wait_for(pid);
		char got[16] = "";
		ok(pread(fd, got, sizeof(got) - 1, 0) == 15 && !strcmp(got, words[i]), words[i]);
	}
	close(fd);
}

static void lengths_under_a_mapping(void)
{
	int fd = create("m", "");
	char *p = map(fd, 3 * PAGE), byte = 0;
	pid_t pid;

	ok(p != MAP_FAILED && ftruncate(fd, 2 * PAGE) == 0,
	   "a mapping that is longer than the file");
	p[PAGE] = 7;
	ok(pread(fd, &byte, 1, PAGE) == 1 && byte == 7, "a page that came later");
	ok(pwrite(fd, "tail", 4, 2 * PAGE) == 4 && !memcmp(p + 2 * PAGE, "tail", 4),
	   "and one by write");
	ok(ftruncate(fd, PAGE) == 0 && ftruncate(fd, 2 * PAGE) == 0 && !p[PAGE],
	   "what was cut off is zeroes");
	ok(ftruncate(fd, PAGE) == 0, "shorter");
	pid = fork();
	if (pid == 0)
		_exit(p[PAGE]);
	int status = wait_for(pid);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "behind the end is nothing");
	strcpy(p, "kept");
	ok(msync(p, PAGE, MS_SYNC) == 0 && munmap(p, 3 * PAGE) == 0, "msync and munmap");
	close(fd);
	fd = open("m", O_RDWR);
	ok(size_of(fd) == PAGE && pread(fd, &byte, 1, 3) == 1 && byte == 't', "it is in the file");
	p = map(fd, PAGE);
	ok(unlink("m") == 0 && strcpy(p, "nameless") && ftruncate(fd, 8) == 0 &&
	           holds(fd, "nameless"),
	   "a mapped file without a name");
	munmap(p, PAGE);
	ok(holds(fd, "nameless"), "not mapped any more");
	close(fd);
}

int main(void)
{
	char home[] = "/tmp/posix_nameless.XXXXXX";

	ok(mkdtemp(home) && chdir(home) == 0, "a directory");
	lengths();
	attributes();
	replaced();
	stored_by_others();
	lengths_under_a_mapping();
	ok(chdir("/") == 0 && rmdir(home) == 0, "nothing is left");
	return tap_finish();
}
