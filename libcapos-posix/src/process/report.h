/* SPDX-License-Identifier: MIT */
/*
 * Reports of processes: of this one, and of others, who make theirs themselves.
 */
#ifndef POSIX_REPORT_H
#define POSIX_REPORT_H

#include <stdint.h>

#include "file/file.h"

/* Where a link of /proc/self/fd leads: a path, or the kind and the number. */
void report_descriptor(struct file *f, char *out, size_t size);
/* The working directory and the file of the image; "": it has no path. */
void report_directory(char out[PATH_BYTES]);
void report_image(char out[PATH_BYTES]);

/* Calls visit for each record of another process ("exe", "cwd", "root", "fd/N") until that returns
 * other than 0: that result, 0, or -errno; -EAGAIN: it does not answer now. */
typedef int report_visit(const char *name, const char *text, void *context);
int report_get(uint32_t number, report_visit *visit, void *context);

#endif
