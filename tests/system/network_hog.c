/* SPDX-License-Identifier: MIT */
/*
 * Takes all the memory that it can get, and then uses the network: opens sockets until one is
 * refused, and listens on the port argv[1] without ever accepting.  Prints what it saw; then waits
 * for a line on stdin, gives the memory back, and accepts and reads every connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <capos/cap.h>
#include <capos/start.h>

#define PIECES_MAX 4096

static cap_t pieces[PIECES_MAX];
static int npieces;

/* This much stays: too little for a socket, enough for what the program itself touches. */
#define LEFT_OVER (80ul << 10)

/* From large pieces to small ones, until no page is left; then the left-over is given back. */
static void take_memory(void)
{
	cap_t account, left_over;

	if (cap_account(&account) || cap_account_create_memory(account, LEFT_OVER, &left_over))
		abort();
	memset(pieces, 0xff, sizeof(pieces)); /* its pages are there from now on */
	for (unsigned long size = 64ul << 20; size >= 4096; size /= 2)
		while (npieces < PIECES_MAX &&
		       !cap_account_create_memory(account, size, &pieces[npieces]))
			npieces++;
	cap_release(left_over);
}

static void give_memory_back(void)
{
	while (npieces > 0)
		cap_release(pieces[--npieces]);
}

static int listen_on(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	                              .sin_port = htons((unsigned short)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 128) < 0)
		abort();
	return fd;
}

int main(int argc, char **argv)
{
	static char buffer[65536];
	int listener, opened = 0, accepted = 0, refused;
	char line[16];

	start_init((const unsigned long *)argv - 1);
	if (argc != 2)
		return 2;
	listener = listen_on(argv[1]);
	take_memory();
	while (socket(AF_INET, SOCK_STREAM, 0) >= 0)
		opened++;
	refused = errno;
	printf("sockets %s\n", refused == ENOMEM || refused == ENOBUFS ? "refused" : "other");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	refused = accept(listener, NULL, NULL) < 0 ? errno : 0;
	printf("accept %s\n", refused == ENOMEM || refused == ENOBUFS ? "refused" : "other");
	fflush(stdout);
	give_memory_back();
	while (accepted < atoi(line)) {
		int fd = accept(listener, NULL, NULL);
		ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer));

		if (n <= 0)
			break;
		accepted++;
		close(fd);
	}
	printf("accepted %d\n", accepted);
	return 0;
}
