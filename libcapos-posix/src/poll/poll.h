/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of poll: the descriptors of eventfd across exec.
 */
#ifndef POSIX_POLL_H
#define POSIX_POLL_H

struct carried;
struct file;

/* 0 or -errno. */
int eventfd_restore(const struct carried *in, struct file **out);

#endif
