/* SPDX-License-Identifier: MIT */
/*
 * Connects to HOST PORT, sends "ready\n", reads one line, and ends as the word in it says: "fault"
 * touches what is not there, "abort", "kill", "exit" (with the connection open), "flood" (when it
 * has written 3,000,000 bytes) or "spin" (until it is ended).
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLOOD 3000000

static volatile int *volatile nowhere = (volatile int *)8;
static char flood[FLOOD];

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	char line[20] = "";
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 3 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1)
		return 2;
	address.sin_port = htons(atoi(argv[2]));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return 3;
	if (write(fd, "ready\n", 6) != 6 || read(fd, line, sizeof(line) - 1) <= 0)
		return 4;
	if (strcmp(line, "fault\n") == 0)
		*nowhere = 1;
	else if (strcmp(line, "abort\n") == 0)
		abort();
	else if (strcmp(line, "kill\n") == 0)
		raise(SIGKILL);
	else if (strcmp(line, "flood\n") == 0)
		return write(fd, flood, FLOOD) == FLOOD ? 0 : 5;
	else if (strcmp(line, "spin\n") == 0)
		for (;;)
			;
	return 0;
}
