/* SPDX-License-Identifier: MIT */
/*
 * What is read again and again, which may be read without the kernel, is what the file has at that
 * moment: after stores, growth, truncation, holes, by whomever, and whatever is mapped meanwhile.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define PATH  "/tmp/posix_windows"
#define AGAIN 100 /* more than it takes until reads of a place are done another way */
#define PAGE  4096
#define PART  (1 << 20)

static char text[2 * PAGE];

/* Every read of that place gives this byte. */
static bool reads(int fd, off_t offset, char expected)
{
	for (int i = 0; i < AGAIN; i++) {
		char byte = 0;

		if (pread(fd, &byte, 1, offset) != 1 || byte != expected)
			return false;
	}
	return true;
}

/* Every read there gives so many bytes of those that were asked for. */
static bool gives(int fd, size_t length, off_t offset, ssize_t expected)
{
	for (int i = 0; i < AGAIN; i++) {
		if (pread(fd, text, length, offset) != expected)
			return false;
	}
	return true;
}

/* By another process. */
static bool other(bool (*does)(void))
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(does() ? 0 : 1);
	return waitpid(child, &status, 0) == child && status == 0;
}

static bool stores(void)
{
	int fd = open(PATH, O_WRONLY);

	return pwrite(fd, "B", 1, 10) == 1 && close(fd) == 0;
}

static bool cuts(void)
{
	return truncate(PATH, 100) == 0;
}

static bool cuts_and_grows(void)
{
	return truncate(PATH, 5) == 0 && truncate(PATH, 3 * PAGE) == 0;
}

static bool appends(void)
{
	int fd = open(PATH, O_WRONLY | O_APPEND);

	return write(fd, "end", 3) == 3 && close(fd) == 0;
}

static void others(int fd)
{
	ok(reads(fd, 10, 'a') && other(stores) && reads(fd, 10, 'B'), "a store of another process");
	ok(gives(fd, PAGE, PAGE, PAGE) && other(cuts) && gives(fd, PAGE, PAGE, 0) &&
	           gives(fd, PAGE, 0, 100) && gives(fd, 1, 99, 1) && gives(fd, 1, 100, 0),
	   "a file that another process made shorter");
	ok(reads(fd, 10, 'B') && other(cuts_and_grows) && reads(fd, 10, 0) && reads(fd, 4, 'a') &&
	           gives(fd, PAGE, 2 * PAGE, PAGE),
	   "what was cut off is zeroes");
	ok(gives(fd, PAGE, 3 * PAGE - 1, 1) && other(appends) && gives(fd, PAGE, 3 * PAGE - 1, 4) &&
	           reads(fd, 3 * PAGE + 2, 'd'),
	   "what was appended");
}

static void child_reads_the_same(int fd)
{
	int status;
	pid_t child;

	reads(fd, 4, 'a');
	child = fork();
	if (!child)
		_exit(reads(fd, 4, 'a') && close(fd) == 0 ? 0 : 1);
	ok(waitpid(child, &status, 0) == child && status == 0 && reads(fd, 4, 'a'),
	   "a child reads what its parent reads");
}

static void bad_memory(int fd)
{
	char *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	reads(fd, 4, 'a');
	fails(pread(fd, NULL, 1, 4), EFAULT, "no memory to read to is EFAULT");
	fails(pread(fd, page, 1, 4), EFAULT, "so is memory that cannot be written");
	munmap(page, PAGE);
}

/* Lines of /proc/self/maps: start and end of the i-th; false: there is none. */
static bool mapping(int i, uintptr_t *start, uintptr_t *end)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = i-- == 0 && sscanf(line, "%lx-%lx", start, end) == 2;
	if (maps)
		fclose(maps);
	return found;
}

/* Whatever the library mapped for itself is in the program's way when that chooses the place. */
static void program_maps_over_it(int fd)
{
	uintptr_t start, end;
	bool good = true;

	for (int i = 0; mapping(i, &start, &end); i++) {
		char *middle = (char *)start + (end - start) / 2;

		if (end - start != PART)
			continue;
		good = good && mmap(middle, PAGE, PROT_READ | PROT_WRITE,
		                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == middle;
		memset(middle, 'X', PAGE);
		good = good && reads(fd, 4, 'a') && middle[0] == 'X' && middle[PAGE - 1] == 'X';
	}
	ok(good && reads(fd, 4, 'a'), "a mapping at an address of the program's choice");
}

static void many_files(void)
{
	int fds[40];
	bool good = true;
	char name[64];

	for (int i = 0; i < 40; i++) {
		char byte = (char)('0' + i);

		snprintf(name, sizeof(name), PATH ".%d", i);
		fds[i] = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
		good = good && write(fds[i], &byte, 1) == 1 && unlink(name) == 0;
	}
	for (int i = 0; i < 40; i++)
		good = good && reads(fds[i], 0, (char)('0' + i));
	ok(good, "many files, all removed");
	for (int i = 0; i < 40; i++)
		close(fds[i]);
}

static void large_file(void)
{
	int fd = open(PATH ".large", O_RDWR | O_CREAT | O_TRUNC, 0600);
	bool good = true;

	for (int part = 0; part < 4; part++)
		good = good && pwrite(fd, &"stuv"[part], 1, (off_t)part * PART + PAGE) == 1;
	for (int round = 0; round < 3; round++) {
		for (int part = 0; part < 4; part++)
			good = good && reads(fd, (off_t)part * PART + PAGE, "stuv"[part]) &&
			       reads(fd, (off_t)part * PART, 0);
	}
	for (int i = 0; i < 1000; i++) {
		int part = i * 7 % 4;
		char byte;

		good = good && pread(fd, &byte, 1, (off_t)part * PART + PAGE) == 1 &&
		       byte == "stuv"[part];
	}
	ok(good, "parts of a large file, in turn, and its holes");
	ok(gives(fd, 2 * PAGE, PART - PAGE, 2 * PAGE) && text[PAGE] == 0 && text[PAGE - 1] == 0,
	   "from one part to the next");
	close(fd);
	unlink(PATH ".large");
}

static void offsets(int fd)
{
	char byte = 0;
	bool good = true;
	int only;

	for (int i = 0; i < AGAIN; i++)
		good = good && lseek(fd, 3, SEEK_SET) == 3 && read(fd, &byte, 1) == 1 &&
		       byte == 'a' && lseek(fd, 0, SEEK_CUR) == 4;
	ok(good, "the offset moves");
	ok(lseek(fd, 0, SEEK_END) == 3 * PAGE + 3 && read(fd, &byte, 1) == 0, "up to the end");
	only = open(PATH, O_WRONLY);
	ok(lseek(only, 0, SEEK_END) == 3 * PAGE + 3 && lseek(only, -1, SEEK_END) == 3 * PAGE + 2,
	   "which who may only write finds, too");
	close(only);
}

int main(void)
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);

	setvbuf(stdout, NULL, _IOLBF, 0);
	memset(text, 'a', sizeof(text));
	ok(fd >= 0 && write(fd, text, sizeof(text)) == (ssize_t)sizeof(text), "a file");
	others(fd);
	child_reads_the_same(fd);
	bad_memory(fd);
	program_maps_over_it(fd);
	many_files();
	large_file();
	offsets(fd);
	unlink(PATH);
	return tap_finish();
}
