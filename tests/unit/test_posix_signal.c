/* SPDX-License-Identifier: MIT */
/*
 * Which signal is delivered when, and what becomes of those that are ignored or blocked; and the
 * errno that a Status becomes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <capos/abi.h>
#include <capos/schema/status.h>

#include "libcapos-posix/src/core/fd.h"
#include "libcapos-posix/src/signal/signal_state.h"

static struct signal_state s;

static int reset(void **state)
{
	(void)state;
	memset(&s, 0, sizeof(s));
	return 0;
}

static void handler(int signal)
{
	(void)signal;
}

static void add(int signal)
{
	signal_state_add(&s, signal, (struct signal_origin){.code = signal});
}

static void handle(int signal, void (*how)(int))
{
	const struct signal_action action = {.handler = how, .mask = UINT64_MAX};

	assert_true(signal_state_set_action(&s, signal, &action));
}

static void default_actions(void **state)
{
	(void)state;
	assert_int_equal(signal_disposition(&s, SIGINT), SIGNAL_TERMINATE);
	assert_int_equal(signal_disposition(&s, SIGALRM), SIGNAL_TERMINATE);
	assert_int_equal(signal_disposition(&s, 64), SIGNAL_TERMINATE);
	assert_int_equal(signal_disposition(&s, SIGCHLD), SIGNAL_IGNORE);
	assert_int_equal(signal_disposition(&s, SIGWINCH), SIGNAL_IGNORE);
	assert_int_equal(signal_disposition(&s, SIGTSTP), SIGNAL_STOP);
	add(SIGCHLD);
	assert_int_equal(s.pending, 0);
}

static void lowest_first(void **state)
{
	(void)state;
	add(SIGTERM);
	add(SIGHUP);
	add(64);
	assert_int_equal(signal_state_next(&s, UINT64_MAX), SIGHUP);
	s.pending &= ~SIGNAL_BIT(SIGHUP);
	s.blocked = SIGNAL_BIT(SIGTERM);
	assert_int_equal(signal_state_next(&s, UINT64_MAX), 64);
	assert_int_equal(signal_state_next(&s, SIGNAL_BIT(SIGTERM)), 0);
	s.blocked = 0;
	assert_int_equal(signal_state_next(&s, UINT64_MAX), SIGTERM);
}

static void blocked_stays_although_ignored(void **state)
{
	(void)state;
	s.blocked = SIGNAL_BIT(SIGCHLD);
	add(SIGCHLD);
	assert_int_equal(s.pending, SIGNAL_BIT(SIGCHLD));
	s.blocked = 0;
	assert_int_equal(signal_state_next(&s, UINT64_MAX), 0);
	assert_int_equal(s.pending, 0);
}

static void ignoring_drops_pending(void **state)
{
	(void)state;
	s.blocked = SIGNAL_BIT(SIGUSR1);
	handle(SIGUSR1, handler);
	add(SIGUSR1);
	handle(SIGUSR1, SIG_IGN);
	assert_int_equal(s.pending, 0);
	assert_int_equal(signal_disposition(&s, SIGUSR1), SIGNAL_IGNORE);
}

static void kill_and_stop_cannot_be_caught(void **state)
{
	const struct signal_action action = {.handler = handler};

	(void)state;
	assert_false(signal_state_set_action(&s, SIGKILL, &action));
	assert_false(signal_state_set_action(&s, SIGSTOP, &action));
	handle(SIGUSR1, handler);
	assert_int_equal(s.actions[SIGUSR1].mask & SIGNAL_UNBLOCKED, 0);
}

static void first_origin_is_kept(void **state)
{
	(void)state;
	signal_state_add(&s, SIGUSR1, (struct signal_origin){.code = 1, .pid = 7});
	signal_state_add(&s, SIGUSR1, (struct signal_origin){.code = 2, .pid = 8});
	assert_int_equal(s.origins[SIGUSR1].pid, 7);
}

static void errnos(void **state)
{
	(void)state;
	assert_int_equal(errno_of(CAP_OK), 0);
	assert_int_equal(errno_of(CAP_EBADCAP), -EACCES);
	assert_int_equal(errno_of(CAP_EGONE), -EIO);
	assert_int_equal(errno_of(STATUS_ACCESS_DENIED), -EACCES);
	assert_int_equal(errno_of(STATUS_CONNECTION_REFUSED), -ECONNREFUSED);
	assert_int_equal(errno_of(STATUS_DESTINATION_REQUIRED), -EDESTADDRREQ);
	assert_int_equal(errno_of(100000), -EIO);
	for (int status = 1; status <= STATUS_DESTINATION_REQUIRED; status++)
		assert_true(errno_of(status) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(default_actions, reset),
	        cmocka_unit_test_setup(lowest_first, reset),
	        cmocka_unit_test_setup(blocked_stays_although_ignored, reset),
	        cmocka_unit_test_setup(ignoring_drops_pending, reset),
	        cmocka_unit_test_setup(kill_and_stop_cannot_be_caught, reset),
	        cmocka_unit_test_setup(first_origin_is_kept, reset),
	        cmocka_unit_test(errnos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
