/* SPDX-License-Identifier: MIT */
/*
 * One direction of bytes.
 */
#include "tools/capos/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "tools/capos/capos.h"

void pump_init(struct pump *pump, int from, int to, size_t chunk)
{
	*pump = (struct pump){
	        .from = from, .to = to, .buffer = must(malloc(PUMP_BUFFER)), .chunk = chunk};
}

void pump_free(struct pump *pump)
{
	free(pump->buffer);
	pump->buffer = NULL;
}

int pump_output(int fd, size_t *chunk)
{
	struct stat st;
	char path[32];

	*chunk = PUMP_BUFFER;
	if (fstat(fd, &st) != 0)
		return -1;
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		int again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (again >= 0)
			return again;
	}
	/* poll promises room for this much, no more. */
	*chunk = PIPE_BUF;
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void pump_prepare(const struct pump *pump, struct pollfd *from, struct pollfd *to)
{
	bool full = pump->end == PUMP_BUFFER && pump->start == 0;

	*from = (struct pollfd){.fd = full ? -1 : pump->from, .events = POLLIN};
	*to = (struct pollfd){.fd = pump_is_empty(pump) ? -1 : pump->to, .events = POLLOUT};
}

bool pump_read(struct pump *pump)
{
	if (pump->from < 0)
		return false;
	if (pump_is_empty(pump))
		pump->start = pump->end = 0;
	if (pump->end == PUMP_BUFFER && pump->start > 0) {
		memmove(pump->buffer, pump->buffer + pump->start, pump->end - pump->start);
		pump->end -= pump->start;
		pump->start = 0;
	}
	if (pump->end == PUMP_BUFFER)
		return true;
	ssize_t n = read(pump->from, pump->buffer + pump->end, PUMP_BUFFER - pump->end);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		pump->from = -1;
		return false;
	}
	pump->end += (size_t)n;
	if (pump->to < 0)
		pump->start = pump->end = 0;
	return true;
}

void pump_write(struct pump *pump)
{
	while (!pump_is_empty(pump) && pump->to >= 0) {
		size_t size = pump->end - pump->start;
		ssize_t n = write(pump->to, pump->buffer + pump->start,
		                  size < pump->chunk ? size : pump->chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			pump->refused = true;
			pump->error = errno;
			pump->to = -1;
			break;
		}
		pump->start += (size_t)n;
		if (pump->chunk < PUMP_BUFFER)
			return; /* poll's promise is used up */
	}
	if (pump->to < 0)
		pump->start = pump->end = 0;
}
