/* SPDX-License-Identifier: MIT */
/*
 * Moving bytes between the program's vectors and somewhere else, the same for queues, pipes,
 * datagrams and files.
 */
#ifndef POSIX_VECTOR_H
#define POSIX_VECTOR_H

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

size_t vector_length(const struct iovec *iov, int n);

/* The pieces of a vector are the program's: movers reach them by user.h.  Moves up to length bytes
 * at `piece`; done: what was moved of the vector in this call so far.  How many were moved; fewer
 * than length ends the walk.  -EFAULT: none, since the first cannot be reached. */
typedef ssize_t vector_mover(void *context, void *piece, size_t length, size_t done);
/* Calls move for each piece of the vector from byte `skip` on; how many bytes were moved, or
 * -EFAULT: the first cannot be reached. */
ssize_t vector_move(const struct iovec *iov, int n, size_t skip, vector_mover *move, void *context);
/* What a mover returns that was to copy length bytes and left some. */
static inline ssize_t vector_moved(size_t length, size_t left)
{
	return left == length && length ? -EFAULT : (ssize_t)(length - left);
}

/* Stores length bytes at byte `skip` of the vector, which has that much: 0 or -EFAULT. */
int vector_put(const struct iovec *iov, int n, size_t skip, const void *from, size_t length);
/* Copies to or from one piece of memory, as much as both have; how many bytes, or -EFAULT. */
ssize_t vector_gather(void *to, size_t size, const struct iovec *iov, int n, size_t skip);
ssize_t vector_scatter(const struct iovec *iov, int n, const void *from, size_t length);

#endif
