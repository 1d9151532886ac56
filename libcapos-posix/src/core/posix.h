/* SPDX-License-Identifier: MIT */
/*
 * What the parts of libcapos-posix ask of each other besides fd.h: start, signals, waiting.  All of
 * it runs inside the dispatcher, with upcalls masked, on the program's stack: no malloc, no errno,
 * no thread-local storage, no stdio.
 *
 * syscalls.h lists every system call with its subject.  A subject's files define its sys_
 * functions:
 * - sockets, poll: socket*.c, poll.c; stream.c has stream_create() below.
 * - files: file*.c, path*.c, dir*.c, for descriptors of any kind through the kind's operations.
 * - All others: the file of that name, io.c, fd.c, pipe.c.
 *
 * Arguments are as the Linux system call on x86-64 has them, structures as musl's public headers
 * have them; pointers of the program are used as they are.
 *
 * What musl's own files call is named __capos_*; every other global name here becomes local to the
 * library when it is linked, so it cannot collide with a program's.
 */
#ifndef POSIX_POSIX_H
#define POSIX_POSIX_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/abi.h>

struct file;

/* ---- Provided by stream.c ---- */

/* A description over a ByteStream; flags: O_RDONLY or O_WRONLY.  Attaches the channel at once.  0
 * or -errno; takes the capability over when it succeeds. */
int stream_create(cap_t object, int flags, struct file **out);

/* ---- Signals ---- */

/* Makes a signal pending for this process, delivered before the system call returns.  Writers of
 * pipes, streams and sockets answer -EPIPE; write and writev raise SIGPIPE for it, send* do it
 * themselves unless MSG_NOSIGNAL. */
void signal_raise(int signal);
/* True when a signal that is not blocked and not ignored waits to be delivered: a blocking call
 * ends with -EINTR then.  process_wait() looks by itself. */
bool signal_waiting(void);
/* For ppoll, pselect: this set of blocked signals (NULL: none given) is in force until the call has
 * ended and the handlers that ended it have run.  -EINVAL when size is not 8. */
int signal_mask_for_call(const uint64_t *set, uint64_t size);
/* The running call answers EINTR even to handlers with SA_RESTART (a socket with SO_RCVTIMEO). */
void signal_no_restart(void);

/* ---- Time ---- */

struct timespec;
/* Monotonic deadline so many nanoseconds from now, UINT64_MAX when that is beyond the clock's
 * end. */
uint64_t deadline_after(uint64_t ns);
/* -EINVAL when t is no valid interval (negative, nanoseconds of a second or more). */
int timespec_to_ns(const struct timespec *t, uint64_t *ns);
void ns_to_timespec(int64_t ns, struct timespec *t);

#endif
