/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of threads: clone(), as far as it makes one.
 */
#ifndef POSIX_THREAD_H
#define POSIX_THREAD_H

/* The new thread's number, or -errno. */
long thread_clone(long flags, long stack, long parent_tid, long child_tid, long tls);

#endif
