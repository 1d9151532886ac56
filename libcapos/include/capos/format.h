/* SPDX-License-Identifier: MIT */
/*
 * Formatting of text, for native processes and the kernel: pure, allocates nothing.
 */
#ifndef CAPOS_FORMAT_H
#define CAPOS_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* %s %.*s %c %d %i %u %x %X %p %% with l, ll, z, width, 0 and - ; as snprintf otherwise. */
int fmt_snprintf(char *buffer, size_t size, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
int fmt_vsnprintf(char *buffer, size_t size, const char *format, va_list args);

#endif
