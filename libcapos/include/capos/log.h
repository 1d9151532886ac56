/* SPDX-License-Identifier: MIT */
/*
 * Logging of native processes.  Lines go to the Log capability named "log", when
 * there is one; never to the program's stdout.
 */
#ifndef CAPOS_LOG_H
#define CAPOS_LOG_H

#include <capos/abi.h>
#include <capos/format.h>

/* Names the Log capability of a process that was not given one by name (init). */
void log_set(cap_t log);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Logs and ends the process with status 1. */
_Noreturn void log_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Logs it with the error's text behind, and ends the process: with LOG_EXIT_NO_MEMORY if the error
 * is CAP_ENOMEM, by which a process's parent can tell. */
_Noreturn void log_fatal_error(int error, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
#define LOG_EXIT_NO_MEMORY 71 /* as EX_OSERR of other systems */

#endif
