/* SPDX-License-Identifier: MIT */
/*
 * The machine's log.  Its bytes are the guest's: they are cleaned, kept and shown, never trusted.
 */
#include "tools/capos/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TAIL_LINES 12

void log_init(struct log *log, int fd, uint64_t limit, bool verbose)
{
	memset(log, 0, sizeof(*log));
	log->fd = fd;
	log->limit = limit;
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
		if (bytes[i] != '\n') {
			if (log->line_length < LOG_PANIC_LINE - 1)
				log->line[log->line_length++] = bytes[i];
			continue;
		}
		log->line[log->line_length] = '\0';
		if (strncmp(log->line, mark, sizeof(mark) - 1) == 0)
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

/* Up to the limit, and then a line that says so. */
static void write_file(struct log *log, const char *bytes, size_t size)
{
	char last[80];

	if (log->cut)
		return;
	if (size <= log->limit - log->written) {
		write_out(log->fd, bytes, size);
		log->written += size;
		return;
	}
	write_out(log->fd, bytes, (size_t)(log->limit - log->written));
	log->written = log->limit;
	log->cut = true;
	int length = snprintf(last, sizeof(last), "\ncapos: the log was cut here, at %llu bytes\n",
	                      (unsigned long long)log->limit);
	write_out(log->fd, last, (size_t)length);
}

static void add_clean(struct log *log, const char *bytes, size_t size)
{
	keep(log, bytes, size);
	look_for_panic(log, bytes, size);
	if (log->fd >= 0)
		write_file(log, bytes, size);
	if (log->verbose)
		write_out(STDERR_FILENO, bytes, size);
}

void log_add(struct log *log, const char *bytes, size_t size)
{
	char text[CLEAN_SPACE(CLEAN_PIECE)];

	log->any = true;
	for (size_t done = 0; done < size;) {
		size_t n = size - done < CLEAN_PIECE ? size - done : CLEAN_PIECE;
		add_clean(log, text, clean_add(&log->clean, bytes + done, n, text));
		done += n;
	}
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
	fprintf(stderr, "the machine's last lines:\n%.*s", (int)(log->length - start),
	        log->kept + start);
	if (log->kept[log->length - 1] != '\n')
		fputc('\n', stderr);
}

void log_finish(struct log *log)
{
	char rest[CLEAN_SPACE(0)];
	size_t length = clean_finish(&log->clean, rest);

	if (length > 0)
		add_clean(log, rest, length);
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}
