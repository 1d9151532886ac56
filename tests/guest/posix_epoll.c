/* SPDX-License-Identifier: MIT */
/*
 * epoll of pipes, sockets, counters and lists: what is reported and for how long, what goes when
 * descriptors go, refusals, waits that end, threads, fork and execve.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

static int control(int epoll, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return epoll_ctl(epoll, op, fd, &event);
}

/* What one event says; 0: there is none, which is events_of at once. */
static uint32_t events_of(int epoll, uint64_t data)
{
	struct epoll_event event = {.events = 0};

	if (epoll_wait(epoll, &event, 1, 0) != 1)
		return 0;
	return event.data.u64 == data ? event.events : ~0u;
}

static long ms_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

static void reports(void)
{
	int e = epoll_create1(EPOLL_CLOEXEC), fds[2];
	char text[8];

	pipe(fds);
	ok(e >= 0 && fcntl(e, F_GETFD) == FD_CLOEXEC, "epoll_create1");
	ok(control(e, EPOLL_CTL_ADD, fds[0], EPOLLIN, 0x123456789a) == 0, "add");
	ok(events_of(e, 0x123456789a) == 0, "nothing is ready");
	write(fds[1], "ab", 2);
	ok(events_of(e, 0x123456789a) == EPOLLIN, "something to read");
	ok(events_of(e, 0x123456789a) == EPOLLIN, "is events_of again");
	read(fds[0], text, 2);
	ok(events_of(e, 0x123456789a) == 0, "until it is read");
	ok(control(e, EPOLL_CTL_ADD, fds[1], EPOLLOUT, 7) == 0 && events_of(e, 7) == EPOLLOUT,
	   "room to write");
	ok(control(e, EPOLL_CTL_MOD, fds[1], 0, 8) == 0 && events_of(e, 8) == 0,
	   "modify: of nothing");
	ok(control(e, EPOLL_CTL_MOD, fds[1], EPOLLOUT, 9) == 0 && events_of(e, 9) == EPOLLOUT,
	   "again");
	ok(epoll_ctl(e, EPOLL_CTL_DEL, fds[1], NULL) == 0 && events_of(e, 9) == 0, "delete");
	close(fds[1]);
	ok(events_of(e, 0x123456789a) == EPOLLHUP, "the end is events_of without being asked for");
	close(fds[0]);
	ok(events_of(e, 0x123456789a) == 0, "what is closed is gone");
	close(e);
}

static void once_and_in_turn(void)
{
	struct epoll_event events[4];
	int e = epoll_create(1), a = eventfd(1, 0), b = eventfd(1, 0), c = eventfd(1, 0);
	uint64_t seen = 0;

	ok(fcntl(e, F_GETFD) == 0, "epoll_create");
	control(e, EPOLL_CTL_ADD, a, EPOLLIN | EPOLLONESHOT, 1);
	ok(events_of(e, 1) == EPOLLIN && events_of(e, 1) == 0, "EPOLLONESHOT");
	ok(control(e, EPOLL_CTL_MOD, a, EPOLLIN | EPOLLONESHOT, 2) == 0 &&
	           events_of(e, 2) == EPOLLIN,
	   "is wanted again");
	control(e, EPOLL_CTL_MOD, a, EPOLLIN, 1);
	control(e, EPOLL_CTL_ADD, b, EPOLLIN, 2);
	control(e, EPOLL_CTL_ADD, c, EPOLLIN, 4);
	ok(epoll_wait(e, events, 4, -1) == 3, "three at once");
	for (int i = 0; i < 3; i++) {
		epoll_wait(e, events, 1, -1);
		seen |= events[0].data.u64;
	}
	ok(seen == 7, "one after the other, all have their turn");
	close(a);
	close(b);
	close(c);
	close(e);
}

static void edges_of_a_pipe(int e)
{
	int fds[2];
	char text[65536];

	pipe2(fds, O_NONBLOCK);
	control(e, EPOLL_CTL_ADD, fds[0], EPOLLIN | EPOLLET, 1);
	ok(events_of(e, 1) == 0, "EPOLLET: nothing has come");
	write(fds[1], "ab", 2);
	ok(events_of(e, 1) == EPOLLIN && events_of(e, 1) == 0, "what has come is events_of once");
	read(fds[0], text, 1);
	ok(events_of(e, 1) == 0, "what is left is not events_of");
	write(fds[1], "c", 1);
	ok(events_of(e, 1) == EPOLLIN && events_of(e, 1) == 0, "what comes then is");
	read(fds[0], text, 2);
	write(fds[1], "d", 1);
	ok(events_of(e, 1) == EPOLLIN, "and what comes after all was read");
	control(e, EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLET, 1);
	ok(events_of(e, 1) == EPOLLIN && events_of(e, 1) == 0,
	   "and what is there when it is wanted again");
	control(e, EPOLL_CTL_ADD, fds[1], EPOLLOUT | EPOLLET, 2);
	ok(events_of(e, 2) == EPOLLOUT && events_of(e, 2) == 0, "room is events_of once");
	while (write(fds[1], text, sizeof(text)) > 0)
		;
	(void)events_of(e, 1);
	ok(events_of(e, 2) == 0, "none is not events_of");
	read(fds[0], text, sizeof(text));
	ok(events_of(e, 2) == EPOLLOUT && events_of(e, 2) == 0,
	   "nor that there is some again, but once");
	close(fds[1]);
	ok(events_of(e, 1) & EPOLLHUP && events_of(e, 1) == 0, "so is the end");
	close(fds[0]);
}

static void edges(void)
{
	int e = epoll_create1(0), counter = eventfd(0, 0), pair[2];
	char text[8];

	edges_of_a_pipe(e);
	control(e, EPOLL_CTL_ADD, counter, EPOLLIN | EPOLLET, 3);
	for (int i = 0; i < 3; i++) {
		write(counter, &(uint64_t){1}, 8);
		ok(events_of(e, 3) == EPOLLIN && events_of(e, 3) == 0,
		   "each addition to a counter");
	}
	close(counter);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	control(e, EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLOUT | EPOLLET, 4);
	ok(events_of(e, 4) == EPOLLOUT && events_of(e, 4) == 0, "a socket's room");
	write(pair[1], "x", 1);
	ok(events_of(e, 4) == (EPOLLIN | EPOLLOUT) && events_of(e, 4) == 0, "and bytes");
	read(pair[0], text, 1);
	shutdown(pair[1], SHUT_WR);
	ok(events_of(e, 4) == (EPOLLIN | EPOLLOUT) && events_of(e, 4) == 0,
	   "and that no more come");
	close(pair[0]);
	close(pair[1]);
	close(e);
}

static void descriptions(void)
{
	int e = epoll_create1(0), a = eventfd(1, 0), b = dup(a);

	ok(control(e, EPOLL_CTL_ADD, a, EPOLLIN, 1) == 0, "a descriptor");
	ok(control(e, EPOLL_CTL_ADD, b, EPOLLIN, 1) == 0, "its duplicate besides");
	epoll_ctl(e, EPOLL_CTL_DEL, b, NULL);
	close(a);
	ok(events_of(e, 1) == EPOLLIN, "a description outlasts its number");
	close(b);
	ok(events_of(e, 1) == 0, "not its last one");
	a = eventfd(1, 0);
	ok(events_of(e, 1) == 0 && control(e, EPOLL_CTL_ADD, a, EPOLLIN, 3) == 0 &&
	           events_of(e, 3) == EPOLLIN,
	   "a number that is used again is another description");
	close(a);
	close(e);
}

static void sockets(void)
{
	int e = epoll_create1(0), pair[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	control(e, EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP, 1);
	ok(events_of(e, 1) == EPOLLOUT, "a socket has room");
	write(pair[1], "x", 1);
	ok(events_of(e, 1) == (EPOLLIN | EPOLLOUT), "and bytes");
	shutdown(pair[1], SHUT_WR);
	ok(events_of(e, 1) == (EPOLLIN | EPOLLOUT | EPOLLRDHUP), "and then no more");
	close(pair[1]);
	ok(events_of(e, 1) & EPOLLHUP, "and ends");
	close(pair[0]);
	close(e);
}

static void lists(void)
{
	int inner = epoll_create1(0), outer = epoll_create1(0), a = eventfd(0, 0);
	struct pollfd p = {.fd = outer, .events = POLLIN};

	control(inner, EPOLL_CTL_ADD, a, EPOLLIN, 1);
	ok(control(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 2) == 0 && events_of(outer, 2) == 0,
	   "a list in a list");
	ok(poll(&p, 1, 0) == 0, "poll of it: nothing");
	write(a, &(uint64_t){1}, 8);
	ok(events_of(outer, 2) == EPOLLIN, "something of the inner one's");
	ok(poll(&p, 1, 0) == 1 && p.revents == POLLIN, "poll of it: something");
	fails(control(inner, EPOLL_CTL_ADD, outer, EPOLLIN, 3), ELOOP, "a ring: ELOOP");
	fails(control(inner, EPOLL_CTL_ADD, inner, EPOLLIN, 3), EINVAL, "itself: EINVAL");
	close(inner);
	ok(events_of(outer, 2) == 0, "the inner one is closed");
	close(a);
	close(outer);
}

#define TOWER 26

/* Each list has all those before it, so that many ways lead to the lowest: how deep that may be is
 * the system's own, but no look at the highest may take each way, or a frame for each list. */
static void tower(void)
{
	int list[TOWER], a = eventfd(1, 0), refused = 0;
	bool fine = true;

	for (int i = 0; i < TOWER; i++) {
		list[i] = epoll_create1(0);
		for (int j = 0; j < i; j++) {
			bool added = !control(list[i], EPOLL_CTL_ADD, list[j], EPOLLIN, 1);

			fine = fine && (added || errno == ELOOP);
			refused += !added;
		}
	}
	ok(fine && refused > 0, "lists in lists in many ways: ELOOP when they are too deep");
	ok(!control(list[0], EPOLL_CTL_ADD, a, EPOLLIN, 1) || errno == EINVAL, "of the lowest");
	alarm(10);
	events_of(list[TOWER - 1], 1);
	alarm(0);
	ok(true, "a look at the highest ends");
	for (int i = 0; i < TOWER; i++)
		close(list[i]);
	close(a);
}

static void refusals(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int e = epoll_create1(0), a = eventfd(1, 0), file = open("/", O_RDONLY | O_DIRECTORY);
	volatile int no = -1, none = 0;

	fails(syscall(SYS_epoll_create, none), EINVAL, "epoll_create of 0");
	fails(epoll_create1(EPOLL_CLOEXEC | 1), EINVAL, "an unknown flag");
	fails(control(no, EPOLL_CTL_ADD, a, EPOLLIN, 0), EBADF, "no list");
	fails(control(e, EPOLL_CTL_ADD, no, EPOLLIN, 0), EBADF, "no descriptor");
	fails(control(a, EPOLL_CTL_ADD, e, EPOLLIN, 0), EINVAL, "what is no list");
	fails(control(e, EPOLL_CTL_ADD, file, EPOLLIN, 0), EPERM, "what is always ready");
	fails(control(e, EPOLL_CTL_MOD, a, EPOLLIN, 0), ENOENT, "modify: not there");
	fails(epoll_ctl(e, EPOLL_CTL_DEL, a, NULL), ENOENT, "delete: not there");
	fails(epoll_ctl(e, 99, a, &event), EINVAL, "an unknown operation");
	fails(epoll_ctl(e, EPOLL_CTL_ADD, a, NULL), EFAULT, "no event");
	ok(control(e, EPOLL_CTL_ADD, a, EPOLLIN | EPOLLEXCLUSIVE, 0) == 0, "EPOLLEXCLUSIVE");
	fails(control(e, EPOLL_CTL_ADD, a, EPOLLIN, 0), EEXIST, "twice");
	fails(control(e, EPOLL_CTL_MOD, a, EPOLLIN, 0), EINVAL, "modify: EPOLLEXCLUSIVE");
	fails(epoll_wait(e, &event, none, 0), EINVAL, "wait for none");
	fails(epoll_wait(e, &event, no, 0), EINVAL, "for less than none");
	fails(epoll_wait(no, &event, 1, 0), EBADF, "wait: no list");
	fails(epoll_wait(a, &event, 1, 0), EINVAL, "wait: no such descriptor");
	fails(read(e, &event, 8), EINVAL, "read");
	fails(syscall(SYS_epoll_pwait, e, &event, 1, 0, &event, 3), EINVAL, "a mask's size");
	close(file);
	close(a);
	close(e);
}

static void handler(int signal)
{
	(void)signal;
}

static void ends(void)
{
	struct epoll_event event;
	struct itimerval alarm = {.it_value.tv_usec = 50000}, off = {.it_value.tv_usec = 0};
	struct itimerspec soon = {.it_value.tv_nsec = 50000000};
	struct timespec start, wait = {.tv_nsec = 50000000};
	int e = epoll_create1(0), t = timerfd_create(CLOCK_MONOTONIC, 0);
	sigset_t set;

	clock_gettime(CLOCK_MONOTONIC, &start);
	ok(epoll_wait(e, &event, 1, 60) == 0 && ms_since(&start) >= 59, "the timeout");
	clock_gettime(CLOCK_MONOTONIC, &start);
	ok(syscall(SYS_epoll_pwait2, e, &event, 1, &wait, NULL, 0) == 0 && ms_since(&start) >= 49,
	   "epoll_pwait2's");
	wait.tv_nsec = -1;
	fails(syscall(SYS_epoll_pwait2, e, &event, 1, &wait, NULL, 0), EINVAL, "which is none");
	control(e, EPOLL_CTL_ADD, t, EPOLLIN, 5);
	timerfd_settime(t, 0, &soon, NULL);
	ok(epoll_wait(e, &event, 1, -1) == 1 && event.data.u64 == 5, "a timer");
	epoll_ctl(e, EPOLL_CTL_DEL, t, NULL);
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = handler, .sa_flags = SA_RESTART},
	          NULL);
	setitimer(ITIMER_REAL, &alarm, NULL);
	fails(epoll_wait(e, &event, 1, -1), EINTR, "a signal");
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGALRM);
	ok(epoll_wait(e, &event, 1, 0) == 0, "which is blocked");
	sigemptyset(&set);
	fails(epoll_pwait(e, &event, 1, -1, &set), EINTR, "epoll_pwait lets it in");
	sigprocmask(SIG_SETMASK, &set, NULL);
	setitimer(ITIMER_REAL, &off, NULL);
	close(t);
	close(e);
}

static void *add_later(void *epoll)
{
	usleep(50000);
	control(*(int *)epoll, EPOLL_CTL_ADD, eventfd(1, 0), EPOLLIN, 11);
	return NULL;
}

static void another_thread(void)
{
	struct epoll_event event = {.events = 0};
	int e = epoll_create1(0);
	pthread_t thread;

	pthread_create(&thread, NULL, add_later, &e);
	ok(epoll_wait(e, &event, 1, 5000) == 1 && event.data.u64 == 11,
	   "what another thread adds wakes who waits");
	pthread_join(thread, NULL);
	close(e);
}

static int status_of(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void fork_and_execve(const char *self)
{
	int e = epoll_create1(0), a = eventfd(0, 0), gone = eventfd(1, EFD_CLOEXEC);
	char epoll[16], counter[16], *args[] = {"posix_epoll", epoll, counter, NULL};
	pid_t child;

	snprintf(epoll, sizeof(epoll), "%d", e);
	snprintf(counter, sizeof(counter), "%d", a);
	control(e, EPOLL_CTL_ADD, a, EPOLLIN, 77);
	control(e, EPOLL_CTL_ADD, gone, EPOLLIN, 78);
	fflush(stdout);
	child = fork();
	if (!child) {
		close(gone); /* the parent's list has it; only what is ready is common */
		write(a, &(uint64_t){1}, 8);
		_exit(!(events_of(e, 77) == EPOLLIN || events_of(e, 77) == EPOLLIN));
	}
	ok(status_of(child) == 0, "a child sees what is ready");
	close(gone);
	ok(events_of(e, 77) == EPOLLIN, "and so does its parent");
	child = fork();
	if (!child) {
		execv(self, args);
		_exit(50);
	}
	ok(status_of(child) == 0, "a list crosses execve");
	close(a);
	close(e);
}

/* After execve: the list and the counter, which is ready. */
static int executed(char **argv)
{
	int e = atoi(argv[1]), a = atoi(argv[2]);
	uint64_t count;

	if (events_of(e, 77) != EPOLLIN)
		return 1;
	if (read(a, &count, 8) != 8 || events_of(e, 77))
		return 2;
	return control(e, EPOLL_CTL_ADD, a, EPOLLIN, 0) == 0 || errno != EEXIST ? 3 : 0;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return executed(argv);
	reports();
	once_and_in_turn();
	edges();
	descriptions();
	sockets();
	lists();
	tower();
	refusals();
	ends();
	another_thread();
	fork_and_execve(argv[0]);
	return tap_finish();
}
