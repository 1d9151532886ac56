/* SPDX-License-Identifier: MIT */
/*
 * Takes all the memory that a program gets, writes files then, and prints what came of it: the
 * memory is charged to this program's account, so the write ends with ENOSPC and the files service
 * goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <capos/cap.h>
#include <capos/start.h>

#define HELD_MAX 8192

static cap_t held[HELD_MAX];
static int nheld;

/* Pieces of a size until there are no more. */
static void take(cap_t account, uint64_t size)
{
	while (nheld < HELD_MAX && !cap_account_create_memory(account, size, &held[nheld]))
		nheld++;
}

static const char *write_file(const char *path, size_t size)
{
	static char bytes[65536];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		return strerror(errno);
	memset(bytes, 'x', sizeof(bytes));
	while (done < size && (n = write(fd, bytes, sizeof(bytes))) > 0)
		done += (size_t)n;
	close(fd);
	return done >= size ? "ok" : strerror(errno);
}

int main(int argc, char **argv)
{
	cap_t account;

	(void)argc;
	start_init((const uint64_t *)argv - 1);
	setvbuf(stdout, NULL, _IONBF, 0);
	printf("before: %s\n", write_file("/tmp/before", 1 << 20));
	if (cap_account(&account))
		return 1;
	/* Its pages must be present before memory is full: a touch would end this program then. */
	memset(held, 0xff, sizeof(held));
	take(account, 1 << 20);
	take(account, 1 << 16);
	take(account, 4096);
	printf("full: %s\n", write_file("/tmp/full", 8 << 20));
	printf("files: %s\n", access("/tmp/before", F_OK) ? strerror(errno) : "ok");
	unlink("/tmp/full");
	while (nheld)
		cap_release(held[--nheld]);
	printf("after: %s\n", write_file("/tmp/after", 8 << 20));
	return 0;
}
