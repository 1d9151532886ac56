/* SPDX-License-Identifier: MIT */
/*
 * Where a program's parts lie, over a thousand starts: the program notes its addresses in a file,
 * starts itself anew, and at last counts the bits that chance decides.  An address's bit counts
 * when it is 1 in 40 to 60 of a hundred starts; what only depends on another address, or is chosen
 * from few, shows as values that come twice.  The image is at one place for all starts but the
 * first, which init made; "posix_layout image" prints that place, for a test over many machines.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "posix_tap.h"

#define STARTS    1000
#define BITS_MIN  28
#define RECORD_AT "/tmp/layout"

enum { STACK, HEAP, MAPPING, RING, PARTS, IMAGE = PARTS, ALL };
static const char *const names[PARTS] = {"stack", "heap", "mapping", "ring"};

static uint64_t records[STARTS][ALL];

static void note(int fd)
{
	uint64_t r[ALL] = {[IMAGE] = (uintptr_t)&records, [STACK] = (uintptr_t)&fd};

	r[HEAP] = (uintptr_t)malloc(100);
	r[MAPPING] = (uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__asm__("movq %%gs:0, %0" : "=r"(r[RING]));
	if (write(fd, r, sizeof(r)) != sizeof(r))
		exit(2);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void count(int part)
{
	static uint64_t values[STARTS];
	int bits = 0, twice = 0;
	char text[100];

	for (int i = 0; i < STARTS; i++)
		values[i] = records[i][part] >> 12;
	for (int bit = 0; bit < 36; bit++) {
		int ones = 0;

		for (int i = 0; i < STARTS; i++)
			ones += values[i] >> bit & 1;
		bits += ones >= STARTS * 2 / 5 && ones <= STARTS * 3 / 5;
	}
	qsort(values, STARTS, sizeof(values[0]), compare);
	for (int i = 1; i < STARTS; i++)
		twice += values[i] == values[i - 1];
	snprintf(text, sizeof(text), "%s: %d bits of page number by chance, %d of %d values twice",
	         names[part], bits, twice, STARTS);
	ok(bits >= BITS_MIN && twice <= 1, text);
}

/* Knowing one part's address says nothing of another's: their difference is as random as they. */
static void independent(int a, int b)
{
	int bits = 0;
	char text[100];

	for (int bit = 12; bit < 48; bit++) {
		int ones = 0;

		for (int i = 0; i < STARTS; i++)
			ones += (records[i][a] - records[i][b]) >> bit & 1;
		bits += ones >= STARTS * 2 / 5 && ones <= STARTS * 3 / 5;
	}
	snprintf(text, sizeof(text), "%s less %s: %d bits", names[a], names[b], bits);
	ok(bits >= BITS_MIN, text);
}

static bool one_place(void)
{
	for (int i = 2; i < STARTS; i++) {
		if (records[i][IMAGE] != records[1][IMAGE])
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	if (argc > 1 && argv[1][0] == 'i') {
		printf("%#lx\n", (unsigned long)(uintptr_t)&records);
		return 0;
	}

	int fd = open(RECORD_AT, O_RDWR | O_CREAT | O_APPEND, 0644);

	note(fd);
	if (lseek(fd, 0, SEEK_END) < (off_t)sizeof(records)) {
		close(fd);
		execv(argv[0], argv);
		perror("execv");
		return 3;
	}
	ok(pread(fd, records, sizeof(records), 0) == sizeof(records), "a thousand starts");
	for (int part = 0; part < PARTS; part++)
		count(part);
	ok(one_place(), "the image is at one place once a program has started it");
	independent(STACK, MAPPING);
	unlink(RECORD_AT);
	return tap_finish();
}
