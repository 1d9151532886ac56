/* SPDX-License-Identifier: MIT */
/*
 * A server at port 80 that greets each client and keeps the connection open.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/socket.h>

int main(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(listener, SOMAXCONN) != 0)
		return 1;
	puts("ready");
	fflush(stdout);
	for (;;) {
		int client = accept(listener, NULL, NULL);
		if (client < 0)
			return 2;
		if (write(client, "hello\n", 6) != 6)
			close(client);
	}
}
