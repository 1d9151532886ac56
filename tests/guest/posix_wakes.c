/* SPDX-License-Identifier: MIT */
/*
 * A blocked signal that comes between a look and the sleep that follows it ends the sleep.  Timers
 * of every length up to the time that a look takes meet each such moment; a sleep that missed one
 * lasts until its time-out, which nothing here reaches otherwise.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define ROUNDS      2000
#define STEP_US     1   /* from one round's timer to the next's */
#define LONGEST_US  500 /* then it begins anew */
#define PATIENCE_S  20
#define PATIENCE_MS (PATIENCE_S * 1000)

static sigset_t awaited;
static int descriptor;

static bool by_sigtimedwait(void)
{
	const struct timespec limit = {.tv_sec = PATIENCE_S};

	return sigtimedwait(&awaited, NULL, &limit) == SIGALRM;
}

static bool take(void)
{
	struct signalfd_siginfo info;

	return read(descriptor, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGALRM;
}

static bool by_poll(void)
{
	struct pollfd look = {.fd = descriptor, .events = POLLIN};

	return poll(&look, 1, PATIENCE_MS) == 1 && take();
}

static bool by_select(void)
{
	struct timeval limit = {.tv_sec = PATIENCE_S};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(descriptor, &set);
	return select(descriptor + 1, &set, NULL, NULL, &limit) == 1 && take();
}

static bool each_wakes(bool (*wait_for_it)(void))
{
	struct itimerval soon = {{0}, {0}};

	for (int i = 0; i < ROUNDS; i++) {
		soon.it_value.tv_usec = 1 + i * STEP_US % LONGEST_US;
		setitimer(ITIMER_REAL, &soon, NULL);
		if (!wait_for_it())
			return false;
	}
	return true;
}

static bool by_sigwait_of_a_child(void)
{
	const struct timespec limit = {.tv_sec = PATIENCE_S};
	pid_t child = fork();

	if (!child)
		_exit(0);
	return sigtimedwait(&awaited, NULL, &limit) == SIGCHLD && waitpid(child, NULL, 0) == child;
}

static bool children_wake(void)
{
	for (int i = 0; i < 50; i++) {
		if (!by_sigwait_of_a_child())
			return false;
	}
	return true;
}

static void *poll_once(void *result)
{
	*(bool *)result = by_poll();
	return NULL;
}

/* All threads block the signal; it comes to the process while one polls and the others sleep. */
static bool any_thread_is_woken(void)
{
	struct itimerval soon = {.it_value.tv_usec = 20000};
	bool result = false;
	pthread_t thread;

	if (pthread_create(&thread, NULL, poll_once, &result))
		return false;
	setitimer(ITIMER_REAL, &soon, NULL);
	pthread_join(thread, NULL);
	return result;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigemptyset(&awaited);
	sigaddset(&awaited, SIGALRM);
	sigaddset(&awaited, SIGCHLD);
	sigprocmask(SIG_BLOCK, &awaited, NULL);
	descriptor = signalfd(-1, &awaited, 0);
	ok(descriptor >= 0, "a signalfd");
	ok(each_wakes(by_sigtimedwait), "a timer's signal ends sigtimedwait whenever it comes");
	ok(each_wakes(take), "and a read of a signalfd");
	ok(each_wakes(by_poll), "and its poll");
	ok(each_wakes(by_select), "and its select");
	ok(children_wake(), "so does the end of a child");
	ok(any_thread_is_woken(), "a thread that polls a signalfd is woken by one for the process");
	return tap_finish();
}
