/* SPDX-License-Identifier: MIT */
/*
 * Memory that is there in part: calls on ranges with a hole, and calls that move bytes from and to
 * places whose end is not mapped.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "posix_tap.h"

#define PAGE 4096

static int ends[2]; /* of a pipe */

static char *map(size_t pages)
{
	return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Five pages of which the third is not there. */
static char *map_with_hole(void)
{
	char *five = map(5);

	memset(five, 'a', 5 * PAGE);
	munmap(five + 2 * PAGE, PAGE);
	return five;
}

/* Whether the system may store there: as a program could, without a fault. */
static bool can_store(char *at)
{
	char byte;

	if (write(ends[1], "b", 1) == 1 && read(ends[0], at, 1) == 1)
		return true;
	if (read(ends[0], &byte, 1) != 1)
		perror("read");
	return false;
}

static void ranges(void)
{
	char *five = map_with_hole();

	fails(mprotect(five, 5 * PAGE, PROT_READ), ENOMEM, "mprotect over a hole");
	ok(!can_store(five) && !can_store(five + PAGE), "changes what is in front of it");
	ok(can_store(five + 3 * PAGE) && can_store(five + 4 * PAGE), "and nothing behind it");
	fails(mprotect(five + 2 * PAGE, 3 * PAGE, PROT_READ), ENOMEM, "one that begins with it");
	ok(can_store(five + 3 * PAGE), "changes nothing");
	five = map_with_hole();
	mprotect(five, PAGE, PROT_NONE);
	fails(mprotect(five, 3 * PAGE, PROT_READ | PROT_WRITE), ENOMEM, "over several mappings");
	ok(can_store(five) && can_store(five + PAGE), "it changes all of them");
	fails(mprotect(five, (size_t)-PAGE, PROT_READ), ENOMEM, "a range that wraps around");
	ok(can_store(five), "is none");
	fails(madvise(five, 5 * PAGE, MADV_DONTNEED), ENOMEM, "MADV_DONTNEED over a hole");
	ok(!five[0] && !five[PAGE] && !five[3 * PAGE] && !five[4 * PAGE],
	   "empties what is on both sides of it");
}

static void read_only_file(void)
{
	int fd = open("/tmp/partly", O_CREAT | O_RDWR | O_TRUNC, 0600), again;
	char *four = map(4);

	ftruncate(fd, PAGE);
	again = open("/tmp/partly", O_RDONLY);
	mprotect(four, PAGE, PROT_READ);
	mmap(four + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, again, 0);
	mprotect(four + 2 * PAGE, 2 * PAGE, PROT_READ);
	fails(mprotect(four, 4 * PAGE, PROT_READ | PROT_WRITE), EACCES,
	      "mprotect over a file that is open to be read");
	ok(can_store(four), "changes what is in front of it");
	ok(!can_store(four + PAGE) && !can_store(four + 2 * PAGE), "and nothing behind it");
	close(again);
	close(fd);
	unlink("/tmp/partly");
}

/* Two pages, of which the first is there, with these bytes. */
static char *map_half(int byte)
{
	char *two = map(2);

	memset(two, byte, PAGE);
	munmap(two + PAGE, PAGE);
	return two;
}

static char content[4 * PAGE];

static void files(void)
{
	char *two = map_half('c');
	const struct iovec pieces[2] = {{two, 100}, {two + PAGE, 100}};
	int fd = open("/tmp/partly", O_CREAT | O_RDWR | O_TRUNC, 0600);

	ok(write(fd, two, 2 * PAGE) == PAGE, "write of two pages, of which one is there");
	ok(write(fd, two + PAGE - 96, 200) == 96, "write of a part of a page");
	ok(pwrite(fd, two + PAGE - 1, 2, 0) == 1, "pwrite of one byte of two");
	fails(write(fd, two + PAGE, 1), EFAULT, "write of nothing that is there");
	ok(writev(fd, pieces, 2) == 100, "writev of two pieces, of which one is there");
	ok(lseek(fd, 0, SEEK_CUR) == PAGE + 196 && lseek(fd, 0, SEEK_END) == PAGE + 196,
	   "the offset and the size are by what was written");
	memset(content, 'd', sizeof(content));
	pwrite(fd, content, sizeof(content), 0);
	ok(pread(fd, two, 2 * PAGE, 0) == PAGE && two[PAGE - 1] == 'd', "pread of two pages");
	memset(two, 'c', PAGE);
	ok(pread(fd, two + PAGE - 96, 200, 0) == 96 && two[PAGE - 1] == 'd' &&
	           two[PAGE - 97] == 'c',
	   "pread of a part of a page");
	ok(preadv(fd, pieces, 2, 0) == 100, "preadv");
	fails(pread(fd, two + PAGE, 1, 0), EFAULT, "pread to nothing that is there");
	lseek(fd, 0, SEEK_SET);
	ok(read(fd, two + PAGE - 96, 200) == 96 && lseek(fd, 0, SEEK_CUR) == 96,
	   "read goes on by what was read");
	close(fd);
	unlink("/tmp/partly");
}

/* Of bytes that were written at once, a page of the pipe's is moved or not. */
static void pipes(void)
{
	char *two = map_half('e');
	const struct iovec pieces[2] = {{two, 100}, {two + PAGE, 100}};

	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	fails(write(ends[1], two + PAGE - 96, 200), EFAULT, "a pipe is written a page or nothing");
	fails(writev(ends[1], pieces, 2), EFAULT, "so are two pieces");
	fails(read(ends[0], content, sizeof(content)), EAGAIN, "it is empty");
	ok(write(ends[1], two, 2 * PAGE) == PAGE, "of two pages the one that is there");
	ok(read(ends[0], content, sizeof(content)) == PAGE && content[PAGE - 1] == 'e',
	   "is read then");
	write(ends[1], content, 2 * PAGE);
	ok(read(ends[0], two, 2 * PAGE) == PAGE, "of two pages in it one is read");
	fails(read(ends[0], two + PAGE - 96, 200), EFAULT, "a part of one is not");
	fails(readv(ends[0], pieces, 2), EFAULT, "nor are two pieces");
	ok(read(ends[0], content, sizeof(content)) == PAGE, "it is still there");
}

int main(void)
{
	pipe(ends);
	ranges();
	read_only_file();
	files();
	pipes();
	return tap_finish();
}
