/* SPDX-License-Identifier: MIT */
/*
 * Locks that the C library and the system have for all threads: four threads take each of them
 * again and again, and one that needs it now and then gets it.  Counted is what the four do while
 * the one waits, not the time.  They stop when that is too much, so that one who would wait for
 * ever is a failure and not a test that hangs.  On Linux upstream's fork waits for ever at times.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "posix_tap.h"
#include "posix_thread.h"

#define THREADS 4
#define ROUNDS  30
/* Many times what four threads do in a slice each, on a fast machine. */
#define MAKES_MAX 10000l
#define CALLS_MAX 5000000l

static atomic_bool stop;
static atomic_long done, limit; /* by the four */

static bool goes_on(void)
{
	return !stop && done++ < limit;
}

static void *nothing(void *argument)
{
	return argument;
}

static void *make_threads(void *detached)
{
	while (goes_on()) {
		pthread_t t;

		if (pthread_create(&t, detached, nothing, NULL))
			sched_yield(); /* too many that have not run yet */
	}
	return NULL;
}

static void *join_threads(void *unused)
{
	(void)unused;
	while (goes_on())
		join(start(nothing, NULL));
	return NULL;
}

static void *allocate(void *unused)
{
	(void)unused;
	while (goes_on()) {
		void *volatile memory = malloc(100);

		free(memory);
	}
	return NULL;
}

static void *make_keys(void *unused)
{
	(void)unused;
	while (goes_on()) {
		pthread_key_t key;

		if (!pthread_key_create(&key, free))
			pthread_key_delete(key);
	}
	return NULL;
}

static void *call(void *unused)
{
	(void)unused;
	while (goes_on())
		getppid();
	return NULL;
}

static void one_fork(void)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	if (code_of(child))
		exit(1);
}

static void one_thread(void)
{
	join(start(nothing, NULL));
}

static void one_call(void)
{
	struct timespec t = {.tv_nsec = 1};

	nanosleep(&t, NULL);
}

static void test(const char *name, body *others, void *argument, long most, void (*one)(void))
{
	pthread_t t[THREADS];
	long longest = 0;

	stop = false;
	done = 0;
	limit = most;
	for (int i = 0; i < THREADS; i++)
		t[i] = start(others, argument);
	for (int i = 0; i < ROUNDS && done < limit; i++) {
		done = 0;
		one();
		if (done > longest)
			longest = done;
	}
	stop = true;
	for (int i = 0; i < THREADS; i++)
		join(t[i]);
	printf("# at most %ld times meanwhile\n", longest);
	ok(longest > 0 && longest < most, name);
}

int main(void)
{
	pthread_attr_t detached;

	setvbuf(stdout, NULL, _IOLBF, 0);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	test("fork while threads make threads", make_threads, &detached, MAKES_MAX, one_fork);
	test("fork while threads make and join threads", join_threads, NULL, MAKES_MAX, one_fork);
	test("fork while threads allocate", allocate, NULL, CALLS_MAX, one_fork);
	test("fork while threads make keys", make_keys, NULL, CALLS_MAX, one_fork);
	test("fork while threads make system calls", call, NULL, CALLS_MAX, one_fork);
	test("a join while threads make threads", make_threads, &detached, MAKES_MAX, one_thread);
	test("a join while threads make and join threads", join_threads, NULL, MAKES_MAX,
	     one_thread);
	test("a sleep while threads make threads", make_threads, &detached, MAKES_MAX, one_call);
	test("a sleep while threads make system calls", call, NULL, CALLS_MAX, one_call);
	return tap_finish();
}
