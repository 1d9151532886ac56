/* SPDX-License-Identifier: MIT */
/*
 * A relative that is hostile to what it has in common with this program: it takes the pages away,
 * keeps the locks, writes any number to any word of pipes, socket pairs, counters, timers and the
 * offsets of files.  What is common to both may fail then; this program goes on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <capos/cap.h>
/* A method of the kernel has the name of a function of time.h. */
#define timer_create kernel_timer_create
#include <capos/schema/kernel_client.h>
#undef timer_create

#include "posix_tap.h"

#define RANGES  64
#define SECONDS 4

enum { READS, WRITES, STREAM, PACKETS = STREAM + 2, COUNTER = PACKETS + 2, TIMER, FILE_, COMMON };

struct range {
	unsigned long from, to;
};

static int fds[COMMON];
static struct range ranges[RANGES];
static unsigned nranges;
static uint32_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static bool is_known(const struct range *known, unsigned n, unsigned long from)
{
	for (unsigned i = 0; i < n; i++)
		if (known[i].from == from)
			return true;
	return false;
}

/* Shared memory of this process that is not among `known`. */
static unsigned find_shared(struct range *out, const struct range *known, unsigned n)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[256];
	unsigned found = 0;

	while (maps && fgets(line, sizeof(line), maps) && found < RANGES) {
		struct range r;

		if (sscanf(line, "%lx-%lx rw-s", &r.from, &r.to) == 2 && strstr(line, " rw-s ") &&
		    !strchr(line, '[') && !is_known(known, n, r.from))
			out[found++] = r;
	}
	fclose(maps);
	return found;
}

static bool make_common(void)
{
	struct range before[RANGES];
	unsigned n = find_shared(before, NULL, 0);
	const struct itimerspec often = {{0, 1000000}, {0, 1000000}};
	bool made = !pipe2(&fds[READS], O_NONBLOCK) &&
	            !socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, &fds[STREAM]) &&
	            !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, &fds[PACKETS]);

	fds[COUNTER] = eventfd(1, EFD_NONBLOCK);
	fds[TIMER] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	fds[FILE_] = open("/tmp/shared", O_RDWR | O_CREAT, 0600);
	made &= !timerfd_settime(fds[TIMER], 0, &often, NULL);
	for (int i = 0; i < COMMON; i++)
		made &= fds[i] >= 0;
	if (!fork()) /* with it the file's offset is common, too */
		_exit(0);
	wait(NULL);
	nranges = find_shared(ranges, before, n);
	return made;
}

static void close_common(void)
{
	for (int i = 0; i < COMMON; i++)
		close(fds[i]);
}

/* Calls on all that is common, whatever they answer. */
static void use_common(void)
{
	static char bytes[20000];
	struct pollfd polled[COMMON];
	int n;

	for (int i = 0; i < COMMON; i++) {
		polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN | POLLOUT};
		(void)!write(fds[i], bytes, i == COUNTER ? 8 : 1 + draw(sizeof(bytes)));
		(void)!read(fds[i], bytes, 8 + draw(sizeof(bytes) - 8));
		ioctl(fds[i], FIONREAD, &n);
	}
	lseek(fds[FILE_], draw(100), draw(2) ? SEEK_SET : SEEK_CUR);
	fcntl(fds[WRITES], F_SETPIPE_SZ, 4096 << draw(5));
	fcntl(fds[FILE_], F_SETFL, draw(2) ? O_APPEND : 0);
	ftruncate(fds[FILE_], draw(10000));
	poll(polled, COMMON, 0);
}

static bool ends_by(pid_t child, int signal)
{
	int status;

	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
	       WTERMSIG(status) == signal;
}

/* ---- Pages ---- */

static void take_pages(void)
{
	for (uint32_t index = 2; index < 128; index++) {
		for (uint64_t generation = 1; generation < 64; generation++) {
			const struct memory_object_resize_params params = {.size = 0};

			(void)memory_object_resize(CAP_ID(index, generation), &params, NULL);
		}
	}
	kill(getpid(), SIGKILL);
}

static void pages_stay(void)
{
	char byte = 0;
	uint64_t count = 0;
	pid_t child;

	ok(make_common() && nranges >= 6, "what is common is made");
	child = fork();
	if (!child)
		take_pages();
	ok(ends_by(child, SIGKILL) || child > 0, "a relative takes all pages away that it can");
	ok(write(fds[WRITES], "a", 1) == 1 && read(fds[READS], &byte, 1) == 1 && byte == 'a',
	   "a pipe has its pages");
	ok(write(fds[STREAM], "b", 1) == 1 && read(fds[STREAM + 1], &byte, 1) == 1 && byte == 'b',
	   "so have a pair of sockets");
	ok(read(fds[COUNTER], &count, sizeof(count)) == sizeof(count) && count == 1,
	   "and a counter");
	ok(read(fds[TIMER], &count, sizeof(count)) == sizeof(count), "and a timer");
	ok(write(fds[FILE_], "text", 4) == 4 && lseek(fds[FILE_], 0, SEEK_CUR) == 4,
	   "and a file's offset");
	close_common();
}

/* ---- Locks ---- */

static volatile int alarms;
static volatile bool other_goes_on;

static void on_alarm(int number)
{
	(void)number;
	alarms++;
}

static void *go_on(void *unused)
{
	(void)unused;
	usleep(200000);
	close(open("/tmp/shared", O_RDONLY));
	other_goes_on = alarms == 0;
	return NULL;
}

/* Pipe and sockets begin with their lock: it is taken by a thread that there is not. */
static void keep_locks(void)
{
	for (unsigned i = 0; i < nranges; i++)
		*(volatile uint32_t *)ranges[i].from = 0x3ffffff0;
	kill(getpid(), SIGKILL);
}

static bool is_interrupted(ssize_t result)
{
	return result == -1 && errno == EINTR;
}

static void kept_locks_hold_up_nothing_else(void)
{
	const struct sigaction action = {.sa_handler = on_alarm};
	pthread_t other;
	char byte;
	pid_t child;
	bool all;

	ok(make_common(), "what is common is made again");
	sigaction(SIGALRM, &action, NULL);
	child = fork();
	if (!child)
		keep_locks();
	ends_by(child, SIGKILL);
	pthread_create(&other, NULL, go_on, NULL);
	alarm(1);
	ok(is_interrupted(read(fds[READS], &byte, 1)) && alarms == 1,
	   "a signal ends the wait for a lock that a relative keeps");
	pthread_join(other, NULL);
	ok(other_goes_on, "another thread did not wait");
	alarm(1);
	all = is_interrupted(write(fds[STREAM], "a", 1));
	alarm(1);
	all &= is_interrupted(read(fds[PACKETS], &byte, 1));
	ok(all && alarms == 3, "nor do sockets wait for ever");
	close_common();
}

/* ---- Words ---- */

static void scribble(void)
{
	static const uint32_t known[] = {0,     1,      4095,   4096,      65535,
	                                 65536, 131071, 262144, INT32_MAX, UINT32_MAX};

	for (;;) {
		const struct range *r = &ranges[draw(nranges)];
		uint32_t head = (uint32_t)(r->to - r->from < 4096 ? r->to - r->from : 4096) / 4;
		uint32_t word = draw(draw(4) ? 16 : head);
		uint32_t value = draw(2) ? known[draw(10)] : seed;

		/* A lock that is kept most of the time would keep out all that is behind it. */
		((volatile uint32_t *)r->from)[word] = word || !draw(1000) ? value : 0;
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void scribbled_words_harm_nothing_else(void)
{
	const struct itimerval often = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
	double end = now() + SECONDS;
	int own[2], rounds = 0;
	bool sound = true;
	pid_t child;

	ok(make_common(), "what is common is made once more");
	child = fork();
	if (!child)
		scribble();
	ok(!pipe(own), "a pipe of its own, too");
	setitimer(ITIMER_REAL, &often, NULL);
	for (; now() < end; rounds++) {
		int sent = rounds, came = -1;

		use_common();
		sound &= write(own[1], &sent, sizeof(sent)) == sizeof(sent) &&
		         read(own[0], &came, sizeof(came)) == sizeof(came) && came == sent;
		if (rounds % 64 == 63) { /* also these are inherited as they are */
			pid_t third = fork();

			if (!third) { /* its timer it has not inherited */
				setitimer(ITIMER_REAL, &often, NULL);
				use_common();
				_exit(0);
			}
			while (third > 0 && waitpid(third, NULL, 0) != third)
				;
		}
	}
	setitimer(ITIMER_REAL, &never, NULL);
	kill(child, SIGKILL);
	ok(ends_by(child, SIGKILL), "a relative writes to it until it is killed");
	close_common();
	printf("# %d rounds\n", rounds);
	ok(rounds > 10 && sound, "what is not common works all the time");
	pages_stay();
}

int main(void)
{
	seed = 1;
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	pages_stay();
	kept_locks_hold_up_nothing_else();
	scribbled_words_harm_nothing_else();
	return tap_finish();
}
