/* SPDX-License-Identifier: MIT */
/*
 * Files that are opened before the program asks: one that opens what it has listed, one file after
 * the other, gets several of them with one message.  And files that it has closed, which are given
 * back together.
 */
#ifndef POSIX_FILE_AHEAD_H
#define POSIX_FILE_AHEAD_H

#include <stdbool.h>

#include <capos/abi.h>

struct contents;

/* Opens a regular file to be read, if it was opened ahead and nothing has changed; false: it is to
 * be opened by a message. */
bool ahead_open(cap_t base, const char *path, struct contents *out);
/* What was listed before is forgotten. */
void ahead_relisted(void);
/* Gives both back with those that are closed next; nobody waits for it. */
void ahead_close(cap_t object, cap_t file);

#endif
