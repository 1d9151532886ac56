/* SPDX-License-Identifier: MIT */
/*
 * Clocks, sleeping and interval timers.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

#define MS 1000000ll

static int64_t now(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t))
		return -1;
	return (int64_t)t.tv_sec * 1000 * MS + t.tv_nsec;
}

static void clocks(void)
{
	int64_t last = now(CLOCK_MONOTONIC), first = last, real;
	int forward = 1;
	struct timeval tv;
	struct timespec t;

	for (int i = 0; i < 100000; i++) {
		int64_t next = now(CLOCK_MONOTONIC);

		forward &= next >= last;
		last = next;
	}
	ok(forward && last > first, "the monotonic clock goes forward");
	real = now(CLOCK_REALTIME);
	ok(real > 1700000000ll * 1000 * MS, "the wall clock is set");
	ok(gettimeofday(&tv, NULL) == 0 && tv.tv_sec - real / (1000 * MS) <= 1,
	   "gettimeofday agrees");
	ok(time(NULL) - real / (1000 * MS) <= 1, "time agrees");
	ok(clock_getres(CLOCK_MONOTONIC, &t) == 0 && t.tv_sec == 0 && t.tv_nsec >= 1,
	   "clock_getres");
	ok(now(CLOCK_PROCESS_CPUTIME_ID) > 0, "processor time is counted");
	fails(clock_gettime(1234, &t), EINVAL, "an unknown clock is EINVAL");
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static void handle(int flags)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};

	sigaction(SIGALRM, &action, NULL);
	alarms = 0;
}

static void sleeping(void)
{
	struct timespec request = {.tv_nsec = 50 * MS}, rest;
	int64_t start = now(CLOCK_MONOTONIC), took;

	ok(nanosleep(&request, NULL) == 0, "nanosleep");
	took = now(CLOCK_MONOTONIC) - start;
	ok(took >= 50 * MS && took < 1000 * MS, "it took its time, and not much more");
	request = (struct timespec){.tv_nsec = 1000 * MS};
	fails(nanosleep(&request, NULL), EINVAL, "a second of nanoseconds is EINVAL");
	request = (struct timespec){.tv_sec = -1};
	fails(nanosleep(&request, NULL), EINVAL, "a negative time is EINVAL");
	start = now(CLOCK_MONOTONIC) + 30 * MS;
	request = (struct timespec){.tv_sec = start / (1000 * MS), .tv_nsec = start % (1000 * MS)};
	ok(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &request, NULL) == 0 &&
	           now(CLOCK_MONOTONIC) >= start,
	   "clock_nanosleep until a time");
	ok(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &request, NULL) == 0,
	   "a past time is no wait");

	handle(SA_RESTART);
	ualarm(300000, 0);
	request = (struct timespec){.tv_sec = 5};
	fails(nanosleep(&request, &rest), EINTR, "SIGALRM interrupts nanosleep, SA_RESTART or not");
	ok(alarms == 1, "its handler ran");
	ok(rest.tv_sec == 4 && rest.tv_nsec > 0, "the rest is returned");
	ualarm(300000, 0);
	request.tv_sec = 1L << 40; /* beyond what 64 bits of nanoseconds hold */
	ok(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &request, NULL) == EINTR,
	   "a far time of day is waited for");
}

static void intervals(void)
{
	struct itimerval set = {.it_value.tv_usec = 5000, .it_interval.tv_usec = 5000}, old,
	                 off = {0};
	int64_t start;

	handle(SA_RESTART);
	start = now(CLOCK_MONOTONIC);
	ok(setitimer(ITIMER_REAL, &set, NULL) == 0, "setitimer");
	while (alarms < 10 && now(CLOCK_MONOTONIC) - start < 2000 * MS)
		;
	ok(alarms >= 10, "an interval timer interrupts a computing loop again and again");
	ok(getitimer(ITIMER_REAL, &old) == 0 && old.it_interval.tv_usec == 5000 &&
	           old.it_value.tv_sec == 0 && old.it_value.tv_usec <= 5000,
	   "getitimer");
	ok(setitimer(ITIMER_REAL, &off, &old) == 0 && old.it_interval.tv_usec == 5000,
	   "turning it off tells the old");
	alarms = 0;
	usleep(30000);
	ok(alarms == 0, "it is off");
	ok(alarm(100) == 0 && alarm(0) >= 99, "alarm tells what was left");
	set.it_value.tv_usec = 1000000;
	fails(setitimer(ITIMER_REAL, &set, NULL), EINVAL, "a second of microseconds is EINVAL");
	fails(setitimer(17, &off, NULL), EINVAL, "an unknown timer is EINVAL");
	alarm(1);
	pause();
	ok(alarms == 1, "alarm ends pause");
}

int main(void)
{
	struct tms t;

	setvbuf(stdout, NULL, _IOLBF, 0);
	clocks();
	sleeping();
	intervals();
	ok(times(&t) != (clock_t)-1, "times");
	return tap_finish();
}
