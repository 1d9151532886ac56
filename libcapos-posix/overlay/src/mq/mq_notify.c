/* SPDX-License-Identifier: MIT */
/*
 * mq_notify: with SIGEV_THREAD a thread is made at once that waits for the message and then calls
 * the program's function.
 */
#include <errno.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "syscall.h"

/* libcapos-posix/src/core/syscalls.h */
#define SYS_mq_notice 0x43415002l

struct task {
	void (*function)(union sigval);
	union sigval value;
	int notice; /* its descriptor */
};

static void *wait_for_message(void *argument)
{
	struct task task = *(struct task *)argument;
	ssize_t told;
	char byte;

	free(argument);
	told = read(task.notice, &byte, 1);
	close(task.notice);
	if (told == 1)
		task.function(task.value);
	return NULL;
}

/* Detached, and with all signals blocked: they are the program's. */
static int start(const pthread_attr_t *attributes, struct task *task)
{
	sigset_t all, before;
	pthread_attr_t own;
	pthread_t thread;
	int error;

	if (attributes)
		own = *attributes;
	else
		pthread_attr_init(&own);
	pthread_attr_setdetachstate(&own, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&thread, &own, wait_for_message, task);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

int mq_notify(mqd_t queue, const struct sigevent *event)
{
	struct task *task;
	long notice;

	if (!event || event->sigev_notify != SIGEV_THREAD)
		return (int)syscall(SYS_mq_notify, queue, event);
	task = malloc(sizeof(*task));
	if (!task) {
		errno = EAGAIN;
		return -1;
	}
	notice = __syscall(SYS_mq_notice, queue);
	*task = (struct task){event->sigev_notify_function, event->sigev_value, (int)notice};
	if (notice >= 0 && !start(event->sigev_notify_attributes, task))
		return 0;
	if (notice >= 0)
		__syscall(SYS_close, notice);
	free(task);
	return (int)__syscall_ret((unsigned long)(notice < 0 ? notice : -EAGAIN));
}
