/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of streams: standard input, output and error.
 */
#ifndef POSIX_TERMINAL_H
#define POSIX_TERMINAL_H

#include <capos/abi.h>

struct carried;
struct file;

/* A description over a ByteStream; flags: O_RDONLY or O_WRONLY.  Attaches the channel at once.  0
 * or -errno; takes the capability over when it succeeds. */
int stream_create(cap_t object, int flags, struct file **out);
/* Of all streams: what a console that has ended had not taken goes to the next one. */
void streams_settle(void);
/* A description that refuses everything.  0 or -ENOMEM. */
int denied_create(int flags, struct file **out);

/* After exec: 0 or -errno. */
int stream_restore(const struct carried *in, struct file **out);
int denied_restore(const struct carried *in, struct file **out);

#endif
