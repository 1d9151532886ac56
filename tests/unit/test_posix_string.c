/* SPDX-License-Identifier: MIT */
/*
 * memcpy, memmove, memset and memcmp against the host's, for every length to 300 and every
 * alignment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void *capos_memcpy(void *to, const void *from, size_t n);
void *capos_memmove(void *to, const void *from, size_t n);
void *capos_memset(void *to, int c, size_t n);
int capos_memcmp(const void *a, const void *b, size_t n);

#define ROOM       512
#define LENGTH_MAX 300
#define OFFSET     100

static uint8_t source[ROOM], ours[ROOM], theirs[ROOM];

static void fill(void)
{
	for (int i = 0; i < ROOM; i++) {
		source[i] = (uint8_t)rand();
		ours[i] = theirs[i] = (uint8_t)rand();
	}
}

static void copying(void **state)
{
	(void)state;
	for (size_t n = 0; n <= LENGTH_MAX; n++)
		for (int from = 0; from < 8; from++)
			for (int to = 0; to < 8; to++) {
				fill();
				assert_ptr_equal(capos_memcpy(ours + OFFSET + to, source + from, n),
				                 ours + OFFSET + to);
				memcpy(theirs + OFFSET + to, source + from, n);
				assert_memory_equal(ours, theirs, ROOM);
			}
}

static void moving(void **state)
{
	(void)state;
	for (size_t n = 0; n <= LENGTH_MAX; n++)
		for (int by = -80; by <= 80; by++) {
			fill();
			memcpy(ours, theirs, ROOM);
			assert_ptr_equal(capos_memmove(ours + OFFSET + by, ours + OFFSET, n),
			                 ours + OFFSET + by);
			memmove(theirs + OFFSET + by, theirs + OFFSET, n);
			assert_memory_equal(ours, theirs, ROOM);
		}
}

static void setting(void **state)
{
	(void)state;
	for (size_t n = 0; n <= LENGTH_MAX; n++)
		for (int to = 0; to < 8; to++) {
			fill();
			assert_ptr_equal(capos_memset(ours + to, to * 97 + 0x1100, n), ours + to);
			memset(theirs + to, to * 97 + 0x1100, n);
			assert_memory_equal(ours, theirs, ROOM);
		}
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void comparing(void **state)
{
	(void)state;
	for (size_t n = 0; n <= LENGTH_MAX; n++)
		for (int at = 0; at < 8; at++)
			for (int differ = 0; differ < 3; differ++) {
				fill();
				memcpy(ours + at, source, n);
				if (differ)
					ours[at + (size_t)rand() % (n + 1)] ^= (uint8_t)rand();
				assert_int_equal(sign(capos_memcmp(ours + at, source, n)),
				                 sign(memcmp(ours + at, source, n)));
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(copying),
	        cmocka_unit_test(moving),
	        cmocka_unit_test(setting),
	        cmocka_unit_test(comparing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
