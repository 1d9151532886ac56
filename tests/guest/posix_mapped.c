/* SPDX-License-Identifier: MIT */
/*
 * Mappings of files and the files' ends and times: what lies behind the last page is SIGBUS, what
 * is cut and grows, and which stores change a file's times.  Linux says the same of a file system
 * that has a disk, as /var/tmp mostly has.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define PAGE  4096
#define RW    (PROT_READ | PROT_WRITE)
#define SHORT 5000 /* bytes: two pages, the second not whole */

static sigjmp_buf back;
static volatile sig_atomic_t caught, code;
static void *volatile where;
static char path[200];

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	caught = number;
	code = info->si_code;
	where = info->si_addr;
	siglongjmp(back, 1);
}

static int try(volatile char *at, bool store)
{
	caught = 0;
	if (!sigsetjmp(back, 1)) {
		if (store)
			*at = 'x';
		else
			(void)*at;
	}
	return caught;
}

/* Both a load and a store there are SIGBUS, with that address. */
static bool is_behind(char *at)
{
	if (try(at, false) != SIGBUS || code != BUS_ADRERR || where != at)
		return false;
	return try(at, true) == SIGBUS && code == BUS_ADRERR && where == at;
}

static bool is_there(char *at)
{
	return !try(at, false);
}

static int make(size_t size)
{
	char bytes[PAGE];
	int fd;

	unlink(path);
	fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
	memset(bytes, 'a', sizeof(bytes));
	for (size_t at = 0; at < size; at += sizeof(bytes))
		if (write(fd, bytes, size - at < PAGE ? size - at : PAGE) < 0)
			return -1;
	return fd;
}

static char *map(int fd, size_t size, int protection, int flags)
{
	return mmap(NULL, size, protection, flags, fd, 0);
}

/* ---- Ends ---- */

static void behind_a_private_mapping(void)
{
	int fd = make(SHORT), status = -1, pipes[2];
	char *at = map(fd, 4 * PAGE, RW, MAP_PRIVATE), *child_at;
	pid_t child;

	ok(at != MAP_FAILED && at[SHORT - 1] == 'a' && at[SHORT] == 0 && at[2 * PAGE - 1] == 0,
	   "private: behind the end the last page has zeroes");
	ok(is_behind(at + 2 * PAGE) && is_behind(at + 4 * PAGE - 1), "the pages behind are SIGBUS");
	at[0] = at[SHORT] = 'p';
	child = fork();
	if (!child)
		_exit(!(at[0] == 'p' && at[SHORT] == 'p' && is_behind(at + 2 * PAGE)));
	waitpid(child, &status, 0);
	ok(status == 0, "in a child too");
	fails(pread(fd, at + 2 * PAGE, 10, 0), EFAULT, "nothing is read into them");
	ok(!pipe(pipes), "a pipe");
	fails(write(pipes[1], at + 3 * PAGE, 10), EFAULT, "and nothing written out of them");
	ok(!mprotect(at + 2 * PAGE, PAGE, PROT_READ) && try(at + 2 * PAGE, false) == SIGBUS,
	   "mprotect does not bring them");
	munmap(at, 4 * PAGE);
	at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 4 * PAGE);
	ok(at != MAP_FAILED && try(at, false) == SIGBUS, "a mapping that is all behind the end");
	munmap(at, PAGE);
	ftruncate(fd, 0);
	at = map(fd, PAGE, RW, MAP_PRIVATE);
	ok(at != MAP_FAILED && is_behind(at), "one of an empty file");
	munmap(at, PAGE);
	close(fd);
	fd = open("/bin/sh", O_RDONLY);
	child_at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1 << 30);
	ok(fd >= 0 && child_at != MAP_FAILED && try(child_at, false) == SIGBUS,
	   "one of a file that nobody writes");
	munmap(child_at, PAGE);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
}

static void ends_of(int fd, const char *what)
{
	char *at, *more, *other;
	int status = -1;
	pid_t child;

	printf("# %s\n", what);
	ok(!ftruncate(fd, 0) && pwrite(fd, "abc", 3, 0) == 3 && !ftruncate(fd, SHORT), "a file");
	at = map(fd, 4 * PAGE, RW, MAP_SHARED);
	ok(at != MAP_FAILED && at[0] == 'a' && at[SHORT] == 0, "is mapped");
	ok(is_behind(at + 2 * PAGE), "what lies behind it is SIGBUS");
	ok(!ftruncate(fd, 3 * PAGE) && is_there(at + 2 * PAGE) && is_behind(at + 3 * PAGE),
	   "it grows and its pages are there");
	at[2 * PAGE] = 'z';
	child = fork();
	if (!child)
		_exit(!(at[2 * PAGE] == 'z' && is_behind(at + 3 * PAGE) && !ftruncate(fd, PAGE) &&
		        is_behind(at + PAGE)));
	waitpid(child, &status, 0);
	ok(status == 0, "a child cuts it");
	ok(is_there(at) && is_behind(at + PAGE) && is_behind(at + 2 * PAGE),
	   "what is cut is SIGBUS for the parent");
	fails(pread(fd, at + PAGE, 1, 0), EFAULT, "nothing is read into it");
	ok(!ftruncate(fd, 3 * PAGE) && is_there(at + 2 * PAGE) && at[2 * PAGE] == 0,
	   "it grows again, with zeroes");
	more = mremap(at, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	ok(more != MAP_FAILED && more[0] == 'a' && is_behind(more + 3 * PAGE) &&
	           !ftruncate(fd, 8 * PAGE) && is_there(more + 8 * PAGE - 1),
	   "mremap makes the mapping longer");
	more[7 * PAGE] = 'q';
	other = map(fd, 8 * PAGE, PROT_READ, MAP_SHARED);
	ok(other != MAP_FAILED && other[7 * PAGE] == 'q' && try(other, true) == SIGSEGV,
	   "a second mapping, to be read");
	ok(pwrite(fd, "w", 1, 7 * PAGE) == 1 && more[7 * PAGE] == 'w' && other[7 * PAGE] == 'w',
	   "both show what is written");
	munmap(more, 8 * PAGE);
	munmap(other, 8 * PAGE);
	close(fd);
}

/* ---- Times ---- */

static bool times_are(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static struct stat last;

/* Whether the times have changed since the last question; both the file's name and its descriptor
 * (unless it is -1) say so. */
static bool changed(int fd)
{
	struct stat by_name, by_descriptor;
	bool result;

	if (stat(path, &by_name))
		return false;
	result = !times_are(&by_name, &last);
	last = by_name;
	usleep(30000);
	return (fd < 0 || (!fstat(fd, &by_descriptor) && times_are(&by_name, &by_descriptor))) &&
	       result;
}

static void times_of_stores(void)
{
	int fd = make(4 * PAGE), status;
	char *at = map(fd, 4 * PAGE, RW, MAP_SHARED), *own, *second;
	pid_t child;

	(void)changed(fd);
	ok(is_there(at) && !msync(at, 4 * PAGE, MS_SYNC) && !changed(fd),
	   "reading does not change the times");
	at[0] = 'b';
	ok(!msync(at, 4 * PAGE, MS_SYNC) && changed(fd), "a store does");
	ok(!changed(fd) && !msync(at, 4 * PAGE, MS_SYNC) && !changed(fd), "once");
	at[1] = 'b';
	ok(!msync(at, 4 * PAGE, MS_SYNC) && changed(fd), "after msync the next one does");
	child = fork();
	if (!child) {
		at[PAGE] = 'c';
		kill(getpid(), SIGKILL);
	}
	waitpid(child, &status, 0);
	ok(changed(fd), "one of a child that is killed");
	ok(pread(fd, at + 2 * PAGE, 100, 0) == 100 && !msync(at, 4 * PAGE, MS_SYNC) && changed(fd),
	   "bytes that are read into it");
	own = map(fd, 4 * PAGE, RW, MAP_PRIVATE);
	(void)changed(fd);
	own[0] = 'o';
	ok(!msync(own, 4 * PAGE, MS_SYNC) && !munmap(own, 4 * PAGE) && !changed(fd),
	   "not those to a private mapping");
	second = map(fd, 4 * PAGE, RW, MAP_SHARED);
	close(fd);
	(void)changed(-1);
	ok(!changed(-1), "a file that is closed");
	second[3 * PAGE] = 's';
	ok(!munmap(second, 4 * PAGE) && changed(-1), "is changed by who has it mapped");
	at[3 * PAGE] = 't';
	munmap(at, 4 * PAGE);
	ok(changed(-1) && !changed(-1), "until nobody has");
	fd = open(path, O_RDWR);
	ok(fd >= 0 && !changed(fd), "opening changes nothing");
	close(fd);
}

#define UNKNOWN_FLAG 0x1000000

static void validated(void)
{
	int fd = make(SHORT), readonly = open(path, O_RDONLY);
	char *shared = mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE, fd, 0);

	ok(shared != MAP_FAILED, "MAP_SHARED_VALIDATE");
	if (shared != MAP_FAILED) {
		char byte = 0;

		shared[1] = 'v';
		ok(pread(fd, &byte, 1, 1) == 1 && byte == 'v', "is shared");
		munmap(shared, PAGE);
	}
	fails(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | UNKNOWN_FLAG, fd, 0), EOPNOTSUPP,
	      "with a flag that nobody knows");
	ok(mmap(NULL, PAGE, RW, MAP_SHARED | UNKNOWN_FLAG, fd, 0) != MAP_FAILED,
	   "which MAP_SHARED does not look at");
	fails(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE, readonly, 0), EACCES,
	      "to write, of what is open to read");
	close(readonly);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	const char *directory = argc > 1 ? argv[1] : access("/var/tmp", W_OK) ? "/tmp" : "/var/tmp";
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(100);
	snprintf(path, sizeof(path), "%s/posix_mapped.%d", directory, (int)getpid());
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	behind_a_private_mapping();
	ends_of(make(0), "a file");
	ends_of(memfd_create("mapped", 0), "memfd");
	shm_unlink("/posix_mapped");
	fd = shm_open("/posix_mapped", O_CREAT | O_EXCL | O_RDWR, 0600);
	ends_of(fd, "shm_open");
	shm_unlink("/posix_mapped");
	times_of_stores();
	validated();
	unlink(path);
	return tap_finish();
}
