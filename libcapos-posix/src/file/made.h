/* SPDX-License-Identifier: MIT */
/*
 * Files whose contents the library makes when they are opened: those below /proc.
 */
#ifndef POSIX_MADE_H
#define POSIX_MADE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "core/core.h"

/* Contents that grow while they are made; an error (-errno) stays, and more is dropped. */
struct made_text {
	char *bytes;
	size_t used, size;
	int error;
};
void made_print(struct made_text *text, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
void made_bytes(struct made_text *text, const void *bytes, size_t length);
/* An entry of a directory; type: DT_*. */
void made_entry(struct made_text *text, unsigned char type, unsigned long inode, const char *name);
void made_drop(struct made_text *text);

/* Makes a description of the text, which it takes over; st: what stat says of its path.  0 or
 * -errno. */
int made_open(struct made_text *text, const struct stat *st, int flags, struct file **out);
int made_restore(const struct carried *in, struct file **out);

/* What makes them, of the process room; open and stat return 1 for a path that is not their own. */
struct made_files {
	int (*open)(const char *path, int flags, struct file **out);
	int (*stat)(const char *path, bool follow, struct stat *st);
	/* How long the target is, which is cut at size; 0: the path is not its own. */
	long (*read_link)(const char *path, char *target, size_t size);
};
void made_set_files(const struct made_files *files);
extern struct made_files made_files;

#endif
