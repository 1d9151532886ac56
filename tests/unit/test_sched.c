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

static void service_that_has_time_waits_for_a_slice(void **state)
{
	(void)state;
	struct process *program = user_create("program");
	run_for(1);
	struct process *service = service_create("service"), *other = user_create("other");
	struct thread *t = thread_of(service);
	the_cpu.locked = true;
	sched_put_off(t);
	the_cpu.locked = false;
	run_for(8);
	assert_int_equal(used(service), 0);
	assert_ptr_equal(the_cpu.current, thread_of(program));
	run_for(12); /* to the end of the turn */
	assert_true(used(service) > 0);
	assert_ptr_equal(the_cpu.current, t);
	user_end(service);
	run_for(1);
	service = service_create("service");
	t = thread_of(service);
	the_cpu.locked = true;
	sched_put_off(t);
	sched_hurry(t);
	the_cpu.locked = false;
	core_timer();
	assert_ptr_equal(the_cpu.current, t);
	user_end(service);
	user_end(program);
	user_end(other);
}

/* A thread that runs ends the only one that waits beside it, and goes on: its share is found again
 * when it has had its turn. */
static void one_of_two_is_ended(void **state)
{
	(void)state;
	struct process *p = user_create("program");
	struct thread *ends = thread_of(p), *ended = user_thread(p);
	core_timer();
	assert_ptr_equal(the_cpu.current, ends);
	the_cpu.locked = true;
	thread_end(ended);
	the_cpu.locked = false;
	struct process *other = user_create("other");
	run_for(1000);
	assert_about(ends->cpu_ns, 500);
	assert_about(used(other), 500);
	user_end(p);
	user_end(other);
}

/* ---- Within a share ---- */

static void schedule(struct thread *t, uint8_t policy, uint8_t priority, int32_t nice)
{
	the_cpu.locked = true;
	thread_schedule(
	        t, (struct capos_scheduling){.policy = policy, .priority = priority, .nice = nice});
	the_cpu.locked = false;
	run_for(0);
	core_timer();
}

static void real_time_goes_first(void **state)
{
	(void)state;
	struct process *p = user_create("program"), *other = user_create("other");
	struct thread *usual = thread_of(p), *low = user_thread(p), *high = user_thread(p);
	schedule(low, CAPOS_POLICY_FIFO, 1, 0);
	schedule(high, CAPOS_POLICY_FIFO, 99, 0);
	run_for(1000);
	/* But of its own share alone. */
	assert_about(used(other), 500);
	assert_about(high->cpu_ns, 500);
	assert_int_equal(low->cpu_ns + usual->cpu_ns, 0);
	schedule(high, CAPOS_POLICY_OTHER, 0, 0);
	run_for(100);
	assert_about(low->cpu_ns, 50);
	schedule(low, CAPOS_POLICY_OTHER, 0, 0);
	run_for(100);
	assert_about(usual->cpu_ns, 20);
	user_end(p);
	user_end(other);
}

static void higher_one_runs_at_once(void **state)
{
	(void)state;
	struct process *p = user_create("program");
	struct thread *low = thread_of(p), *high = user_thread(p);
	schedule(low, CAPOS_POLICY_FIFO, 1, 0);
	assert_ptr_equal(the_cpu.current, low);
	schedule(high, CAPOS_POLICY_FIFO, 2, 0);
	assert_ptr_equal(the_cpu.current, high);
	/* As long as one holds what all need it is left alone, and told. */
	schedule(high, CAPOS_POLICY_OTHER, 0, 0);
	assert_ptr_equal(the_cpu.current, low);
	low->ring.header->urgent = 1;
	schedule(high, CAPOS_POLICY_FIFO, 3, 0);
	assert_ptr_equal(the_cpu.current, low);
	assert_int_equal(low->ring.header->overdue, 1);
	run_for(8);
	assert_ptr_equal(the_cpu.current, low);
	low->ring.header->urgent = 0;
	core_timer();
	assert_ptr_equal(the_cpu.current, high);
	user_end(p);
}

/* Who says for ever that it holds something has little more than its slices. */
static void nobody_is_urgent_for_ever(void **state)
{
	(void)state;
	struct process *p = user_create("program");
	struct thread *urgent = thread_of(p), *usual = user_thread(p), *real = user_thread(p);
	schedule(real, CAPOS_POLICY_FIFO, 1, 0);
	urgent->ring.header->urgent = 1;
	run_for(20);
	assert_ptr_equal(the_cpu.current, real);
	schedule(real, CAPOS_POLICY_IDLE, 0, 0);
	run_for(1000);
	assert_in_range(usual->cpu_ns, 300 * MS, 500 * MS);
	user_end(p);
}

static void round_robin_takes_turns(void **state)
{
	(void)state;
	struct process *p = user_create("program");
	struct thread *a = thread_of(p), *b = user_thread(p);
	schedule(a, CAPOS_POLICY_ROUND_ROBIN, 5, 0);
	schedule(b, CAPOS_POLICY_ROUND_ROBIN, 5, 0);
	run_for(1000);
	assert_about(a->cpu_ns, 500);
	assert_about(b->cpu_ns, 500);
	schedule(a, CAPOS_POLICY_FIFO, 5, 0);
	schedule(b, CAPOS_POLICY_FIFO, 5, 0);
	uint64_t before = the_cpu.current->cpu_ns;
	struct thread *first = the_cpu.current;
	run_for(1000);
	assert_int_equal(first->cpu_ns, before + 1000 * MS);
	user_end(p);
}

static void slices_go_by_nice_values(void **state)
{
	(void)state;
	struct process *p = user_create("program");
	struct thread *usual = thread_of(p), *nice = user_thread(p), *idle = user_thread(p);
	schedule(nice, CAPOS_POLICY_OTHER, 0, 5);
	schedule(idle, CAPOS_POLICY_IDLE, 0, 0);
	assert_int_equal(usual->slice, CAPOS_SLICE_NS);
	assert_in_range(nice->slice, CAPOS_SLICE_NS * 32 / 100, CAPOS_SLICE_NS * 33 / 100);
	assert_int_equal(idle->slice, BATCH_NS);
	schedule(nice, CAPOS_POLICY_BATCH, 0, -5);
	assert_in_range(nice->slice, CAPOS_SLICE_NS * 3, CAPOS_SLICE_NS * 31 / 10);
	run_for(2000);
	/* 10, 30 and 1 of 41: the clock of this test goes by whole milliseconds. */
	assert_in_range(usual->cpu_ns, 400 * MS, 600 * MS);
	assert_in_range(nice->cpu_ns, 1300 * MS, 1550 * MS);
	assert_in_range(idle->cpu_ns, 20 * MS, 80 * MS);
	user_end(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(threads_share_one_share, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(newcomer_waits_for_no_more_than_a_turn, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(sleeper_has_its_share, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(services_go_first, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(service_that_has_time_waits_for_a_slice, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(one_of_two_is_ended, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(real_time_goes_first, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(higher_one_runs_at_once, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(nobody_is_urgent_for_ever, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(round_robin_takes_turns, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(slices_go_by_nice_values, core_setup,
	                                        core_teardown),
	};
	fake_start(FAKE_ARENA_PAGES);
	core_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
