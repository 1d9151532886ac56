/* SPDX-License-Identifier: MIT */
/*
 * Regular files.  Nothing of their bytes is kept here, so what one process writes another reads at
 * once.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/contents.h"
#include "file/file.h"
#include "file/remembered.h"
#include "signal/signal.h"

_Alignas(8) uint8_t files_message[CAPOS_MESSAGE_MAX];

static struct contents *contents_of(const struct file *f)
{
	return f->data;
}

static cap_t object_of(const struct file *f)
{
	return contents_of(f)->file;
}

static ssize_t regular_pread(struct file *f, const struct iovec *iov, int n, off_t offset)
{
	return contents_read(contents_of(f), iov, n, (uint64_t)offset);
}

static bool move_offset(struct file *f, off_t *from, off_t to)
{
	return __atomic_compare_exchange_n(file_offset(f), from, to, false, __ATOMIC_SEQ_CST,
	                                   __ATOMIC_SEQ_CST);
}

/* Who reads at a common offset reads again what another has taken meanwhile. */
static ssize_t regular_read(struct file *f, const struct iovec *iov, int n)
{
	off_t at = __atomic_load_n(file_offset(f), __ATOMIC_SEQ_CST);
	ssize_t result;

	do {
		result = regular_pread(f, iov, n, at);
	} while (result > 0 && !move_offset(f, &at, at + result));
	return result;
}

static uint64_t size_limit = UINT64_MAX;

void file_set_size_limit(uint64_t bytes)
{
	size_limit = bytes;
}

static int get_stat(struct file *f, struct file_stat *out);

/* A write is cut to the limit, which there is; -EFBIG: it begins above. */
static ssize_t write_limited(struct file *f, bool append, const struct iovec *iov, int n,
                             uint64_t offset, uint64_t *end)
{
	struct iovec cut[1];
	struct file_stat stat = {.size = 0};
	int result = append ? get_stat(f, &stat) : 0;

	if (result)
		return result;
	if (append)
		offset = stat.size;
	if (vector_length(iov, n) + offset <= size_limit)
		return contents_write(contents_of(f), append, iov, n, offset, end);
	if (offset >= size_limit) {
		signal_raise(SIGXFSZ);
		return -EFBIG;
	}
	/* The first piece, as far as it goes: a short write is one that may be gone on with. */
	cut[0] = iov[0];
	if (cut[0].iov_len > size_limit - offset)
		cut[0].iov_len = size_limit - offset;
	return contents_write(contents_of(f), append, cut, 1, offset, end);
}

static ssize_t write_within(struct file *f, bool append, const struct iovec *iov, int n,
                            uint64_t offset, uint64_t *end)
{
	if (size_limit == UINT64_MAX)
		return contents_write(contents_of(f), append, iov, n, offset, end);
	return write_limited(f, append, iov, n, offset, end);
}

static ssize_t append(struct file *f, const struct iovec *iov, int n)
{
	uint64_t end = 0;
	ssize_t result = write_within(f, true, iov, n, 0, &end);

	if (result > 0)
		__atomic_store_n(file_offset(f), (off_t)end, __ATOMIC_SEQ_CST);
	return result;
}

/* Who writes at a common offset takes its place before, and gives back what it does not fill. */
static ssize_t regular_write(struct file *f, const struct iovec *iov, int n)
{
	off_t length = (off_t)vector_length(iov, n), end;
	off_t at = __atomic_load_n(file_offset(f), __ATOMIC_SEQ_CST);
	uint64_t written;
	ssize_t result;

	if (file_flags(f) & O_APPEND)
		return append(f, iov, n);
	do {
		if (__builtin_add_overflow(at, length, &end))
			return -EFBIG;
	} while (!move_offset(f, &at, end));
	result = write_within(f, false, iov, n, (uint64_t)at, &written);
	if (result < length)
		(void)move_offset(f, &end, at + (result > 0 ? result : 0));
	return result;
}

/* As on Linux, O_APPEND appends at any offset. */
static ssize_t regular_pwrite(struct file *f, const struct iovec *iov, int n, off_t offset)
{
	uint64_t end;

	return write_within(f, file_flags(f) & O_APPEND, iov, n, (uint64_t)offset, &end);
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

static int get_size(struct file *f, uint64_t *size)
{
	struct file_stat stat;
	int result = contents_size(contents_of(f), size);

	if (result != -EOPNOTSUPP)
		return result;
	result = get_stat(f, &stat);
	if (!result)
		*size = stat.size;
	return result;
}

static int regular_ioctl(struct file *f, unsigned long request, void *argument)
{
	uint64_t size;
	int result;

	if (request != FIONREAD)
		return -ENOTTY;
	result = get_size(f, &size);
	return result ? result : user_put(argument, &(int){(int)((off_t)size - *file_offset(f))});
}

static off_t regular_seek(struct file *f, off_t offset, int whence)
{
	uint64_t size;
	off_t base = 0;
	int result;

	if (whence == SEEK_CUR) {
		base = *file_offset(f);
	} else if (whence == SEEK_END || whence == SEEK_DATA || whence == SEEK_HOLE) {
		result = get_size(f, &size);
		if (result)
			return result;
		base = whence == SEEK_END ? (off_t)size : 0;
		/* Every byte counts as data: allowed by POSIX, and as simple as it is true
		 * enough. */
		if (whence != SEEK_END && (offset < 0 || (uint64_t)offset >= size))
			return -ENXIO;
		if (whence == SEEK_HOLE)
			offset = (off_t)size;
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
	struct contents *c = contents_of(f);
	int result = 0;

	if (!file_reads(f) || !remembered_open_stat(&c->stat, c->file, c->object))
		result = get_stat(f, &c->stat);
	if (!result)
		stat_from(&c->stat, st);
	return result;
}

int file_check_size(struct file *f, uint64_t size)
{
	struct file_stat stat;
	int result = size > size_limit ? get_stat(f, &stat) : 0;

	if (result || size <= size_limit || size <= stat.size)
		return result;
	signal_raise(SIGXFSZ);
	return -EFBIG;
}

static int regular_truncate(struct file *f, off_t size)
{
	const struct file_truncate_params params = {.size = (uint64_t)size};

	int result = file_check_size(f, params.size);

	return result ? result : errno_of(file_truncate(object_of(f), &params, NULL));
}

static int regular_chmod(struct file *f, unsigned mode)
{
	const struct file_set_mode_params params = {.mode = mode};

	return errno_of(file_set_mode(object_of(f), &params, NULL));
}

static int regular_chown(struct file *f, unsigned user, unsigned group)
{
	const struct file_set_owner_params params = {.user = user, .group = group};

	return errno_of(file_set_owner(object_of(f), &params, NULL));
}

static int regular_utimens(struct file *f, const struct file_times *times)
{
	const struct file_set_times_params params = {
	        .access_ns = times->access_ns, .modify_ns = times->modify_ns, .now = times->now};

	return errno_of(file_set_times(object_of(f), &params, NULL));
}

static int regular_memory(struct file *f, uint64_t *memory)
{
	uint64_t size;
	int result;

	contents_note_read(contents_of(f));
	result = volume_memory(object_of(f), memory, &size);
	/* Of an empty file it gives nothing to execute, and there is nothing to be copied. */
	return result == -EINVAL ? contents_object(contents_of(f), memory) : result;
}

static int regular_carry(struct file *f, struct carried *out)
{
	contents_tell_close(contents_of(f));
	out->kind = CARRY_REGULAR;
	out->object = object_of(f);
	out->contents = contents_of(f)->object;
	out->detail = file_locks_used();
	return 0;
}

/* That such a description is closed shows in nothing but what it held: no other process has it, no
 * lock goes with it, nobody watches files, and it cannot keep one from being executed. */
static bool closes_quietly(struct file *f)
{
	const struct contents *c = contents_of(f);

	return (f->flags & O_ACCMODE) == O_RDONLY && !f->shared.at && !c->locked && c->object &&
	       threads_alone() && remembered_unwatched();
}

static void regular_close(struct file *f)
{
	const bool quietly = closes_quietly(f);

	if (!quietly && contents_of(f)->untold && !remembered_unwatched())
		contents_tell_close(contents_of(f));
	contents_release(contents_of(f), quietly);
	posix_free(contents_of(f));
}

/* A volume's file has memory to share when one who may write has asked for it.  Before, who may
 * only read gets a copy, as Linux's 9p shows the bytes of the time when they were mapped. */
static int share_of_volume(struct file *f, uint64_t *memory)
{
	const bool reads = (f->flags & O_ACCMODE) == O_RDONLY;
	uint64_t size;
	int result = volume_shared_memory(object_of(f), !reads, 0, memory);

	return result == -ENOENT && reads ? volume_memory(object_of(f), memory, &size) : result;
}

static int regular_share(struct file *f, uint64_t *memory)
{
	int result;

	contents_note_read(contents_of(f));
	result = contents_object(contents_of(f), memory);
	return result == -ENODEV ? share_of_volume(f, memory) : result;
}

static int regular_keep(struct file *f, cap_t *file)
{
	*file = CAP_NULL;
	if (contents_of(f)->object)
		return 0;
	return errno_of(cap_copy(object_of(f), CAP_RIGHTS_ALL, file));
}

/* Where the bytes are shared pages there is nothing to be waited for. */
static int regular_sync(struct file *f, bool data_only)
{
	const struct file_sync_params params = {.data_only = data_only};

	if (contents_of(f)->object)
		return 0;
	return errno_of(file_sync(object_of(f), &params, NULL));
}

static const struct file_ops regular_ops = {
        .read = regular_read,
        .write = regular_write,
        .pread = regular_pread,
        .pwrite = regular_pwrite,
        .seek = regular_seek,
        .ioctl = regular_ioctl,
        .stat = regular_stat,
        .truncate = regular_truncate,
        .chmod = regular_chmod,
        .chown = regular_chown,
        .utimens = regular_utimens,
        .memory = regular_memory,
        .share = regular_share,
        .keep = regular_keep,
        .lock = file_record_lock,
        .closing = file_closing,
        .sync = regular_sync,
        .close = regular_close,
        .carry = regular_carry,
};

int file_open_regular(const struct contents *contents, int flags, struct file **out)
{
	struct contents *own = posix_alloc(sizeof(*own));

	if (!own)
		return -ENOMEM;
	*own = *contents;
	*out = file_create(&regular_ops, flags, own);
	if (!*out)
		posix_free(own);
	return *out ? 0 : -ENOMEM;
}

cap_t file_object(const struct file *f)
{
	return f->ops == &regular_ops ? object_of(f) : CAP_NULL;
}

void file_note_lock(struct file *f)
{
	if (f->ops == &regular_ops)
		contents_of(f)->locked = true;
}

static bool allows(int mode, int wanted)
{
	return mode == O_RDWR || mode == wanted;
}

int file_open_again(const struct file *f, int flags, struct file **out)
{
	struct contents again;
	int result;

	if (f->ops != &regular_ops)
		return 1;
	if (f->flags & O_PATH || !allows(f->flags & O_ACCMODE, flags & O_ACCMODE))
		return -EACCES;
	again = *contents_of(f);
	again.object = CAP_NULL;
	again.stat = (struct file_stat){.version = 0};
	again.window = (struct window){0};
	again.asked = false;
	result = errno_of(cap_copy(object_of(f), CAP_RIGHTS_ALL, &again.file));
	if (result)
		return result;
	result = file_open_regular(&again, flags, out);
	if (result)
		cap_release(again.file);
	return result;
}

int file_restore_regular(const struct carried *in, struct file **out)
{
	const struct contents contents = {
	        .file = in->object, .object = in->contents, .asked = in->contents};

	if (in->detail)
		file_locks_restore();
	return file_open_regular(&contents, in->flags, out);
}
