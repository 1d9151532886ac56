/* SPDX-License-Identifier: MIT */
/*
 * Formatting: for what it knows, the same text and length as the host's snprintf, in any size of
 * buffer.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <capos/cap.h>
#include <capos/log.h>

#define SAME(...)                                                                   \
	do {                                                                        \
		char ours[200], theirs[200];                                        \
		int n = fmt_snprintf(ours, sizeof(ours), __VA_ARGS__);              \
		assert_int_equal(n, snprintf(theirs, sizeof(theirs), __VA_ARGS__)); \
		assert_string_equal(ours, theirs);                                  \
	} while (0)

static void test_numbers_are_as_in_printf(void **state)
{
	(void)state;
	SAME("%d %i %u %x", 0, -1, 42u, 0xbeefu);
	SAME("%d %d", INT_MIN, INT_MAX);
	SAME("%ld %ld %lu", LONG_MIN, LONG_MAX, ULONG_MAX);
	SAME("%lld %llu %llx", LLONG_MIN, ULLONG_MAX, ULLONG_MAX);
	SAME("%zu %zx", (size_t)12345, (size_t)0xabc);
	SAME("[%5d] [%-5d] [%05d] [%05d]", 42, 42, 42, -42);
	SAME("[%2d] [%08x] [%-8x] [%16lx]", 12345, 0xffu, 0xffu, 0xfful);
	SAME("[%*d] [%-*d] [%*d]", 6, 1, 6, 2, -6, 3);
	SAME("%X", 0xbeefu);
	SAME("%p", (void *)0x1234);
}

static void test_strings_are_as_in_printf(void **state)
{
	static const char unterminated[3] = {'a', 'b', 'c'};

	(void)state;
	SAME("%s|%s", "", "text");
	SAME("[%6s] [%-6s] [%2s]", "abc", "abc", "abc");
	SAME("[%.2s] [%.*s] [%.0s] [%6.2s]", "abc", 1, "abc", "abc", "abc");
	SAME("%.*s", 3, unterminated);
	SAME("%c%c[%3c] 100%%", 'o', 'k', '!');
}

static void test_a_small_buffer_cuts_and_ends_the_text(void **state)
{
	(void)state;
	for (size_t size = 0; size < 16; size++) {
		char *exact = malloc(size ? size : 1), theirs[16];

		assert_int_equal(fmt_snprintf(exact, size, "%s-%d", "hello", 12345), 11);
		snprintf(theirs, size, "%s-%d", "hello", 12345);
		if (size)
			assert_string_equal(exact, theirs);
		free(exact);
	}
}

static void test_a_null_string_does_not_crash(void **state)
{
	char text[16];
	const char *volatile missing = NULL;

	(void)state;
	fmt_snprintf(text, sizeof(text), "%s", missing);
	assert_string_equal(text, "(null)");
}

static void test_every_error_has_a_text(void **state)
{
	(void)state;
	for (int i = CAP_EEXIST; i <= 0; i++)
		assert_string_not_equal(cap_error_text(i), "unknown error");
	for (int i = 1; i <= 39; i++)
		assert_string_not_equal(cap_error_text(i), "unknown error");
	assert_string_equal(cap_error_text(INT_MIN), "unknown error");
	assert_string_equal(cap_error_text(INT_MAX), "unknown error");
	assert_string_equal(cap_error_text(1), "access denied");
	assert_string_equal(cap_error_text(39), "destination required");
	assert_string_equal(cap_error_text(CAP_EGONE), "server has ended");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_numbers_are_as_in_printf),
	        cmocka_unit_test(test_strings_are_as_in_printf),
	        cmocka_unit_test(test_a_small_buffer_cuts_and_ends_the_text),
	        cmocka_unit_test(test_a_null_string_does_not_crash),
	        cmocka_unit_test(test_every_error_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
