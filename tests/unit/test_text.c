/* SPDX-License-Identifier: MIT */
/*
 * Cleaning of untrusted text: nothing that moves a cursor or ends a line comes through, nothing
 * printable is lost, and no name passes for the kernel's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <capos/text.h>

static void cleaned(const char *text, uint32_t length, const char *expected)
{
	char out[64];
	uint32_t n = text_clean(out, sizeof(out), text, length);

	assert_string_equal(out, expected);
	assert_int_equal(n, strlen(expected));
}
#define CLEANED(text, expected) cleaned(text, sizeof(text) - 1, expected)

static void named(const char *text, const char *expected)
{
	char out[32];
	uint32_t n = text_clean_name(out, sizeof(out), text, (uint32_t)strlen(text));

	assert_string_equal(out, expected);
	assert_int_equal(n, strlen(expected));
}

static void test_what_is_printable_stays(void **state)
{
	(void)state;
	CLEANED("GET / HTTP/1.1 ~{}|", "GET / HTTP/1.1 ~{}|");
	CLEANED("", "");
	CLEANED("Gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x8c\x8d",
	        "Gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x8c\x8d");
}

static void test_control_characters_become_question_marks(void **state)
{
	(void)state;
	CLEANED("a\033[2Jb", "a?[2Jb");
	CLEANED("one\ntwo\r\t\b", "one?two???");
	CLEANED("a\0b\177", "a?b?");
}

static void test_c1_control_bytes_do_not_reach_a_terminal(void **state)
{
	(void)state;
	CLEANED("\x9b"
	        "2J",
	        "?2J"); /* CSI as one byte */
	CLEANED("\xc2\x9b"
	        "2J",
	        "??2J"); /* and as UTF-8 */
	CLEANED("\xc2\x80\xc2\x9f", "????");
	CLEANED("\xc2\xa1", "\xc2\xa1");
}

static void test_malformed_utf8_is_replaced_byte_by_byte(void **state)
{
	(void)state;
	CLEANED("\xc0\x8a", "??");      /* a newline in two bytes */
	CLEANED("\xe0\x80\x8a", "???"); /* and in three */
	CLEANED("\xe2\x82", "??");      /* cut short */
	CLEANED("\xe2\x82z", "??z");
	CLEANED("\xed\xa0\x80", "???");      /* a surrogate */
	CLEANED("\xf4\x90\x80\x80", "????"); /* past the last code point */
	CLEANED("\xff\xfe\x80", "???");
}

static void test_text_cannot_be_reversed_or_hidden(void **state)
{
	(void)state;
	CLEANED("a\xe2\x80\xae.b", "a???.b");       /* right-to-left override */
	CLEANED("a\xe2\x80\xa8PANIC", "a???PANIC"); /* line separator */
	CLEANED("a\xef\xbb\xbf", "a???");
	CLEANED("a\xf3\xa0\x81\x81", "a????"); /* a tag character */
}

static void test_long_text_is_cut_between_characters(void **state)
{
	char out[6];

	(void)state;
	assert_int_equal(text_clean(out, sizeof(out), "abc\xe2\x82\xac", 6), 3);
	assert_string_equal(out, "abc");
	assert_int_equal(text_clean(out, sizeof(out), "abcdefgh", 8), 5);
	assert_string_equal(out, "abcde");
	assert_int_equal(text_clean(out, 1, "abc", 3), 0);
	assert_string_equal(out, "");
}

static void test_text_is_cleaned_in_place(void **state)
{
	char text[] = "x\033\xe2\x82\xac\x9b";

	(void)state;
	text_clean(text, sizeof(text), text, sizeof(text) - 1);
	assert_string_equal(text, "x?\xe2\x82\xac?");
}

static void test_a_name_cannot_look_like_a_line_of_the_kernel(void **state)
{
	(void)state;
	named("PANIC: all is lost; kernel", "PANIC__all_is_lost__kernel");
	named("PANIC", "_PANIC");
	named("kernel", "_kernel");
	named("Kernel", "_Kernel");
	named("kernels", "kernels");
	named("", "unnamed");
}

static void test_names_keep_a_safe_alphabet(void **state)
{
	(void)state;
	named("busybox", "busybox");
	named("g++-12", "g++-12");
	named("[", "[");
	named("libc.so@2", "libc.so@2");
	named("a b/c\n\x9b\xc3\xbc", "a_b_c____");
}

static void test_a_long_name_is_cut(void **state)
{
	char out[32];

	(void)state;
	assert_int_equal(
	        text_clean_name(out, sizeof(out), "0123456789012345678901234567890123456789", 40),
	        31);
	assert_int_equal(strlen(out), 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_what_is_printable_stays),
	        cmocka_unit_test(test_control_characters_become_question_marks),
	        cmocka_unit_test(test_c1_control_bytes_do_not_reach_a_terminal),
	        cmocka_unit_test(test_malformed_utf8_is_replaced_byte_by_byte),
	        cmocka_unit_test(test_text_cannot_be_reversed_or_hidden),
	        cmocka_unit_test(test_long_text_is_cut_between_characters),
	        cmocka_unit_test(test_text_is_cleaned_in_place),
	        cmocka_unit_test(test_a_name_cannot_look_like_a_line_of_the_kernel),
	        cmocka_unit_test(test_names_keep_a_safe_alphabet),
	        cmocka_unit_test(test_a_long_name_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
