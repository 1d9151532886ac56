/* SPDX-License-Identifier: MIT */
/*
 * Timers: of setitimer by all three clocks, of timer_create with their overruns; processor clocks;
 * what crosses fork and exec.  Linux says the same.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

#define MS 1000000ll

static volatile sig_atomic_t seen;
static siginfo_t last;
static int most_overrun; /* another signal may follow at once */

static void note(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	seen++;
	last = *info;
	if (info->si_overrun > most_overrun)
		most_overrun = info->si_overrun;
}

static void handle(int signal)
{
	struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};

	sigaction(signal, &action, NULL);
	seen = 0;
}

static int64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static struct timespec span(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

static void block(int how, int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(how, &set, NULL);
}

static void sleep_ms(int64_t ms)
{
	struct timespec t = span(ms * MS);

	while (nanosleep(&t, &t))
		;
}

/* ---- setitimer ---- */

static void interval_timers(void)
{
	const struct itimerval periodic = {{0, 5000}, {0, 5000}}, off = {{0, 0}, {0, 0}};
	static const struct {
		int which, signal;
		const char *name;
	} cpu[] = {{ITIMER_VIRTUAL, SIGVTALRM, "ITIMER_VIRTUAL"},
	           {ITIMER_PROF, SIGPROF, "ITIMER_PROF"}};
	struct itimerval left;

	handle(SIGALRM);
	setitimer(ITIMER_REAL, &periodic, NULL);
	while (seen < 3)
		pause();
	ok(last.si_signo == SIGALRM && last.si_code == SI_KERNEL,
	   "ITIMER_REAL comes again and again");
	setitimer(ITIMER_REAL, &off, &left);
	ok(left.it_interval.tv_usec == 5000, "and tells its interval");
	getitimer(ITIMER_REAL, &left);
	ok(left.it_value.tv_sec == 0 && left.it_value.tv_usec == 0, "and is off");
	for (int i = 0; i < 2; i++) {
		int64_t begin;

		handle(cpu[i].signal);
		setitimer(cpu[i].which, &periodic, NULL);
		sleep_ms(30);
		ok(seen <= 1, "processor time does not pass while one sleeps");
		begin = now(CLOCK_PROCESS_CPUTIME_ID);
		while (seen < 4 && now(CLOCK_PROCESS_CPUTIME_ID) - begin < 1000 * MS)
			;
		ok(seen >= 4 && last.si_signo == cpu[i].signal, cpu[i].name);
		ok(now(CLOCK_PROCESS_CPUTIME_ID) - begin >= 9 * MS, "after that much of it");
		setitimer(cpu[i].which, &off, NULL);
	}
	fails(setitimer(3, &off, NULL), EINVAL, "there are three");
	fails(setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 1000000}, NULL),
	      EINVAL, "a second of microseconds is EINVAL");
	alarm(100);
	ok(alarm(0) == 100, "alarm returns what was left");
}

/* ---- timer_create ---- */

static timer_t make(clockid_t clock, int notify, int signal, int value)
{
	struct sigevent event = {
	        .sigev_notify = notify, .sigev_signo = signal, .sigev_value.sival_int = value};
	timer_t timer;

	return timer_create(clock, &event, &timer) ? (timer_t)-1 : timer;
}

static void set(timer_t timer, int64_t value, int64_t interval)
{
	const struct itimerspec wanted = {span(interval), span(value)};

	timer_settime(timer, 0, &wanted, NULL);
}

static void once(void)
{
	timer_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 4711);
	int64_t begin = now(CLOCK_MONOTONIC);
	struct itimerspec left, absolute = {{0, 0}, {0, 0}};

	handle(SIGRTMIN + 1);
	set(timer, 300 * MS, 0);
	timer_gettime(timer, &left);
	ok(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 300 * MS &&
	           !left.it_interval.tv_nsec,
	   "timer_gettime tells what is left");
	while (!seen)
		pause();
	ok(now(CLOCK_MONOTONIC) - begin >= 300 * MS, "a timer comes when it is due");
	ok(last.si_code == SI_TIMER && last.si_value.sival_int == 4711 && last.si_overrun == 0,
	   "with its value");
	timer_gettime(timer, &left);
	ok(left.it_value.tv_nsec == 0 && left.it_value.tv_sec == 0, "and then it is off");
	absolute.it_value = span(now(CLOCK_MONOTONIC) + 10 * MS);
	timer_settime(timer, TIMER_ABSTIME, &absolute, NULL);
	while (seen < 2)
		pause();
	ok(seen == 2, "an absolute time");
	absolute.it_value = span(1);
	timer_settime(timer, TIMER_ABSTIME, &absolute, NULL);
	sleep_ms(1);
	ok(seen == 3, "one that is past comes at once");
	ok(timer_delete(timer) == 0, "timer_delete");
	fails(timer_gettime(timer, &left), EINVAL, "a deleted timer is none");
	timer = make(CLOCK_REALTIME, SIGEV_SIGNAL, SIGRTMIN + 1, 0);
	absolute.it_value = span(now(CLOCK_REALTIME) + 10 * MS);
	timer_settime(timer, TIMER_ABSTIME, &absolute, NULL);
	while (seen < 4)
		pause();
	ok(now(CLOCK_REALTIME) >=
	           absolute.it_value.tv_sec * 1000000000ll + absolute.it_value.tv_nsec,
	   "an absolute time of day");
	timer_delete(timer);
}

static void overruns(void)
{
	timer_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 1);
	sigset_t pending;

	handle(SIGUSR1);
	block(SIG_BLOCK, SIGUSR1);
	set(timer, 2 * MS, 2 * MS);
	sleep_ms(30);
	sigpending(&pending);
	ok(sigismember(&pending, SIGUSR1) == 1, "a blocked timer's signal waits");
	most_overrun = 0;
	block(SIG_UNBLOCK, SIGUSR1);
	ok(seen >= 1 && most_overrun >= 10, "what was missed is counted");
	ok(timer_getoverrun(timer) >= 0, "timer_getoverrun");
	seen = 0;
	while (seen < 3)
		pause();
	ok(last.si_overrun < 10, "and counted anew after that");
	timer_delete(timer);
	signal(SIGUSR1, SIG_IGN);
	timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 2);
	set(timer, 2 * MS, 2 * MS);
	sleep_ms(20);
	handle(SIGUSR1);
	sleep_ms(60);
	ok(seen >= 1, "a timer whose signal was ignored goes on");
	timer_delete(timer);
}

/* Two timers with one signal that is not queued: each is delivered. */
static void shared_signal(void)
{
	timer_t one = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 1);
	timer_t two = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 2);

	handle(SIGUSR1);
	block(SIG_BLOCK, SIGUSR1);
	kill(getpid(), SIGUSR1);
	set(one, 2 * MS, 0);
	set(two, 2 * MS, 0);
	sleep_ms(10);
	block(SIG_UNBLOCK, SIGUSR1);
	ok(seen == 3, "timers with one signal, and kill, each are delivered");
	set(one, 300 * MS, 0); /* long enough to stop it on a busy host */
	set(one, 0, 0);
	sleep_ms(350);
	ok(seen == 3, "a timer that was stopped does not come");
	timer_delete(one);
	timer_delete(two);
}

static void others(void)
{
	timer_t timer = make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);
	struct itimerspec left;
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
	int64_t begin;

	set(timer, 5 * MS, 5 * MS);
	sleep_ms(8);
	timer_gettime(timer, &left);
	ok(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 5 * MS, "SIGEV_NONE is looked at");
	timer_delete(timer);
	ok(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0, "without an event");
	handle(SIGALRM);
	set(timer, MS, 0);
	while (!seen)
		pause();
	ok(last.si_code == SI_TIMER, "it is SIGALRM");
	timer_delete(timer);
	timer = make(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGALRM, 3);
	handle(SIGALRM);
	set(timer, 10 * MS, 0);
	sleep_ms(20);
	ok(!seen, "by processor time it does not come while one sleeps");
	begin = now(CLOCK_MONOTONIC);
	while (!seen && now(CLOCK_MONOTONIC) - begin < 2000 * MS)
		;
	ok(seen == 1 && last.si_value.sival_int == 3, "but while one computes");
	timer_delete(timer);
	fails(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL, "no such signal");
	event.sigev_signo = SIGALRM;
	fails(timer_create(77, &event, &timer), EINVAL, "no such clock");
	fails(syscall(SYS_timer_settime, 12345, 0, &left, NULL), EINVAL, "no such timer");
	fails(clock_settime(CLOCK_MONOTONIC, &left.it_value), EINVAL, "that clock is not set");
}

static void many(void)
{
	static timer_t timers[100];
	int made = 0;

	while (made < 100 &&
	       (timers[made] = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, made)) != (timer_t)-1)
		made++;
	ok(made == 100, "a hundred timers");
	handle(SIGRTMIN);
	for (int i = 0; i < made; i++)
		set(timers[i], (1 + i % 7) * MS, 0);
	for (int64_t begin = now(CLOCK_MONOTONIC);
	     seen < made && now(CLOCK_MONOTONIC) - begin < 2000 * MS;)
		sleep_ms(1);
	ok(seen == made, "each comes once");
	for (int i = 0; i < made; i++)
		timer_delete(timers[i]);
}

/* ---- Processor clocks ---- */

static void processor_clocks(void)
{
	clockid_t own;
	struct timespec t = span(5 * MS);
	struct tms before, after;
	int64_t begin = now(CLOCK_PROCESS_CPUTIME_ID);
	pid_t child;

	ok(clock_getcpuclockid(0, &own) == 0 && now(own) >= begin, "the clock of oneself");
	ok(clock_getcpuclockid(getpid(), &own) == 0 && now(own) >= begin, "by one's number too");
	ok(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL) == EINVAL,
	   "sleeping on the thread's clock is EINVAL");
	times(&before);
	child = fork();
	if (child == 0) {
		begin = now(CLOCK_PROCESS_CPUTIME_ID);
		while (now(CLOCK_PROCESS_CPUTIME_ID) - begin < 60 * MS)
			;
		_exit(0);
	}
	waitpid(child, NULL, 0);
	times(&after);
	ok(after.tms_cutime + after.tms_cstime - before.tms_cutime - before.tms_cstime >= 4,
	   "times counts children that were waited for");
}

/* ---- fork and exec ---- */

static void across(const char *self)
{
	const struct itimerval soon = {.it_value.tv_usec = 50000}, off = {{0, 0}, {0, 0}};
	struct itimerval left;
	int status;
	pid_t child;

	handle(SIGALRM);
	setitimer(ITIMER_REAL, &soon, NULL);
	child = fork();
	if (child == 0) {
		getitimer(ITIMER_REAL, &left);
		_exit(left.it_value.tv_sec || left.it_value.tv_usec);
	}
	waitpid(child, &status, 0);
	ok(status == 0, "a child has no timers");
	setitimer(ITIMER_REAL, &off, NULL);
	child = fork();
	if (child == 0) {
		setitimer(ITIMER_REAL, &soon, NULL);
		execl(self, self, "wait", NULL);
		_exit(99);
	}
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM, "a timer goes on across exec");
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1) {
		sleep_ms(2000);
		return 98;
	}
	interval_timers();
	once();
	overruns();
	shared_signal();
	others();
	many();
	processor_clocks();
	across(argv[0]);
	return tap_finish();
}
