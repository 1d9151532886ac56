/* SPDX-License-Identifier: MIT */
/*
 * The first thread's stack: what RLIMIT_STACK makes of it, also in a program that is executed.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define MIB 1048576ul

/* Uses so many bytes of stack. */
__attribute__((noinline)) static unsigned long use(unsigned long bytes)
{
	volatile char frame[4096];

	frame[0] = (char)bytes;
	if (bytes < sizeof(frame))
		return (unsigned char)frame[0];
	return use(bytes - sizeof(frame)) + (unsigned char)frame[0];
}

static void limit_to(unsigned long bytes)
{
	const struct rlimit limit = {bytes, RLIM_INFINITY};

	setrlimit(RLIMIT_STACK, &limit);
}

/* The exit status of a child that uses so much after the limit was set, 128 and the signal. */
static int child_uses(unsigned long limit, unsigned long bytes)
{
	pid_t child = fork();
	int status;

	if (!child) {
		if (limit)
			limit_to(limit);
		use(bytes);
		_exit(3);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int program_uses(char *self, unsigned long limit, const char *mebibytes)
{
	char *const arguments[] = {self, "use", (char *)mebibytes, NULL};
	pid_t child = fork();
	int status;

	if (!child) {
		limit_to(limit);
		execv("/proc/self/exe", arguments);
		_exit(99);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct rlimit limit;

	if (argc == 3) {
		use(strtoul(argv[2], NULL, 10) * MIB);
		return 3;
	}
	ok(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur == 8 * MIB &&
	           limit.rlim_max == RLIM_INFINITY,
	   "a stack has 8 MiB, and may have more");
	ok(child_uses(0, 6 * MIB) == 3, "which can be used");
	ok(child_uses(0, 12 * MIB) == 128 + SIGSEGV, "and no more");
	ok(child_uses(64 * MIB, 48 * MIB) == 3, "with another limit there is more");
	ok(child_uses(24 * MIB, 48 * MIB) == 128 + SIGSEGV, "as much as it says");
	ok(program_uses(argv[0], 64 * MIB, "48") == 3, "a program that is executed has it too");
	ok(program_uses(argv[0], 64 * MIB, "80") == 128 + SIGSEGV, "and no more");
	ok(program_uses(argv[0], RLIM_INFINITY, "48") == 3, "without a limit too");
	ok(use(6 * MIB) == 0, "this stack is as it was");
	return tap_finish();
}
