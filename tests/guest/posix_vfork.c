/* SPDX-License-Identifier: MIT */
/*
 * vfork: the parent waits until the child executes a program or ends, and finds in its variables
 * what the child left there.  Linux says the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

static char self[4096];
static int static_count;

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* As programs do it that want to know why a program did not start. */
static int failure_of(const char *path, int *status)
{
	volatile int failed = 0;
	pid_t child = vfork();

	if (child < 0)
		return -1;
	if (!child) {
		char *argv[] = {(char *)path, "child", NULL};

		execv(path, argv);
		failed = errno;
		_exit(111);
	}
	waitpid(child, status, 0);
	return failed;
}

static void variables(void)
{
	volatile char text[200] = "before";
	volatile int count = 0;
	int status = -1;
	pid_t child;

	ok(failure_of("/no/such/program", &status) == ENOENT && WEXITSTATUS(status) == 111,
	   "why execve failed is known to the parent");
	ok(failure_of("/tmp", &status) == EACCES, "also another reason");
	ok(failure_of(self, &status) == 0 && WEXITSTATUS(status) == 42, "a program that starts");
	child = vfork();
	if (!child) {
		count = 100;
		text[0] = 'a';
		text[199] = 'z';
		_exit(3);
	}
	waitpid(child, &status, 0);
	ok(count == 100 && text[0] == 'a' && text[1] == 'e' && text[199] == 'z' &&
	           WEXITSTATUS(status) == 3,
	   "what a child stored in variables is there");
	for (static_count = 0; static_count < 200; static_count++) {
		child = vfork();
		if (!child)
			_exit(++count & 1);
		waitpid(child, &status, 0);
	}
	ok(count == 300, "two hundred times");
}

static volatile int *volatile nowhere;

static void raise_fault(void)
{
	*nowhere = 1;
}

static void order(void)
{
	const struct timespec while_ms = {.tv_nsec = 100000000};
	long before = now_ms();
	int status = -1;
	pid_t child = vfork();

	if (!child) {
		nanosleep(&while_ms, NULL);
		_exit(0);
	}
	ok(now_ms() - before >= 100, "the parent waits for the child's end");
	waitpid(child, &status, 0);
	before = now_ms();
	child = vfork();
	if (!child) {
		execl(self, self, "sleeps", NULL);
		_exit(1);
	}
	ok(now_ms() - before < 2000 && waitpid(child, &status, WNOHANG) == 0,
	   "it does not wait for the program's");
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	child = vfork();
	if (!child) {
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	ok(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL,
	   "a child that is killed holds nothing up");
	child = vfork();
	if (!child) {
		raise_fault();
		_exit(1);
	}
	ok(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGSEGV,
	   "nor one that faults");
}

/* Descriptors and signals are the child's own all the same. */
static void apart(void)
{
	int fd = open("/dev/null", O_RDONLY), status = -1;
	pid_t child = vfork();

	if (!child) {
		close(fd);
		signal(SIGUSR1, SIG_IGN);
		_exit(0);
	}
	waitpid(child, &status, 0);
	ok(fcntl(fd, F_GETFD) == 0, "a descriptor that the child closed is open in the parent");
	ok(signal(SIGUSR1, SIG_DFL) == SIG_DFL, "an action that it set is not the parent's");
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "sleeps"))
		return (int)sleep(20);
	if (argc > 1)
		return 42;
	if (!realpath("/proc/self/exe", self))
		return 99;
	alarm(60);
	variables();
	order();
	apart();
	return tap_finish();
}
