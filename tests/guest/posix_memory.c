/* SPDX-License-Identifier: MIT */
/*
 * Mappings and malloc.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define PAGE 4096u
#define RW   (PROT_READ | PROT_WRITE)

static char *map(size_t size, int protection)
{
	return mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int all(const char *p, size_t n, char c)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != c)
			return 0;
	return 1;
}

static void anonymous(void)
{
	char *p = map(10 * PAGE, RW), *q;

	ok(p != MAP_FAILED && all(p, 10 * PAGE, 0), "anonymous memory is zeroed");
	memset(p, 'a', 10 * PAGE);
	ok(munmap(p + 4 * PAGE, 2 * PAGE) == 0 && all(p, 4 * PAGE, 'a') &&
	           all(p + 6 * PAGE, 4 * PAGE, 'a'),
	   "a hole in the middle leaves the rest");
	q = mmap(p + 4 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ok(q == p + 4 * PAGE && all(q, PAGE, 0), "MAP_FIXED_NOREPLACE into the hole");
	q = mmap(p + 4 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ok(q == MAP_FAILED && errno == EEXIST, "again: EEXIST");
	q = mmap(p, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ok(q == p && all(p, 2 * PAGE, 0) && p[2 * PAGE] == 'a', "MAP_FIXED replaces");
	ok(mprotect(p, PAGE, PROT_READ) == 0 && p[0] == 0, "mprotect to read only");
	ok(mprotect(p, PAGE, PROT_NONE) == 0 && mprotect(p, PAGE, RW) == 0, "to nothing and back");
	p[0] = 'z';
	ok(p[0] == 'z', "writable again");
	ok(munmap(p, 10 * PAGE) == 0, "munmap over holes");
	ok(munmap(p, 10 * PAGE) == 0, "munmap of nothing");
	q = mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ok(q == p, "a wish for a free address is granted");
	q = mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ok(q != MAP_FAILED && q != p, "for a taken one not");
	munmap(p, PAGE);
	munmap(q, PAGE);
	fails(mprotect(p, PAGE, RW), ENOMEM, "mprotect of nothing is ENOMEM");
	p = map(16 * PAGE, PROT_NONE);
	ok(p != MAP_FAILED && mprotect(p + PAGE, PAGE, RW) == 0,
	   "a page of a reserved range made usable");
	p[PAGE] = 'x';
	ok(p[PAGE] == 'x', "and used");
	munmap(p, 16 * PAGE);
}

static void refused(void)
{
	fails(mmap(NULL, PAGE, RW | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EACCES,
	      "nothing is writable and executable");
	fails(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EACCES,
	      "nor is memory without a file executable");
	fails(mmap(NULL, 0, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL,
	      "a length of 0 is EINVAL");
	fails(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL,
	      "neither private nor shared is EINVAL");
	fails(mmap(NULL, PAGE, RW, MAP_PRIVATE, 1000, 0), EBADF, "a bad descriptor is EBADF");
	fails(mmap(NULL, (size_t)1 << 46, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM,
	      "64 TiB are ENOMEM");
	fails(munmap((void *)1, PAGE), EINVAL, "an odd address is EINVAL");
}

/* mov $42, %eax; ret */
static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};

/* What a program wrote it does not run, unless it is a file that it maps. */
static void code_and_data(void)
{
	char *p = map(PAGE, RW), *q;
	int fd = open("/tmp/code", O_RDWR | O_CREAT | O_TRUNC, 0755);

	memcpy(p, code, sizeof(code));
	fails(mprotect(p, PAGE, PROT_READ | PROT_EXEC), EACCES, "the heap does not become code");
	munmap(p, PAGE);
	p = map(PAGE, PROT_NONE);
	fails(mprotect(p, PAGE, PROT_READ | PROT_EXEC), EACCES, "nor does reserved memory");
	munmap(p, PAGE);
	ok(write(fd, code, sizeof(code)) == sizeof(code), "a file is written");
	p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	ok(p != MAP_FAILED, "and mapped writable");
	p[1] = 13;
	fails(mprotect(p, PAGE, PROT_READ | PROT_EXEC), EACCES, "what was changed is not executed");
	munmap(p, PAGE);
	p = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	ok(p != MAP_FAILED && ((int (*)(void))p)() == 42, "the file as it is runs");
	fails(mprotect(p, PAGE, RW), EACCES, "code does not become writable");
	ok(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0, "code is made code again");
	ok(pwrite(fd, "\xb8\x0d", 2, 0) == 2 && ((int (*)(void))p)() == 42,
	   "a later write to the file does not change what runs");
	q = mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ok(q == p && q[0] == 0, "other memory may take its place");
	fails(mprotect(q, PAGE, PROT_READ | PROT_EXEC), EACCES, "and is no code there");
	munmap(q, PAGE);
	close(fd);
	unlink("/tmp/code");
}

/* In a process of its own, since the limit stays low. */
static void moved_beyond_the_limit(void)
{
	int status = -1;
	pid_t child = fork();

	if (!child) {
		char *p = map(PAGE, PROT_READ | PROT_WRITE);
		char *place = map(1024 * PAGE, PROT_NONE);

		if (setrlimit(RLIMIT_DATA, &(struct rlimit){64 * PAGE, 64 * PAGE}))
			_exit(2);
		_exit(mremap(p, PAGE, 1024 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, place) ==
		                              MAP_FAILED &&
		                      errno == ENOMEM
		              ? 0
		              : 1);
	}
	waitpid(child, &status, 0);
	ok(status == 0, "MREMAP_FIXED does not pass the limit of data");
}

static void moved(void)
{
	char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);
	char *place = map(4 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 'p', 2 * PAGE);
	memset(place, 'o', 4 * PAGE);
	fails(mremap(p, 2 * PAGE, 3 * PAGE, MREMAP_FIXED, place), EINVAL,
	      "MREMAP_FIXED without MREMAP_MAYMOVE");
	fails(mremap(p, 2 * PAGE, 3 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, p + PAGE), EINVAL,
	      "to where it is partly already");
	fails(mremap(p, 2 * PAGE, 3 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, place + 1), EINVAL,
	      "to the middle of a page");
	ok(mremap(p, 2 * PAGE, 3 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, place) == place,
	   "MREMAP_FIXED");
	ok(all(place, 2 * PAGE, 'p') && all(place + 2 * PAGE, PAGE, 0) &&
	           all(place + 3 * PAGE, PAGE, 'o'),
	   "replaces what was there");
	fails(msync(p, PAGE, MS_ASYNC), ENOMEM, "and nothing is at the old place");
	munmap(place, 4 * PAGE);
	moved_beyond_the_limit();
}

static void moving(void)
{
	char *p = map(4 * PAGE, RW), *q;

	memset(p, 'm', 4 * PAGE);
	q = mremap(p, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	ok(q != MAP_FAILED && all(q, 4 * PAGE, 'm') && all(q + 4 * PAGE, 60 * PAGE, 0),
	   "mremap grows");
	ok(mremap(q, 64 * PAGE, 2 * PAGE, 0) == q && all(q, 2 * PAGE, 'm'), "and shrinks");
	moved();
	munmap(q, 2 * PAGE);
}

#define BLOCKS 500

static void allocating(void)
{
	static unsigned char *blocks[BLOCKS];
	static size_t sizes[BLOCKS];
	int right = 1;

	srand(1);
	for (int round = 0; round < 20000; round++) {
		int i = rand() % BLOCKS;
		size_t size = rand() % 20 ? (size_t)rand() % 2000 : (size_t)rand() % 300000;

		if (blocks[i] && sizes[i])
			right &= blocks[i][0] == (unsigned char)i &&
			         blocks[i][sizes[i] - 1] == (unsigned char)i;
		blocks[i] = realloc(blocks[i], size + 1);
		if (!blocks[i]) {
			right = 0;
			break;
		}
		sizes[i] = size;
		if (size)
			blocks[i][0] = blocks[i][size - 1] = (unsigned char)i;
	}
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	ok(right, "malloc, realloc and free, large and small");
	void *large = malloc((size_t)1 << 45);
	ok(!large && errno == ENOMEM, "malloc of too much is ENOMEM");
	free(large);
}

static void files(void)
{
	int fd = open("/tmp/posix_memory", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *p;

	ok(fd >= 0 && write(fd, "mapped file", 11) == 11, "a file to map");
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ok(p != MAP_FAILED && memcmp(p, "mapped file", 12) == 0, "its bytes, and zeros after them");
	if (p != MAP_FAILED) {
		char buffer[11];

		p[0] = 'M';
		ok(pread(fd, buffer, 11, 0) == 11 && buffer[0] == 'm', "a store stays private");
		munmap(p, PAGE);
	}
	close(fd);
	unlink("/tmp/posix_memory");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	anonymous();
	refused();
	code_and_data();
	moving();
	allocating();
	files();
	return tap_finish();
}
