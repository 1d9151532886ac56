/* SPDX-License-Identifier: MIT */
/*
 * Which signal is delivered when, and in which order those wait that came more than once; and the
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

static struct signal_process s;
static struct signal_entry entries[8];

static int reset(void **state)
{
	(void)state;
	memset(&s, 0, sizeof(s));
	for (unsigned i = 0; i < 8; i++)
		entries[i] = (struct signal_entry){.origin.pid = (int)i};
	return 0;
}

static void handler(int signal)
{
	(void)signal;
}

static void handle(int signal, void (*how)(int))
{
	const struct signal_action action = {.handler = how, .mask = UINT64_MAX};

	assert_true(signal_set_action(&s, signal, &action));
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
	handle(SIGUSR1, handler);
	assert_int_equal(signal_disposition(&s, SIGUSR1), SIGNAL_HANDLE);
	handle(SIGUSR1, SIG_IGN);
	assert_int_equal(signal_disposition(&s, SIGUSR1), SIGNAL_IGNORE);
}

static void lowest_first_but_faults(void **state)
{
	(void)state;
	assert_int_equal(signal_first(0), 0);
	assert_int_equal(signal_first(SIGNAL_BIT(SIGTERM) | SIGNAL_BIT(SIGHUP) | SIGNAL_BIT(64)),
	                 SIGHUP);
	assert_int_equal(signal_first(SIGNAL_BIT(64)), 64);
	assert_int_equal(signal_first(SIGNAL_BIT(SIGHUP) | SIGNAL_BIT(SIGSEGV)), SIGSEGV);
}

static void real_time_signals_are_queued_in_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_true(signal_pending_add(&s.pending, 40, &entries[i]));
	assert_true(signal_pending_add(&s.pending, 41, &entries[3]));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(s.pending.set, SIGNAL_BIT(40) | SIGNAL_BIT(41));
		assert_ptr_equal(signal_pending_take(&s.pending, 40), &entries[i]);
	}
	assert_int_equal(s.pending.set, SIGNAL_BIT(41));
	assert_ptr_equal(signal_pending_take(&s.pending, 41), &entries[3]);
	assert_int_equal(s.pending.set, 0);
}

/* When no memory is left the number still waits, once. */
static void without_entries(void **state)
{
	(void)state;
	assert_true(signal_pending_add(&s.pending, 40, NULL));
	assert_false(signal_pending_add(&s.pending, 40, NULL));
	assert_null(signal_pending_take(&s.pending, 40));
	assert_int_equal(s.pending.set, 0);
	assert_true(signal_pending_add(&s.pending, 40, &entries[0]));
	assert_false(signal_pending_add(&s.pending, 40, NULL));
	assert_ptr_equal(signal_pending_take(&s.pending, 40), &entries[0]);
	assert_int_equal(s.pending.set, 0);
}

static void kill_and_stop_cannot_be_caught(void **state)
{
	const struct signal_action action = {.handler = handler};

	(void)state;
	assert_false(signal_set_action(&s, SIGKILL, &action));
	assert_false(signal_set_action(&s, SIGSTOP, &action));
	handle(SIGUSR1, handler);
	assert_int_equal(s.actions[SIGUSR1].mask & SIGNAL_UNBLOCKED, 0);
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
	        cmocka_unit_test_setup(lowest_first_but_faults, reset),
	        cmocka_unit_test_setup(real_time_signals_are_queued_in_order, reset),
	        cmocka_unit_test_setup(without_entries, reset),
	        cmocka_unit_test_setup(kill_and_stop_cannot_be_caught, reset),
	        cmocka_unit_test(errnos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
