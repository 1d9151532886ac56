/* SPDX-License-Identifier: MIT */
/*
 * Calls that move no bytes, on every kind of descriptor: which of them look at it, wait, or take a
 * message.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "posix_tap.h"

static char buffer[8];
static const struct iovec none = {buffer, 0};

/* What a call answered: its result, or -errno. */
static long answer(long result)
{
	long got = result < 0 ? -errno : result;

	errno = 0;
	return got;
}

/* Answers of read, readv, pread, write, writev and pwrite; 1: the call is not made. */
struct answers {
	const char *kind;
	long of[6];
};

static void all(int fd, const struct answers *expected)
{
	const long *e = expected->of;
	const long got[6] = {e[0] == 1 ? 1 : answer(read(fd, buffer, 0)),
	                     e[1] == 1 ? 1 : answer(readv(fd, &none, 1)),
	                     e[2] == 1 ? 1 : answer(pread(fd, buffer, 0, 0)),
	                     e[3] == 1 ? 1 : answer(write(fd, buffer, 0)),
	                     e[4] == 1 ? 1 : answer(writev(fd, &none, 1)),
	                     e[5] == 1 ? 1 : answer(pwrite(fd, buffer, 0, 0))};

	ok(!memcmp(got, e, sizeof(got)), expected->kind);
	if (memcmp(got, e, sizeof(got)))
		printf("# %ld %ld %ld %ld %ld %ld\n", got[0], got[1], got[2], got[3], got[4],
		       got[5]);
}

static void opened(const char *path, int flags, struct answers expected)
{
	int fd = open(path, flags, 0600);

	all(fd, &expected);
	close(fd);
}

static void files(void)
{
	opened("/tmp/posix_empty", O_RDWR | O_CREAT, (struct answers){"a file", {0}});
	opened("/tmp/posix_empty", O_RDONLY,
	       (struct answers){"one to read", {0, 0, 0, -EBADF, -EBADF, -EBADF}});
	opened("/tmp/posix_empty", O_WRONLY,
	       (struct answers){"one to write", {-EBADF, -EBADF, -EBADF, 0, 0, 0}});
	opened("/tmp", O_RDONLY | O_DIRECTORY,
	       (struct answers){"a directory", {-EISDIR, 0, -EISDIR, -EBADF, -EBADF, -EBADF}});
	opened("/tmp", O_PATH,
	       (struct answers){"a path", {-EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF}});
	opened("/dev/null", O_RDWR, (struct answers){"/dev/null", {0}});
	opened("/dev/full", O_RDWR, (struct answers){"/dev/full", {0, 0, 0, -ENOSPC, 0, -ENOSPC}});
	opened("/proc/self/stat", O_RDONLY,
	       (struct answers){"a file of /proc", {0, 0, 0, -EBADF, -EBADF, -ESPIPE}});
	unlink("/tmp/posix_empty");
}

static void pipes(void)
{
	int p[2];

	if (pipe(p))
		return;
	all(p[0],
	    &(struct answers){"a pipe's end to read", {0, 0, -ESPIPE, -EBADF, -EBADF, -ESPIPE}});
	all(p[1], &(struct answers){"and to write", {-EBADF, -EBADF, -ESPIPE, 0, 0, -ESPIPE}});
	close(p[0]);
	all(p[1], &(struct answers){"without readers", {-EBADF, -EBADF, -ESPIPE, 0, 0, -ESPIPE}});
	close(p[1]);
}

static void counters(void)
{
	sigset_t set;
	int fd = eventfd(1, EFD_NONBLOCK);

	all(fd, &(struct answers){"an eventfd", {-EINVAL, 0, -ESPIPE, -EINVAL, 0, -ESPIPE}});
	close(fd);
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	all(fd, &(struct answers){"a timerfd", {-EINVAL, 0, -ESPIPE, -EINVAL, -EINVAL, -ESPIPE}});
	close(fd);
	sigemptyset(&set);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	all(fd, &(struct answers){"a signalfd", {-EINVAL, 0, -ESPIPE, -EINVAL, -EINVAL, -ESPIPE}});
	close(fd);
	fd = inotify_init1(IN_NONBLOCK);
	all(fd, &(struct answers){"inotify", {-EAGAIN, 0, -ESPIPE, -EBADF, -EBADF, -ESPIPE}});
	close(fd);
}

static void pairs(int type, const char *kind)
{
	const int messages = type != SOCK_STREAM;
	char words[80];
	int s[2];

	if (socketpair(AF_UNIX, type, 0, s))
		return;
	snprintf(words, sizeof(words), "%s without data", kind);
	all(s[0], &(struct answers){words, {0, 0, -ESPIPE, 1, 1, -ESPIPE}});
	ok(answer(recv(s[0], buffer, 0, MSG_DONTWAIT)) == -EAGAIN, "recv looks for data");
	ok(answer(writev(s[1], &none, 1)) == 0 &&
	           answer(recv(s[0], buffer, 8, MSG_DONTWAIT)) == -EAGAIN,
	   "writev of nothing sends nothing");
	ok(answer(write(s[1], buffer, 0)) == 0 &&
	           answer(recv(s[0], buffer, 8, MSG_DONTWAIT)) == (messages ? 0 : -EAGAIN),
	   "write sends an empty message, where there are messages");
	ok(write(s[1], "abc", 3) == 3 && answer(read(s[0], buffer, 0)) == 0 &&
	           answer(recv(s[0], buffer, 8, MSG_DONTWAIT)) == 3,
	   "read of nothing takes no message");
	ok(write(s[1], "abc", 3) == 3 && answer(recv(s[0], buffer, 0, MSG_DONTWAIT)) == 0 &&
	           answer(recv(s[0], buffer, 8, MSG_DONTWAIT)) == (messages ? -EAGAIN : 3),
	   "recv does");
	close(s[0]);
	ok(answer(writev(s[1], &none, 1)) == 0, "writev of nothing to nobody");
	close(s[1]);
}

static void internet(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t length = sizeof(in);
	int client, accepted = -1;

	all(udp,
	    &(struct answers){"a datagram socket", {0, 0, -ESPIPE, -EDESTADDRREQ, 0, -ESPIPE}});
	ok(answer(recv(tcp, buffer, 0, MSG_DONTWAIT)) == -ENOTCONN, "a stream without a peer");
	ok(answer(read(tcp, buffer, 0)) == 0 && answer(writev(tcp, &none, 1)) == 0,
	   "read and writev do not look at it");
	bind(tcp, (void *)&in, sizeof(in));
	listen(tcp, 1);
	getsockname(tcp, (void *)&in, &length);
	ok(answer(recv(tcp, buffer, 0, MSG_DONTWAIT)) == -ENOTCONN, "a listener");
	client = socket(AF_INET, SOCK_STREAM, 0);
	ok(connect(client, (void *)&in, length) == 0 && (accepted = accept(tcp, NULL, NULL)) >= 0,
	   "a connection");
	ok(answer(recv(client, buffer, 0, MSG_DONTWAIT)) == -EAGAIN, "without data");
	ok(write(accepted, "abc", 3) == 3 &&
	           poll(&(struct pollfd){.fd = client, .events = POLLIN}, 1, 5000) == 1 &&
	           answer(recv(client, buffer, 0, MSG_DONTWAIT)) == 0 &&
	           answer(recv(client, buffer, 8, MSG_DONTWAIT)) == 3,
	   "with data");
	close(tcp), close(udp), close(client), close(accepted);
}

static void terminals(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	if (master < 0 || grantpt(master) || unlockpt(master))
		return;
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_NONBLOCK);
	all(slave, &(struct answers){"a terminal", {0, 0, -ESPIPE, 0, 0, -ESPIPE}});
	close(master);
	ok(answer(write(slave, buffer, 0)) == -EIO && answer(read(slave, buffer, 0)) == 0,
	   "one that is hung up");
	close(slave);
}

int main(void)
{
	alarm(60);
	signal(SIGPIPE, SIG_IGN);
	files();
	pipes();
	counters();
	pairs(SOCK_STREAM, "a stream");
	pairs(SOCK_DGRAM, "datagrams");
	pairs(SOCK_SEQPACKET, "messages in order");
	internet();
	terminals();
	ok(answer(recv(open("/tmp", O_PATH), buffer, 0, 0)) == -EBADF, "recv of a path");
	return tap_finish();
}
