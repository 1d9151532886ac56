/* SPDX-License-Identifier: MIT */
/*
 * Owners of locks: one for each process, and no session takes them from the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <capos/schema/status.h>

#include "services/files/owners.h"

static struct owners owners;

static int start(void **state)
{
	(void)state;
	memset(&owners, 0, sizeof(owners));
	return 0;
}

static void a_process_is_one_owner(void **state)
{
	(void)state;
	assert_int_equal(owner_add(&owners, 7, 0), STATUS_OK);
	assert_int_equal(owner_add(&owners, 7, 1), STATUS_EXISTS);
	assert_int_equal(owner_add(&owners, 7 + OWNERS_BUCKETS, 0), STATUS_OK);
	owner_remove(&owners, 7);
	owner_remove(&owners, 7);
	assert_false(owner_exists(&owners, 7));
	assert_true(owner_exists(&owners, 7 + OWNERS_BUCKETS));
	assert_int_equal(owner_add(&owners, 7, 1), STATUS_OK);
}

static void a_session_leaves_owners_for_others(void **state)
{
	uint64_t process = 1;
	(void)state;

	while (owner_add(&owners, process, 3) == STATUS_OK)
		process++;
	assert_int_equal(process - 1, OWNERS_PER_SESSION);
	assert_int_equal(owner_add(&owners, process, 4), STATUS_OK);
	assert_int_equal(owner_add(&owners, process + 1, 3), STATUS_NO_BUFFERS);
	owner_remove(&owners, 1);
	assert_int_equal(owner_add(&owners, process + 1, 3), STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(a_process_is_one_owner, start),
	        cmocka_unit_test_setup(a_session_leaves_owners_for_others, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
