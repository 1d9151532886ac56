/* SPDX-License-Identifier: MIT */
/*
 * AF_UNIX datagram sockets with names: binding, sending with and without connecting, ends, several
 * processes.  Linux says the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define HOME "/tmp/posix_unix"

static struct sockaddr_un name_of(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
	return name;
}

static int bound(const char *path)
{
	struct sockaddr_un name = name_of(path);
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);

	unlink(path);
	return s >= 0 && !bind(s, (struct sockaddr *)&name, sizeof(name)) ? s : -1;
}

static int joined(int s, const char *path)
{
	struct sockaddr_un name = name_of(path);

	return connect(s, (struct sockaddr *)&name, sizeof(name));
}

static long to(int s, const char *text, const char *path)
{
	struct sockaddr_un name = name_of(path);

	return sendto(s, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&name, sizeof(name));
}

/* Whether that message waits, from that name ("": from none). */
static int gets(int s, const char *text, const char *path)
{
	struct sockaddr_un name = {.sun_family = 77};
	socklen_t length = sizeof(name);
	char buffer[100];
	ssize_t n = recvfrom(s, buffer, sizeof(buffer), MSG_DONTWAIT, (struct sockaddr *)&name,
	                     &length);

	if (n != (ssize_t)strlen(text) || memcmp(buffer, text, (size_t)n))
		return 0;
	return *path ? name.sun_family == AF_UNIX && !strcmp(name.sun_path, path) : length == 0;
}

static short events(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static void names(void)
{
	struct sockaddr_un name = name_of("one");
	socklen_t length = sizeof(name);
	struct stat st;
	int s = bound("one"), other = socket(AF_UNIX, SOCK_DGRAM, 0);

	ok(s >= 0 && !stat("one", &st) && S_ISSOCK(st.st_mode), "bind makes a name");
	fails(bind(other, (struct sockaddr *)&name, sizeof(name)), EADDRINUSE, "once");
	name = name_of("two");
	fails(bind(s, (struct sockaddr *)&name, sizeof(name)), EINVAL, "and a socket has one");
	ok(!getsockname(s, (struct sockaddr *)&name, &length) && !strcmp(name.sun_path, "one") &&
	           length == offsetof(struct sockaddr_un, sun_path) + 4,
	   "getsockname");
	fails(getpeername(s, (struct sockaddr *)&name, &length), ENOTCONN, "it has no peer");
	fails(open("one", O_RDWR), ENXIO, "it is not opened");
	ok(chmod("one", 0600) == 0 && !stat("one", &st) && (st.st_mode & 07777) == 0600,
	   "its mode is set");
	fails(listen(s, 1), EOPNOTSUPP, "it does not listen");
	fails(joined(other, "none"), ENOENT, "no such name");
	close(open("file", O_CREAT | O_RDWR, 0600));
	fails(joined(other, "file"), ECONNREFUSED, "a file is no socket");
	fails(send(other, "x", 1, 0), ENOTCONN, "where to?");
	ok(unlink("one") == 0, "unlink");
	fails(to(other, "x", "one"), ENOENT, "the name is gone");
	close(s);
	close(other);
}

static void moving(void)
{
	int a = bound("a"), b = bound("b"), none = socket(AF_UNIX, SOCK_DGRAM, 0);
	char buffer[8], large[200] = "";
	int n = 0;

	ok(events(a) == POLLOUT, "an empty one is writable");
	ok(to(a, "from a", "b") == 6 && to(none, "from none", "b") == 9, "two senders");
	ok(events(b) == (POLLIN | POLLOUT), "make it readable");
	ok(gets(b, "from a", "a") && gets(b, "from none", ""), "their names come with it");
	ok(!joined(b, "a") && send(b, "back", 4, 0) == 4 && gets(a, "back", "b"),
	   "connect and send");
	ok(write(b, "written", 7) == 7 && gets(a, "written", "b"), "and write");
	ok(write(b, "", 0) == 0 && gets(a, "", "b"), "an empty one is one");
	ok(send(b, "cut off", 7, 0) == 7 && recv(a, buffer, 3, MSG_TRUNC) == 7, "MSG_TRUNC");
	fails(recv(a, buffer, 8, MSG_DONTWAIT), EAGAIN, "nothing is left of it");
	while (n < 100000 && send(b, large, sizeof(large), MSG_DONTWAIT) > 0)
		n++;
	ok(n > 8 && errno == EAGAIN && !(events(b) & POLLOUT), "it gets full");
	while (n && recv(a, large, sizeof(large), MSG_DONTWAIT) == sizeof(large))
		n--;
	ok(n == 0 && events(b) & POLLOUT, "and empty again");
	fails(send(b, large, 1 << 26, 0), EMSGSIZE, "too long");
	ok(!shutdown(a, SHUT_RD), "a stops to read");
	fails(send(b, "x", 1, MSG_NOSIGNAL), EPIPE, "b hears it");
	close(a);
	fails(send(b, "x", 1, MSG_NOSIGNAL), ECONNREFUSED, "a is gone");
	fails(to(none, "x", "a"), ECONNREFUSED, "its name refuses");
	fails(joined(none, "a"), ECONNREFUSED, "connections too");
	close(b);
	close(none);
}

/* As a log daemon and its clients have it. */
static void processes(void)
{
	int s = bound("log"), status = -1, right = 0;
	char buffer[64];
	pid_t child = fork();

	if (!child) {
		int own = socket(AF_UNIX, SOCK_DGRAM, 0);

		close(s);
		if (joined(own, "log"))
			_exit(1);
		for (int i = 0; i < 2000; i++) {
			int n = snprintf(buffer, sizeof(buffer), "line %d", i);

			if (send(own, buffer, (size_t)n, 0) != n)
				_exit(2);
		}
		_exit(0);
	}
	for (int i = 0; i < 2000; i++) {
		ssize_t n = recv(s, buffer, sizeof(buffer) - 1, 0);

		if (n <= 0)
			break;
		buffer[n] = 0;
		right += atoi(buffer + 5) == i;
	}
	waitpid(child, &status, 0);
	ok(status == 0 && right == 2000, "two thousand lines from another process");
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	close(s);
	s = socket(AF_UNIX, SOCK_DGRAM, 0);
	ok(to(s, "x", "log") == 1, "a child still has it");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	fails(to(s, "x", "log"), ECONNREFUSED, "until it is killed");
	close(s);
}

static int executed(char **argv)
{
	int own = atoi(argv[1]), client = atoi(argv[2]);

	if (!gets(own, "before", ""))
		return 1;
	return to(own, "x", "none") == -1 && errno == ENOENT && send(client, "after", 5, 0) == 5
	               ? 0
	               : 2;
}

static void across_exec(char *self)
{
	int own = bound("exec"), client = socket(AF_UNIX, SOCK_DGRAM, 0), status = -1;
	int closed = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char numbers[2][8], *arguments[] = {self, numbers[0], numbers[1], NULL};
	pid_t child;

	joined(client, "exec");
	joined(closed, "exec");
	to(closed, "before", "exec");
	snprintf(numbers[0], sizeof(numbers[0]), "%d", own);
	snprintf(numbers[1], sizeof(numbers[1]), "%d", client);
	child = fork();
	if (!child) {
		execv("/proc/self/exe", arguments);
		_exit(127);
	}
	waitpid(child, &status, 0);
	ok(status == 0, "both ends cross exec");
	ok(gets(own, "after", ""), "and are the same there");
	close(own);
	ok(send(client, "x", 1, 0) == -1 && errno == ECONNREFUSED, "the program's end was closed");
	close(client);
	close(closed);
}

int main(int argc, char **argv)
{
	if (argc > 2)
		return executed(argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(100);
	if ((mkdir(HOME, 0700) && errno != EEXIST) || chdir(HOME))
		return 1;
	names();
	moving();
	processes();
	across_exec(argv[0]);
	return tap_finish();
}
