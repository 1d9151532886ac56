/* SPDX-License-Identifier: MIT */
/*
 * Opens and maps a large file in one process while another asks for the state of a small one, over
 * and over: mapper FILE.  Prints how long the first took, the longest time between two answers that
 * the second got, both in microseconds, and how many it got.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct shared {
	_Atomic int running, over;
	uint64_t begin, took;
};

static int map_file(const char *path, struct shared *s)
{
	uint64_t begin = s->begin = now_us();
	int fd;
	struct stat st;
	void *at;

	atomic_store(&s->running, 1);
	fd = open(path, O_RDONLY);
	at = fd < 0 || fstat(fd, &st)
	             ? MAP_FAILED
	             : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	s->took = now_us() - begin;
	atomic_store(&s->over, 1);
	return at == MAP_FAILED || ((const char *)at)[st.st_size - 1] != 'x';
}

int main(int argc, char **argv)
{
	struct shared *s =
	        mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t longest = 0, answers = 0;
	struct stat st;
	int status;

	if (argc != 2 || s == MAP_FAILED)
		return 2;
	if (fork() == 0)
		_exit(map_file(argv[1], s));
	while (!atomic_load(&s->running))
		sched_yield();
	for (uint64_t last = s->begin, now; !atomic_load(&s->over); last = now) {
		if (stat("/etc", &st))
			return 3;
		now = now_us();
		longest = now - last > longest ? now - last : longest;
		answers++;
	}
	wait(&status);
	printf("%llu %llu %llu\n", (unsigned long long)s->took, (unsigned long long)longest,
	       (unsigned long long)answers);
	return status != 0;
}
