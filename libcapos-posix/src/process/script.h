/* SPDX-License-Identifier: MIT */
/*
 * Scripts: files whose first line names their interpreter.
 */
#ifndef POSIX_SCRIPT_H
#define POSIX_SCRIPT_H

#include <stdint.h>

#define SCRIPT_LINE_MAX 256u /* bytes of the first line that count, as on Linux */
#define SCRIPTS_MAX     5    /* scripts that interpret scripts, as on Linux */

struct script_line {
	char text[SCRIPT_LINE_MAX];
	char *interpreter;
	char *argument; /* NULL: none */
};

/* 1: it is a script; 0: it is none; -ENOEXEC: its line names no interpreter. */
int script_read(const void *file, uint64_t size, struct script_line *line);

#endif
