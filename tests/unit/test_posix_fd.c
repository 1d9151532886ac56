/* SPDX-License-Identifier: MIT */
/*
 * The descriptor table and the library's own allocator: numbers are the lowest free, a description
 * is closed exactly once, and memory comes back zeroed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libcapos-posix/src/core/absent.h"
#include "libcapos-posix/src/core/fd.h"
#include "libcapos-posix/src/core/pages.h"
#include "libcapos-posix/src/core/self.h"
#include "libcapos-posix/src/core/syscalls.h"

static unsigned mapped, closed, forgotten;

static void forget(const struct file *f)
{
	(void)f;
	forgotten++;
}

struct core_hooks core_hooks = {.closed = forget};

void *pages_map(size_t size)
{
	mapped++;
	return calloc(1, size);
}

void pages_unmap(void *pages, size_t size)
{
	memset(pages, 0xee, size);
	mapped--;
	free(pages);
}

long absent_option(enum absent_subject subject, unsigned long number, long otherwise)
{
	(void)subject, (void)number;
	return otherwise;
}

long absent_flags(enum absent_subject subject, unsigned long flags)
{
	(void)subject, (void)flags;
	return 0;
}

long absent(enum absent_other what)
{
	(void)what;
	return -EINVAL;
}

void description_drop(struct shared_description *shared)
{
	(void)shared;
}

int file_flags(const struct file *f)
{
	return f->flags;
}

void file_set_flags(struct file *f, int mask, int flags)
{
	mask &= O_APPEND | O_NONBLOCK;
	f->flags = (f->flags & ~mask) | (flags & mask);
}

static void count_close(struct file *f)
{
	(void)f;
	closed++;
}

static const struct file_ops ops = {.close = count_close};

static int open_one(int from)
{
	struct file *f = file_create(&ops, O_RDWR, NULL);
	int fd;

	assert_non_null(f);
	fd = fd_install(f, from, false);
	if (fd < 0)
		file_put(f);
	return fd;
}

static int reset(void **state)
{
	(void)state;
	for (int fd = 0; fd < FD_MAX; fd++)
		sys_close(fd);
	closed = forgotten = 0;
	return 0;
}

static void lowest_is_taken(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(open_one(0), i);
	assert_int_equal(sys_close(1), 0);
	assert_int_equal(sys_close(3), 0);
	assert_int_equal(open_one(2), 3);
	assert_int_equal(open_one(0), 1);
	assert_int_equal(open_one(0), 5);
	assert_int_equal(open_one(100), 100);
	assert_int_equal(open_one(0), 6);
	assert_int_equal(sys_close(7), -EBADF);
	assert_int_equal(sys_close(-1), -EBADF);
	assert_int_equal(sys_close(FD_MAX), -EBADF);
}

static void duplicates_share(void **state)
{
	(void)state;
	assert_int_equal(open_one(0), 0);
	assert_int_equal(sys_dup(0), 1);
	assert_int_equal(sys_dup2(0, 9), 9);
	assert_int_equal(sys_dup2(0, 0), 0);
	assert_int_equal(sys_dup2(5, 5), -EBADF);
	assert_int_equal(sys_dup2(0, FD_MAX), -EBADF);
	assert_int_equal(sys_dup3(0, 0, 0), -EINVAL);
	assert_int_equal(sys_dup3(0, 4, O_CLOEXEC), 4);
	assert_int_equal(sys_fcntl(4, F_GETFD, 0), FD_CLOEXEC);
	assert_int_equal(sys_fcntl(0, F_GETFD, 0), 0);
	assert_int_equal(sys_fcntl(1, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(sys_fcntl(9, F_GETFL, 0), O_RDWR | O_NONBLOCK);
	assert_int_equal(sys_fcntl(0, F_DUPFD_CLOEXEC, 20), 20);
	for (int fd = 0; fd <= 9; fd++)
		sys_close(fd);
	assert_int_equal(closed, 0);
	assert_int_equal(sys_close(20), 0);
	assert_int_equal(closed, 1);
	assert_int_equal(forgotten, 1);
}

static void dup2_closes_the_old(void **state)
{
	(void)state;
	assert_int_equal(open_one(0), 0);
	assert_int_equal(open_one(0), 1);
	assert_int_equal(sys_dup2(0, 1), 1);
	assert_int_equal(closed, 1);
	assert_ptr_equal(fd_file(0), fd_file(1));
}

static void table_fills(void **state)
{
	(void)state;
	for (int i = 0; i < FD_MAX; i++)
		assert_int_equal(open_one(0), i);
	assert_int_equal(open_one(0), -EMFILE);
	assert_int_equal(sys_dup(0), -EMFILE);
	assert_int_equal(sys_fcntl(0, F_DUPFD, FD_MAX), -EINVAL);
	assert_int_equal(sys_close(500), 0);
	assert_int_equal(open_one(0), 500);
}

static void allocator(void **state)
{
	static const size_t sizes[] = {1, 48, 49, 500, 2032, 2033, 4096, 70000};
	uint8_t *blocks[8][20];
	unsigned before = mapped;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 8; i++)
			for (int k = 0; k < 20; k++) {
				blocks[i][k] = posix_alloc(sizes[i]);
				assert_non_null(blocks[i][k]);
				assert_int_equal((uintptr_t)blocks[i][k] % 16, 0);
				for (size_t at = 0; at < sizes[i]; at++)
					assert_int_equal(blocks[i][k][at], 0);
				memset(blocks[i][k], 0xa5, sizes[i]);
			}
		for (int i = 0; i < 8; i++)
			for (int k = 0; k < 20; k++)
				posix_free(blocks[i][k]);
	}
	assert_true(mapped - before < 16); /* chunks are kept, pages given back */
	assert_null(posix_alloc(SIZE_MAX));
	posix_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(lowest_is_taken, reset),
	        cmocka_unit_test_setup(duplicates_share, reset),
	        cmocka_unit_test_setup(dup2_closes_the_old, reset),
	        cmocka_unit_test_setup(table_fills, reset),
	        cmocka_unit_test_setup(allocator, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
