/* SPDX-License-Identifier: MIT */
/*
 * A program that was given no network: every way to it is refused at once, and everything else goes
 * on.  What the next stage brings (fork, exec) says ENOSYS.
 */
#define _GNU_SOURCE
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix_tap.h"

static int refused(int domain, int type, int protocol)
{
	int fd = socket(domain, type, protocol);

	if (fd >= 0)
		close(fd);
	return fd < 0 && (errno == EACCES || errno == EPERM);
}

int main(void)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
	char *args[] = {"sh", NULL};

	setvbuf(stdout, NULL, _IOLBF, 0);
	ok(refused(AF_INET, SOCK_STREAM, 0), "TCP is refused");
	ok(refused(AF_INET, SOCK_DGRAM, 0), "UDP is refused");
	ok(refused(AF_INET, SOCK_RAW, IPPROTO_ICMP), "ICMP is refused");
	ok(getaddrinfo("example.org", "80", &hints, &list) != 0, "names are not resolved");
	ok(getaddrinfo("10.0.2.2", "80", &hints, &list) == 0, "numeric addresses are");
	fails(fork(), ENOSYS, "fork is absent");
	fails(execv("/bin/sh", args), ENOSYS, "exec is absent");
	return tap_finish();
}
