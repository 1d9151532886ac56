/* SPDX-License-Identifier: MIT */
/*
 * Pairs of AF_UNIX sockets: streams, datagrams and sequenced packets, their ends, readiness, and
 * several processes.  Linux says the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

static volatile sig_atomic_t broken;

static void note(int number)
{
	(void)number;
	broken++;
}

static void make(int type, int s[2])
{
	if (socketpair(AF_UNIX, type, 0, s))
		s[0] = s[1] = -1;
}

static void end(int s[2])
{
	close(s[0]);
	close(s[1]);
}

static short events(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static int is(const char *buffer, ssize_t n, const char *expected)
{
	return n == (ssize_t)strlen(expected) && !memcmp(buffer, expected, (size_t)n);
}

static void making(void)
{
	int s[2], flags;

	fails(socketpair(AF_UNIX, SOCK_STREAM, 5, s), EPROTONOSUPPORT, "an unknown protocol");
	fails(socketpair(AF_UNIX, SOCK_RDM, 0, s), ESOCKTNOSUPPORT, "an unknown type");
	fails(socketpair(AF_INET, SOCK_STREAM, 0, s), EOPNOTSUPP, "no pairs of AF_INET");
	make(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, s);
	flags = fcntl(s[0], F_GETFL);
	ok(s[0] >= 0 && flags == (O_RDWR | O_NONBLOCK), "SOCK_NONBLOCK");
	ok(fcntl(s[1], F_GETFD) == FD_CLOEXEC, "SOCK_CLOEXEC");
	end(s);
}

static void options(int type)
{
	struct sockaddr_un name = {.sun_family = 0};
	socklen_t length = sizeof(name);
	struct ucred peer = {0};
	struct stat st;
	int s[2], number;

	make(type, s);
	ok(!getsockname(s[0], (struct sockaddr *)&name, &length) && name.sun_family == AF_UNIX &&
	           length == sizeof(sa_family_t),
	   "it has the empty name");
	length = sizeof(name);
	ok(!getpeername(s[0], (struct sockaddr *)&name, &length) && length == sizeof(sa_family_t),
	   "and its peer too");
	length = sizeof(number);
	ok(!getsockopt(s[0], SOL_SOCKET, SO_TYPE, &number, &length) && number == type, "SO_TYPE");
	ok(!getsockopt(s[0], SOL_SOCKET, SO_DOMAIN, &number, &length) && number == AF_UNIX,
	   "SO_DOMAIN");
	ok(!getsockopt(s[0], SOL_SOCKET, SO_ERROR, &number, &length) && number == 0, "SO_ERROR");
	ok(!getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &number, &length) && number >= 65536,
	   "SO_SNDBUF");
	fails(getsockopt(s[0], IPPROTO_TCP, 1, &number, &length), EOPNOTSUPP, "it is no TCP");
	length = sizeof(peer);
	ok(!getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &peer, &length) && peer.pid == getpid() &&
	           peer.uid == getuid(),
	   "SO_PEERCRED");
	ok(!fstat(s[0], &st) && S_ISSOCK(st.st_mode), "it is a socket");
	fails(lseek(s[0], 0, SEEK_SET), ESPIPE, "that has no place");
	fails(listen(s[0], 1), type == SOCK_DGRAM ? EOPNOTSUPP : EINVAL, "it takes no connections");
	fails(accept(s[0], NULL, NULL), type == SOCK_DGRAM ? EOPNOTSUPP : EINVAL, "and none comes");
	end(s);
}

static void stream(void)
{
	char buffer[64];
	int s[2], n;

	make(SOCK_STREAM, s);
	ok(events(s[0]) == POLLOUT, "it is writable at first");
	ok(write(s[0], "one", 3) == 3 && send(s[0], "two", 3, 0) == 3, "two writes");
	ok(events(s[1]) == (POLLIN | POLLOUT), "make the other end readable");
	ok(!ioctl(s[1], FIONREAD, &n) && n == 6, "FIONREAD");
	ok(is(buffer, recv(s[1], buffer, 4, MSG_PEEK), "onet"), "MSG_PEEK");
	ok(is(buffer, recv(s[1], buffer, sizeof(buffer), 0), "onetwo"), "are one read");
	fails(recv(s[1], buffer, 1, MSG_DONTWAIT), EAGAIN, "MSG_DONTWAIT");
	ok(write(s[1], "back", 4) == 4 && is(buffer, read(s[0], buffer, 64), "back"), "and back");
	fails(sendto(s[0], "x", 1, 0, (struct sockaddr *)&(struct sockaddr_un){.sun_family = 1}, 2),
	      EISCONN, "an address has no place in it");
	ok(!shutdown(s[0], SHUT_WR), "one half is shut");
	ok(events(s[1]) == (POLLIN | POLLOUT | POLLRDHUP), "the other end sees it");
	ok(read(s[1], buffer, 1) == 0, "and reads the end");
	broken = 0;
	fails(write(s[0], "x", 1), EPIPE, "what was shut cannot be written");
	ok(broken == 1, "with SIGPIPE");
	fails(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE, "MSG_NOSIGNAL");
	ok(broken == 1, "without");
	ok(write(s[1], "still", 5) == 5 && is(buffer, read(s[0], buffer, 64), "still"),
	   "the other half goes on");
	ok(!shutdown(s[1], SHUT_WR), "until that is shut too");
	ok(events(s[0]) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP), "then it is hung up");
	fails(shutdown(s[1], 3), EINVAL, "no third half");
	end(s);
}

static void stream_ends(void)
{
	char buffer[64];
	int s[2], number;
	socklen_t length = sizeof(number);

	make(SOCK_STREAM, s);
	write(s[0], "last", 4);
	close(s[0]);
	ok(events(s[1]) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP), "the other end was closed");
	ok(is(buffer, read(s[1], buffer, 64), "last"), "what it wrote is there");
	ok(read(s[1], buffer, 64) == 0, "then the end");
	fails(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE, "nothing can be written");
	close(s[1]);
	make(SOCK_STREAM, s);
	write(s[0], "unread", 6);
	close(s[1]);
	ok(events(s[0]) & POLLERR, "the other end left something unread");
	fails(read(s[0], buffer, 64), ECONNRESET, "a read says so");
	ok(read(s[0], buffer, 64) == 0, "once");
	close(s[0]);
	make(SOCK_STREAM, s);
	write(s[0], "unread", 6);
	close(s[1]);
	ok(!getsockopt(s[0], SOL_SOCKET, SO_ERROR, &number, &length) && number == ECONNRESET,
	   "SO_ERROR says it instead");
	ok(read(s[0], buffer, 64) == 0, "and the read then does not");
	close(s[0]);
}

static void messages(int type)
{
	char buffer[64];
	struct iovec iov = {.iov_base = buffer, .iov_len = 4};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	static char large[70000], got[70000];
	int s[2], n;

	make(type, s);
	ok(send(s[0], "first", 5, 0) == 5 && send(s[0], "second", 6, 0) == 6, "two messages");
	ok(is(buffer, recv(s[1], buffer, 64, 0), "first"), "come one by one");
	ok(recv(s[1], buffer, 3, MSG_PEEK | MSG_TRUNC) == 6, "MSG_TRUNC tells the whole length");
	ok(is(buffer, recvmsg(s[1], &m, 0), "seco") && m.msg_flags == MSG_TRUNC,
	   "what does not fit is lost");
	fails(recv(s[1], buffer, 64, MSG_DONTWAIT), EAGAIN, "with all of it");
	ok(send(s[0], "", 0, 0) == 0 && send(s[0], "x", 1, 0) == 1, "an empty message");
	ok(recv(s[1], buffer, 64, 0) == 0 && recv(s[1], buffer, 64, 0) == 1, "is one");
	memset(large, 'l', sizeof(large));
	ok(send(s[0], large, sizeof(large), 0) == sizeof(large), "a large one");
	ok(recv(s[1], got, sizeof(got), 0) == sizeof(got) && !memcmp(large, got, sizeof(got)),
	   "comes whole");
	n = 0;
	while (send(s[0], large, 1000, MSG_DONTWAIT) == 1000 && n < 10000)
		n++;
	ok(errno == EAGAIN && n > 50, "there is room for some only");
	ok(!(events(s[0]) & POLLOUT), "then it is not writable");
	while (n && recv(s[1], got, sizeof(got), MSG_DONTWAIT) == 1000)
		n--;
	ok(n == 0 && events(s[0]) & POLLOUT, "until all was read");
	fails(send(s[0], large, 64 << 20, 0), EMSGSIZE, "one that can never fit");
	end(s);
}

static void messages_end(void)
{
	char buffer[64];
	int s[2];

	make(SOCK_SEQPACKET, s);
	send(s[0], "last", 4, 0);
	close(s[0]);
	ok(is(buffer, recv(s[1], buffer, 64, 0), "last") && recv(s[1], buffer, 64, 0) == 0,
	   "sequenced packets have an end");
	fails(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE, "EPIPE");
	close(s[1]);
	make(SOCK_DGRAM, s);
	close(s[0]);
	fails(send(s[1], "x", 1, MSG_NOSIGNAL), ECONNREFUSED, "a datagram's receiver is gone");
	fails(send(s[1], "x", 1, MSG_NOSIGNAL), ENOTCONN, "and then it has none");
	fails(recv(s[1], buffer, 64, MSG_DONTWAIT), EAGAIN, "there is no end to read");
	close(s[1]);
}

/* A megabyte through a process and back, in pieces that no buffer's size divides. */
static void processes(void)
{
	enum { TOTAL = 1 << 20 };
	static uint8_t sent[TOTAL], received[TOTAL];
	int s[2], status = -1;
	size_t put = 0, got = 0;
	pid_t child;

	make(SOCK_STREAM, s);
	for (size_t i = 0; i < TOTAL; i++)
		sent[i] = (uint8_t)(i * 7 + i / 251);
	child = fork();
	if (!child) {
		uint8_t piece[997];
		ssize_t n;

		close(s[0]);
		while ((n = read(s[1], piece, sizeof(piece))) > 0)
			if (write(s[1], piece, (size_t)n) != n)
				_exit(2);
		_exit(n ? 1 : 0);
	}
	close(s[1]);
	while (got < TOTAL) {
		struct pollfd p = {.fd = s[0], .events = put < TOTAL ? POLLIN | POLLOUT : POLLIN};
		ssize_t n;

		if (poll(&p, 1, 20000) <= 0)
			break;
		if (p.revents & POLLOUT && put < TOTAL) {
			n = send(s[0], sent + put, TOTAL - put, MSG_DONTWAIT);
			put += n > 0 ? (size_t)n : 0;
			if (put == TOTAL)
				shutdown(s[0], SHUT_WR);
		}
		if (p.revents & POLLIN) {
			n = read(s[0], received + got, TOTAL - got);
			if (n <= 0)
				break;
			got += (size_t)n;
		}
	}
	waitpid(child, &status, 0);
	ok(got == TOTAL && !memcmp(sent, received, TOTAL), "a megabyte there and back");
	ok(status == 0, "and the child read the end");
	close(s[0]);
}

static void kills(void)
{
	char buffer[8];
	int s[2];
	pid_t child;

	make(SOCK_STREAM, s);
	child = fork();
	if (!child) {
		close(s[0]);
		pause();
		_exit(0);
	}
	close(s[1]);
	kill(child, SIGKILL);
	ok(read(s[0], buffer, 8) == 0, "a killed process has closed its end");
	waitpid(child, NULL, 0);
	close(s[0]);
}

static void waits(void)
{
	const struct timeval time = {.tv_usec = 50000};
	char buffer[8] = "";
	int s[2];
	pid_t child;

	make(SOCK_STREAM, s);
	setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	fails(read(s[0], buffer, 1), EAGAIN, "SO_RCVTIMEO");
	child = fork();
	if (!child) {
		for (int i = 0; i < 4; i++) {
			usleep(20000);
			if (write(s[1], "abcd" + i, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 20}, sizeof(time));
	ok(is(buffer, recv(s[0], buffer, 4, MSG_WAITALL), "abcd"), "MSG_WAITALL");
	waitpid(child, NULL, 0);
	end(s);
}

static int executed(char **argv)
{
	char buffer[8];
	int fd = atoi(argv[1]);

	return is(buffer, read(fd, buffer, 8), "before") && write(fd, "after", 5) == 5 ? 0 : 1;
}

static void across_exec(char *self)
{
	char number[8], *arguments[] = {self, number, NULL}, buffer[8];
	int s[2], status = -1;
	pid_t child;

	make(SOCK_STREAM, s);
	snprintf(number, sizeof(number), "%d", s[1]);
	write(s[0], "before", 6);
	child = fork();
	if (!child) {
		close(s[0]);
		execv("/proc/self/exe", arguments);
		_exit(127);
	}
	close(s[1]);
	waitpid(child, &status, 0);
	ok(status == 0 && is(buffer, read(s[0], buffer, 8), "after"), "an end crosses exec");
	ok(read(s[0], buffer, 8) == 0, "and ends with the program");
	close(s[0]);
}

int main(int argc, char **argv)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};

	if (argc > 1)
		return executed(argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(100);
	signal(SIGPIPE, note);
	making();
	for (int i = 0; i < 3; i++)
		options(types[i]);
	stream();
	stream_ends();
	messages(SOCK_DGRAM);
	messages(SOCK_SEQPACKET);
	messages_end();
	processes();
	kills();
	waits();
	across_exec(argv[0]);
	return tap_finish();
}
