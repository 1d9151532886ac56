/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own text formatting and memory routines, side by side with the host's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>

/* The kernel's routines under names of their own. */
#define memcpy  kernel_memcpy
#define memmove kernel_memmove
#define memset  kernel_memset
#define memcmp  kernel_memcmp
#define strlen  kernel_strlen
#define strcmp  kernel_strcmp
#include "kernel/lib.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp

#define SIZE  400u
#define STEPS 20000u

static char last_line[LINE_MAX + 1];

void logbuffer_kernel(const char *text, size_t length)
{
	memcpy(last_line, text, length);
	last_line[length] = '\0';
}

void logbuffer_flush(void)
{
}

void arch_backtrace(void)
{
}

void arch_halt_after_panic(void)
{
	abort();
}

#define CHECK_FORMAT(...)                                                           \
	do {                                                                        \
		char ours[80], theirs[80];                                          \
		int n = fmt_snprintf(ours, sizeof(ours), __VA_ARGS__);              \
		assert_int_equal(n, snprintf(theirs, sizeof(theirs), __VA_ARGS__)); \
		assert_string_equal(ours, theirs);                                  \
	} while (0)

static void formats_as_the_c_library(void **state)
{
	(void)state;
	CHECK_FORMAT("plain %% text");
	CHECK_FORMAT("%d %d %d", 0, -1, INT32_MIN);
	CHECK_FORMAT("%ld %lu %llx", INT64_MIN, UINT64_MAX, 0x123456789abcdefull);
	CHECK_FORMAT("%zu %5u|%-5u|%05u", (size_t)7, 42u, 42u, 42u);
	CHECK_FORMAT("%05d|%5d|%-5d|", -42, -42, -42);
	CHECK_FORMAT("%016lx %02x", 0xabcul, 5u);
	CHECK_FORMAT("%s|%8s|%-8s|%.3s|%.*s", "text", "right", "left", "cut short", 2, "xyz");
	CHECK_FORMAT("%c%c", 'a', 'b');
	CHECK_FORMAT("%p", (void *)0x1234);
}

static void texts_are_cut_at_the_buffer(void **state)
{
	(void)state;
	char small[5] = "....";

	assert_int_equal(fmt_snprintf(small, sizeof(small), "123456"), 6);
	assert_string_equal(small, "1234");
	assert_int_equal(fmt_snprintf(NULL, 0, "123456"), 6);
}

static void log_lines_end_once(void **state)
{
	(void)state;
	char flood[2 * LINE_MAX];

	klog("one");
	assert_string_equal(last_line, "one\n");
	klog("two\n");
	assert_string_equal(last_line, "two\n");
	memset(flood, 'x', sizeof(flood) - 1);
	flood[sizeof(flood) - 1] = '\0';
	klog("%s", flood);
	assert_int_equal(strlen(last_line), LINE_MAX);
	assert_int_equal(last_line[LINE_MAX - 1], '\n');
}

static void memory_routines_agree(void **state)
{
	(void)state;
	uint8_t a[SIZE], b[SIZE];

	srand(1);
	for (unsigned step = 0; step < STEPS; step++) {
		size_t n = (size_t)rand() % 150, to = (size_t)rand() % 200,
		       from = (size_t)rand() % 200;
		for (unsigned i = 0; i < SIZE; i++)
			a[i] = b[i] = (uint8_t)rand();
		switch (step % 4) {
		case 0:
			kernel_memmove(a + to, a + from, n);
			memmove(b + to, b + from, n);
			break;
		case 1:
			from = 200 + from / 4;
			to /= 4;
			kernel_memcpy(a + to, a + from, n);
			memcpy(b + to, b + from, n);
			break;
		case 2:
			kernel_memset(a + to, (int)step, n);
			memset(b + to, (int)step, n);
			break;
		default:
			if (step % 8 == 3)
				memmove(a + to, a + from, n);
			memcpy(b, a, SIZE);
			assert_int_equal(kernel_memcmp(a + to, a + from, n) > 0,
			                 memcmp(a + to, a + from, n) > 0);
			assert_int_equal(kernel_memcmp(a + to, a + from, n) == 0,
			                 memcmp(a + to, a + from, n) == 0);
			break;
		}
		assert_memory_equal(a, b, SIZE);
	}
	assert_int_equal(kernel_strlen("four"), 4);
	assert_true(kernel_strcmp("a", "b") < 0 && kernel_strcmp("b", "a") > 0);
	assert_true(kernel_strcmp("ab", "a") > 0 && kernel_strcmp("", "") == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(formats_as_the_c_library),
	        cmocka_unit_test(texts_are_cut_at_the_buffer),
	        cmocka_unit_test(log_lines_end_once),
	        cmocka_unit_test(memory_routines_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
