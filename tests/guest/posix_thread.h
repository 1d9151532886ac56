/* SPDX-License-Identifier: MIT */
/*
 * What the tests of threads share.
 */
#ifndef POSIX_THREAD_H
#define POSIX_THREAD_H

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

typedef void *body(void *);

static inline pthread_t start(body *function, void *argument)
{
	pthread_t t;
	int error = pthread_create(&t, NULL, function, argument);

	if (error) {
		printf("Bail out! pthread_create: %s\n", strerror(error));
		exit(1);
	}
	return t;
}

static inline void *join(pthread_t t)
{
	void *result;

	return pthread_join(t, &result) ? (void *)-1 : result;
}

static inline struct timespec after_ms(clockid_t clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static inline void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static inline void *shared(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* A child's exit code; -1: a signal ended it. */
static inline int code_of(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void *wait_for_ever(void *argument)
{
	for (;;)
		pause();
	return argument;
}

#endif
