/* SPDX-License-Identifier: MIT */
/*
 * Calls on ranges of files: memory for them and advice about them, and copies from one file to
 * another.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <capos/cap.h>
#include <capos/object.h>
#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/contents.h"
#include "file/file.h"
#include "signal/signal.h"

/* The service does so much at a time, between which it serves others. */
#define PIECE (16u << 20)

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

static int allocate_pieces(const struct contents *c, uint64_t offset, uint64_t length, long mode)
{
	int result = 0;

	while (length && !result) {
		uint64_t piece = length < PIECE ? length : PIECE;

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
		return result;
	result = errno_of(cap_memory_prepare(object, offset, length));
	cap_release(object);
	return result == -ENOMEM ? -ENOSPC : result;
}

long sys_fallocate(long fd, long mode, long offset, long length)
{
	struct file *f = fd_file((int)fd);
	long result;

	if (!f || !file_writes(f))
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
	result = mode & FALLOC_FL_KEEP_SIZE ? 0 : file_check_size(f, (uint64_t)(offset + length));
	if (result)
		return result;
	/* In a volume there is no memory to give: its server writes the file's holes. */
	if (mode & FALLOC_FL_PUNCH_HOLE || !contents_is_memory(f->data))
		return allocate_pieces(f->data, (uint64_t)offset, (uint64_t)length, mode);
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

/* That one may be copied to the other: 0 or -errno, in Linux's order. */
static int check_files(const struct file *in, const struct file *out)
{
	if (in->ops->getdents || out->ops->getdents)
		return -EISDIR;
	if (!is_regular(in) || !is_regular(out))
		return -EINVAL;
	if (!file_reads(in) || !file_writes(out) || file_flags(out) & O_APPEND)
		return -EBADF;
	return 0;
}

static bool wraps(off_t from, uint64_t length)
{
	return (uint64_t)from + length < length;
}

/* Cuts the length to what the file has: 0, or -errno, also when a file would be copied onto what is
 * being copied. */
static int check_range(struct file *in, off_t from, struct file *out, off_t to, uint64_t *length)
{
	struct stat of_in, of_out;
	int result;

	if (wraps(from, *length) || wraps(to, *length))
		return -EOVERFLOW;
	if (from < 0 || to < 0)
		return -EINVAL;
	result = in->ops->stat(in, &of_in);
	if (!result)
		result = out->ops->stat(out, &of_out);
	if (result)
		return result;
	if (from >= of_in.st_size)
		*length = 0;
	else if (*length > (uint64_t)(of_in.st_size - from))
		*length = (uint64_t)(of_in.st_size - from);
	if (*length > (uint64_t)(INT64_MAX - to))
		return -EFBIG;
	if (of_in.st_dev == of_out.st_dev && of_in.st_ino == of_out.st_ino &&
	    from < to + (off_t)*length && to < from + (off_t)*length)
		return -EINVAL;
	return 0;
}

long sys_copy_file_range(long in_fd, long in_offset, long out_fd, long out_offset, long length,
                         long flags)
{
	struct file *in = fd_file((int)in_fd), *out = fd_file((int)out_fd);
	uint64_t most = (uint64_t)length;
	off_t from, to;
	ssize_t result;

	if (!in || !out || (in->flags | out->flags) & O_PATH)
		return -EBADF;
	from = *file_offset(in), to = *file_offset(out);
	if ((in_offset && user_get(&from, in_offset)) || (out_offset && user_get(&to, out_offset)))
		return -EFAULT;
	if (flags)
		return -EINVAL;
	result = check_files(in, out);
	if (!result)
		result = check_range(in, from, out, to, &most);
	if (result)
		return result;
	result = copy_range(in, &from, out, &to, most);
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
