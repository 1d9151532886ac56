/* SPDX-License-Identifier: MIT */
/*
 * Clock, timeouts, Timer objects, and entropy.
 */
#include <string.h>

#include "kernel_test.h"

#define MS 1000000ull

static int arm(cap_t timer, uint64_t deadline, uint64_t interval, cap_t event, uint64_t bits)
{
	struct timer_arm_params params = {
	        .deadline_ns = deadline, .interval_ns = interval, .bits = bits};
	uint64_t buffer[16];
	struct capos_send_cap send = {event, CAP_RIGHTS_ALL, 0};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	return timer_arm(timer, &params, &call);
}

static void test_timeouts(void)
{
	uint64_t start = cap_now();
	tap_equal(cap_enter(1, 20 * MS), 0, "a timeout passes");
	uint64_t took = cap_now() - start;
	tap_ok(took >= 20 * MS && took < 200 * MS, "when it should");
	start = cap_now();
	for (unsigned i = 0; i < 100; i++)
		cap_enter(1, 1 + i * 10000);
	took = cap_now() - start;
	tap_ok(took >= 49 * MS && took < 500 * MS, "many of them too");
}

static void test_timers(void)
{
	cap_t event, timer;
	uint64_t bits, buffer[16];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	cap_event_create(&event);
	tap_equal(timer_create(TIMER, NULL, &call), CAP_OK, "a timer is made");
	timer = call.caps[0];
	uint64_t start = cap_now();
	tap_equal(arm(timer, start + 10 * MS, 0, event, 1), CAP_OK, "it is armed");
	tap_equal(cap_wait(event, 1, 1000 * MS, &bits), CAP_OK, "it signals");
	tap_ok(cap_now() - start >= 10 * MS, "not before its time");
	arm(timer, 0, 0, event, 2);
	tap_equal(cap_wait(event, 2, 0, &bits), CAP_OK,
	          "a deadline that has passed signals at once");
	tap_equal(arm(timer, start, 999, event, 1), CAP_EINVAL,
	          "an interval below a microsecond is refused");
	arm(timer, cap_now() + 5 * MS, 5 * MS, event, 4);
	for (unsigned i = 0; i < 3; i++)
		tap_equal(cap_wait(event, 4, 1000 * MS, &bits), CAP_OK, "an interval repeats");
	arm(timer, cap_now(), 1000, event, 4);
	tap_equal(cap_wait(event, 4, 1000 * MS, &bits), CAP_OK,
	          "the shortest interval leaves us running");
	struct timer_disarm_results left = {};
	tap_equal(timer_disarm(timer, &left, NULL), CAP_OK, "it is disarmed");
	tap_equal((int64_t)left.interval_ns, 1000, "and tells its setting");
	cap_wait(event, 4, 0, &bits);
	tap_equal(cap_wait(event, 4, 20 * MS, &bits), CAP_ETIMEDOUT, "then it is quiet");
	arm(timer, cap_now() + 10 * MS, 0, event, 8);
	cap_release(timer);
	tap_equal(cap_wait(event, 8, 30 * MS, &bits), CAP_ETIMEDOUT,
	          "a timer that is given up never signals");
	cap_release(event);
}

#define MANY_TIMERS 1000

static uint64_t time_of_spinning(void)
{
	uint64_t start = cap_now();
	for (volatile unsigned i = 0; i < 1000000; i++)
		;
	return cap_now() - start;
}

/* However many timers repeat at the shortest interval, they leave us most of the processor. */
static void test_many_timers(void)
{
	static cap_t timers[MANY_TIMERS];
	cap_t event;
	uint64_t buffer[16];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	uint64_t alone = time_of_spinning();
	cap_event_create(&event);
	for (unsigned i = 0; i < MANY_TIMERS; i++) {
		timer_create(TIMER, NULL, &call);
		timers[i] = call.caps[0];
		arm(timers[i], cap_now(), 1000, event, 1);
	}
	tap_ok(time_of_spinning() < 20 * alone + 20 * MS, "a thousand timers leave us running");
	for (unsigned i = 0; i < MANY_TIMERS; i++)
		cap_release(timers[i]);
	cap_release(event);
}

static volatile bool spin_end;
static volatile uint64_t spins;

static void spinner(uint64_t argument)
{
	(void)argument;
	while (!spin_end)
		spins++;
	spin_end = false;
	end_thread();
}

static void test_preemption(void)
{
	spin_end = false;
	spins = 0;
	start_thread(spinner, 0);
	uint64_t start = cap_now();
	cap_sleep(30 * MS);
	tap_ok(cap_now() - start < 300 * MS && spins > 0,
	       "a thread that never waits delays no other");
	spin_end = true;
	while (spin_end)
		cap_sleep(MS);
}

static void test_entropy(void)
{
	static uint64_t buffer[2][600];
	struct entropy_source_read_params params = {.length = 64};
	struct entropy_source_read_results results[2] = {};
	for (unsigned i = 0; i < 2; i++) {
		struct capos_call call = {.buffer = buffer[i], .size = sizeof(buffer[i])};
		tap_equal(entropy_source_read(ENTROPY, &params, &results[i], &call), CAP_OK,
		          "random bytes are read");
	}
	tap_ok(results[0].data.len == 64 &&
	               memcmp(results[0].data.ptr, results[1].data.ptr, 64) != 0,
	       "and differ each time");
	struct capos_call call = {.buffer = buffer[0], .size = sizeof(buffer[0])};
	params.length = 1024;
	tap_equal(entropy_source_read(ENTROPY, &params, NULL, &call), CAP_OK,
	          "as many as a call gives");
	params.length = 1025;
	tap_equal(entropy_source_read(ENTROPY, &params, NULL, &call), CAP_EINVAL, "and no more");
}

void test_time(void)
{
	test_timeouts();
	test_timers();
	test_many_timers();
	test_preemption();
	test_entropy();
}
