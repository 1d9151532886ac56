/* SPDX-License-Identifier: MIT */
/*
 * What programs ask of a system, timed by the guest's own clock: a line "bench ROW NANOSECONDS" for
 * each row, per operation.  The same file, linked dynamically with musl, runs on both systems.
 * "posix STATIC": the static program that is executed; "posix nothing" ends at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KIB         1024u
#define CHUNK       ((size_t)64 * KIB)
#define PIPE_CHUNKS 1024
#define FILE_SIZE   (1024 * KIB)
#define DATA_SIZE   (20 * 1024 * KIB)
#define FILES       2000
#define SHELL_LOOP  "i=0; while [ $i -lt 1000 ]; do /bin/busybox true; i=$((i+1)); done"

static const char *static_program;
static char chunk[CHUNK];

/* A benchmark of what fails says nothing. */
static void must(int fine, const char *what)
{
	if (fine)
		return;
	printf("bench failed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void report(const char *row, int64_t begin, long count)
{
	printf("bench %s %.1f\n", row, (double)(now() - begin) / (double)count);
	fflush(stdout);
}

/* ---- Processes ---- */

static void end_of(pid_t child)
{
	int status;

	must(child > 0 && waitpid(child, &status, 0) == child && status == 0, "a child");
}

static void run(char *const arguments[])
{
	pid_t child = fork();

	if (!child) {
		execv(arguments[0], arguments);
		_exit(127);
	}
	end_of(child);
}

static void forks(void)
{
	int64_t begin = now();

	for (int i = 0; i < 300; i++) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		end_of(child);
	}
	report("fork", begin, 300);
}

static void execs(const char *row, const char *program)
{
	char *arguments[] = {(char *)program, "nothing", NULL};
	int64_t begin = now();

	for (int i = 0; i < 100; i++)
		run(arguments);
	report(row, begin, 100);
}

static void shell(const char *row, const char *script)
{
	char *arguments[] = {"/bin/busybox", "sh", "-c", (char *)script, NULL};
	int64_t begin = now();

	run(arguments);
	report(row, begin, 1);
}

/* ---- Pipes ---- */

static void round_trips(void)
{
	int there[2], back[2];
	char byte = 0;
	int64_t begin;
	pid_t child;

	must(!pipe(there) && !pipe(back), "pipe");
	child = fork();
	if (!child) {
		close(there[1]);
		while (read(there[0], &byte, 1) == 1)
			must(write(back[1], &byte, 1) == 1, "write");
		_exit(0);
	}
	begin = now();
	for (int i = 0; i < 5000; i++)
		must(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "a byte");
	report("pipe-round-trip", begin, 5000);
	close(there[1]);
	end_of(child);
	close(there[0]);
	close(back[0]);
	close(back[1]);
}

static void bandwidth(void)
{
	int ends[2];
	int64_t begin = now();
	pid_t child;
	ssize_t n;

	must(!pipe(ends), "pipe");
	child = fork();
	if (!child) {
		close(ends[1]);
		while ((n = read(ends[0], chunk, CHUNK)) > 0)
			;
		_exit(n != 0);
	}
	close(ends[0]);
	for (int i = 0; i < PIPE_CHUNKS; i++)
		must(write(ends[1], chunk, CHUNK) == CHUNK, "write");
	close(ends[1]);
	end_of(child);
	report("pipe-64KiB", begin, PIPE_CHUNKS);
}

/* ---- Threads ---- */

static sem_t turns[2];

static void *nothing(void *argument)
{
	return argument;
}

static void *answer(void *unused)
{
	(void)unused;
	for (int i = 0; i < 5000; i++) {
		sem_wait(&turns[0]);
		sem_post(&turns[1]);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t t;
	int64_t begin = now();

	for (int i = 0; i < 1000; i++)
		must(!pthread_create(&t, NULL, nothing, NULL) && !pthread_join(t, NULL), "thread");
	report("thread", begin, 1000);
	sem_init(&turns[0], 0, 0);
	sem_init(&turns[1], 0, 0);
	must(!pthread_create(&t, NULL, answer, NULL), "thread");
	begin = now();
	for (int i = 0; i < 5000; i++) {
		sem_post(&turns[0]);
		sem_wait(&turns[1]);
	}
	report("futex-round-trip", begin, 5000);
	pthread_join(t, NULL);
}

static void clocks(void)
{
	int64_t begin = now();
	struct timespec t;

	for (int i = 0; i < 300000; i++)
		clock_gettime(CLOCK_MONOTONIC, &t);
	report("clock_gettime", begin, 300000);
}

/* ---- Files ---- */

static void accesses(int fd, const char *size_name, size_t size, int count)
{
	char row[32];
	int64_t begin;

	for (int writes = 1; writes >= 0; writes--) {
		off_t at = 0;

		begin = now();
		for (int i = 0; i < count; i++) {
			ssize_t n =
			        writes ? pwrite(fd, chunk, size, at) : pread(fd, chunk, size, at);

			must(n == (ssize_t)size, "a file");
			at = (at + (off_t)size) % FILE_SIZE;
		}
		snprintf(row, sizeof(row), "%s-%s", writes ? "write" : "read", size_name);
		report(row, begin, count);
	}
}

static void files(void)
{
	int fd = open("/tmp/file", O_RDWR | O_CREAT, 0600);

	must(fd >= 0 && !ftruncate(fd, FILE_SIZE), "/tmp/file");
	for (size_t at = 0; at < FILE_SIZE; at += CHUNK) /* its memory is there from the start */
		must(pwrite(fd, chunk, CHUNK, (off_t)at) == CHUNK, "write");
	accesses(fd, "1B", 1, 20000);
	accesses(fd, "4KiB", 4 * KIB, 10000);
	accesses(fd, "64KiB", CHUNK, 2000);
	close(fd);
	unlink("/tmp/file");
}

static void many_files(void)
{
	char name[40];

	must(!mkdir("/tmp/files", 0700), "/tmp/files");
	for (int i = 0; i < FILES; i++) {
		int fd;

		snprintf(name, sizeof(name), "/tmp/files/%d", i);
		fd = open(name, O_WRONLY | O_CREAT, 0600);
		must(fd >= 0 && write(fd, chunk, KIB) == KIB && !close(fd), name);
	}
	shell("tar-2000", "cd /tmp && /bin/busybox tar cf /tmp/tar files");
	unlink("/tmp/tar");
}

/* Half of it can be compressed. */
static void compress(void)
{
	int fd = open("/tmp/data", O_WRONLY | O_CREAT, 0600);
	uint32_t seed = 1;

	must(fd >= 0, "/tmp/data");
	for (unsigned done = 0; done < DATA_SIZE; done += CHUNK) {
		for (size_t i = 0; i < CHUNK; i += 2) {
			seed = seed * 1103515245u + 12345u;
			chunk[i] = (char)(seed >> 24);
			chunk[i + 1] = 'x';
		}
		must(write(fd, chunk, CHUNK) == CHUNK, "write");
	}
	close(fd);
	shell("gzip-20MB", "/bin/busybox gzip -1 -c /tmp/data >/tmp/data.gz");
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	if (!strcmp(argv[1], "nothing"))
		return 0;
	static_program = argv[1];
	memset(chunk, 'a', CHUNK);
	clocks();
	forks();
	execs("exec-static", static_program);
	execs("exec-dynamic", "/proc/self/exe");
	round_trips();
	bandwidth();
	threads();
	files();
	shell("shell-1000", SHELL_LOOP);
	many_files();
	compress();
	return 0;
}
