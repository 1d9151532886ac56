/* SPDX-License-Identifier: MIT */
/*
 * Sends back every datagram that arrives at the port argv[1], until an empty one arrives.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	static char buffer[65536];
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (argc != 2)
		return 2;
	address.sin_port = htons((unsigned short)atoi(argv[1]));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("udp_echo");
		return 1;
	}
	for (;;) {
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t n =
		        recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &size);

		if (n <= 0)
			return n < 0;
		if (sendto(fd, buffer, (size_t)n, 0, (struct sockaddr *)&from, size) < 0)
			perror("sendto");
	}
}
