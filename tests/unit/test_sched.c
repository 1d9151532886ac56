/* SPDX-License-Identifier: MIT */
/*
 * Who runs: threads that never wait, on a clock that the test moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/core_fake.h"

#define MS 1000000ull

static uint64_t used(const struct process *p)
{
	return p->cpu_ns;
}

static void run_for(uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i++) {
		fake_now += MS;
		core_timer();
	}
	the_cpu.locked = true;
	sched_account();
	the_cpu.locked = false;
}

/* Within one turn of each. */
static void assert_about(uint64_t got, uint64_t ms)
{
	assert_in_range(got, (ms - 20) * MS, (ms + 20) * MS);
}

static void threads_share_one_share(void **state)
{
	(void)state;
	struct process *many = user_create("many"), *one = user_create("one");
	for (unsigned i = 1; i < 20; i++)
		user_thread(many);
	run_for(1000);
	assert_about(used(one), 500);
	assert_about(used(many), 500);
	for (struct list *node = many->threads.next; node != &many->threads; node = node->next)
		assert_about(list_entry(node, struct thread, of_process)->cpu_ns, 25);
	user_end(many);
	user_end(one);
}

/* Whoever is alone has all of it, and what it used then is not held against it. */
static void newcomer_waits_for_no_more_than_a_turn(void **state)
{
	(void)state;
	struct process *first = user_create("first");
	run_for(1000);
	assert_about(used(first), 1000);
	struct process *second = user_create("second");
	run_for(200);
	assert_about(used(second), 100);
	user_end(first);
	run_for(100);
	assert_about(used(second), 200);
	user_end(second);
}

/* One that sleeps in the middle of its turn comes back before those that have used theirs up, and
 * has no more than its share all the same. */
static void sleeper_has_its_share(void **state)
{
	(void)state;
	struct process *sleeper = user_create("sleeper"), *busy = user_create("busy");
	struct thread *t = thread_of(sleeper);
	for (unsigned i = 0; i < 1000; i++) {
		bool runs = the_cpu.current == t;
		run_for(1);
		if (runs && the_cpu.current == t)
			assert_int_equal(user_enter(t, 1, MS), USER_SLEEPS);
	}
	assert_true(used(busy) >= 500 * MS);
	assert_true(used(sleeper) >= 80 * MS);
	user_end(sleeper);
	user_end(busy);
}

static void services_go_first(void **state)
{
	(void)state;
	struct process *program = user_create("program"), *service = service_create("service");
	run_for(100);
	assert_about(used(service), 100);
	user_end(service);
	run_for(10);
	assert_ptr_equal(the_cpu.current, thread_of(program));
	user_end(program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(threads_share_one_share, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(newcomer_waits_for_no_more_than_a_turn, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(sleeper_has_its_share, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(services_go_first, core_setup, core_teardown),
	};
	fake_start(FAKE_ARENA_PAGES);
	core_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
