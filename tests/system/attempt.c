/* SPDX-License-Identifier: MIT */
/*
 * Tries what its arguments name, one after another, and prints for each one line, "ARGUMENT
 * RESULT", where RESULT is ok, the errno's name, or getaddrinfo's:
 *
 *	tcp:HOST:PORT listen:PORT icmp:HOST udp:HOST:PORT resolve:NAME reverse:ADDRESS source:PORT
 *
 * UDP and ICMP send and wait a second for the answer; what was sent and not answered is "silent".
 */
#define _GNU_SOURCE /* EAI_NODATA */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const char *error_name(int error)
{
	static char number[20];

	switch (error) {
	case 0:
		return "ok";
	case EACCES:
		return "EACCES";
	case EPERM:
		return "EPERM";
	case ECONNREFUSED:
		return "ECONNREFUSED";
	case ETIMEDOUT:
		return "ETIMEDOUT";
	case EAGAIN:
		return "silent";
	}
	snprintf(number, sizeof(number), "errno-%d", error);
	return number;
}

static struct sockaddr_in address_of(const char *host, const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
		abort();
	return address;
}

static int open_socket(int type, int protocol)
{
	struct timeval second = {.tv_sec = 1};
	int fd = socket(AF_INET, type, protocol);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	return fd;
}

/* Each returns -1 with errno when it was not to be. */

static int try_tcp(const char *host, const char *port)
{
	struct sockaddr_in address = address_of(host, port);
	int fd = open_socket(SOCK_STREAM, 0);

	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static int try_listen(const char *port)
{
	struct sockaddr_in address = address_of("0.0.0.0", port);
	int fd = open_socket(SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return listen(fd, 1);
}

static int exchange(int fd, const struct sockaddr_in *to, const void *message, size_t length)
{
	char answer[200];

	if (fd < 0 || sendto(fd, message, length, 0, (const struct sockaddr *)to, sizeof(*to)) < 0)
		return -1;
	return recv(fd, answer, sizeof(answer), 0) < 0 ? -1 : 0;
}

static int try_udp(const char *host, const char *port)
{
	struct sockaddr_in address = address_of(host, port);

	return exchange(open_socket(SOCK_DGRAM, 0), &address, "hello", 5);
}

static int try_icmp(const char *host)
{
	/* An echo request; its checksum is the complement of its only other word. */
	static const unsigned char echo[8] = {8, 0, 0xf7, 0xff};
	struct sockaddr_in address = address_of(host, "0");

	return exchange(open_socket(SOCK_RAW, IPPROTO_ICMP), &address, echo, sizeof(echo));
}

static const char *try_resolve(const char *name)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
	static char text[INET_ADDRSTRLEN];
	int result = getaddrinfo(name, NULL, &hints, &list);

	switch (result) {
	case 0:
		return inet_ntop(AF_INET, &((struct sockaddr_in *)list->ai_addr)->sin_addr, text,
		                 sizeof(text));
	case EAI_NONAME:
		return "EAI_NONAME";
	case EAI_AGAIN:
		return "EAI_AGAIN";
	case EAI_NODATA:
		return "EAI_NODATA";
	case EAI_FAIL:
		return "EAI_FAIL";
	}
	return gai_strerror(result);
}

/* The name of an address. */
static const char *try_reverse(const char *host)
{
	struct sockaddr_in address = address_of(host, "0");
	static char name[256];
	int result = getnameinfo((struct sockaddr *)&address, sizeof(address), name, sizeof(name),
	                         NULL, 0, NI_NAMEREQD);

	return result ? "no-name" : name;
}

/* A connection from a port that the program chooses. */
static int try_source(const char *port)
{
	struct sockaddr_in address = address_of("0.0.0.0", port);
	int fd = open_socket(SOCK_STREAM, 0);

	return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof(address));
}

static const char *try(char *what)
{
	const char *kind = strtok(what, ":");
	const char *host = strtok(NULL, ":");
	const char *port = strtok(NULL, ":");
	int result;

	if (!host)
		abort();
	if (strcmp(kind, "resolve") == 0)
		return try_resolve(host);
	if (strcmp(kind, "reverse") == 0)
		return try_reverse(host);
	if (strcmp(kind, "source") == 0)
		result = try_source(host);
	else if (strcmp(kind, "tcp") == 0)
		result = try_tcp(host, port);
	else if (strcmp(kind, "udp") == 0)
		result = try_udp(host, port);
	else if (strcmp(kind, "icmp") == 0)
		result = try_icmp(host);
	else
		result = try_listen(host);
	return error_name(result < 0 ? errno : 0);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *copy = strdup(argv[i]);

		printf("%s %s\n", argv[i], try(copy));
		fflush(stdout);
		free(copy);
	}
	return 0;
}
