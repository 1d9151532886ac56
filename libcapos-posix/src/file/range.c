/* SPDX-License-Identifier: MIT */
/*
 * Calls on ranges of files: memory for them and advice about them, and copies from one file to
 * another.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

#include <capos/cap.h>
#include <capos/object.h>
#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/contents.h"
#include "file/file.h"
#include "signal/signal.h"

/* The service gives up so much at a time, between which it serves others. */
#define PUNCH_PIECE (16u << 20)

static bool is_regular(const struct file *f)
{
	return f->ops->share;
}

static int allocate_message(const struct contents *c, uint64_t offset, uint64_t length, long mode)
{
	const struct file_allocate_params params = {.offset = offset,
	                                            .length = length,
	                                            .keep_size = mode & FALLOC_FL_KEEP_SIZE,
	                                            .punch = mode & FALLOC_FL_PUNCH_HOLE};

	return errno_of(file_allocate(c->file, &params, NULL));
}

static int punch(const struct contents *c, uint64_t offset, uint64_t length, long mode)
{
	int result = 0;

	while (length && !result) {
		uint64_t piece = length < PUNCH_PIECE ? length : PUNCH_PIECE;

		result = allocate_message(c, offset, piece, mode);
		offset += piece;
		length -= piece;
	}
	return result;
}

static int reserve(struct contents *c, uint64_t offset, uint64_t length)
{
	cap_t object;
	int result = contents_object(c, &object);

	if (result)
		return -EOPNOTSUPP;
	result = errno_of(cap_memory_prepare(object, offset, length));
	cap_release(object);
	return result == -ENOMEM ? -ENOSPC : result;
}

long sys_fallocate(long fd, long mode, long offset, long length)
{
	struct file *f = fd_file((int)fd);
	long result;

	if (!f || f->flags & O_PATH || (f->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (offset < 0 || length <= 0)
		return -EINVAL;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) {
		result = absent_flags(ABSENT_FALLOCATE, (unsigned long)mode);
		return result ? result : -EOPNOTSUPP;
	}
	if (mode == FALLOC_FL_PUNCH_HOLE)
		return -EOPNOTSUPP;
	if (!is_regular(f))
		return f->ops->pipe_size ? -ESPIPE : -ENODEV;
	if (offset > INT64_MAX - length)
		return -EFBIG;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return punch(f->data, (uint64_t)offset, (uint64_t)length, mode);
	result = allocate_message(f->data, (uint64_t)offset, (uint64_t)length, mode);
	return result ? result : reserve(f->data, (uint64_t)offset, (uint64_t)length);
}

/* Everything is in memory: no advice changes anything. */
long sys_fadvise64(long fd, long offset, long length, long advice)
{
	struct file *f = fd_file((int)fd);

	(void)offset;
	if (!f || f->flags & O_PATH)
		return -EBADF;
	if (f->ops->pipe_size)
		return -ESPIPE;
	return length < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE ? -EINVAL
	                                                                               : 0;
}

/* ---- copy_file_range ---- */

static ssize_t copy_range(struct file *in, off_t *from, struct file *out, off_t *to, size_t length)
{
	uint8_t *buffer = posix_alloc(FILES_CHUNK);
	ssize_t total = 0, put = 0;

	if (!buffer)
		return -ENOMEM;
	while ((size_t)total < length && !(total && signal_waiting())) {
		size_t want = length - (size_t)total;
		struct iovec iov = {.iov_base = buffer,
		                    .iov_len = want < FILES_CHUNK ? want : FILES_CHUNK};

		put = in->ops->pread(in, &iov, 1, *from);
		if (put <= 0)
			break;
		iov.iov_len = (size_t)put;
		put = out->ops->pwrite(out, &iov, 1, *to);
		if (put <= 0)
			break;
		*from += put;
		*to += put;
		total += put;
	}
	posix_free(buffer);
	return total ? total : put;
}

static bool same_file(struct file *a, struct file *b)
{
	struct stat of_a, of_b;

	return !a->ops->stat(a, &of_a) && !b->ops->stat(b, &of_b) && of_a.st_ino == of_b.st_ino;
}

long sys_copy_file_range(long in_fd, long in_offset, long out_fd, long out_offset, long length,
                         long flags)
{
	struct file *in = fd_file((int)in_fd), *out = fd_file((int)out_fd);
	off_t from, to;
	ssize_t result;

	if (!in || !out || in->flags & O_PATH || out->flags & O_PATH ||
	    (in->flags & O_ACCMODE) == O_WRONLY || (out->flags & O_ACCMODE) == O_RDONLY ||
	    file_flags(out) & O_APPEND)
		return -EBADF;
	if (flags || !is_regular(in) || !is_regular(out) || length < 0)
		return -EINVAL;
	from = *file_offset(in), to = *file_offset(out);
	if ((in_offset && user_get(&from, in_offset)) || (out_offset && user_get(&to, out_offset)))
		return -EFAULT;
	if (from < 0 || to < 0)
		return -EINVAL;
	if (length > INT64_MAX - from || length > INT64_MAX - to)
		return -EOVERFLOW;
	if (same_file(in, out) && from < to + length && to < from + length)
		return -EINVAL;
	result = copy_range(in, &from, out, &to, (size_t)length);
	if (result <= 0)
		return result;
	if (!in_offset)
		*file_offset(in) = from;
	if (!out_offset)
		*file_offset(out) = to;
	if ((in_offset && user_put(in_offset, &from)) || (out_offset && user_put(out_offset, &to)))
		return -EFAULT;
	return result;
}
