/* SPDX-License-Identifier: MIT */
/*
 * Vectors of the program.  Pure; their lengths were checked where the call came in (io.c,
 * socket_message.c), so sums do not overflow.
 */
#include <stdint.h>

#include "core/user.h"
#include "core/vector.h"

size_t vector_length(const struct iovec *iov, int n)
{
	size_t total = 0;

	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	return total;
}

ssize_t vector_move(const struct iovec *iov, int n, size_t skip, vector_mover *move, void *context)
{
	size_t done = 0;

	for (int i = 0; i < n; i++) {
		size_t rest;
		ssize_t moved;

		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			continue;
		}
		rest = iov[i].iov_len - skip;
		moved = move(context, (char *)iov[i].iov_base + skip, rest, done);
		if (moved < 0)
			return done ? (ssize_t)done : moved;
		done += (size_t)moved;
		if ((size_t)moved < rest)
			break;
		skip = 0;
	}
	return (ssize_t)done;
}

struct buffer {
	uint8_t *bytes;
	size_t size;
};

static ssize_t to_buffer(void *context, void *piece, size_t length, size_t done)
{
	const struct buffer *b = context;

	if (length > b->size - done)
		length = b->size - done;
	return vector_moved(length, posix_user_copy(b->bytes + done, piece, length));
}

static ssize_t from_buffer(void *context, void *piece, size_t length, size_t done)
{
	const struct buffer *b = context;

	if (length > b->size - done)
		length = b->size - done;
	return vector_moved(length, posix_user_copy(piece, b->bytes + done, length));
}

ssize_t vector_gather(void *to, size_t size, const struct iovec *iov, int n, size_t skip)
{
	struct buffer b = {.bytes = to, .size = size};

	return vector_move(iov, n, skip, to_buffer, &b);
}

int vector_put(const struct iovec *iov, int n, size_t skip, const void *from, size_t length)
{
	struct buffer b = {.bytes = (uint8_t *)from, .size = length};
	ssize_t done = vector_move(iov, n, skip, from_buffer, &b);

	return done < 0 || (size_t)done < length ? -EFAULT : 0;
}

ssize_t vector_scatter(const struct iovec *iov, int n, const void *from, size_t length)
{
	struct buffer b = {.bytes = (uint8_t *)from, .size = length};

	return vector_move(iov, n, 0, from_buffer, &b);
}
