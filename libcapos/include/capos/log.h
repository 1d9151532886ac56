/* SPDX-License-Identifier: MIT */
/*
 * Logging and formatting of native processes.  Lines go to the Log capability named "log", when
 * there is one; never to the program's stdout.
 */
#ifndef CAPOS_LOG_H
#define CAPOS_LOG_H

#include <stdarg.h>
#include <stddef.h>

#include <capos/abi.h>

/* %s %.*s %c %d %i %u %x %p %% with l, ll, z, width, 0 and - ; as snprintf otherwise. */
int fmt_snprintf(char *buffer, size_t size, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
int fmt_vsnprintf(char *buffer, size_t size, const char *format, va_list args);

/* Names the Log capability of a process that was not given one by name (init). */
void log_set(cap_t log);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Logs and ends the process with status 1. */
_Noreturn void log_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
