/* SPDX-License-Identifier: MIT */
/*
 * Scheduling: policies and priorities of real time, who preempts whom and in which order, what is
 * inherited, who may ask for what, and what a nice value does.  All of it on one processor.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "posix_tap.h"
#include "posix_thread.h"

#ifndef SCHED_RESET_ON_FORK
#define SCHED_RESET_ON_FORK 0x40000000
#endif

#define NOBODY 1000

/* musl's functions of these names refuse everything. */
static long policy(pid_t pid)
{
	return syscall(SYS_sched_getscheduler, pid);
}

static long set(pid_t pid, int number, int priority)
{
	return syscall(SYS_sched_setscheduler, pid, number, &priority);
}

static long set_priority(pid_t pid, int priority)
{
	return syscall(SYS_sched_setparam, pid, &priority);
}

static int priority(pid_t pid)
{
	int got = -1;

	return syscall(SYS_sched_getparam, pid, &got) ? -1 : got;
}

static pid_t tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static void one_processor(void)
{
	cpu_set_t all, first;

	sched_getaffinity(0, sizeof(all), &all);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&first);
		CPU_SET(cpu, &first);
		sched_setaffinity(0, sizeof(first), &first);
		return;
	}
}

/* ---- What is kept, and errors ---- */

/* Fields 18, 40 and 41 of /proc/N/stat. */
static bool shown(pid_t pid, int value, int realtime, int number)
{
	char path[64], text[1024], *at;
	int got[3] = {99, 99, 99}, field = 2;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	for (at = strrchr(text, ')'); at; at = strchr(at + 1, ' ')) {
		if (field == 18)
			got[0] = atoi(at);
		if (field == 40)
			got[1] = atoi(at);
		if (field == 41)
			got[2] = atoi(at);
		field++;
	}
	return got[0] == value && got[1] == realtime && got[2] == number;
}

static void policies(void)
{
	struct timespec slice = {.tv_sec = 1};

	ok(!set(0, SCHED_FIFO, 10) && policy(0) == SCHED_FIFO && priority(0) == 10, "SCHED_FIFO");
	ok(!syscall(SYS_sched_rr_get_interval, 0, &slice) && !slice.tv_sec && !slice.tv_nsec,
	   "has no slice");
	ok(!set_priority(0, 99) && policy(0) == SCHED_FIFO && priority(0) == 99, "priority 99");
	ok(!set(getpid(), SCHED_RR, 1) && policy(tid()) == SCHED_RR && priority(0) == 1,
	   "SCHED_RR");
	ok(!syscall(SYS_sched_rr_get_interval, 0, &slice) && slice.tv_nsec > 0, "has a slice");
	ok(shown(getpid(), -2, 1, SCHED_RR), "it is in /proc");
	fails(set(0, SCHED_FIFO, 0), EINVAL, "no priority 0");
	fails(set(0, SCHED_FIFO, 100), EINVAL, "nor 100");
	fails(set_priority(0, 0), EINVAL, "nor by sched_setparam");
	fails(set(0, SCHED_OTHER, 1), EINVAL, "and none without real time");
	fails(set(0, 4, 1), EINVAL, "no such policy");
	fails(set(-1, SCHED_FIFO, 1), EINVAL, "no such number");
	fails(set(0x3fffffff, SCHED_FIFO, 1), ESRCH, "no such process");
	fails(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, NULL), EINVAL, "no parameters");
	ok(!set(0, SCHED_BATCH, 0) && policy(0) == SCHED_BATCH && priority(0) == 0, "SCHED_BATCH");
	ok(!set(0, SCHED_OTHER, 0), "back to the usual one");
}

/* ---- Order ---- */

static char order[64];
static atomic_uint arrived;

static void *arrive(void *name)
{
	order[arrived++] = *(const char *)name;
	return NULL;
}

/* It begins with its maker's priority, and is lowered to its own before it runs: so of several, the
 * last one comes first. */
static pthread_t start_at(int number, int priority, body *function, void *argument)
{
	struct sched_param param = {.sched_priority = priority};
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, number);
	pthread_attr_setschedparam(&attr, &param);
	if (pthread_create(&t, &attr, function, argument)) {
		printf("Bail out! pthread_create\n");
		exit(1);
	}
	pthread_attr_destroy(&attr);
	return t;
}

static bool was(const char *expected)
{
	bool same = !strcmp(order, expected);

	if (!same)
		printf("# %s\n", order);
	memset(order, 0, sizeof(order));
	arrived = 0;
	return same;
}

static void by_priority(void)
{
	pthread_t t[5];

	set(0, SCHED_FIFO, 50);
	t[0] = start_at(SCHED_OTHER, 0, arrive, "o");
	t[1] = start_at(SCHED_FIFO, 10, arrive, "a");
	t[2] = start_at(SCHED_RR, 30, arrive, "b");
	t[3] = start_at(SCHED_FIFO, 20, arrive, "c");
	t[4] = start_at(SCHED_FIFO, 20, arrive, "d");
	ok(arrived == 0, "none of a lower priority runs");
	for (int i = 0; i < 5; i++)
		join(t[i]);
	ok(was("bdcao"), "they run by priority, and those of one in their order");
	t[0] = start_at(SCHED_FIFO, 60, arrive, "h");
	ok(arrived == 1, "one of a higher priority runs at once");
	join(t[0]);
	was("h");
	t[0] = start_at(SCHED_FIFO, 40, arrive, "l");
	pthread_setschedprio(t[0], 60);
	ok(arrived == 1, "or when it gets it");
	join(t[0]);
	was("l");
	t[0] = start_at(SCHED_FIFO, 40, arrive, "m");
	set_priority(0, 30);
	ok(arrived == 1, "or when the other has lost it");
	join(t[0]);
	was("m");
}

static void *three_times(void *name)
{
	for (int i = 0; i < 3; i++) {
		order[arrived++] = *(const char *)name;
		sched_yield();
	}
	return NULL;
}

static void *three_at_once(void *name)
{
	for (int i = 0; i < 3; i++)
		order[arrived++] = *(const char *)name;
	return NULL;
}

static void yields(void)
{
	pthread_t a, b, c;

	set(0, SCHED_FIFO, 50);
	a = start_at(SCHED_FIFO, 20, three_times, "a");
	b = start_at(SCHED_FIFO, 20, three_times, "b");
	c = start_at(SCHED_FIFO, 10, three_times, "c");
	join(a), join(b), join(c);
	ok(was("bababaccc"), "sched_yield passes to the next of the same priority, and no lower");
	a = start_at(SCHED_FIFO, 20, three_at_once, "a");
	b = start_at(SCHED_FIFO, 20, three_at_once, "b");
	join(a), join(b);
	ok(was("bbbaaa"), "without it none is interrupted");
	a = start_at(SCHED_FIFO, 20, three_at_once, "a");
	b = start_at(SCHED_FIFO, 20, three_at_once, "b");
	pthread_setschedprio(b, 19);
	pthread_setschedprio(b, 20);
	join(a), join(b);
	ok(was("aaabbb"), "a priority that was raised is at the end of its line");
	a = start_at(SCHED_FIFO, 21, three_at_once, "a");
	b = start_at(SCHED_FIFO, 20, three_at_once, "b");
	pthread_setschedprio(a, 20);
	join(a), join(b);
	ok(was("aaabbb"), "and one that was lowered at its head");
}

static sem_t semaphore;

static void *wait_and_arrive(void *name)
{
	sem_wait(&semaphore);
	return arrive(name);
}

static void wakes(void)
{
	pthread_t t[4];

	sem_init(&semaphore, 0, 0);
	set(0, SCHED_FIFO, 5);
	t[0] = start_at(SCHED_FIFO, 10, wait_and_arrive, "a");
	t[1] = start_at(SCHED_FIFO, 30, wait_and_arrive, "b");
	t[2] = start_at(SCHED_FIFO, 20, wait_and_arrive, "c");
	t[3] = start_at(SCHED_FIFO, 30, wait_and_arrive, "d");
	for (unsigned i = 0; i < 4; i++) {
		sem_post(&semaphore);
		if (arrived != i + 1)
			break;
	}
	ok(arrived == 4, "sem_post returns when the one it woke has run");
	for (int i = 0; i < 4; i++)
		join(t[i]);
	ok(was("bdca"), "and wakes by priority");
	sem_destroy(&semaphore);
	set(0, SCHED_OTHER, 0);
}

static atomic_bool stop;
static atomic_ulong counted;

static void *count(void *unused)
{
	(void)unused;
	while (!stop)
		counted++;
	return NULL;
}

static void busy_for_ms(long ms)
{
	struct timespec end = after_ms(CLOCK_MONOTONIC, ms), now;

	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
}

static void usual_ones_wait(void)
{
	pthread_t t = start(count, NULL);
	unsigned long before;

	sleep_ms(20);
	set(0, SCHED_FIFO, 1);
	before = counted;
	busy_for_ms(60);
	ok(before > 0 && counted == before, "a usual thread waits for one of real time");
	sleep_ms(20);
	ok(counted > before, "and runs while that one sleeps");
	set(0, SCHED_OTHER, 0);
	stop = true;
	join(t);
}

/* ---- Inheritance ---- */

static long threads_policy;
static int threads_priority;

static void *look(void *unused)
{
	threads_policy = policy(0);
	threads_priority = priority(0);
	return unused;
}

static int childs(long expected, int expected_priority)
{
	pid_t child = fork();

	if (!child)
		_exit(policy(0) == expected && priority(0) == expected_priority ? 0 : 1);
	return code_of(child);
}

static void inheritance(void)
{
	set(0, SCHED_RR, 7);
	join(start(look, NULL));
	ok(threads_policy == SCHED_RR && threads_priority == 7, "a thread begins as its maker is");
	join(start_at(SCHED_FIFO, 3, look, NULL));
	ok(threads_policy == SCHED_FIFO && threads_priority == 3, "or as it is asked for");
	ok(childs(SCHED_RR, 7) == 0, "a child as its parent");
	set(0, SCHED_RR | SCHED_RESET_ON_FORK, 7);
	ok(policy(0) == (SCHED_RR | SCHED_RESET_ON_FORK), "SCHED_RESET_ON_FORK");
	ok(childs(SCHED_OTHER, 0) == 0, "a child begins without real time");
	join(start(look, NULL));
	ok(threads_policy == SCHED_OTHER && threads_priority == 0, "and a thread");
	set(0, SCHED_OTHER, 0);
}

static void others(void)
{
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	ok(!set(child, SCHED_FIFO, 4) && policy(child) == SCHED_FIFO && priority(child) == 4,
	   "another process");
	ok(shown(child, -5, 4, SCHED_FIFO), "and that one in /proc");
	ok(!set_priority(child, 6) && priority(child) == 6 && policy(0) == SCHED_OTHER,
	   "its priority");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* ---- Who may ---- */

/* By a user who is not the superuser: the number of the step that went wrong. */
static int nobodys(void)
{
	if (set(0, SCHED_FIFO, 1) != -1 || errno != EPERM)
		return 1;
	if (set(0, SCHED_BATCH, 0) || set(0, SCHED_OTHER, 0))
		return 2;
	if (set(getppid(), SCHED_BATCH, 0) != -1 || errno != EPERM)
		return 3;
	if (setpriority(PRIO_PROCESS, 0, -1) != -1 || errno != EACCES)
		return 4;
	if (setpriority(PRIO_PROCESS, 0, 3) || getpriority(PRIO_PROCESS, 0) != 3)
		return 5;
	if (set(0, SCHED_OTHER | SCHED_RESET_ON_FORK, 0))
		return 6;
	if (set(0, SCHED_OTHER, 0) != -1 || errno != EPERM)
		return 7;
	if (set(0, SCHED_IDLE | SCHED_RESET_ON_FORK, 0))
		return 8;
	if (set(0, SCHED_OTHER | SCHED_RESET_ON_FORK, 0) != -1 || errno != EPERM)
		return 9;
	return 0;
}

static void permissions(void)
{
	pid_t child = fork();

	if (!child)
		_exit(setuid(NOBODY) ? 99 : nobodys());
	ok(code_of(child) == 0, "other users get no real time and no lower nice value");
	child = fork();
	if (!child) {
		setrlimit(RLIMIT_RTPRIO, &(struct rlimit){0, 0});
		setuid(NOBODY);
		_exit(set(0, SCHED_RR, 1) == -1 && errno == EPERM ? 0 : 1);
	}
	ok(code_of(child) == 0, "by the limit on it");
}

/* ---- Nice values ---- */

static pid_t niced;
static sem_t ready, go_on;

static void *be_nice(void *unused)
{
	niced = tid();
	setpriority(PRIO_PROCESS, (id_t)niced, 19);
	sem_post(&ready);
	sem_wait(&go_on);
	return count(unused);
}

static long ms_of(pthread_t t)
{
	struct timespec used;
	clockid_t clock;

	pthread_getcpuclockid(t, &clock);
	clock_gettime(clock, &used);
	return used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* Whether the nice one had less than a third of what the usual one had. */
static bool leaves_more(pthread_t nice, pthread_t usual)
{
	const long nices = ms_of(nice), usuals = ms_of(usual);

	sleep_ms(500);
	return ms_of(nice) - nices < (ms_of(usual) - usuals) / 3;
}

static void nice_values(void)
{
	pthread_t nice, usual;
	bool leaves = false;

	sem_init(&ready, 0, 0);
	sem_init(&go_on, 0, 0);
	stop = false;
	nice = start(be_nice, NULL);
	sem_wait(&ready);
	ok(getpriority(PRIO_PROCESS, (id_t)niced) == 19 && getpriority(PRIO_PROCESS, 0) == 0,
	   "each thread has a nice value");
	usual = start(count, NULL);
	sem_post(&go_on);
	/* Time in which the host runs other things is charged to either. */
	for (int i = 0; i < 5 && !leaves; i++)
		leaves = leaves_more(nice, usual);
	ok(leaves, "one that is nice leaves the processor to others");
	stop = true;
	join(nice), join(usual);
}

int main(void)
{
	one_processor();
	policies();
	by_priority();
	yields();
	wakes();
	usual_ones_wait();
	inheritance();
	others();
	permissions();
	nice_values();
	return tap_finish();
}
