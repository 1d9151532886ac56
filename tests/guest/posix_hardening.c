/* SPDX-License-Identifier: MIT */
/*
 * What the compiler and the C library do by default against a program's own faults.
 */
#include <elf.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

static void nothing(void)
{
}

/* The addresses in it are relocated, so it is data that nothing writes afterwards. */
static void (*const handlers[])(void) = {nothing, nothing};

static void write_relocated(void)
{
	*(void (*volatile *)(void)) & handlers[1] = NULL;
}

__attribute__((noinline)) static void fill(volatile char *buffer, int n)
{
	while (n-- > 0)
		buffer[n] = 'x';
}

/* Past its buffer and over the guard, but not over more than this function's frame. */
__attribute__((noinline)) static void smash(void)
{
	char buffer[16];

	fill(buffer, sizeof(buffer) + 16);
}

/* How a child that does this ends, as wait says it. */
static int end_of(void (*deed)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		deed();
		_exit(0);
	}
	return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

int main(void)
{
	int status;

	ok(__ehdr_start.e_type == ET_DYN, "programs are position-independent");
	status = end_of(write_relocated);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "relocated constants are read-only");
	status = end_of(smash);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV,
	   "a function that overran its buffer does not return");
	status = end_of(nothing);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "any other does");
	return tap_finish();
}
