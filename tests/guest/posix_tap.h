/* SPDX-License-Identifier: MIT */
/*
 * TAP on stdout for POSIX programs in the guest.  Works on Linux too: the same source tells the
 * differences.
 */
#ifndef POSIX_TAP_H
#define POSIX_TAP_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

#define ok(condition, what)                                                                        \
	do {                                                                                       \
		int tap_passed = !!(condition);                                                    \
		printf("%sok %d - %s\n", tap_passed ? "" : "not ", ++tap_count, what);             \
		if (!tap_passed) {                                                                 \
			tap_failed++;                                                              \
			printf("# %s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
		}                                                                                  \
	} while (0)

/* The call fails with this errno. */
#define fails(call, number, what)                                \
	do {                                                     \
		errno = 0;                                       \
		long tap_result = (long)(call);                  \
		ok(tap_result == -1 && errno == (number), what); \
	} while (0)

static inline int tap_finish(void)
{
	printf("1..%d\n", tap_count);
	fflush(stdout);
	return tap_failed ? 1 : 0;
}

#endif
