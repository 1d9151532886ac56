/* SPDX-License-Identifier: MIT */
/*
 * A program that was given no network: every way to it is refused at once, to its children too, and
 * everything else goes on.
 */
#define _GNU_SOURCE
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

static int refused(int domain, int type, int protocol)
{
	int fd = socket(domain, type, protocol);

	if (fd >= 0)
		close(fd);
	return fd < 0 && (errno == EACCES || errno == EPERM);
}

/* The exit status of a child that tries the same, after executing program if that is given. */
static int child_status(char *program)
{
	char *args[] = {program, "again", NULL};
	int status = -1;
	pid_t child = fork();

	if (!child && program) {
		execv(program, args);
		_exit(127);
	}
	if (!child)
		_exit(refused(AF_INET, SOCK_STREAM, 0) ? 0 : 1);
	return waitpid(child, &status, 0) == child ? status : -1;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;

	if (argc > 1)
		return refused(AF_INET, SOCK_STREAM, 0) ? 0 : 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	ok(refused(AF_INET, SOCK_STREAM, 0), "TCP is refused");
	ok(refused(AF_INET, SOCK_DGRAM, 0), "UDP is refused");
	ok(refused(AF_INET, SOCK_RAW, IPPROTO_ICMP), "ICMP is refused");
	ok(getaddrinfo("example.org", "80", &hints, &list) != 0, "names are not resolved");
	ok(getaddrinfo("10.0.2.2", "80", &hints, &list) == 0, "numeric addresses are");
	ok(child_status(NULL) == 0, "a child has no more rights");
	ok(child_status(argv[0]) == 0, "nor has what it executes");
	return tap_finish();
}
