/* SPDX-License-Identifier: MIT */
/*
 * /proc/self/maps: each mapping once, where it is, with what may be done there, and nothing that is
 * not there any more.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "posix_tap.h"

#define PAGE 4096ul
#define MANY 300 /* more than one answer of the kernel's holds */

struct line {
	uintptr_t start, end;
	char rights[8];
};

/* The line that an address is in; false: none.  Checks the order of all on the way. */
static int lines;
static bool ordered;

/* Nothing is allocated meanwhile: it could come to lie where nothing is to be. */
static bool find(uintptr_t address, struct line *out)
{
	static char text[1 << 18];
	int fd = open("/proc/self/maps", O_RDONLY);
	uintptr_t last = 0;
	size_t length = 0;
	bool found = false;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	text[length] = 0;
	lines = 0;
	ordered = length;
	for (char *at = text, *end; (end = strchr(at, '\n')); at = end + 1) {
		struct line l;

		if (sscanf(at, "%" SCNxPTR "-%" SCNxPTR " %7s", &l.start, &l.end, l.rights) != 3 ||
		    l.start >= l.end || l.start < last)
			ordered = false;
		last = l.end;
		lines++;
		if (l.start <= address && address < l.end) {
			*out = l;
			found = true;
		}
	}
	return found;
}

static bool is(const void *address, const char *rights)
{
	struct line l;

	return find((uintptr_t)address, &l) && !strcmp(l.rights, rights);
}

static bool is_there(const void *address)
{
	struct line l;

	return find((uintptr_t)address, &l);
}

int main(void)
{
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *many[MANY], local;
	bool all = true;

	ok(is(p, "rw-p") && is(p + 3 * PAGE - 1, "rw-p"), "a private mapping");
	ok(ordered && lines > 5, "in the order of addresses");
	ok(is(s, "rw-s"), "a shared one");
	mprotect(p + PAGE, PAGE, PROT_READ);
	ok(is(p, "rw-p") && is(p + PAGE, "r--p") && is(p + 2 * PAGE, "rw-p"),
	   "rights that changed");
	mprotect(p + PAGE, PAGE, PROT_NONE);
	ok(is(p + PAGE, "---p"), "none");
	munmap(p + PAGE, PAGE);
	ok(is_there(p) && !is_there(p + PAGE) && is_there(p + 2 * PAGE), "a hole");
	ok(is((void *)(uintptr_t)main, "r-xp"), "the program's code");
	ok(is(&local, "rw-p"), "the stack");
	for (int i = 0; i < MANY; i++) {
		many[i] = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		               -1, 0);
		munmap(many[i] + PAGE, PAGE);
	}
	for (int i = 0; i < MANY; i += 23)
		all &= is_there(many[i]);
	ok(all && ordered, "very many");
	for (int i = 0; i < MANY; i++)
		munmap(many[i], PAGE);
	ok(!is_there(many[0]) && !is_there(many[MANY - 1]), "and then none of them");
	return tap_finish();
}
