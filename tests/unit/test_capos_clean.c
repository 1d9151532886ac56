/* SPDX-License-Identifier: MIT */
/*
 * Text of the guest that reaches the user's terminal: in any pieces, nothing that a terminal obeys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tools/capos/clean.h"

/* Cleans the text in pieces of that size. */
static size_t cleaned(const char *text, size_t size, size_t piece, char *out)
{
	struct clean clean = {.have = 0};
	size_t length = 0;

	for (size_t done = 0; done < size; done += piece) {
		size_t n = size - done < piece ? size - done : piece;
		length += clean_add(&clean, text + done, n, out + length);
	}
	return length + clean_finish(&clean, out + length);
}

static void streams_in_any_pieces(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	        {"plain\ttext\n", "plain\ttext\n"},
	        {"\033[31mred\r\n", "?[31mred?\n"},
	        {"\x9b"
	         "2J \xc2\x9b"
	         "2J",
	         "?2J ??2J"},
	        {"\x7f\b\a", "???"},
	        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
	         "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
	        {"\xe2\x82", "??"},
	        {"\xc0\xaf\xff", "???"},
	        {"\xe2\x82\n\xac", "??\n?"},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t piece = 1; piece < 8; piece++) {
			size_t n = cleaned(cases[i].in, strlen(cases[i].in), piece, out);
			assert_int_equal(n, strlen(cases[i].out));
			assert_memory_equal(out, cases[i].out, n);
		}
	}
}

static void large_pieces(void **state)
{
	static char in[3 * CLEAN_PIECE + 1], out[CLEAN_SPACE(sizeof(in))];

	(void)state;
	/* Two-byte characters from an odd place on: each border of a piece divides one. */
	in[0] = 'x';
	for (size_t i = 1; i < sizeof(in); i += 2)
		memcpy(in + i, "\xc3\xa9", 2);
	assert_int_equal(cleaned(in, sizeof(in), sizeof(in), out), sizeof(in));
	assert_memory_equal(in, out, sizeof(in));
}

static void lines(void **state)
{
	char line[] = "a\nb\tc\033d\xc2\x85";

	(void)state;
	clean_line(line);
	assert_string_equal(line, "a?b?c?d??");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(streams_in_any_pieces),
	        cmocka_unit_test(large_pieces),
	        cmocka_unit_test(lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
