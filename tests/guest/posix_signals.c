/* SPDX-License-Identifier: MIT */
/*
 * Signals within one process: masks, handlers in computations and blocked calls, EINTR and
 * SA_RESTART, alternate stacks, jumping out of handlers.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "posix_tap.h"

static volatile sig_atomic_t seen, last_signal;
static int pipe_fds[2];

static void count(int signal)
{
	seen++;
	last_signal = signal;
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigaction(signal, &action, NULL);
	seen = last_signal = 0;
}

static void after_ms(long ms)
{
	struct itimerval set = {.it_value.tv_usec = ms * 1000};

	setitimer(ITIMER_REAL, &set, NULL);
}

static void masks(void)
{
	sigset_t set, old, pending;
	struct timespec none = {0};
	siginfo_t info;

	handle(SIGUSR1, count, 0);
	ok(raise(SIGUSR1) == 0 && seen == 1 && last_signal == SIGUSR1,
	   "raise runs the handler before it returns");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGKILL);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	raise(SIGUSR1);
	ok(seen == 1, "a blocked signal waits");
	sigpending(&pending);
	ok(sigismember(&pending, SIGUSR1) == 1 && sigismember(&pending, SIGUSR2) == 0,
	   "sigpending tells it");
	sigprocmask(SIG_SETMASK, &old, &set);
	ok(seen == 2, "unblocking delivers it, once");
	ok(sigismember(&set, SIGUSR1) == 1 && sigismember(&set, SIGKILL) == 0,
	   "SIGKILL is never blocked");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	ok(sigtimedwait(&set, &info, &none) == SIGUSR1 && info.si_signo == SIGUSR1 &&
	           info.si_code == SI_TKILL && info.si_pid == getpid(),
	   "sigtimedwait takes it and tells its origin");
	fails(sigtimedwait(&set, NULL, &none), EAGAIN, "sigtimedwait of nothing is EAGAIN");
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	after_ms(10);
	int which;
	ok(sigwait(&set, &which) == 0 && which == SIGALRM, "sigwait waits for a blocked signal");
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	fails(sigaction(SIGKILL, &(struct sigaction){.sa_handler = count}, NULL), EINVAL,
	      "SIGKILL cannot be caught");
	handle(SIGUSR1, SIG_IGN, 0);
	ok(raise(SIGUSR1) == 0 && seen == 0, "an ignored signal is ignored");
	ok(raise(SIGCHLD) == 0 && raise(SIGWINCH) == 0 && raise(SIGURG) == 0,
	   "some are by default");
}

static void suspending(void)
{
	sigset_t block, none, now;

	handle(SIGALRM, count, SA_RESTART);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGALRM);
	sigprocmask(SIG_BLOCK, &block, NULL);
	after_ms(10);
	usleep(30000);
	ok(seen == 0, "blocked while it sleeps");
	fails(sigsuspend(&none), EINTR, "sigsuspend ends with EINTR");
	ok(seen == 1, "by the pending signal");
	sigprocmask(SIG_BLOCK, NULL, &now);
	ok(sigismember(&now, SIGALRM) == 1, "and the mask is as before");
	after_ms(10);
	struct timespec second = {.tv_sec = 1};
	fails(ppoll(NULL, 0, &second, &none), EINTR, "ppoll with its own mask is interrupted");
	ok(seen == 2, "its handler ran");
	sigprocmask(SIG_BLOCK, NULL, &now);
	ok(sigismember(&now, SIGALRM) == 1, "and the mask is as before");
	sigprocmask(SIG_UNBLOCK, &block, NULL);
}

static int compute(void);
static volatile int in_compute;
static volatile int info_ok;

static void with_info(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	info_ok = info->si_signo == signal && uc->uc_mcontext.gregs[REG_RSP] != 0;
	in_compute += (uint64_t)uc->uc_mcontext.gregs[REG_RIP] - (uint64_t)compute < 4096;
	seen++;
}

__attribute__((noinline)) static int compute(void)
{
	double sum = 0, step = 1.0 / 3.0;
	uint64_t rounds = 0, check = 1;

	while (seen < 20 && rounds < 4000000000u) {
		sum += step;
		check = check * 6364136223846793005u + 1;
		rounds++;
	}
	double sum2 = 0;
	uint64_t check2 = 1;

	for (uint64_t i = 0; i < rounds; i++) {
		sum2 += step;
		check2 = check2 * 6364136223846793005u + 1;
	}
	return seen >= 20 && sum == sum2 && check == check2;
}

static void in_computations(void)
{
	struct sigaction action = {.sa_sigaction = with_info, .sa_flags = SA_SIGINFO};
	struct itimerval set = {.it_value.tv_usec = 2000, .it_interval.tv_usec = 2000}, off = {0};

	sigaction(SIGALRM, &action, NULL);
	seen = 0;
	setitimer(ITIMER_REAL, &set, NULL);
	ok(compute(), "registers, integer and floating, survive handlers in a computing loop");
	setitimer(ITIMER_REAL, &off, NULL);
	ok(info_ok, "siginfo and context come with it");
	ok(in_compute >= 10, "the context says where it was");
}

static void interrupted_calls(void)
{
	char byte;
	struct pollfd poll_in = {.fd = pipe_fds[0], .events = POLLIN};
	fd_set set;

	handle(SIGALRM, count, 0);
	after_ms(10);
	fails(read(pipe_fds[0], &byte, 1), EINTR, "a handler without SA_RESTART interrupts read");
	ok(seen == 1, "after it ran");
	handle(SIGALRM, count, SA_RESTART);
	after_ms(10);
	fails(poll(&poll_in, 1, 2000), EINTR, "poll is interrupted, SA_RESTART or not");
	after_ms(10);
	FD_ZERO(&set);
	FD_SET(pipe_fds[0], &set);
	fails(select(pipe_fds[0] + 1, &set, NULL, NULL, &(struct timeval){.tv_sec = 2}), EINTR,
	      "select too");
}

static void feed_pipe(int signal)
{
	(void)signal;
	seen++;
	if (seen == 2 && write(pipe_fds[1], "x", 1) != 1)
		abort();
}

static void restarted_calls(void)
{
	struct itimerval set = {.it_value.tv_usec = 10000, .it_interval.tv_usec = 10000}, off = {0};
	char byte = 0;

	handle(SIGALRM, feed_pipe, SA_RESTART);
	setitimer(ITIMER_REAL, &set, NULL);
	ok(read(pipe_fds[0], &byte, 1) == 1 && byte == 'x' && seen >= 2,
	   "with SA_RESTART read goes on");
	setitimer(ITIMER_REAL, &off, NULL);
}

static volatile uintptr_t handler_sp;

static void note_sp(int signal)
{
	char here;

	(void)signal;
	handler_sp = (uintptr_t)&here;
	seen++;
}

static void alternate_stack(void)
{
	static char stack[65536];
	stack_t set = {.ss_sp = stack, .ss_size = sizeof(stack)}, old;

	ok(sigaltstack(&set, NULL) == 0, "sigaltstack");
	handle(SIGUSR1, note_sp, SA_ONSTACK);
	raise(SIGUSR1);
	ok(handler_sp >= (uintptr_t)stack && handler_sp < (uintptr_t)stack + sizeof(stack),
	   "the handler ran on it");
	handle(SIGALRM, note_sp, SA_ONSTACK);
	after_ms(5);
	while (!seen)
		;
	ok(handler_sp >= (uintptr_t)stack && handler_sp < (uintptr_t)stack + sizeof(stack),
	   "in a computation too");
	handle(SIGUSR1, note_sp, 0);
	raise(SIGUSR1);
	ok(handler_sp < (uintptr_t)stack || handler_sp >= (uintptr_t)stack + sizeof(stack),
	   "only with SA_ONSTACK");
	set.ss_flags = SS_DISABLE;
	ok(sigaltstack(&set, &old) == 0 && old.ss_sp == stack, "turned off again");
}

static sigjmp_buf jump;

static void jump_out(int signal)
{
	siglongjmp(jump, signal);
}

static void jumping(void)
{
	volatile int jumps = 0;
	sigset_t now;

	handle(SIGALRM, jump_out, 0);
	if (sigsetjmp(jump, 1) == 0) {
		after_ms(5);
		for (;;)
			;
	}
	jumps++;
	if (sigsetjmp(jump, 1) == 0) {
		after_ms(5);
		pause();
		jumps = 100;
	}
	jumps++;
	ok(jumps == 2, "siglongjmp leaves a computation and a blocked call");
	sigprocmask(SIG_BLOCK, NULL, &now);
	ok(!sigismember(&now, SIGALRM), "with the mask restored");
	handle(SIGALRM, count, 0);
	after_ms(5);
	pause();
	ok(seen == 1, "and signals work as before");
}

static volatile int depth, deepest;

static void nested(int signal)
{
	depth++;
	deepest = depth > deepest ? depth : deepest;
	if (signal == SIGUSR1)
		raise(SIGUSR2);
	depth--;
	seen++;
}

static void nesting(void)
{
	struct sigaction action = {.sa_handler = nested};

	sigaction(SIGUSR2, &action, NULL);
	handle(SIGUSR1, nested, 0);
	raise(SIGUSR1);
	ok(seen == 2 && deepest == 2, "a handler can be interrupted by another signal");
	sigaddset(&action.sa_mask, SIGUSR2);
	seen = deepest = 0;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	ok(seen == 2 && deepest == 1, "unless its mask blocks it");
	handle(SIGUSR1, count, SA_RESETHAND);
	raise(SIGUSR1);
	struct sigaction old;
	sigaction(SIGUSR1, NULL, &old);
	ok(seen == 1 && old.sa_handler == SIG_DFL, "SA_RESETHAND");
}

static void broken_pipes(void)
{
	int fds[2];

	handle(SIGPIPE, count, 0);
	ok(pipe(fds) == 0 && close(fds[0]) == 0, "a pipe without a reader");
	fails(write(fds[1], "x", 1), EPIPE, "EPIPE");
	ok(seen == 1 && last_signal == SIGPIPE, "SIGPIPE");
	signal(SIGPIPE, SIG_IGN);
	fails(write(fds[1], "x", 1), EPIPE, "EPIPE without it when ignored");
	close(fds[1]);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (pipe(pipe_fds))
		return 99;
	masks();
	suspending();
	in_computations();
	interrupted_calls();
	restarted_calls();
	alternate_stack();
	jumping();
	nesting();
	broken_pipes();
	ok(kill(getpid(), 0) == 0, "kill of oneself with 0");
	fails(kill(getpid() + 12345, 0), ESRCH, "no other process is in sight");
	return tap_finish();
}
