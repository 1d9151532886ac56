/* SPDX-License-Identifier: MIT */
/*
 * eventfd, timerfd and signalfd: reading, writing, poll, several processes.  Linux says the same.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

#define MS 1000000ll

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void sleep_ms(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&t, &t))
		;
}

static int put(int fd, uint64_t value)
{
	return write(fd, &value, sizeof(value)) == sizeof(value) ? 0 : -1;
}

static uint64_t get(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof(value)) == sizeof(value) ? value : UINT64_MAX;
}

static short events(int fd, int timeout)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

	return poll(&p, 1, timeout) < 0 ? -1 : p.revents;
}

static int readable(int fd, int timeout)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout) == 1 && p.revents == POLLIN;
}

static void end_child(pid_t child, const char *what)
{
	int status;

	ok(waitpid(child, &status, 0) == child && status == 0, what);
}

/* ---- eventfd ---- */

static void counting(void)
{
	int fd = eventfd(3, EFD_NONBLOCK);
	char small[4];

	ok(fd >= 0 && fcntl(fd, F_GETFD) == 0, "eventfd");
	ok(events(fd, 0) == (POLLIN | POLLOUT) && get(fd) == 3, "it begins with its number");
	ok(events(fd, 0) == POLLOUT, "then it is empty");
	fails(read(fd, small, sizeof(small)), EINVAL, "fewer than 8 bytes are not read");
	errno = 0;
	ok(get(fd) == UINT64_MAX && errno == EAGAIN, "nothing to read is EAGAIN");
	ok(put(fd, 5) == 0 && put(fd, 7) == 0 && get(fd) == 12, "what is written is added up");
	fails(put(fd, UINT64_MAX), EINVAL, "the largest number is refused");
	ok(put(fd, UINT64_MAX - 1) == 0 && events(fd, 0) == POLLIN, "a full one is not writable");
	fails(put(fd, 1), EAGAIN, "and says EAGAIN");
	close(fd);
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
	ok(fcntl(fd, F_GETFD) == FD_CLOEXEC, "EFD_CLOEXEC");
	ok(get(fd) == 1 && get(fd) == 1 && get(fd) == UINT64_MAX,
	   "a semaphore gives one at a time");
	close(fd);
	fails(eventfd(0, 0x1234), EINVAL, "unknown flags");
}

static void counting_together(void)
{
	int there = eventfd(0, 0), back = eventfd(0, EFD_SEMAPHORE);
	uint64_t sum = 0;
	pid_t child = fork();

	if (child == 0) {
		for (int i = 0; i < 100; i++) {
			if (get(there) != (uint64_t)i + 1)
				_exit(1);
			put(back, 1);
		}
		_exit(0);
	}
	for (int i = 0; i < 100; i++) {
		put(there, (uint64_t)i + 1);
		sum += get(back);
	}
	ok(sum == 100, "two processes pass numbers to each other");
	end_child(child, "both ways");
	for (int i = 0; i < 4; i++) {
		if (fork() == 0) {
			for (int k = 0; k < 250; k++)
				put(there, 1);
			_exit(0);
		}
	}
	for (sum = 0; sum < 1000;)
		sum += get(there);
	while (wait(NULL) > 0)
		;
	ok(sum == 1000, "four that add lose nothing");
	child = fork();
	if (child == 0) {
		sleep_ms(20);
		put(there, 1);
		_exit(0);
	}
	ok(readable(there, 5000) && get(there) == 1, "poll waits for another process");
	end_child(child, "which ends");
	close(there);
	close(back);
}

/* ---- timerfd ---- */

static void start(int fd, int64_t value, int64_t interval)
{
	const struct itimerspec wanted = {
	        .it_value = {.tv_sec = value / 1000000000, .tv_nsec = value % 1000000000},
	        .it_interval = {.tv_nsec = interval}};

	timerfd_settime(fd, 0, &wanted, NULL);
}

static void timers(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	int64_t begin = now();
	struct itimerspec left, absolute = {{0, 0}, {0, 0}};

	ok(fd >= 0 && events(fd, 0) == 0, "timerfd");
	errno = 0;
	ok(get(fd) == UINT64_MAX && errno == EAGAIN, "one that is not set says EAGAIN");
	start(fd, 20 * MS, 0);
	timerfd_gettime(fd, &left);
	ok(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 20 * MS, "what is left");
	ok(events(fd, 5000) == POLLIN && now() - begin >= 20 * MS, "poll waits until it is due");
	ok(get(fd) == 1, "once");
	ok(events(fd, 0) == 0, "and no more");
	start(fd, 5 * MS, 5 * MS);
	sleep_ms(28);
	uint64_t times = get(fd);
	ok(times >= 5 && times < 100, "it counts how often it was due");
	ok(events(fd, 5000) == POLLIN && get(fd) >= 1, "and goes on");
	start(fd, 0, 0);
	sleep_ms(8);
	ok(events(fd, 0) == 0, "until it is stopped");
	fcntl(fd, F_SETFL, 0);
	begin = now();
	start(fd, 10 * MS, 0);
	ok(get(fd) == 1 && now() - begin >= 10 * MS, "read waits too");
	absolute.it_value =
	        (struct timespec){(now() + 10 * MS) / 1000000000, (now() + 10 * MS) % 1000000000};
	timerfd_settime(fd, TFD_TIMER_ABSTIME, &absolute, NULL);
	ok(get(fd) == 1, "an absolute time");
	close(fd);
	fails(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL, "not by processor time");
	fails(timerfd_gettime(1, &left), EINVAL, "another descriptor is EINVAL");
	fails(timerfd_gettime(1000, &left), EBADF, "no descriptor is EBADF");
}

static void timers_together(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	int64_t begin = now();
	pid_t child = fork();

	if (child == 0)
		_exit(events(fd, 5000) == POLLIN && get(fd) == 1 ? 0 : 1);
	sleep_ms(10);
	start(fd, 10 * MS, 0);
	end_child(child, "one process sets it, another waits for it");
	ok(now() - begin < 4000 * MS, "and is woken");
	child = fork();
	if (child == 0) {
		start(fd, 5 * MS, 0);
		_exit(0);
	}
	ok(get(fd) == 1, "and the other way round");
	end_child(child, "which ends");
	close(fd);
}

/* ---- signalfd ---- */

static volatile sig_atomic_t handled;

static void handler(int signal)
{
	(void)signal;
	handled++;
}

static void signals(void)
{
	struct signalfd_siginfo info[3];
	union sigval value = {.sival_int = 77};
	sigset_t set;
	int fd;
	pid_t child;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	ok(fd >= 0 && events(fd, 0) == 0, "signalfd");
	fails(read(fd, info, sizeof(info)), EAGAIN, "none waits");
	fails(read(fd, info, 10), EINVAL, "too little room");
	sigqueue(getpid(), SIGRTMIN, value);
	kill(getpid(), SIGUSR1);
	ok(events(fd, 0) == POLLIN, "it is readable while one waits");
	ok(read(fd, info, sizeof(info)) == 2 * sizeof(*info) && info[0].ssi_signo == SIGUSR1 &&
	           info[0].ssi_pid == (uint32_t)getpid() && info[0].ssi_code == SI_USER,
	   "several at once");
	ok(info[1].ssi_signo == (uint32_t)SIGRTMIN && info[1].ssi_int == 77 &&
	           info[1].ssi_code == SI_QUEUE,
	   "with their values");
	child = fork();
	if (child == 0)
		_exit(9);
	ok(events(fd, 5000) == POLLIN && read(fd, info, sizeof(info)) == sizeof(*info) &&
	           info[0].ssi_signo == SIGCHLD && info[0].ssi_pid == (uint32_t)child &&
	           info[0].ssi_status == 9 && info[0].ssi_code == CLD_EXITED,
	   "a child's end");
	waitpid(child, NULL, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ok(signalfd(fd, &set, 0) == fd, "its set is changed");
	kill(getpid(), SIGUSR1);
	ok(events(fd, 0) == 0, "and holds");
	fcntl(fd, F_SETFL, 0);
	child = fork();
	if (child == 0) {
		sleep_ms(20);
		kill(getppid(), SIGUSR2);
		_exit(0);
	}
	ok(read(fd, info, sizeof(info)) == sizeof(*info) && info[0].ssi_signo == SIGUSR2 &&
	           info[0].ssi_pid == (uint32_t)child,
	   "read waits for one");
	waitpid(child, NULL, 0);
	signal(SIGALRM, handler);
	alarm(1);
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = handler}, NULL);
	fails(read(fd, info, sizeof(info)), EINTR, "another signal interrupts it");
	ok(handled == 1, "after its handler");
	close(fd);
	fails(signalfd(0, &set, 0), EINVAL, "another descriptor is EINVAL");
}

/* ---- exec ---- */

static void across_exec(const char *self)
{
	int event = eventfd(41, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0), fd;
	char numbers[3][12];
	sigset_t set;
	pid_t child;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	fd = signalfd(-1, &set, 0);
	start(timer, 10 * MS, 0);
	snprintf(numbers[0], sizeof(numbers[0]), "%d", event);
	snprintf(numbers[1], sizeof(numbers[1]), "%d", timer);
	snprintf(numbers[2], sizeof(numbers[2]), "%d", fd);
	child = fork();
	if (child == 0) {
		kill(getpid(), SIGUSR1);
		execl(self, self, numbers[0], numbers[1], numbers[2], NULL);
		_exit(99);
	}
	end_child(child, "all three cross exec");
	ok(get(event) == 1, "and are still common");
}

static int executed(char **argv)
{
	struct signalfd_siginfo info;
	int event = atoi(argv[1]);

	if (get(event) != 41 || get(atoi(argv[2])) != 1)
		return 1;
	if (read(atoi(argv[3]), &info, sizeof(info)) != sizeof(info) || info.ssi_signo != SIGUSR1)
		return 2;
	return put(event, 1) ? 3 : 0;
}

static int events_of(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM};

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

/* What these descriptors have in common that no file has. */
static void as_files(void)
{
	int event = eventfd(1, EFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, 0), pipes[2];
	uint64_t values[2] = {1, 1};
	struct iovec halves[2] = {{values, 4}, {(char *)values + 4, 4}};
	struct itimerspec at = {.it_value.tv_nsec = 1};
	sigset_t set;
	int signals;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, 0);
	raise(SIGUSR2);
	timerfd_settime(timer, 0, &at, NULL);
	sleep_ms(5);
	fails(write(event, values, 16), EINVAL, "more than a number is not written");
	fails(writev(event, halves, 2), EINVAL, "nor one in pieces");
	ok(read(event, values, 16) == 8 && values[0] == 1, "more room is no error of a read");
	ok(events_of(event) == POLLOUT && !put(event, 1) && events_of(event) == (POLLIN | POLLOUT),
	   "poll says POLLIN and POLLOUT alone of an eventfd");
	ok(events_of(timer) == POLLIN, "POLLIN alone of a timerfd");
	ok(events_of(signals) == POLLIN, "and of a signalfd");
	ok(!lseek(event, 7, SEEK_SET) && !lseek(timer, 0, SEEK_END) && !lseek(signals, 1, SEEK_CUR),
	   "any position is 0");
	fails(fsync(event), EINVAL, "there is nothing to be synchronized");
	if (pipe(pipes))
		return;
	fails(splice(event, NULL, pipes[1], NULL, 8, 0), EINVAL, "nor to be spliced");
	fails(splice(timer, NULL, pipes[1], NULL, 8, 0), EINVAL, "of a timerfd either");
	close(pipes[0]);
	close(pipes[1]);
	close(event);
	close(timer);
	close(signals);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 3)
		return executed(argv);
	counting();
	counting_together();
	timers();
	timers_together();
	signals();
	across_exec(argv[0]);
	as_files();
	return tap_finish();
}
