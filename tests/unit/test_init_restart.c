/* SPDX-License-Identifier: MIT */
/*
 * The restart policy: what the manifest's words mean, in numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "services/init/restart.h"

#define MS 1000000ull

static void test_never_is_final(void **state)
{
	const struct plan_service service = {.restart = SERVICE_RESTART_NEVER};
	struct restart r = {0};
	uint64_t due;

	(void)state;
	assert_false(restart_decide(&r, &service, 5, &due));
}

static void test_the_delay_doubles_up_to_five_seconds(void **state)
{
	const struct plan_service service = {.restart = SERVICE_RESTART_ALWAYS};
	const uint64_t expected[] = {10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000, 5000};
	struct restart r = {0};
	uint64_t now = 1000 * MS, due;

	(void)state;
	for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		r.started_ns = now;
		assert_true(restart_decide(&r, &service, now, &due));
		assert_int_equal(due - now, expected[i] * MS);
		now = due;
	}
}

static void test_a_limit_is_kept_until_the_service_ran_for_a_minute(void **state)
{
	const struct plan_service service = {.restart = SERVICE_RESTART_LIMITED,
	                                     .restart_limit = 2};
	struct restart r = {0};
	uint64_t now = 0, due;

	(void)state;
	assert_true(restart_decide(&r, &service, now, &due));
	assert_true(restart_decide(&r, &service, now, &due));
	assert_false(restart_decide(&r, &service, now, &due));
	now = r.started_ns + RESTART_MENDED - 1;
	assert_false(restart_decide(&r, &service, now, &due));
	assert_true(restart_decide(&r, &service, now + 1, &due));
	assert_int_equal(due - now - 1, RESTART_DELAY_FIRST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_never_is_final),
	        cmocka_unit_test(test_the_delay_doubles_up_to_five_seconds),
	        cmocka_unit_test(test_a_limit_is_kept_until_the_service_ran_for_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
