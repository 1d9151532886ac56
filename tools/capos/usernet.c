/* SPDX-License-Identifier: MIT */
/*
 * QEMU's monitor, asked one thing.  It is asked only when the program has ended, so nothing else is
 * on the line but its greeting and events, which are passed over.
 */
#include "tools/capos/usernet.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

/* QEMU answers within a turn of its main loop; one on a loaded host may be late. */
#define REPLY_MS 1000
/* The first command is refused when it was sent before, which does no harm. */
#define QUESTION                                                     \
	"{\"execute\":\"qmp_capabilities\"}\n"                       \
	"{\"execute\":\"human-monitor-command\",\"id\":\"usernet\"," \
	"\"arguments\":{\"command-line\":\"info usernet\"}}\n"
#define ANSWER_ID "\"id\": \"usernet\""

/* One row: protocol[state], descriptor, source and its port, destination and its port, then the
 * bytes on their way to the host and those on their way to the guest. */
static uint64_t held_by_row(const char *row)
{
	const char *end = strchr(row, '\\');
	const char *at = end ? end : row + strlen(row);

	for (int field = 0; field < 2; field++) {
		while (at > row && at[-1] == ' ')
			at--;
		while (at > row && at[-1] != ' ')
			at--;
	}
	return strtoull(at, NULL, 10);
}

uint64_t usernet_parse(const char *reply)
{
	uint64_t held = 0;

	for (const char *row = reply; (row = strstr(row, " TCP[")); row++)
		held += held_by_row(row);
	return held;
}

uint64_t usernet_held(int monitor)
{
	static char reply[USERNET_REPLY];
	size_t length = 0;
	struct pollfd set = {.fd = monitor, .events = POLLIN};

	if (monitor < 0 || send(monitor, QUESTION, strlen(QUESTION), MSG_DONTWAIT | MSG_NOSIGNAL) <
	                           (ssize_t)strlen(QUESTION))
		return 0;
	while (length < sizeof(reply) - 1 && poll(&set, 1, REPLY_MS) > 0) {
		ssize_t n = read(monitor, reply + length, sizeof(reply) - 1 - length);

		if (n <= 0)
			return 0;
		length += (size_t)n;
		reply[length] = '\0';
		if (strstr(reply, ANSWER_ID) && reply[length - 1] == '\n')
			return usernet_parse(reply);
	}
	return 0;
}
