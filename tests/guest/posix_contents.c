/* SPDX-License-Identifier: MIT */
/*
 * Files as memory: what several descriptors, mappings and processes make of the same bytes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define HOME "/tmp/contents"
#define PAGE 4096
#define RW   (PROT_READ | PROT_WRITE)

static int create(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd >= 0 && write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	return fd;
}

static int child_status(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

static void shared_mappings(void)
{
	char back[16] = "";
	int fd = create("shared", "0123456789");
	char *one = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	char *two = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	char *own = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);

	ok(one != MAP_FAILED && two != MAP_FAILED && own != MAP_FAILED, "three mappings of a file");
	ok(!memcmp(one, "0123456789\0\0", 12), "its bytes, and zeroes behind its end");
	one[3] = 'x';
	ok(two[3] == 'x' && pread(fd, back, 10, 0) == 10 && !strcmp(back, "012x456789"),
	   "a store shows in the other mapping and in read");
	ok(pwrite(fd, "yy", 2, 5) == 2 && one[5] == 'y' && two[6] == 'y',
	   "write shows in both mappings");
	own[0] = 'p';
	ok(one[0] == '0' && own[0] == 'p', "a private mapping's store does not");
	pid_t pid = fork();
	if (pid == 0) {
		one[9] = 'c';
		_exit(own[9] == '9' ? 0 : 1);
	}
	ok(child_status(pid) == 0 && one[9] == 'c' && two[9] == 'c',
	   "a child's store shows in the parent");
	close(fd);
	one[8] = 'z';
	fd = open("shared", O_RDONLY);
	ok(pread(fd, back, 10, 0) == 10 && !memcmp(back, "012x4yy7zc", 10),
	   "a store after close is in the file");
	fails(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, EACCES,
	      "writable of what is open to read: EACCES");
	char *read_only = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	fails(mprotect(read_only, PAGE, RW), EACCES, "nor made so later");
	ok(msync(one, PAGE, MS_SYNC) == 0 && msync(one, PAGE, MS_ASYNC | MS_INVALIDATE) == 0,
	   "msync");
	fails(msync(one + 1, PAGE, MS_SYNC), EINVAL, "msync of no page: EINVAL");
	fails(msync(one, PAGE, MS_SYNC | MS_ASYNC), EINVAL, "msync both ways: EINVAL");
	munmap(two, PAGE);
	fails(msync(two, PAGE, MS_SYNC), ENOMEM, "msync of nothing: ENOMEM");
	munmap(one, PAGE), munmap(own, PAGE), munmap(read_only, PAGE);
	close(fd);
	unlink("shared");
}

static volatile int faults;
static char *fault_page;

/* Mapping counts as reading, shared or not. */
static void access_times(void)
{
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
	struct stat st;
	char byte;
	int file = create("read", "text");

	futimens(file, times);
	ok(fstat(file, &st) == 0 && st.st_atim.tv_sec == 1000, "an access time that was set");
	ok(pread(file, &byte, 1, 0) == 1 && fstat(file, &st) == 0 && st.st_atim.tv_sec > 2000 &&
	           st.st_mtim.tv_sec == 2000,
	   "reading changes it, and not the time of modification");
	close(file);
	ok(stat("read", &st) == 0 && st.st_atim.tv_sec > 2000, "for those who look later, too");
	unlink("read");

	for (int i = 0; i < 2; i++) {
		int fd = create("mapped", "text");
		char *text;

		futimens(fd, times);
		close(fd);
		fd = open("mapped", O_RDWR);
		text = mmap(NULL, PAGE, PROT_READ, i ? MAP_PRIVATE : MAP_SHARED, fd, 0);
		ok(text != MAP_FAILED && text[0] == 't' && fstat(fd, &st) == 0 &&
		           st.st_atim.tv_sec > 2000 && st.st_mtim.tv_sec == 2000,
		   "mapping a file changes its access time");
		munmap(text, PAGE);
		close(fd);
	}
	unlink("mapped");
}

static void on_fault(int signal)
{
	(void)signal;
	faults++;
	/* Something to go on with. */
	mmap(fault_page, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void sizes(void)
{
	int fd = create("sized", "");
	struct stat st;
	char byte;

	ok(ftruncate(fd, 3 * PAGE) == 0, "a file of zeroes");
	char *p = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	ok(p != MAP_FAILED && p[0] == 0 && p[3 * PAGE - 1] == 0, "mapped beyond its end");
	ok(fstat(fd, &st) == 0 && st.st_blocks == 0, "reading holes takes no memory");
	p[PAGE] = 1;
	ok(fstat(fd, &st) == 0 && st.st_blocks == 8, "a page that is stored to does");
	ok(ftruncate(fd, 5 * PAGE) == 0 && (p[4 * PAGE] = 5) == 5 &&
	           pread(fd, &byte, 1, 4 * PAGE) == 1 && byte == 5,
	   "what it grows by is mapped");
	p[5 * PAGE - 1] = 9;
	ok(ftruncate(fd, 4 * PAGE + 1) == 0 && ftruncate(fd, 5 * PAGE) == 0 && p[4 * PAGE] == 5 &&
	           p[5 * PAGE - 1] == 0,
	   "what was cut off reads as zeroes");
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	fault_page = p + 2 * PAGE;
	ok(ftruncate(fd, PAGE) == 0, "cut to one page");
	*(volatile char *)(p + 2 * PAGE) = 1;
	ok(faults == 1, "a page behind the end faults");
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	ok(write(fd, p + 4 * PAGE, PAGE) == -1 && errno == EFAULT,
	   "and is EFAULT in a system call");
	ok(fstat(fd, &st) == 0 && st.st_size == PAGE, "which leaves the file as it is");
	munmap(p, 8 * PAGE);
	close(fd);
	unlink("sized");
}

/* Two processes append, each record whole. */
static void appending(void)
{
	enum { RECORDS = 300, SIZE = 37 };
	int fd = create("log", "");
	char record[SIZE], seen[2] = {0};
	struct stat st;
	int torn = 0;

	close(fd);
	for (int which = 0; which < 2; which++) {
		if (fork())
			continue;
		fd = open("log", O_WRONLY | O_APPEND);
		memset(record, 'a' + which, sizeof(record));
		for (int i = 0; i < RECORDS; i++) {
			struct iovec iov[2] = {{record, 10}, {record + 10, SIZE - 10}};
			if (i % 2 ? write(fd, record, SIZE) != SIZE : writev(fd, iov, 2) != SIZE)
				_exit(1);
		}
		_exit(0);
	}
	int first = 0, second = 0;
	wait(&first), wait(&second);
	ok(first == 0 && second == 0, "two processes append");
	fd = open("log", O_RDONLY);
	ok(fstat(fd, &st) == 0 && st.st_size == 2 * RECORDS * SIZE, "nothing is lost");
	while (read(fd, record, SIZE) == SIZE) {
		for (int i = 1; i < SIZE; i++)
			torn += record[i] != record[0];
		seen[record[0] == 'b'] = 1;
	}
	ok(!torn && seen[0] && seen[1], "no record is torn");
	close(fd);
	unlink("log");
}

static void nameless(void)
{
	struct stat st;
	char back[8] = "";
	int fd = memfd_create("some", MFD_CLOEXEC);

	ok(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && write(fd, "memory", 6) == 6 &&
	           pread(fd, back, 7, 0) == 6 && !strcmp(back, "memory"),
	   "memfd_create");
	ok(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 6, "it has no name");
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	ok(p != MAP_FAILED && p[0] == 'm', "mapped");
	munmap(p, PAGE);
	close(fd);
	fails(memfd_create("x", 0x80), EINVAL, "an unknown flag: EINVAL");
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	ok(fd >= 0 && write(fd, "x", 1) == 1 && fstat(fd, &st) == 0 && st.st_nlink == 0 &&
	           (st.st_mode & 07777) == 0600,
	   "O_TMPFILE");
	close(fd);
	fails(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL, "O_TMPFILE to read: EINVAL");
	fails(open("none", O_TMPFILE | O_RDWR, 0600), ENOENT, "in no directory: ENOENT");
	fd = shm_open("/segment", O_RDWR | O_CREAT | O_EXCL, 0600);
	ok(fd >= 0 && ftruncate(fd, PAGE) == 0, "shm_open");
	p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	int again = shm_open("/segment", O_RDWR, 0);
	char *q = mmap(NULL, PAGE, RW, MAP_SHARED, again, 0);
	ok(p != MAP_FAILED && q != MAP_FAILED && p != q && (p[7] = 'q') && q[7] == 'q',
	   "two who open a segment share it");
	ok(shm_unlink("/segment") == 0 && q[7] == 'q', "which outlives its name");
	munmap(p, PAGE), munmap(q, PAGE);
	close(fd), close(again);
}

/* Descriptors of one description, here and in children, have one offset and one set of flags. */
static void descriptions(void)
{
	enum { BYTES = 2000 };
	static unsigned char bytes[BYTES];
	int fd = create("common", ""), fds[2];
	int *got = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct stat st;
	pid_t pid;

	memset(bytes, 'x', sizeof(bytes));
	ok(write(fd, bytes, BYTES) == BYTES && lseek(fd, 0, SEEK_SET) == 0, "a file to share");
	for (int which = 0; which < 2; which++) {
		if (fork())
			continue;
		for (char byte; read(fd, &byte, 1) == 1;)
			got[which]++;
		_exit(0);
	}
	wait(NULL), wait(NULL);
	ok(got[0] + got[1] == BYTES && lseek(fd, 0, SEEK_CUR) == BYTES,
	   "two processes read each byte once");
	ok(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0, "emptied");
	for (int which = 0; which < 2; which++) {
		if (fork())
			continue;
		for (int i = 0; i < BYTES / 20; i++)
			if (write(fd, "abcdefghij", 10) != 10)
				_exit(1);
		_exit(0);
	}
	wait(NULL), wait(NULL);
	ok(fstat(fd, &st) == 0 && st.st_size == BYTES && lseek(fd, 0, SEEK_CUR) == BYTES,
	   "two write behind each other");
	ok(pread(fd, bytes, BYTES, 0) == BYTES && !memcmp(bytes + BYTES - 10, "abcdefghij", 10),
	   "nothing over another's");
	pid = fork();
	if (pid == 0) {
		int other = dup(fd);
		_exit(fcntl(other, F_SETFL, O_APPEND) || lseek(other, 5, SEEK_SET) != 5);
	}
	ok(child_status(pid) == 0 && fcntl(fd, F_GETFL) & O_APPEND && lseek(fd, 0, SEEK_CUR) == 5,
	   "a child's F_SETFL and lseek show here");
	ok(write(fd, "e", 1) == 1 && fstat(fd, &st) == 0 && st.st_size == BYTES + 1,
	   "and what is written is appended");
	close(fd);
	ok(pipe(fds) == 0, "a pipe");
	pid = fork();
	if (pid == 0) {
		char *args[] = {"true", NULL};
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
		execv("/bin/true", args);
		_exit(1);
	}
	char byte;
	child_status(pid);
	ok(fcntl(fds[0], F_GETFL) & O_NONBLOCK, "a child's O_NONBLOCK outlives it");
	fails(read(fds[0], &byte, 1), EAGAIN, "and holds for reading");
	ok(!(fcntl(fds[1], F_GETFL) & O_NONBLOCK), "the other end has its own");
	close(fds[0]), close(fds[1]);
	munmap(got, PAGE);
	unlink("common");
}

static void ranges(void)
{
	char back[16] = "";
	struct stat st;
	int in = create("in", "0123456789"), out = create("out", ""), fds[2];
	off_t from = 2, to = 100;

	ok(copy_file_range(in, &from, out, &to, 5, 0) == 5 && from == 7 && to == 105 &&
	           pread(out, back, 16, 98) == 7 && !memcmp(back, "\0\00023456", 7),
	   "copy_file_range");
	ok(lseek(in, 8, SEEK_SET) == 8 && copy_file_range(in, NULL, out, NULL, 100, 0) == 2 &&
	           lseek(in, 0, SEEK_CUR) == 10 && lseek(out, 0, SEEK_CUR) == 2,
	   "from and to where they are");
	from = 0, to = 5;
	fails(copy_file_range(in, &from, in, &to, 6, 0), EINVAL, "onto itself: EINVAL");
	ok(pipe(fds) == 0, "a pipe");
	fails(copy_file_range(fds[0], NULL, out, NULL, 6, 0), EINVAL, "from a pipe: EINVAL");
	ok(posix_fadvise(in, 0, 0, POSIX_FADV_SEQUENTIAL) == 0 &&
	           posix_fadvise(in, 0, 0, 77) == EINVAL &&
	           posix_fadvise(fds[0], 0, 0, POSIX_FADV_NORMAL) == ESPIPE,
	   "posix_fadvise");
	ok(posix_fallocate(out, 0, 10 * PAGE) == 0 && fstat(out, &st) == 0 &&
	           st.st_size == 10 * PAGE && st.st_blocks >= 80,
	   "posix_fallocate makes it longer, with memory");
	memset(back, 'f', sizeof(back));
	pwrite(out, back, 16, 2 * PAGE - 8), pwrite(out, back, 16, 4 * PAGE - 8);
	ok(fallocate(out, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE - 4, 2 * PAGE) ==
	                   0 &&
	           pread(out, back, 16, 2 * PAGE - 8) == 16 &&
	           !memcmp(back, "ffff\0\0\0\0\0\0\0\0", 12) &&
	           pread(out, back, 16, 4 * PAGE - 8) == 16 && !memcmp(back, "\0\0\0\0ffff", 8),
	   "a hole is punched to the byte");
	ok(fstat(out, &st) == 0 && st.st_size == 10 * PAGE && st.st_blocks == 72,
	   "and gives its pages back");
	fails(fallocate(out, 0, 0, 0), EINVAL, "nothing: EINVAL");
	fails(fallocate(fds[1], 0, 0, 1), ESPIPE, "of a pipe: ESPIPE");
	ok(syscall(SYS_renameat2, AT_FDCWD, "in", AT_FDCWD, "out", 1) == -1 && errno == EEXIST &&
	           syscall(SYS_renameat2, AT_FDCWD, "in", AT_FDCWD, "new", 1) == 0,
	   "RENAME_NOREPLACE");
	close(in), close(out), close(fds[0]), close(fds[1]);
	unlink("new"), unlink("out");
}

/* What was written is not in the mapping that was made before, nor the other way round. */
static void private_copies(const char *program)
{
	int fd = create("code", "before");
	char *p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);

	ok(p != MAP_FAILED && !memcmp(p, "before", 6), "a private mapping");
	memcpy(p, "hidden", 6);
	char back[8] = "";
	ok(pread(fd, back, 6, 0) == 6 && !strcmp(back, "before"), "the file does not change");
	munmap(p, PAGE);
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	ok(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0, "a copy of a file may be executed");
	munmap(p, PAGE);
	close(fd);
	unlink("code");
	fd = open(program, O_RDONLY);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ok(p != MAP_FAILED && !memcmp(p, "\177ELF", 4), "a shared mapping of a program");
	munmap(p, PAGE);
	close(fd);
}

static void discarded(void)
{
	char *p = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 7, 3 * PAGE);
	ok(madvise(p + PAGE, PAGE, MADV_DONTNEED) == 0 && p[PAGE - 1] == 7 && p[PAGE] == 0 &&
	           p[2 * PAGE - 1] == 0 && p[2 * PAGE] == 7,
	   "MADV_DONTNEED: anonymous memory reads as zeroes");
	p[PAGE] = 1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(madvise(p, 3 * PAGE, MADV_DONTNEED) == 0 && p[0] == 0 && p[PAGE] == 0 ? 0
		                                                                            : 1);
	ok(child_status(pid) == 0 && p[0] == 7 && p[PAGE] == 1, "in a child, in the child alone");
	munmap(p + PAGE, PAGE);
	fails(madvise(p, 3 * PAGE, MADV_DONTNEED), ENOMEM, "of a hole: ENOMEM");
	munmap(p, 3 * PAGE);
	p = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p[0] = 3;
	ok(madvise(p, PAGE, MADV_DONTNEED) == 0 && p[0] == 3, "shared memory stays");
	munmap(p, PAGE);
}

/* There need be nothing where a private mapping is made. */
static void private_of_nothing(void)
{
	int fd = create("empty", "");
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);

	ok(p != MAP_FAILED, "a private mapping of an empty file");
	munmap(p, 2 * PAGE);
	p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 4 * PAGE);
	ok(p != MAP_FAILED, "and of what is behind its end");
	munmap(p, PAGE);
	close(fd);
	unlink("empty");
}

static void asked(void)
{
	const struct timespec none[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
	int fd = create("asked", "0123456789"), directory = open(".", O_RDONLY), n = 0;
	char room[512];

	ok(lseek(fd, 4, SEEK_SET) == 4 && !ioctl(fd, FIONREAD, &n) && n == 6,
	   "FIONREAD: what is left of a file");
	ok(lseek(fd, 12, SEEK_SET) == 12 && !ioctl(fd, FIONREAD, &n) && n == -2,
	   "or how far behind its end a read is");
	fails(ioctl(directory, FIONREAD, &n), ENOTTY, "not of a directory");
	fails(pread(directory, room, 1, 0), EISDIR, "which is not read by pread either");
	close(fd);
	close(directory);
	unlink("asked");
	ok(utimensat(AT_FDCWD, "missing", none, 0) == 0, "to change no time nothing is looked up");
	fails(open(".", O_CREAT | O_DIRECTORY | O_RDONLY, 0644), EINVAL,
	      "O_CREAT makes no directory");
	fails(syscall(SYS_statx, AT_FDCWD, ".", 0, 0x80000000u, room), EINVAL,
	      "statx: a bit of the mask that means nothing");
}

int main(int argc, char **argv)
{
	char *program = realpath(argv[0], NULL);

	mkdir(HOME, 0755);
	if (argc != 1 || !program || chdir(HOME))
		return 1;
	shared_mappings();
	access_times();
	sizes();
	appending();
	descriptions();
	ranges();
	nameless();
	private_copies(program);
	discarded();
	private_of_nothing();
	asked();
	ok(chdir("/") == 0 && rmdir(HOME) == 0, "nothing is left");
	return tap_finish();
}
