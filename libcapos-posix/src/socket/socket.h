/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of sockets.
 */
#ifndef POSIX_SOCKET_H
#define POSIX_SOCKET_H

struct carried;
struct file;

/* After exec: 0 or -errno. */
int socket_restore(const struct carried *in, struct file **out);
int local_restore(const struct carried *in, struct file **out); /* of a pair of AF_UNIX */
int named_restore(const struct carried *in, struct file **out); /* of AF_UNIX with names */

#endif
