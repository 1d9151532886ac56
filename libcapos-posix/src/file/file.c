/* SPDX-License-Identifier: MIT */
/*
 * Regular files: reads and writes are calls of a File capability, 60 KiB at a time, and nothing is
 * kept between calls, so what one process writes another reads at once.
 */
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/file.h"

_Alignas(8) uint8_t files_message[CAPOS_MESSAGE_MAX];

static cap_t object_of(const struct file *f)
{
	return (cap_t)(uintptr_t)f->data;
}

/* One call: bytes read, 0 at the end. */
static ssize_t read_some(cap_t object, void *buffer, size_t length, uint64_t offset)
{
	const struct file_read_params params = {
	        .offset = offset, .length = length < FILES_CHUNK ? (uint32_t)length : FILES_CHUNK};
	struct file_read_results results;
	struct capos_call call = FILES_CALL();
	int result = file_read(object, &params, &results, &call);

	if (result)
		return errno_of(result);
	if (results.data.len > params.length)
		return -EIO;
	return vector_moved(results.data.len,
	                    posix_user_copy(buffer, results.data.ptr, results.data.len));
}

static ssize_t regular_pread(struct file *f, const struct iovec *iov, int n, off_t offset)
{
	size_t done = 0;

	for (int i = 0; i < n; i++) {
		for (size_t at = 0; at < iov[i].iov_len;) {
			ssize_t got = read_some(object_of(f), (char *)iov[i].iov_base + at,
			                        iov[i].iov_len - at, (uint64_t)offset + done);
			if (got < 0)
				return done ? (ssize_t)done : got;
			if (got == 0)
				return (ssize_t)done;
			at += (size_t)got;
			done += (size_t)got;
		}
	}
	return (ssize_t)done;
}

static ssize_t regular_read(struct file *f, const struct iovec *iov, int n)
{
	ssize_t result = regular_pread(f, iov, n, *file_offset(f));

	if (result > 0)
		*file_offset(f) += result;
	return result;
}

/* One call: bytes written; *end: where the file's offset is then. */
static ssize_t write_some(struct file *f, bool append, const void *buffer, uint32_t length,
                          uint64_t offset, uint64_t *end)
{
	struct capos_call call = FILES_CALL();
	uint32_t written;
	int result;

	if (append) {
		const struct file_append_params params = {.data = MSG_DATA(buffer, length)};
		struct file_append_results results;
		result = file_append(object_of(f), &params, &results, &call);
		written = result ? 0 : results.written;
		*end = result ? offset : results.size;
	} else {
		const struct file_write_params params = {.offset = offset,
		                                         .data = MSG_DATA(buffer, length)};
		struct file_write_results results;
		result = file_write(object_of(f), &params, &results, &call);
		written = result ? 0 : results.written;
		*end = offset + written;
	}
	if (result)
		return errno_of(result);
	return written <= length ? (ssize_t)written : -EIO;
}

static ssize_t write_all(struct file *f, bool append, const struct iovec *iov, int n,
                         uint64_t offset, uint64_t *end)
{
	static uint8_t gathered[FILES_CHUNK];
	size_t total = vector_length(iov, n), done = 0;

	while (done < total) {
		ssize_t length = vector_gather(gathered, FILES_CHUNK, iov, n, done);
		ssize_t put = length < 0 ? length
		                         : write_some(f, append, gathered, (uint32_t)length,
		                                      offset + done, end);
		if (put < 0)
			return done ? (ssize_t)done : put;
		done += (size_t)put;
		if (put < length)
			break;
	}
	return (ssize_t)done;
}

static ssize_t regular_write(struct file *f, const struct iovec *iov, int n)
{
	uint64_t end = (uint64_t)*file_offset(f);
	ssize_t result = write_all(f, f->flags & O_APPEND, iov, n, (uint64_t)*file_offset(f), &end);

	if (result > 0)
		*file_offset(f) = (off_t)end;
	return result;
}

/* As on Linux, O_APPEND appends at any offset. */
static ssize_t regular_pwrite(struct file *f, const struct iovec *iov, int n, off_t offset)
{
	uint64_t end;

	return write_all(f, f->flags & O_APPEND, iov, n, (uint64_t)offset, &end);
}

static int get_stat(struct file *f, struct file_stat *out)
{
	struct file_stat_results results;
	struct capos_call call = FILES_CALL();
	int result = file_stat(object_of(f), &results, &call);

	if (!result)
		*out = results.stat;
	return errno_of(result);
}

static off_t regular_seek(struct file *f, off_t offset, int whence)
{
	struct file_stat stat;
	off_t base = 0;
	int result;

	if (whence == SEEK_CUR) {
		base = *file_offset(f);
	} else if (whence == SEEK_END || whence == SEEK_DATA || whence == SEEK_HOLE) {
		result = get_stat(f, &stat);
		if (result)
			return result;
		base = whence == SEEK_END ? (off_t)stat.size : 0;
		/* Every byte counts as data: allowed by POSIX, and as simple as it is true
		 * enough. */
		if (whence != SEEK_END && (offset < 0 || (uint64_t)offset >= stat.size))
			return -ENXIO;
		if (whence == SEEK_HOLE)
			offset = (off_t)stat.size;
	} else if (whence != SEEK_SET) {
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, offset, &base))
		return -EOVERFLOW;
	if (base < 0)
		return -EINVAL;
	*file_offset(f) = base;
	return base;
}

static int regular_stat(struct file *f, struct stat *st)
{
	struct file_stat stat;
	int result = get_stat(f, &stat);

	if (!result)
		stat_from(&stat, st);
	return result;
}

static int regular_truncate(struct file *f, off_t size)
{
	const struct file_truncate_params params = {.size = (uint64_t)size};

	return errno_of(file_truncate(object_of(f), &params, NULL));
}

static int regular_chmod(struct file *f, unsigned mode)
{
	const struct file_set_mode_params params = {.mode = mode};

	return errno_of(file_set_mode(object_of(f), &params, NULL));
}

static int regular_utimens(struct file *f, const int64_t times_ns[2])
{
	const struct file_set_times_params params = {.access_ns = times_ns[0],
	                                             .modify_ns = times_ns[1]};

	return errno_of(file_set_times(object_of(f), &params, NULL));
}

static int regular_memory(struct file *f, uint64_t *memory)
{
	struct file_memory_results results;
	struct capos_call call = FILES_CALL();
	int result = file_memory(object_of(f), &results, &call);

	if (result)
		return errno_of(result);
	*memory = CAP_NULL;
	for (uint32_t i = 0; i < call.ncaps; i++) {
		if (i == results.memory_index)
			*memory = call.caps[i];
		else
			cap_release(call.caps[i]);
	}
	return *memory ? 0 : -EIO;
}

off_t *file_offset(struct file *f)
{
	return f->shared_offset.at ? f->shared_offset.at : &f->offset;
}

int file_fork(struct file *f)
{
	return offset_share(&f->shared_offset, f->offset);
}

static int regular_carry(struct file *f, struct carried *out)
{
	out->kind = CARRY_REGULAR;
	out->object = object_of(f);
	return 0;
}

static void regular_close(struct file *f)
{
	offset_drop(&f->shared_offset);
	cap_release(object_of(f));
}

static const struct file_ops regular_ops = {
        .read = regular_read,
        .write = regular_write,
        .pread = regular_pread,
        .pwrite = regular_pwrite,
        .seek = regular_seek,
        .stat = regular_stat,
        .truncate = regular_truncate,
        .chmod = regular_chmod,
        .utimens = regular_utimens,
        .memory = regular_memory,
        .close = regular_close,
        .fork = file_fork,
        .carry = regular_carry,
};

int file_open_regular(cap_t object, int flags, struct file **out)
{
	*out = file_create(&regular_ops, flags, (void *)(uintptr_t)object);
	return *out ? 0 : -ENOMEM;
}
