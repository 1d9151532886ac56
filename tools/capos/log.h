/* SPDX-License-Identifier: MIT */
/*
 * The machine's log: what comes from its serial port, cleaned of control characters at once
 * (clean.h).  The last part of it is always kept, to be shown when the machine fails; all of it
 * goes to the file, up to a limit, and to stderr as the user asked.
 */
#ifndef CAPOS_TOOLS_LOG_H
#define CAPOS_TOOLS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/capos/clean.h"

#define LOG_KEPT       16384 /* bytes */
#define LOG_PANIC_LINE 256

struct log {
	int fd;         /* of --log, or -1; the log's own */
	uint64_t limit; /* bytes of that file, its last line apart */
	uint64_t written;
	bool cut; /* the limit was reached: the file has its last line */
	bool verbose;
	bool any; /* something came */
	struct clean clean;
	char kept[LOG_KEPT];
	size_t length;
	char line[LOG_PANIC_LINE]; /* the line being received, cut to this */
	size_t line_length;
	/* The last line that starts with "PANIC: ", or empty.  Any process can write such a line;
	 * it is the kernel's only if the machine has ended with CAPOS_PANIC_STATUS. */
	char panic[LOG_PANIC_LINE];
};

void log_init(struct log *log, int fd, uint64_t limit, bool verbose);
void log_add(struct log *log, const char *bytes, size_t size);
/* Prints the last lines to stderr, unless they were shown as they came. */
void log_show_tail(const struct log *log);
void log_finish(struct log *log);

#endif
