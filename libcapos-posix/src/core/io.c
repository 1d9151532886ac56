/* SPDX-License-Identifier: MIT */
/*
 * Reading, writing and ioctl on descriptors of any kind: arguments are checked here once, the
 * kinds' operations see checked vectors only.  The description is held while a call on it runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "core/absent.h"
#include "core/fd.h"
#include "core/self.h"
#include "core/syscalls.h"
#include "core/user.h"

#include <signal.h>

#define TRANSFER_MAX 0x7ffff000u /* as Linux: one call moves no more */

/* A vector no longer than TRANSFER_MAX in all; what is beyond is left for the next call. */
static long check_vector(const struct iovec *iov, long n, struct iovec checked[], int *count)
{
	size_t left = TRANSFER_MAX;

	if (n < 0 || n > IOV_MAX)
		return -EINVAL;
	*count = 0;
	for (long i = 0; i < n; i++) {
		struct iovec piece;
		size_t length;

		if (user_get(&piece, &iov[i]))
			return -EFAULT;
		length = piece.iov_len;
		if (length > SSIZE_MAX)
			return -EINVAL;
		if (!length || !left)
			continue;
		if (length > left)
			length = left;
		left -= length;
		checked[(*count)++] = (struct iovec){.iov_base = piece.iov_base, .iov_len = length};
	}
	return 0;
}

static inline struct file *if_readable(struct file *f)
{
	return f && file_reads(f) ? f : NULL;
}

static inline struct file *if_writable(struct file *f)
{
	return f && file_writes(f) ? f : NULL;
}

static struct file *readable_file(long fd)
{
	return if_readable(fd_file((int)fd));
}

static struct file *writable_file(long fd)
{
	return if_writable(fd_file((int)fd));
}

static long read_from(struct file *f, const struct iovec *iov, int n)
{
	long result;

	if (!f->ops->read)
		return -EINVAL;
	file_get(f);
	result = f->ops->read(f, iov, n);
	file_put(f);
	return result;
}

static long write_to(struct file *f, const struct iovec *iov, int n)
{
	long result;

	if (!f->ops->write)
		return -EINVAL;
	file_get(f);
	result = f->ops->write(f, iov, n);
	file_put(f);
	if (result == -EPIPE)
		core_hooks.signal_raise(SIGPIPE);
	return result;
}

static struct iovec one_vector(long buffer, long length)
{
	size_t n = (size_t)length;

	return (struct iovec){.iov_base = (void *)buffer,
	                      .iov_len = n < TRANSFER_MAX ? n : TRANSFER_MAX};
}

long sys_read(long fd, long buffer, long length)
{
	struct file *f = readable_file(fd);
	struct iovec iov = one_vector(buffer, length);

	return f ? read_from(f, &iov, 1) : -EBADF;
}

long sys_write(long fd, long buffer, long length)
{
	struct file *f = writable_file(fd);
	struct iovec iov = one_vector(buffer, length);

	return f ? write_to(f, &iov, 1) : -EBADF;
}

/* Vectors up to this long are copied on the stack (musl's stdio uses two); longer ones elsewhere,
 * since threads may have small stacks. */
#define VECTOR_ON_STACK 16

typedef long vector_operation(struct file *f, const struct iovec *iov, int n, long offset);

static long with_vector(struct file *f, long vector, long n, long offset,
                        vector_operation *operation)
{
	struct iovec few[VECTOR_ON_STACK], *iov = few;
	int count;
	long result;

	if (!f)
		return -EBADF;
	if (n > VECTOR_ON_STACK && n <= IOV_MAX) {
		iov = posix_alloc((size_t)n * sizeof(*iov));
		if (!iov)
			return -ENOMEM;
	}
	result = check_vector((const struct iovec *)vector, n, iov, &count);
	if (!result)
		result = operation(f, iov, count, offset);
	if (iov != few)
		posix_free(iov);
	return result;
}

/* As Linux has it, a vector without bytes is no matter of the kind: a read or write without any may
 * be (a datagram that is empty). */
static long vector_read(struct file *f, const struct iovec *iov, int n, long offset)
{
	(void)offset;
	return n || !f->ops->read ? read_from(f, iov, n) : 0;
}

static long vector_write(struct file *f, const struct iovec *iov, int n, long offset)
{
	(void)offset;
	return n || !f->ops->write ? write_to(f, iov, n) : 0;
}

static long vector_pread(struct file *f, const struct iovec *iov, int n, long offset)
{
	return f->ops->pread(f, iov, n, offset);
}

static long vector_pwrite(struct file *f, const struct iovec *iov, int n, long offset)
{
	return f->ops->pwrite(f, iov, n, offset);
}

/* For pread: what has no positions says so before anything else. */
static inline int positioned_source(long fd, long offset, struct file **out)
{
	struct file *f = fd_file((int)fd);

	if (offset < 0)
		return -EINVAL;
	*out = if_readable(f);
	if (!f || f->flags & O_PATH)
		return -EBADF;
	if (!f->ops->pread)
		return f->ops->getdents ? -EISDIR : -ESPIPE;
	return *out ? 0 : -EBADF;
}

/* For pwrite; a directory is never open for writing. */
static inline int positioned_target(long fd, long offset, struct file **out)
{
	struct file *f = fd_file((int)fd);

	if (offset < 0)
		return -EINVAL;
	*out = if_writable(f);
	if (!f || f->flags & O_PATH)
		return -EBADF;
	if (!f->ops->pwrite)
		return f->ops->getdents && !f->ops->pread ? -EBADF : -ESPIPE;
	return *out ? 0 : -EBADF;
}

long sys_readv(long fd, long iov, long n)
{
	return with_vector(readable_file(fd), iov, n, 0, vector_read);
}

long sys_writev(long fd, long iov, long n)
{
	return with_vector(writable_file(fd), iov, n, 0, vector_write);
}

long sys_preadv(long fd, long iov, long n, long offset)
{
	struct file *f;
	int result = positioned_source(fd, offset, &f);

	return result ? result : with_vector(f, iov, n, offset, vector_pread);
}

long sys_pwritev(long fd, long iov, long n, long offset)
{
	struct file *f;
	int result = positioned_target(fd, offset, &f);

	return result ? result : with_vector(f, iov, n, offset, vector_pwrite);
}

static long absent_other_flags(enum absent_subject subject, long flags, long known)
{
	long result = absent_flags(subject, (unsigned long)(flags & ~known));

	return result ? result : -EOPNOTSUPP;
}

/* RWF_HIPRI, RWF_DSYNC and RWF_SYNC: what is written is where it stays. */
#define RWF_ACCEPTED 7

/* Only an offset of -1 means the description's own. */
long sys_preadv2(long fd, long iov, long n, long offset, long unused, long flags)
{
	(void)unused;
	if (flags & ~(long)RWF_ACCEPTED)
		return absent_other_flags(ABSENT_PREADV2, flags, RWF_ACCEPTED);
	return offset == -1 ? sys_readv(fd, iov, n) : sys_preadv(fd, iov, n, offset);
}

long sys_pwritev2(long fd, long iov, long n, long offset, long unused, long flags)
{
	(void)unused;
	if (flags & ~(long)RWF_ACCEPTED)
		return absent_other_flags(ABSENT_PWRITEV2, flags, RWF_ACCEPTED);
	return offset == -1 ? sys_writev(fd, iov, n) : sys_pwritev(fd, iov, n, offset);
}

long sys_pread64(long fd, long buffer, long length, long offset)
{
	struct iovec iov = one_vector(buffer, length);
	struct file *f;
	int result = positioned_source(fd, offset, &f);

	return result ? result : vector_pread(f, &iov, 1, offset);
}

long sys_pwrite64(long fd, long buffer, long length, long offset)
{
	struct iovec iov = one_vector(buffer, length);
	struct file *f;
	int result = positioned_target(fd, offset, &f);

	return result ? result : vector_pwrite(f, &iov, 1, offset);
}

/* Why a kind of descriptor does not know a request: it is not built, or is no request of it. */
static long absent_ioctl(const struct file *f, unsigned request)
{
	long result = absent_option(ABSENT_IOCTL, request, 0);

	if (!result && f->ops->socket)
		result = absent_option(ABSENT_IOCTL_SOCKET, request, 0);
	if (!result && f->ops->chmod)
		result = absent_option(ABSENT_IOCTL_FILE, request, 0);
	return result ? result : -ENOTTY;
}

long sys_ioctl(long fd, long request, long argument)
{
	struct file *f = fd_file((int)fd);
	long result;
	int on;

	if (!f || f->flags & O_PATH)
		return -EBADF;
	switch ((unsigned)request) { /* musl passes an int */
	case FIONBIO:
		if (user_get(&on, argument))
			return -EFAULT;
		file_set_flags(f, O_NONBLOCK, on ? O_NONBLOCK : 0);
		return 0;
	case FIOCLEX:
		return sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
	case FIONCLEX:
		return sys_fcntl(fd, F_SETFD, 0);
	}
	result = -ENOTTY;
	if (f->ops->ioctl) {
		file_get(f);
		result = f->ops->ioctl(f, (unsigned)request, (void *)argument);
		file_put(f);
	}
	return result == -ENOTTY ? absent_ioctl(f, (unsigned)request) : result;
}
