/* SPDX-License-Identifier: MIT */
/*
 * Who may do what with a file: each class of permission bits, sticky directories, owners.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <capos/schema/service.h>
#include <capos/schema/status.h>

#include "services/files/access.h"

static unsigned asked;

static bool of_seven(const struct who *who, uint32_t group)
{
	(void)who;
	asked++;
	return group == 7;
}

static const struct who root = {0}, user = {.user = 1, .group = 1, .in_group = of_seven};

static struct permissions file(uint32_t mode, uint32_t owner, uint32_t group)
{
	return (struct permissions){FILE_TYPE_REGULAR, mode, owner, group};
}

static struct permissions directory(uint32_t mode, uint32_t owner)
{
	return (struct permissions){FILE_TYPE_DIRECTORY, mode, owner, 0};
}

static int check(const struct who *who, struct permissions what, uint32_t wanted)
{
	return access_check(who, &what, wanted);
}

static int check_open(uint16_t type, uint32_t mode, uint32_t wanted)
{
	const struct permissions what = {type, mode, 2, 2};

	return access_check_open(&user, &what, wanted);
}

/* Whatever it was opened for, there is no difference. */
static void a_socket_is_opened_to_write(void **state)
{
	(void)state;
	assert_int_equal(check_open(FILE_TYPE_SOCKET, 0755, ACCESS_READ), STATUS_ACCESS_DENIED);
	assert_int_equal(check_open(FILE_TYPE_SOCKET, 0722, ACCESS_READ | ACCESS_WRITE), STATUS_OK);
	assert_int_equal(check_open(FILE_TYPE_SOCKET, 0700, 0), STATUS_OK);
	assert_int_equal(check_open(FILE_TYPE_REGULAR, 0755, ACCESS_READ), STATUS_OK);
}

static void one_class_decides(void **state)
{
	(void)state;
	for (uint32_t wanted = 0; wanted < 8; wanted++) {
		for (uint32_t bits = 0; bits < 8; bits++) {
			const int expected = wanted & ~bits ? STATUS_ACCESS_DENIED : STATUS_OK;
			const uint32_t others = ~bits & 7;

			assert_int_equal(check(&root, file(0, 5, 5), wanted), STATUS_OK);
			assert_int_equal(
			        check(&user, file(bits << 6 | others << 3 | others, 1, 1), wanted),
			        expected);
			assert_int_equal(
			        check(&user, file(others << 6 | bits << 3 | others, 0, 1), wanted),
			        expected);
			assert_int_equal(
			        check(&user, file(others << 6 | bits << 3 | others, 0, 7), wanted),
			        expected);
			assert_int_equal(
			        check(&user, file(others << 6 | others << 3 | bits, 0, 5), wanted),
			        expected);
		}
	}
}

/* The kernel is asked for groups, which costs a call. */
static void groups_are_asked_for_when_they_decide(void **state)
{
	(void)state;
	asked = 0;
	check(&user, file(0755, 0, 5), ACCESS_READ);
	check(&user, file(0750, 1, 5), ACCESS_READ);
	check(&user, file(0750, 0, 1), ACCESS_READ);
	check(&root, file(0750, 3, 5), ACCESS_READ);
	assert_int_equal(asked, 0);
	check(&user, file(0750, 0, 5), ACCESS_READ);
	assert_int_equal(asked, 1);
}

static void names_go_by_directories(void **state)
{
	const struct permissions open = directory(0777, 0), sticky = directory(01777, 0);
	const struct permissions own = directory(01777, 1), closed = directory(0755, 0);
	const struct permissions mine = file(0, 1, 0), other = file(0666, 2, 0);
	const struct permissions below = directory(0755, 2), below_mine = directory(0755, 1);
	(void)state;

	assert_int_equal(access_check_remove(&user, &open, &other), STATUS_OK);
	assert_int_equal(access_check_remove(&user, &closed, &mine), STATUS_ACCESS_DENIED);
	assert_int_equal(access_check_remove(&user, &sticky, &other), STATUS_NOT_PERMITTED);
	assert_int_equal(access_check_remove(&user, &sticky, &mine), STATUS_OK);
	assert_int_equal(access_check_remove(&user, &own, &other), STATUS_OK);
	assert_int_equal(access_check_remove(&root, &sticky, &other), STATUS_OK);
	assert_int_equal(access_check_add(&user, &open), STATUS_OK);
	assert_int_equal(access_check_add(&user, &closed), STATUS_ACCESS_DENIED);
	assert_int_equal(access_check_move(&user, &open, &open, true, &below), STATUS_OK);
	assert_int_equal(access_check_move(&user, &open, &open, false, &below),
	                 STATUS_ACCESS_DENIED);
	assert_int_equal(access_check_move(&user, &open, &open, false, &below_mine), STATUS_OK);
	assert_int_equal(access_check_move(&user, &open, &closed, false, &other),
	                 STATUS_ACCESS_DENIED);
}

static int link_to(uint32_t mode)
{
	const struct permissions other = file(mode, 2, 0);

	return access_check_link(&user, &other);
}

static void owners_change(void **state)
{
	const struct permissions mine = file(0644, 1, 7), other = file(0666, 2, 7);
	(void)state;

	assert_int_equal(access_check_owner(&root, &other, 5, 5), STATUS_OK);
	assert_int_equal(access_check_owner(&user, &mine, KEEP_OWNER, 7), STATUS_OK);
	assert_int_equal(access_check_owner(&user, &mine, 1, 1), STATUS_OK);
	assert_int_equal(access_check_owner(&user, &mine, KEEP_OWNER, 5), STATUS_NOT_PERMITTED);
	assert_int_equal(access_check_owner(&user, &mine, 2, KEEP_OWNER), STATUS_NOT_PERMITTED);
	assert_int_equal(access_check_owner(&user, &other, KEEP_OWNER, 7), STATUS_NOT_PERMITTED);
	assert_int_equal(access_check_owner(&user, &other, KEEP_OWNER, KEEP_OWNER), STATUS_OK);
	assert_int_equal(access_check_times(&user, &other, true), STATUS_OK);
	assert_int_equal(access_check_times(&user, &other, false), STATUS_NOT_PERMITTED);
	assert_int_equal(access_check_times(&user, &mine, false), STATUS_OK);
	assert_int_equal(access_mode(&user, &mine, 02755), 02755);
	assert_int_equal(
	        access_mode(&user, &(struct permissions){FILE_TYPE_REGULAR, 0, 1, 5}, 02755), 0755);
	assert_int_equal(link_to(0666), STATUS_OK);
	assert_int_equal(link_to(0644), STATUS_NOT_PERMITTED);
	assert_int_equal(link_to(04666), STATUS_NOT_PERMITTED);
	assert_int_equal(link_to(02676), STATUS_NOT_PERMITTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(one_class_decides),
	        cmocka_unit_test(a_socket_is_opened_to_write),
	        cmocka_unit_test(groups_are_asked_for_when_they_decide),
	        cmocka_unit_test(names_go_by_directories),
	        cmocka_unit_test(owners_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
