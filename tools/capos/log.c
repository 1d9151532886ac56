/* SPDX-License-Identifier: MIT */
/*
 * The machine's log.  Its bytes are the guest's: they are kept and shown, never trusted to be text.
 */
#include "tools/capos/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/capos/capos.h"

#define TAIL_LINES 12

void log_init(struct log *log, int fd, bool verbose)
{
	memset(log, 0, sizeof(*log));
	log->fd = fd;
	log->verbose = verbose;
}

static void keep(struct log *log, const char *bytes, size_t size)
{
	if (size > LOG_KEPT) {
		bytes += size - LOG_KEPT;
		size = LOG_KEPT;
	}
	if (log->length + size > LOG_KEPT) {
		/* Half at once, so that a long log is not moved byte by byte. */
		size_t kept = LOG_KEPT - size < LOG_KEPT / 2 ? LOG_KEPT - size : LOG_KEPT / 2;
		if (kept > log->length)
			kept = log->length;
		memmove(log->kept, log->kept + log->length - kept, kept);
		log->length = kept;
	}
	memcpy(log->kept + log->length, bytes, size);
	log->length += size;
}

static void look_for_panic(struct log *log, const char *bytes, size_t size)
{
	static const char mark[] = "PANIC: ";

	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != '\n' && bytes[i] != '\r') {
			if (log->line_length < LOG_PANIC_LINE - 1)
				log->line[log->line_length++] = bytes[i];
			continue;
		}
		log->line[log->line_length] = '\0';
		if (log->panic[0] == '\0' && strncmp(log->line, mark, sizeof(mark) - 1) == 0)
			memcpy(log->panic, log->line, log->line_length + 1);
		log->line_length = 0;
	}
}

static void write_out(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return; /* a log that cannot be written must not end the program's run */
		bytes += n;
		size -= (size_t)n;
	}
}

void log_add(struct log *log, const char *bytes, size_t size)
{
	log->any = true;
	keep(log, bytes, size);
	look_for_panic(log, bytes, size);
	if (log->fd >= 0)
		write_out(log->fd, bytes, size);
	if (log->verbose)
		write_out(STDERR_FILENO, bytes, size);
}

void log_show_tail(const struct log *log)
{
	size_t start = log->length;
	int lines = 0;

	if (log->verbose || log->length == 0)
		return;
	while (start > 0 && lines <= TAIL_LINES) {
		if (start < log->length && log->kept[start - 1] == '\n')
			lines++;
		if (lines <= TAIL_LINES)
			start--;
	}
	fprintf(stderr, "the machine's last lines:\n");
	for (size_t i = start; i < log->length; i++) {
		char c = log->kept[i];
		fputc(c == '\n' || c == '\t' || (c >= ' ' && c <= '~') ? c : '?', stderr);
	}
	if (log->kept[log->length - 1] != '\n')
		fputc('\n', stderr);
}

void log_finish(struct log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}
