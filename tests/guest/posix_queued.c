/* SPDX-License-Identifier: MIT */
/*
 * Signals with what they carry: queued real-time signals in order, from this process and others;
 * siginfo of kill and of children; sigwaitinfo and its kin; what SA_* flags do.  Linux says the
 * same.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

#define NOTED_MAX 64

static volatile int noted;
static siginfo_t notes[NOTED_MAX];

static void note(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	if (noted < NOTED_MAX)
		notes[noted] = *info;
	noted++;
}

static void handle(int signal, int flags)
{
	struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};

	sigaction(signal, &action, NULL);
	noted = 0;
}

static void mask(int how, int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(how, &set, NULL);
}

static bool waits(int signal)
{
	sigset_t set;

	return sigpending(&set) == 0 && sigismember(&set, signal) == 1;
}

static void sleep_ms(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&t, &t))
		;
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static union sigval value(int number)
{
	return (union sigval){.sival_int = number};
}

/* ---- The queue ---- */

static void queueing(void)
{
	bool ordered = true;

	handle(SIGRTMIN + 2, 0);
	handle(SIGRTMIN + 3, 0);
	mask(SIG_BLOCK, SIGRTMIN + 2);
	mask(SIG_BLOCK, SIGRTMIN + 3);
	for (int i = 0; i < 3; i++) {
		sigqueue(getpid(), SIGRTMIN + 3, value(100 + i));
		sigqueue(getpid(), SIGRTMIN + 2, value(i));
	}
	ok(waits(SIGRTMIN + 2) && waits(SIGRTMIN + 3), "queued signals wait");
	mask(SIG_UNBLOCK, SIGRTMIN + 2);
	ok(noted == 3, "three sent, three delivered");
	for (int i = 0; i < 3; i++)
		ordered &= notes[i].si_value.sival_int == i && notes[i].si_code == SI_QUEUE &&
		           notes[i].si_pid == getpid() && notes[i].si_uid == getuid();
	ok(ordered, "in their order, with value, code and sender");
	ok(waits(SIGRTMIN + 3), "the other number still waits");
	mask(SIG_UNBLOCK, SIGRTMIN + 3);
	ok(noted == 6 && notes[5].si_value.sival_int == 102, "and comes with its own");
	noted = 0;
	mask(SIG_BLOCK, SIGRTMIN + 2);
	for (int i = 0; i < 3; i++)
		kill(getpid(), SIGRTMIN + 2);
	mask(SIG_UNBLOCK, SIGRTMIN + 2);
	ok(noted == 3 && notes[0].si_code == SI_USER, "kill queues them too");
	handle(SIGUSR1, 0);
	mask(SIG_BLOCK, SIGUSR1);
	for (int i = 1; i <= 3; i++)
		sigqueue(getpid(), SIGUSR1, value(i));
	mask(SIG_UNBLOCK, SIGUSR1);
	ok(noted == 1 && notes[0].si_value.sival_int == 1,
	   "a standard signal waits once, the first");
	ok(sigqueue(getpid(), 0, value(1)) == 0, "signal 0 is none");
	fails(sigqueue(getpid(), 65, value(1)), EINVAL, "65 is too large");
	fails(sigqueue(getpid() + 123456, SIGUSR1, value(1)), ESRCH, "no such process");
}

static void queue_is_bounded(void)
{
	struct rlimit limit, small = {.rlim_cur = 10, .rlim_max = 10};
	int sent = 0;
	pid_t child = fork();
	int status;

	if (child == 0) {
		getrlimit(RLIMIT_SIGPENDING, &limit);
		small.rlim_max = limit.rlim_max;
		if (limit.rlim_cur < 32 || setrlimit(RLIMIT_SIGPENDING, &small))
			_exit(1);
		handle(SIGRTMIN, 0);
		mask(SIG_BLOCK, SIGRTMIN);
		while (sent < 100 && sigqueue(getpid(), SIGRTMIN, value(sent)) == 0)
			sent++;
		/* Linux counts those of the user's other processes too. */
		if (sent > 10 || errno != EAGAIN)
			_exit(2);
		mask(SIG_UNBLOCK, SIGRTMIN);
		_exit(noted == sent ? 0 : 3);
	}
	waitpid(child, &status, 0);
	ok(status == 0, "RLIMIT_SIGPENDING bounds the queue, then EAGAIN");
	if (status)
		printf("# status 0x%x\n", status);
}

/* ---- From others ---- */

static void from_others(void)
{
	bool ordered = true;
	int status;
	pid_t child, self = getpid();

	handle(SIGRTMIN + 1, 0);
	mask(SIG_BLOCK, SIGRTMIN + 1);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 20; i++)
			sigqueue(self, SIGRTMIN + 1, value(i));
		_exit(0);
	}
	waitpid(child, &status, 0);
	mask(SIG_UNBLOCK, SIGRTMIN + 1);
	ok(noted == 20, "twenty from another process, twenty delivered");
	for (int i = 0; i < 20 && i < noted; i++)
		ordered &= notes[i].si_value.sival_int == i && notes[i].si_pid == child &&
		           notes[i].si_code == SI_QUEUE;
	ok(ordered, "in their order, with value and sender");
	handle(SIGUSR2, SA_RESTART); /* or it could end the wait */
	child = fork();
	if (child == 0) {
		kill(self, SIGUSR2);
		_exit(0);
	}
	waitpid(child, &status, 0);
	ok(noted == 1 && notes[0].si_pid == child && notes[0].si_code == SI_USER &&
	           notes[0].si_uid == getuid(),
	   "kill tells who sent it");
	noted = 0;
	syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), SIGUSR2);
	ok(noted == 1 && notes[0].si_code == SI_TKILL && notes[0].si_pid == self, "tgkill too");
}

static bool noted_child(pid_t child, int code, int status)
{
	for (int ms = 0; ms < 1000; ms++) {
		for (int i = 0; i < noted && i < NOTED_MAX; i++) {
			if (notes[i].si_pid == child && notes[i].si_code == code &&
			    notes[i].si_status == status)
				return true;
		}
		sleep_ms(1);
	}
	return false;
}

static void children(void)
{
	int status;
	pid_t child;

	handle(SIGCHLD, SA_RESTART);
	child = fork();
	if (child == 0)
		_exit(7);
	waitpid(child, &status, 0);
	ok(noted_child(child, CLD_EXITED, 7), "SIGCHLD names the child and its status");
	noted = 0;
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	kill(child, SIGTERM);
	waitpid(child, &status, 0);
	ok(noted_child(child, CLD_KILLED, SIGTERM), "and the signal that ended it");
	signal(SIGCHLD, SIG_DFL);
}

/* ---- Waiting ---- */

static void later(int signal, long ms)
{
	pid_t self = getpid();

	if (fork() == 0) {
		sleep_ms(ms);
		kill(self, signal);
		_exit(0);
	}
}

static void waiting(void)
{
	struct timespec soon = {.tv_nsec = 20000000}, second = {.tv_sec = 5};
	siginfo_t info;
	sigset_t set, none;
	int64_t begin;
	int which;

	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	mask(SIG_BLOCK, SIGUSR1);
	mask(SIG_BLOCK, SIGRTMIN);
	sigqueue(getpid(), SIGRTMIN, value(3));
	sigqueue(getpid(), SIGRTMIN, value(4));
	ok(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_value.sival_int == 3 &&
	           info.si_code == SI_QUEUE,
	   "sigwaitinfo takes the first");
	ok(sigwait(&set, &which) == 0 && which == SIGRTMIN, "sigwait the second");
	begin = now();
	fails(sigtimedwait(&set, NULL, &soon), EAGAIN, "sigtimedwait of nothing times out");
	ok(now() - begin >= 20000000, "no sooner");
	later(SIGUSR1, 20);
	ok(sigtimedwait(&set, &info, &second) == SIGUSR1 && info.si_code == SI_USER,
	   "and returns what comes meanwhile");
	wait(NULL);
	handle(SIGUSR2, 0);
	later(SIGUSR2, 20);
	/* musl's function begins anew then. */
	fails(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), EINTR,
	      "another signal's handler interrupts it");
	ok(noted == 1, "and runs");
	wait(NULL);
	/* Not blocked: it is taken all the same, and its handler does not run. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	noted = 0;
	later(SIGUSR2, 20);
	ok(sigtimedwait(&set, &info, &second) == SIGUSR2 && noted == 0,
	   "a signal that is not blocked is taken, without its handler");
	wait(NULL);
	mask(SIG_UNBLOCK, SIGRTMIN);
	later(SIGUSR1, 20);
	handle(SIGUSR1, 0);
	fails(sigsuspend(&none), EINTR, "sigsuspend waits for a handler");
	ok(noted == 1 && !waits(SIGUSR1), "which has run");
	wait(NULL);
	mask(SIG_UNBLOCK, SIGUSR1);
}

static void ignored_signals(void)
{
	struct timespec t = {.tv_nsec = 60000000}, left = {0};
	int64_t begin = now();

	signal(SIGCONT, SIG_DFL);
	later(SIGCONT, 10);
	ok(nanosleep(&t, &left) == 0, "SIGCONT without a handler does not end a sleep");
	ok(now() - begin >= 60000000, "which lasts as long as it should");
	wait(NULL);
	signal(SIGUSR1, SIG_IGN);
	later(SIGUSR1, 10);
	ok(nanosleep(&t, &left) == 0, "nor does what is ignored");
	wait(NULL);
	handle(SIGCONT, 0);
	later(SIGCONT, 10);
	fails(nanosleep(&t, &left), EINTR, "with a handler it does");
	ok(noted == 1 && left.tv_nsec > 0 && left.tv_nsec < 60000000, "and tells what was left");
	wait(NULL);
	signal(SIGCONT, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
}

/* ---- Flags ---- */

static volatile int deepest, depth;

static void again(int signal)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (deepest < 3)
		raise(signal);
	depth--;
}

static void flags(void)
{
	struct sigaction action = {.sa_handler = again, .sa_flags = SA_NODEFER}, old;
	int fds[2];
	char byte = 0;
	pid_t child;

	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	ok(deepest == 3, "SA_NODEFER: a handler interrupts itself");
	action.sa_flags = SA_RESETHAND;
	sigaction(SIGUSR1, &action, NULL);
	deepest = 3;
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &old);
	ok(old.sa_handler == SIG_DFL, "SA_RESETHAND");
	handle(SIGUSR1, SA_RESTART);
	if (pipe(fds))
		return;
	child = fork();
	if (child == 0) {
		sleep_ms(20);
		kill(getppid(), SIGUSR1);
		sleep_ms(20);
		_exit(write(fds[1], "x", 1) != 1);
	}
	ok(read(fds[0], &byte, 1) == 1 && byte == 'x' && noted == 1, "SA_RESTART: read goes on");
	wait(NULL);
	handle(SIGUSR1, 0);
	later(SIGUSR1, 20);
	fails(read(fds[0], &byte, 1), EINTR, "without it read is interrupted");
	wait(NULL);
	signal(SIGUSR1, SIG_DFL);
}

/* ---- exec ---- */

static void across_exec(const char *self)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		mask(SIG_BLOCK, SIGRTMIN + 5);
		for (int i = 0; i < 3; i++)
			sigqueue(getpid(), SIGRTMIN + 5, value(i));
		signal(SIGUSR1, SIG_IGN);
		handle(SIGUSR2, 0);
		execl(self, self, "executed", NULL);
		_exit(99);
	}
	waitpid(child, &status, 0);
	ok(status == 0, "exec keeps what waits, what is blocked and what is ignored");
	if (status)
		printf("# status 0x%x\n", status);
}

static int executed(void)
{
	struct sigaction one, two;

	sigaction(SIGUSR1, NULL, &one);
	sigaction(SIGUSR2, NULL, &two);
	if (one.sa_handler != SIG_IGN || two.sa_handler != SIG_DFL)
		return 1;
	if (!waits(SIGRTMIN + 5))
		return 2;
	handle(SIGRTMIN + 5, 0);
	mask(SIG_UNBLOCK, SIGRTMIN + 5);
	return noted == 3 && notes[2].si_value.sival_int == 2 ? 0 : 3;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		return executed();
	queueing();
	queue_is_bounded();
	from_others();
	children();
	waiting();
	ignored_signals();
	flags();
	across_exec(argv[0]);
	return tap_finish();
}
