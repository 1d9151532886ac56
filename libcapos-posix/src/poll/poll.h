/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of poll: its descriptors across exec.
 */
#ifndef POSIX_POLL_H
#define POSIX_POLL_H

struct carried;
struct file;

/* 0 or -errno. */
int eventfd_restore(const struct carried *in, struct file **out);
int epoll_restore(const struct carried *in, struct file **out);
/* All descriptors are restored: what epoll watches is found by their numbers. */
void epoll_restored(void);

/* The description goes: nobody watches it any more. */
void epoll_forget(const struct file *f);

#endif
