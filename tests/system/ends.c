/* SPDX-License-Identifier: MIT */
/*
 * Ends in the way that its argument names, as programs do by their own fault.
 */
#include <stdlib.h>
#include <string.h>

static volatile int *volatile nowhere;

int main(int argc, char **argv)
{
	const char *how = argc == 2 ? argv[1] : "";

	if (strcmp(how, "null") == 0)
		*nowhere = 1;
	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "memory") == 0) {
		for (;;) {
			char *block = malloc(1 << 20);
			if (!block)
				return 12;
			memset(block, 1, 1 << 20);
		}
	}
	return 2;
}
