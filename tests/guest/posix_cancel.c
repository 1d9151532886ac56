/* SPDX-License-Identifier: MIT */
/*
 * Signals to threads, and cancellation: each check is named by what breaks.  The same program says
 * the same on Linux.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"
#include "posix_thread.h"

/* ---- Signals ---- */

static atomic_int handled, handled_in;

static void handle(int number)
{
	(void)number;
	handled_in = (int)syscall(SYS_gettid);
	handled++;
}

struct receiver {
	atomic_int tid;
	int fd, error;
	long result;
};

static void *receive(void *argument)
{
	struct receiver *r = argument;
	char byte;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	r->tid = (int)syscall(SYS_gettid);
	r->result = read(r->fd, &byte, 1);
	r->error = errno;
	return NULL;
}

static void *compute(void *argument)
{
	struct receiver *r = argument;

	r->tid = (int)syscall(SYS_gettid);
	while (!handled)
		;
	return NULL;
}

static void *wait_signal(void *argument)
{
	sigset_t set;
	int number = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigwait(&set, &number) ? argument : (void *)(intptr_t)number;
}

static void *raise_here(void *argument)
{
	int wrong = raise(SIGUSR1) || handled_in != (int)syscall(SYS_gettid);

	return wrong ? &handled_in : argument;
}

static int wait_tid(struct receiver *r)
{
	for (int i = 0; i < 1000 && !r->tid; i++)
		sleep_ms(1);
	sleep_ms(20);
	return r->tid;
}

static void test_signals(void)
{
	struct sigaction action = {.sa_handler = handle};
	struct receiver r = {.tid = 0}, other = {.tid = 0};
	sigset_t set, old;
	pthread_t t, u;
	int pipes[2];

	if (pipe(pipes))
		exit(1);
	r.fd = other.fd = pipes[0];
	sigaction(SIGUSR1, &action, NULL);
	t = start(receive, &r);
	u = start(receive, &other);
	wait_tid(&r), wait_tid(&other);
	pthread_kill(t, SIGUSR1);
	join(t);
	ok(handled == 1 && handled_in == r.tid && r.result == -1 && r.error == EINTR,
	   "a signal to a thread interrupts that thread");
	ok(other.result == 0, "and no other");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	kill(getpid(), SIGUSR1);
	join(u);
	ok(handled == 2 && handled_in == other.tid && other.error == EINTR,
	   "a signal to the process goes to a thread that does not block it");
	handled = 0;
	r.tid = 0;
	t = start(compute, &r);
	wait_tid(&r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	u = start(receive, &other);
	other.tid = 0;
	pthread_kill(t, SIGUSR1);
	sleep_ms(30);
	ok(handled == 0, "a signal waits for the thread that blocks it");
	pthread_kill(u, SIGUSR1);
	join(t), join(u);
	t = start(wait_signal, NULL);
	sleep_ms(20);
	kill(getpid(), SIGUSR2);
	ok(join(t) == (void *)SIGUSR2, "a signal that all block goes to who waits for it");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	handled = 0;
	r.tid = 0;
	t = start(compute, &r);
	wait_tid(&r);
	pthread_kill(t, SIGUSR1);
	join(t);
	ok(handled == 1 && handled_in == r.tid, "a signal interrupts a thread that computes");
	ok(join(start(raise_here, NULL)) == NULL, "raise sends to the calling thread");
	ok(pthread_kill(pthread_self(), 0) == 0 &&
	           syscall(SYS_tgkill, getpid(), 0x3ffffff, 0) == -1 && errno == ESRCH,
	   "a thread that does not exist is not signalled");
	close(pipes[0]);
	close(pipes[1]);
}

static void *wait_semaphore(void *semaphore)
{
	return sem_wait(semaphore) ? NULL : semaphore;
}

static void *wait_semaphore_timed(void *semaphore)
{
	struct timespec end = after_ms(CLOCK_REALTIME, 10000);

	return sem_timedwait(semaphore, &end) && errno == EINTR ? semaphore : NULL;
}

static void test_restart(void)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
	pthread_t t;
	sem_t sem;

	sigaction(SIGUSR1, &action, NULL);
	sem_init(&sem, 0, 0);
	handled = 0;
	t = start(wait_semaphore, &sem);
	sleep_ms(20);
	pthread_kill(t, SIGUSR1);
	sleep_ms(20);
	sem_post(&sem);
	ok(join(t) == &sem && handled == 1,
	   "a handler with SA_RESTART does not end waiting for a semaphore");
	t = start(wait_semaphore_timed, &sem);
	sleep_ms(20);
	pthread_kill(t, SIGUSR1);
	ok(join(t) == &sem && handled == 2, "but it ends waiting up to a time");
}

/* ---- Cancellation ---- */

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int idle[2];
static atomic_int cleaned;

static void clean(void *argument)
{
	cleaned++;
	if (argument)
		pthread_mutex_unlock(argument);
}

static void block_in(int call)
{
	struct pollfd p = {.fd = idle[0], .events = POLLIN};
	fd_set set;
	sigset_t signals;
	char byte;
	int number;
	sem_t sem;

	switch (call) {
	case 0:
		(void)!read(idle[0], &byte, 1);
		break;
	case 1:
		poll(&p, 1, -1);
		break;
	case 2:
		FD_ZERO(&set);
		FD_SET(idle[0], &set);
		select(idle[0] + 1, &set, NULL, NULL, NULL);
		break;
	case 3:
		pause();
		break;
	case 4:
		sleep(100);
		break;
	case 5:
		sem_init(&sem, 0, 0);
		sem_wait(&sem);
		break;
	case 6:
		sigemptyset(&signals);
		sigaddset(&signals, SIGUSR2);
		sigwait(&signals, &number);
		break;
	case 7:
		wait(NULL);
		break;
	case 8:
		sigemptyset(&signals);
		sigsuspend(&signals);
		break;
	}
}

#define CALLS 9
static const char *const call_names[CALLS] = {"read",     "poll",    "select", "pause",     "sleep",
                                              "sem_wait", "sigwait", "wait",   "sigsuspend"};

static void *block_and_clean(void *argument)
{
	pthread_cleanup_push(clean, NULL);
	for (;;)
		block_in((int)(intptr_t)argument);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *wait_condition(void *argument)
{
	pthread_mutex_lock(&held);
	pthread_cleanup_push(clean, &held);
	for (;;)
		pthread_cond_wait(&never, &held);
	pthread_cleanup_pop(0);
	return argument;
}

static void cancel(void *thread)
{
	pthread_cancel(*(pthread_t *)thread);
}

static void *join_another(void *argument)
{
	pthread_t t = start(block_and_clean, (void *)3);

	pthread_cleanup_push(cancel, &t);
	pthread_join(t, NULL);
	pthread_cleanup_pop(0);
	return argument;
}

static void *disabled(void *argument)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	cleaned = -1;
	sleep_ms(50);
	cleaned = 0;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_testcancel();
	return argument;
}

static void *asynchronous(void *argument)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	cleaned = 1;
	for (volatile int i = 0;; i++)
		;
	return argument;
}

static void *write_much(void *argument)
{
	char byte = 0;

	for (;;) {
		if (write(idle[1], &byte, 1) != 1 || read(idle[0], &byte, 1) != 1)
			return argument;
	}
}

static void test_cancellation(void)
{
	/* One that the kernel would wait for, so that wait() blocks. */
	pid_t child = fork();
	pthread_t t;
	int ended;

	if (!child)
		wait_for_ever(NULL);
	if (pipe(idle))
		exit(1);
	for (intptr_t i = 0; i < CALLS; i++) {
		char name[64];

		cleaned = 0;
		t = start(block_and_clean, (void *)i);
		sleep_ms(20);
		pthread_cancel(t);
		snprintf(name, sizeof(name), "%s is cancelled", call_names[i]);
		ok(join(t) == PTHREAD_CANCELED && cleaned == 1, name);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	cleaned = 0;
	t = start(wait_condition, NULL);
	sleep_ms(20);
	pthread_cancel(t);
	ok(join(t) == PTHREAD_CANCELED && cleaned == 1 && !pthread_mutex_trylock(&held),
	   "waiting for a condition is cancelled with the mutex held");
	pthread_mutex_unlock(&held);
	t = start(join_another, NULL);
	sleep_ms(20);
	pthread_cancel(t);
	ok(join(t) == PTHREAD_CANCELED, "pthread_join is cancelled");
	t = start(disabled, NULL);
	while (!cleaned)
		sched_yield();
	pthread_cancel(t);
	ok(join(t) == PTHREAD_CANCELED && cleaned == 0, "cancellation waits while it is disabled");
	cleaned = 0;
	t = start(asynchronous, NULL);
	while (!cleaned)
		sched_yield();
	pthread_cancel(t);
	ok(join(t) == PTHREAD_CANCELED, "a thread that computes is cancelled asynchronously");
	ended = 0;
	for (int i = 0; i < 200; i++) {
		t = start(write_much, NULL);
		for (int k = 0; k < i % 7; k++)
			sched_yield();
		pthread_cancel(t);
		ended += join(t) == PTHREAD_CANCELED;
		/* A byte may be left over from between the two calls. */
		fcntl(idle[0], F_SETFL, O_NONBLOCK);
		while (read(idle[0], &(char){0}, 1) == 1)
			;
		fcntl(idle[0], F_SETFL, 0);
	}
	ok(ended == 200, "a request to end that comes at any moment is seen");
	close(idle[0]);
	close(idle[1]);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_signals();
	test_restart();
	test_cancellation();
	return tap_finish();
}
