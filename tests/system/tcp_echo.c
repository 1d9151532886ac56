/* SPDX-License-Identifier: MIT */
/*
 * Sends back what each connection to the port argv[1] sends, for any number of connections at once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 300

int main(int argc, char **argv)
{
	static struct pollfd fds[1 + CONNECTIONS_MAX];
	static char buffer[4096];
	struct sockaddr_in address = {.sin_family = AF_INET};
	nfds_t n = 1;

	if (argc != 2)
		return 2;
	address.sin_port = htons((unsigned short)atoi(argv[1]));
	fds[0] = (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN};
	if (bind(fds[0].fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fds[0].fd, 128) < 0) {
		perror("tcp_echo");
		return 1;
	}
	for (;;) {
		if (poll(fds, n, -1) < 0 && errno != EINTR)
			return 1;
		for (nfds_t i = n; i-- > 1;) {
			ssize_t got;

			if (!fds[i].revents)
				continue;
			got = read(fds[i].fd, buffer, sizeof(buffer));
			if (got > 0 && write(fds[i].fd, buffer, (size_t)got) == got)
				continue;
			close(fds[i].fd);
			fds[i] = fds[--n];
		}
		if ((fds[0].revents & POLLIN) && n <= CONNECTIONS_MAX) {
			int fd = accept(fds[0].fd, NULL, NULL);

			if (fd < 0)
				perror("accept");
			else
				fds[n++] = (struct pollfd){.fd = fd, .events = POLLIN};
		}
	}
}
