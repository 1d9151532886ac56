/* SPDX-License-Identifier: MIT */
/*
 * mremap moves mappings as they are: of files and of memory, shared and private, with the access
 * that they have; and makes shared ones longer.  Linux says the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define PAGE  4096L
#define PAGES 64 /* of the place where all happens, which is reserved all the time */
#define RW    (PROT_READ | PROT_WRITE)
#define MOVE  MREMAP_MAYMOVE
#define THERE (MREMAP_MAYMOVE | MREMAP_FIXED)

static char *place;
static int file;
static sigjmp_buf back;
static volatile int fault;

static void faulted(int number)
{
	fault = number;
	siglongjmp(back, 1);
}

/* The signal that reading or writing there is; 0: none. */
static int reading(volatile char *at)
{
	fault = 0;
	if (!sigsetjmp(back, 1))
		(void)*at;
	return fault;
}

static int writing(volatile char *at)
{
	fault = 0;
	if (!sigsetjmp(back, 1))
		*at = *at;
	return fault;
}

static char *at(int page)
{
	return place + page * PAGE;
}

static char *map(int page, int pages, int protection, int flags)
{
	return mmap(at(page), (size_t)(pages * PAGE), protection, flags | MAP_FIXED,
	            flags & MAP_ANONYMOUS ? -1 : file, 0);
}

static void clear(void)
{
	mmap(place, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void private_files(void)
{
	char *p = map(0, 4, RW, MAP_PRIVATE), *q;

	p[0] = 'X';
	q = mremap(p, 4 * PAGE, 4 * PAGE, THERE, at(20));
	ok(q == at(20) && q[0] == 'X' && q[PAGE] == 'b' && q[3 * PAGE] == 'd',
	   "a private mapping of a file moves with its contents");
	ok(reading(p) == SIGSEGV, "nothing is left at the old place");
	q[1] = 'Y';
	ok(pread(file, p = (char[2]){0}, 2, 0) == 2 && p[0] == 'a' && p[1] == 'a',
	   "what is stored there does not reach the file");
	p = map(0, 4, PROT_READ, MAP_PRIVATE);
	q = mremap(p, 4 * PAGE, 4 * PAGE, THERE, at(20));
	ok(q == at(20) && q[PAGE] == 'b' && writing(q) == SIGSEGV,
	   "one that is only read is only read at the new place");
	q = mremap(q + PAGE, 2 * PAGE, 2 * PAGE, THERE, at(40));
	ok(q == at(40) && *q == 'b' && q[PAGE] == 'c', "a part of it moves by itself");
	ok(*at(20) == 'a' && *at(23) == 'd' && reading(at(21)) == SIGSEGV, "the others stay");
	clear();
}

static void access_is_kept(void)
{
	char *p = map(0, 2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS), *q;

	q = mremap(p, 2 * PAGE, 4 * PAGE, MOVE);
	ok(q != MAP_FAILED && writing(q) == SIGSEGV && reading(q + 3 * PAGE) == 0 &&
	           writing(q + 3 * PAGE) == SIGSEGV,
	   "memory that is only read grows by memory that is only read");
	ok(mprotect(q, 4 * PAGE, RW) == 0 && writing(q + 3 * PAGE) == 0,
	   "all of which mprotect makes writable");
	munmap(q, 4 * PAGE);
	p = map(0, 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
	q = mremap(p, 2 * PAGE, 3 * PAGE, THERE, at(30));
	ok(q == at(30) && reading(q) == SIGSEGV && reading(q + 2 * PAGE) == SIGSEGV,
	   "memory without access moves and grows");
	clear();
}

static void shared_files(void)
{
	char *p = map(0, 2, RW, MAP_SHARED), *q, byte;

	q = mremap(p, 2 * PAGE, 4 * PAGE, MOVE);
	ok(q != MAP_FAILED && q[PAGE] == 'b' && q[3 * PAGE] == 'd',
	   "a shared mapping of a file grows by more of the file");
	q[3 * PAGE] = 'S';
	ok(pread(file, &byte, 1, 3 * PAGE) == 1 && byte == 'S', "which it changes");
	q[3 * PAGE] = 'd';
	q = mremap(q, 4 * PAGE, 4 * PAGE, THERE, at(30));
	q[1] = 'T';
	ok(q == at(30) && pread(file, &byte, 1, 1) == 1 && byte == 'T', "it moves");
	q[1] = 'a';
	q = mremap(q, 4 * PAGE, 10 * PAGE, MOVE);
	ok(q != MAP_FAILED && reading(q + 7 * PAGE) == 0 && reading(q + 8 * PAGE) == SIGBUS,
	   "grown beyond the file's end it is SIGBUS there");
	ok(mremap(q, 10 * PAGE, PAGE, 0) == q && *q == 'a' && reading(q + PAGE) == SIGSEGV,
	   "and becomes shorter");
	munmap(q, PAGE);
	clear();
}

static void shared_memory(void)
{
	char *p = map(0, 2, RW, MAP_SHARED | MAP_ANONYMOUS), *q;
	int ends[2];
	pid_t child;
	char byte;

	if (pipe(ends))
		return;
	p[0] = 'A';
	child = fork();
	if (!child) {
		read(ends[0], &byte, 1);
		p[1] = 'C';
		_exit(0);
	}
	q = mremap(p, 2 * PAGE, 2 * PAGE, THERE, at(40));
	write(ends[1], "x", 1);
	waitpid(child, NULL, 0);
	ok(q == at(40) && q[0] == 'A' && q[1] == 'C',
	   "shared memory moves and is still a child's, too");
	p = mremap(q, 0, 2 * PAGE, MOVE);
	p[5] = 'D';
	ok(p != q && q[5] == 'D', "an old size of 0 maps shared memory once more");
	munmap(p, 2 * PAGE);
	p = mremap(q, 2 * PAGE, 3 * PAGE, MOVE);
	ok(p != MAP_FAILED && p[5] == 'D' && reading(p + 2 * PAGE) == SIGBUS,
	   "it has no more than its size at first");
	munmap(p, 3 * PAGE);
	close(ends[0]);
	close(ends[1]);
	clear();
}

static void refused(void)
{
	char *p = map(0, 4, RW, MAP_PRIVATE | MAP_ANONYMOUS);

	fails(mremap(p, 0, PAGE, MOVE), EINVAL, "private memory is not mapped once more");
	fails(mremap(p, PAGE, 2 * PAGE, 0), ENOMEM, "there is no room where it is");
	mprotect(p + 2 * PAGE, PAGE, PROT_READ);
	fails(mremap(p, 4 * PAGE, 5 * PAGE, MOVE), EFAULT,
	      "a range of different access does not grow");
	munmap(at(10), PAGE);
	fails(mremap(at(10), PAGE, 2 * PAGE, MOVE), EFAULT, "what is not mapped does not grow");
	fails(mremap(at(10), PAGE, PAGE, MOVE), EFAULT, "or stay");
	fails(mremap(at(10), PAGE, PAGE, THERE, at(20)), EFAULT, "or move");
	fails(mremap(at(10), 2 * PAGE, PAGE, 0), EFAULT, "or become shorter");
	fails(mremap(p, PAGE, 0, MOVE), EINVAL, "nothing becomes nothing");
	fails(mremap(p + 1, PAGE, PAGE, MOVE), EINVAL, "the middle of a page");
	clear();
}

/* Pages that were written are still there, wherever and however often a large range moves. */
static void large(void)
{
	const size_t size = 16 << 20, step = 64 * PAGE;
	char *p = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q = NULL;
	int right = 1;

	for (size_t i = 0; i < size; i += (size_t)PAGE)
		p[i] = (char)(i / (size_t)PAGE * 7 + 1);
	for (int round = 0; round < 20; round++) {
		char *block = mmap(p + size + (size_t)round * step, PAGE, PROT_NONE,
		                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		q = mremap(p, size + (size_t)round * step, size + (size_t)(round + 1) * step, MOVE);
		if (block != MAP_FAILED)
			munmap(block, PAGE);
		if (q == MAP_FAILED)
			break;
		q[size + (size_t)round * step] = 'e';
		p = q;
	}
	for (size_t i = 0; q != MAP_FAILED && i < size; i += (size_t)PAGE)
		right = right && q[i] == (char)(i / (size_t)PAGE * 7 + 1);
	for (int round = 0; q != MAP_FAILED && round < 20; round++)
		right = right && q[size + (size_t)round * step] == 'e' &&
		        q[size + (size_t)round * step + 1] == 0;
	ok(q != MAP_FAILED && right, "16 MiB grow and move twenty times");
	munmap(q, size + 20 * step);
}

static void children(void)
{
	char *p = map(0, 2, RW, MAP_PRIVATE), *q;
	int status = -1;
	pid_t child;

	p[0] = '1';
	q = mremap(p, 2 * PAGE, 2 * PAGE, THERE, at(40));
	child = fork();
	if (!child) {
		int right = q[0] == '1' && q[PAGE] == 'b';

		q[0] = '2';
		_exit(right ? 0 : 1);
	}
	waitpid(child, &status, 0);
	ok(status == 0 && q[0] == '1', "a child has a copy of what has moved");
	clear();
}

int main(void)
{
	const struct sigaction action = {.sa_handler = faulted};
	char page[PAGE], name[] = "/tmp/remap.XXXXXX";

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	file = mkstemp(name);
	unlink(name);
	for (int i = 0; i < 8; i++) {
		memset(page, 'a' + i, sizeof(page));
		if (write(file, page, sizeof(page)) != PAGE)
			return 99;
	}
	place = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	private_files();
	access_is_kept();
	shared_files();
	shared_memory();
	refused();
	large();
	children();
	return tap_finish();
}
