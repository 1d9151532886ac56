/* SPDX-License-Identifier: MIT */
/*
 * A dynamic program, started by musl's dynamic linker from files: code of the program, of libc and
 * of a library that is opened later runs, and none of it can be written.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <sys/mman.h>

#include "posix_tap.h"

static void *page_of(const void *p)
{
	return (void *)((uintptr_t)p & ~(uintptr_t)4095);
}

static void stays_code(const void *function, const char *what)
{
	fails(mprotect(page_of(function), 4096, PROT_READ | PROT_WRITE), EACCES, what);
}

int main(int argc, char **argv)
{
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	int (*answer)(void) = library ? (int (*)(void))dlsym(library, "answer") : NULL;
	int *number = library ? (int *)dlsym(library, "number") : NULL;

	ok(answer && answer() == 42, "a library that is opened runs");
	ok(number && (*number = 13) && answer() == 13, "and has data of its own");
	stays_code((const void *)main, "the program's code is not made writable");
	stays_code((const void *)printf, "nor is libc's");
	stays_code((const void *)answer, "nor is the library's");
	fails(mprotect(page_of(number), 4096, PROT_READ | PROT_EXEC), EACCES,
	      "its data is not made executable");
	return tap_finish();
}
