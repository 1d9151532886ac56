/* SPDX-License-Identifier: MIT */
/*
 * POSIX message queues: names, order, waiting, notices, several processes.  Linux says the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

#define NAME "/posix_mqueue"

static volatile sig_atomic_t noticed, notice_code, notice_value, notice_pid;

static void note(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	noticed++;
	notice_code = info->si_code;
	notice_value = info->si_value.sival_int;
	notice_pid = info->si_pid;
}

static mqd_t make(long messages, long bytes, int flags)
{
	struct mq_attr a = {.mq_maxmsg = messages, .mq_msgsize = bytes};

	mq_unlink(NAME);
	return mq_open(NAME, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a);
}

static struct timespec later(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

static void names(void)
{
	struct mq_attr bad = {.mq_maxmsg = 0, .mq_msgsize = 10}, a;
	char text[NAME_MAX + 10];
	mqd_t q;

	mq_unlink(NAME);
	fails(mq_open(NAME, O_RDWR), ENOENT, "a queue that is not there");
	fails(mq_unlink(NAME), ENOENT, "cannot be unlinked");
	fails(mq_open("/a/b", O_CREAT | O_RDWR, 0600, NULL), EACCES, "a name has one slash");
	memset(text, 'a', sizeof(text));
	text[0] = '/';
	text[sizeof(text) - 1] = 0;
	fails(mq_open(text, O_CREAT | O_RDWR, 0600, NULL), ENAMETOOLONG, "and is not that long");
	fails(mq_open(NAME, O_CREAT | O_RDWR, 0600, &bad), EINVAL, "a queue has a place at least");
	bad = (struct mq_attr){.mq_maxmsg = 10, .mq_msgsize = -1};
	fails(mq_open(NAME, O_CREAT | O_RDWR, 0600, &bad), EINVAL, "and a byte");
	q = mq_open(NAME, O_CREAT | O_RDWR, 0600, NULL);
	ok(q >= 0 && !mq_getattr(q, &a) && a.mq_maxmsg == 10 && a.mq_msgsize == 8192 &&
	           a.mq_curmsgs == 0 && a.mq_flags == 0,
	   "what is made without attributes");
	ok(fcntl(q, F_GETFD) == FD_CLOEXEC, "its descriptor is closed by exec");
	fails(mq_open(NAME, O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST, "O_EXCL");
	ok(mq_send(q, "kept", 4, 0) == 0 && mq_unlink(NAME) == 0, "unlinked");
	fails(mq_open(NAME, O_RDWR), ENOENT, "it has no name");
	ok(!mq_getattr(q, &a) && a.mq_curmsgs == 1, "and goes on");
	ok(mq_close(q) == 0, "until it is closed");
	fails(mq_close(q), EBADF, "once");
	fails(mq_getattr(0, &a), EBADF, "other descriptors are no queues");
}

static int next_is(mqd_t q, const char *text, unsigned priority)
{
	char buffer[64];
	unsigned got = 12345;
	ssize_t n = mq_receive(q, buffer, sizeof(buffer), &got);

	return n == (ssize_t)strlen(text) && !memcmp(buffer, text, (size_t)n) && got == priority;
}

static short events(mqd_t q)
{
	struct pollfd p = {.fd = q, .events = POLLIN | POLLOUT};

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static void order(void)
{
	mqd_t q = make(4, 64, O_NONBLOCK), reader, writer;
	struct timespec past = {.tv_sec = 1}, bad = {.tv_nsec = 1000000000};
	struct mq_attr a = {.mq_flags = 0}, before;
	char buffer[64];

	ok(events(q) == POLLOUT, "an empty one is writable");
	fails(mq_receive(q, buffer, 64, NULL), EAGAIN, "O_NONBLOCK");
	ok(!mq_send(q, "low", 3, 1) && !mq_send(q, "high", 4, 9) && !mq_send(q, "low too", 7, 1),
	   "three are sent");
	ok(events(q) == (POLLIN | POLLOUT), "it is both");
	ok(!mq_send(q, "", 0, MQ_PRIO_MAX - 1), "an empty message");
	ok(events(q) == POLLIN, "a full one is readable only");
	fails(mq_send(q, "x", 1, 0), EAGAIN, "it takes no more");
	ok(next_is(q, "", MQ_PRIO_MAX - 1) && next_is(q, "high", 9) && next_is(q, "low", 1) &&
	           next_is(q, "low too", 1),
	   "the highest comes first, the oldest of these");
	fails(mq_send(q, "x", 1, MQ_PRIO_MAX), EINVAL, "no such priority");
	fails(mq_send(q, buffer, 65, 0), EMSGSIZE, "too long a message");
	fails(mq_receive(q, buffer, 63, NULL), EMSGSIZE, "too short a buffer");
	ok(!mq_setattr(q, &a, &before) && before.mq_flags == O_NONBLOCK, "mq_setattr");
	fails(mq_timedreceive(q, buffer, 64, NULL, &past), ETIMEDOUT, "a time that has passed");
	fails(mq_timedreceive(q, buffer, 64, NULL, &bad), EINVAL, "a time that is none");
	a.mq_flags = O_APPEND;
	fails(mq_setattr(q, &a, NULL), EINVAL, "no other flag");
	reader = mq_open(NAME, O_RDONLY);
	writer = mq_open(NAME, O_WRONLY | O_NONBLOCK);
	fails(mq_send(reader, "x", 1, 0), EBADF, "one that only receives");
	fails(mq_receive(writer, buffer, 64, NULL), EBADF, "one that only sends");
	ok(!mq_send(writer, "through", 7, 3) && next_is(reader, "through", 3), "are one queue");
	mq_close(reader);
	mq_close(writer);
	mq_close(q);
}

static void waits(void)
{
	mqd_t q = make(2, 64, 0);
	struct timespec t = later(50);
	char buffer[64];
	int status = -1;
	pid_t child;

	fails(mq_timedreceive(q, buffer, 64, NULL, &t), ETIMEDOUT, "a receive ends by its time");
	mq_send(q, "1", 1, 0);
	mq_send(q, "2", 1, 0);
	t = later(50);
	fails(mq_timedsend(q, "3", 1, 0, &t), ETIMEDOUT, "and a send");
	child = fork();
	if (!child)
		_exit(mq_send(q, "3", 1, 0) ? 1 : 0);
	ok(next_is(q, "1", 0) && next_is(q, "2", 0) && next_is(q, "3", 0), "a send goes on");
	waitpid(child, &status, 0);
	ok(status == 0, "when there is a place");
	child = fork();
	if (!child)
		_exit(next_is(q, "late", 5) ? 0 : 1);
	usleep(20000);
	ok(!mq_send(q, "late", 4, 5), "a receive goes on");
	waitpid(child, &status, 0);
	ok(status == 0, "when there is a message");
	mq_close(q);
}

/* Another process, which opens it by its name, sends a thousand. */
static void processes(void)
{
	mqd_t q = make(8, 64, 0);
	unsigned priority, right = 0;
	char buffer[64];
	int status = -1;
	pid_t child = fork();

	if (!child) {
		mqd_t own = mq_open(NAME, O_WRONLY);

		for (int i = 0; i < 1000; i++) {
			int n = snprintf(buffer, sizeof(buffer), "%d", i);

			if (mq_send(own, buffer, (size_t)n, 7))
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 1000; i++) {
		ssize_t n = mq_receive(q, buffer, sizeof(buffer), &priority);

		if (n <= 0)
			break;
		buffer[n] = 0;
		right += atoi(buffer) == i && priority == 7;
	}
	waitpid(child, &status, 0);
	ok(right == 1000 && status == 0, "a thousand from another process, in their order");
	mq_close(q);
}

static void notices(void)
{
	const struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct sigevent none = {.sigev_notify = SIGEV_NONE}, bad = e;
	mqd_t q = make(4, 64, 0);
	char buffer[64];
	int status;
	pid_t child;

	e.sigev_value.sival_int = 42;
	bad.sigev_signo = 65;
	sigaction(SIGUSR1, &action, NULL);
	fails(mq_notify(q, &bad), EINVAL, "no such signal");
	bad.sigev_signo = 0;
	ok(!mq_notify(q, &bad) && !mq_notify(q, NULL), "signal 0 is none, and no error");
	ok(!mq_notify(q, &e), "a notice is asked for");
	fails(mq_notify(q, &none), EBUSY, "once");
	ok(!mq_send(q, "x", 1, 0) && noticed == 1, "it comes with a message");
	ok(notice_code == SI_MESGQ && notice_value == 42 && notice_pid == getpid(),
	   "with its code, value and sender");
	ok(!mq_send(q, "x", 1, 0) && noticed == 1, "once");
	ok(!mq_notify(q, &e) && !mq_send(q, "x", 1, 0) && noticed == 1,
	   "not while others wait to be received");
	while (mq_receive(q, buffer, 64, NULL) == 1 && events(q) & POLLIN)
		;
	child = fork();
	if (!child)
		_exit(mq_send(q, "x", 1, 0) ? 1 : 0);
	waitpid(child, &status, 0);
	for (int i = 0; noticed < 2 && i < 1000; i++)
		usleep(1000);
	ok(noticed == 2 && notice_pid == child, "another process's message is told");
	ok(mq_receive(q, buffer, 64, NULL) == 1, "and taken");
	ok(!mq_notify(q, &e) && !mq_notify(q, NULL) && !mq_send(q, "x", 1, 0) && noticed == 2,
	   "what was taken back does not come");
	mq_receive(q, buffer, 64, NULL);
	child = fork();
	if (!child)
		_exit(mq_notify(q, &e) ? 1 : 0);
	waitpid(child, &status, 0);
	ok(status == 0 && !mq_notify(q, &e), "a process that ended keeps no notice");
	child = fork();
	if (!child)
		_exit(mq_receive(q, buffer, 64, NULL) == 1 ? 0 : 1);
	usleep(100000);
	ok(!mq_send(q, "x", 1, 0), "a message for one that waits");
	waitpid(child, &status, 0);
	ok(status == 0 && noticed == 2, "is told to none");
	mq_close(q);
}

static sem_t called;
static pthread_t called_in;
static int called_value, calls;

static void call(union sigval value)
{
	called_in = pthread_self();
	called_value = value.sival_int;
	calls++;
	sem_post(&called);
}

static int is_called(int milliseconds)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += milliseconds / 1000;
	until.tv_nsec += milliseconds % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000)
		until.tv_sec++, until.tv_nsec -= 1000000000;
	return sem_timedwait(&called, &until) == 0;
}

static void notices_in_threads(void)
{
	struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = call};
	struct sigevent raw = {.sigev_notify = SIGEV_THREAD, .sigev_signo = 999};
	mqd_t q = make(4, 64, 0), second = mq_open(NAME, O_RDWR);
	pthread_attr_t attributes;
	char buffer[64];
	int status = -1;
	pid_t child;

	sem_init(&called, 0, 0);
	raw.sigev_value.sival_ptr = buffer;
	e.sigev_value.sival_int = 7;
	ok(!mq_notify(q, &e), "a function is asked for");
	fails(mq_notify(second, &e), EBUSY, "once");
	fails(mq_notify(999, &e), EBADF, "of what is no queue");
	fails(syscall(SYS_mq_notify, q, &raw), EBADF, "the bare call wants a socket");
	raw.sigev_signo = 1;
	ok(syscall(SYS_mq_notify, q, &raw) == -1, "of its own kind");
	ok(!is_called(50) && calls == 0, "without a message it is not called");
	ok(!mq_send(q, "x", 1, 0) && is_called(5000) && calls == 1, "a message calls it");
	ok(called_value == 7 && !pthread_equal(called_in, pthread_self()),
	   "with its value, in a thread of its own");
	ok(mq_receive(q, buffer, 64, NULL) == 1 && !mq_send(q, "x", 1, 0) && !is_called(50),
	   "the next does not");
	mq_receive(q, buffer, 64, NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	e.sigev_notify_attributes = &attributes;
	e.sigev_value.sival_int = 8;
	ok(!mq_notify(q, &e), "again, with attributes");
	child = fork();
	if (!child)
		_exit(mq_send(q, "x", 1, 0) ? 1 : 0);
	waitpid(child, NULL, 0);
	ok(is_called(5000) && called_value == 8, "another process's message calls it");
	mq_receive(q, buffer, 64, NULL);
	ok(!mq_notify(q, &e) && !mq_notify(q, NULL) && !mq_send(q, "x", 1, 0) && !is_called(50),
	   "what was taken back is not called");
	mq_receive(q, buffer, 64, NULL);
	ok(!mq_notify(second, &e) && !mq_close(second) && !mq_send(q, "x", 1, 0) && !is_called(50),
	   "nor when the descriptor is closed");
	mq_receive(q, buffer, 64, NULL);
	ok(!mq_notify(q, &e) && !mq_send(q, "x", 1, 0) && is_called(5000) && calls == 3,
	   "which another may be asked of then");
	mq_receive(q, buffer, 64, NULL);
	child = fork();
	if (!child && !mq_notify(q, &e)) {
		execl("/bin/sh", "sh", "-c", "exit 3", NULL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 3 && !mq_notify(q, &e), "exec ends it");
	mq_close(q);
}

/* Exec closes one descriptor and keeps the other, for which a flag was taken away. */
static void across_exec(char *self)
{
	mqd_t q = make(4, 64, 0), kept = mq_open(NAME, O_RDWR);
	char number[8], buffer[64], *arguments[] = {self, number, NULL};
	int status = -1;
	pid_t child;

	fcntl(kept, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", kept);
	child = fork();
	if (!child) {
		execv("/proc/self/exe", arguments);
		_exit(127);
	}
	waitpid(child, &status, 0);
	ok(status == 0, "a program with queues runs another");
	ok(mq_receive(q, buffer, 64, NULL) == 5 && !memcmp(buffer, "after", 5), "which sends");
	mq_close(q);
	mq_close(kept);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return mq_send(atoi(argv[1]), "after", 5, 0) ? 1 : 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(100);
	names();
	order();
	waits();
	processes();
	notices();
	notices_in_threads();
	across_exec(argv[0]);
	mq_unlink(NAME);
	return tap_finish();
}
