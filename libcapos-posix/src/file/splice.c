/* SPDX-License-Identifier: MIT */
/*
 * splice, tee and vmsplice: bytes between a pipe and another descriptor.  They are copied, and none
 * that was taken from a pipe is lost: what the other side does not take goes back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>

#include "core/core.h"
#include "file/file.h"
#include "file/pipe.h"
#include "signal/signal.h"

#define SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

static bool is_pipe(const struct file *f)
{
	return f->ops->pipe_size != 0;
}

struct splice {
	struct file *in, *out;
	off_t *in_offset, *out_offset; /* NULL: where the description is */
	size_t length;
	bool nonblocking; /* of the pipes */
};

/* ---- The other side ---- */

static ssize_t read_other(const struct splice *s, uint8_t *bytes, size_t length)
{
	const struct iovec iov = {.iov_base = bytes, .iov_len = length};
	ssize_t got;

	if (!s->in_offset)
		return s->in->ops->read ? s->in->ops->read(s->in, &iov, 1) : -EINVAL;
	got = s->in->ops->pread(s->in, &iov, 1, *s->in_offset);
	*s->in_offset += got > 0 ? got : 0;
	return got;
}

/* All of it unless the other side takes less; what was written, or -errno. */
static ssize_t write_other(const struct splice *s, const uint8_t *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		const struct iovec iov = {.iov_base = (uint8_t *)bytes + done,
		                          .iov_len = length - done};
		ssize_t put = s->out_offset ? s->out->ops->pwrite(s->out, &iov, 1, *s->out_offset)
		                            : s->out->ops->write(s->out, &iov, 1);

		if (put <= 0)
			return done ? (ssize_t)done : put;
		if (s->out_offset)
			*s->out_offset += put;
		done += (size_t)put;
	}
	return (ssize_t)done;
}

/* ---- From a pipe ---- */

static ssize_t take(const struct splice *s, uint8_t *bytes, size_t length, bool nonblocking)
{
	const struct iovec iov = {.iov_base = bytes, .iov_len = length};

	return pipe_take(s->in, &iov, 1, nonblocking);
}

struct rest {
	const struct splice *splice;
	const uint8_t *bytes;
	size_t length, done;
};

static ssize_t write_rest(void *context)
{
	struct rest *r = context;
	ssize_t put = write_other(r->splice, r->bytes + r->done, r->length - r->done);

	if (put == -EAGAIN)
		return WAIT_NOTHING;
	if (put < 0)
		return put;
	r->done += (size_t)put;
	return r->done < r->length ? WAIT_SOME : (ssize_t)r->done;
}

static void arm_rest(void *context)
{
	struct file *out = ((struct rest *)context)->splice->out;

	if (out->ops->poll)
		(void)out->ops->poll(out, POLLOUT, true);
}

/* What the other side did not take goes back.  When writers have filled the pipe in the meantime
 * the other side is waited for, though it is not to be: so much was written after all. */
static size_t return_rest(const struct splice *s, const uint8_t *bytes, size_t length)
{
	struct rest r = {.splice = s, .bytes = bytes, .length = length};
	const struct waiting w = {.attempt = write_rest, .arm = arm_rest, .context = &r};

	if (!pipe_give_back(s->in, bytes, length))
		(void)wait_for(&w);
	return r.done;
}

/* Takes what the pipe has, and waits for it before the first byte only. */
static ssize_t from_pipe(const struct splice *s, uint8_t *buffer)
{
	const bool patient = !s->nonblocking && !(file_flags(s->in) & O_NONBLOCK);
	size_t done = 0;
	ssize_t put = 0;

	while (done < s->length && !(done && signal_waiting())) {
		size_t want = s->length - done < FILES_CHUNK ? s->length - done : FILES_CHUNK;
		ssize_t got = take(s, buffer, want, done || !patient);

		put = got > 0 ? write_other(s, buffer, (size_t)got) : got;
		if (put > 0)
			done += (size_t)put;
		if (put == got && put > 0)
			continue;
		if (got > 0)
			done += return_rest(s, buffer + (put > 0 ? put : 0),
			                    (size_t)(put > 0 ? got - put : got));
		break;
	}
	return done ? (ssize_t)done : put;
}

/* ---- To a pipe ---- */

static ssize_t fill(const struct splice *s, uint8_t *bytes, size_t length, bool nonblocking)
{
	const struct iovec iov = {.iov_base = bytes, .iov_len = length};
	ssize_t put = pipe_fill(s->out, &iov, 1, nonblocking);

	if (put == -EPIPE)
		signal_raise(SIGPIPE);
	return put;
}

/* As much as the pipe has room for; waits until that is something. */
static ssize_t to_pipe(const struct splice *s, uint8_t *buffer)
{
	const bool nonblocking = s->nonblocking || file_flags(s->out) & O_NONBLOCK;
	ssize_t room = pipe_room(s->out, nonblocking), got;
	size_t want = s->length < FILES_CHUNK ? s->length : FILES_CHUNK;

	if (room == -EPIPE)
		signal_raise(SIGPIPE);
	if (room <= 0)
		return room;
	got = read_other(s, buffer, want < (size_t)room ? want : (size_t)room);
	/* Another writer may have come in between: this waits, so that nothing is lost. */
	return got > 0 ? fill(s, buffer, (size_t)got, false) : got;
}

static ssize_t pipe_to_pipe(const struct splice *s, uint8_t *buffer, bool keep)
{
	const bool nonblocking = s->nonblocking || file_flags(s->out) & O_NONBLOCK;
	const bool impatient = s->nonblocking || file_flags(s->in) & O_NONBLOCK;
	size_t want = s->length < FILES_CHUNK ? s->length : FILES_CHUNK;
	ssize_t got = pipe_wait(s->in, impatient), room;

	if (got < 0)
		return got;
	room = pipe_room(s->out, nonblocking); /* also when there is no more to come, as on Linux */
	if (room == -EPIPE)
		signal_raise(SIGPIPE);
	if (room <= 0 || !got)
		return room < 0 ? room : 0;
	want = want < (size_t)room ? want : (size_t)room;
	got = keep ? pipe_peek(s->in, buffer, want) : take(s, buffer, want, true);
	return got > 0 ? fill(s, buffer, (size_t)got, false) : got;
}

/* ---- The calls ---- */

static ssize_t perform(const struct splice *s, bool keep)
{
	uint8_t *buffer = posix_alloc(FILES_CHUNK);
	ssize_t result;

	if (!buffer)
		return -ENOMEM;
	file_get(s->in);
	file_get(s->out);
	if (is_pipe(s->in) && is_pipe(s->out))
		result = pipe_to_pipe(s, buffer, keep);
	else
		result = is_pipe(s->in) ? from_pipe(s, buffer) : to_pipe(s, buffer);
	file_put(s->in);
	file_put(s->out);
	posix_free(buffer);
	if (result == -EPIPE && !is_pipe(s->out))
		signal_raise(SIGPIPE);
	return result;
}

static int open_ends(struct splice *s, long in_fd, long out_fd)
{
	s->in = fd_file((int)in_fd);
	s->out = fd_file((int)out_fd);
	if (!s->in || !s->out || !file_reads(s->in) || !file_writes(s->out))
		return -EBADF;
	return 0;
}

/* Directories take no part in it, and of what has no place in a file system pipes alone. */
static bool takes_part(const struct file *f)
{
	return !f->ops->getdents && f->ops->seek != file_seek_nowhere;
}

/* 0, or why it is no splice. */
static int check(const struct splice *s, long in_offset, long out_offset)
{
	if (is_pipe(s->in) ? in_offset != 0 : false)
		return -ESPIPE;
	if (is_pipe(s->out) ? out_offset != 0 : false)
		return -ESPIPE;
	if (is_pipe(s->in) && is_pipe(s->out))
		return pipe_same(s->in, s->out) ? -EINVAL : 0;
	if (!is_pipe(s->in) && !is_pipe(s->out))
		return -EINVAL;
	if ((in_offset && !s->in->ops->pread) || (out_offset && !s->out->ops->pwrite) ||
	    (!is_pipe(s->in) && !s->in->ops->read) || !s->out->ops->write || !takes_part(s->in) ||
	    !takes_part(s->out) || file_flags(s->out) & O_APPEND)
		return -EINVAL;
	return 0;
}

long sys_splice(long in_fd, long in_offset, long out_fd, long out_offset, long length, long flags)
{
	struct splice s = {.length = (size_t)length, .nonblocking = flags & SPLICE_F_NONBLOCK};
	off_t in_at = 0, out_at = 0;
	long result;

	if (!length)
		return 0;
	if (flags & ~(long)SPLICE_FLAGS)
		return -EINVAL;
	result = open_ends(&s, in_fd, out_fd);
	if (!result)
		result = check(&s, in_offset, out_offset);
	if (result)
		return result;
	if ((in_offset && user_get(&in_at, in_offset)) ||
	    (out_offset && user_get(&out_at, out_offset)))
		return -EFAULT;
	if (in_at < 0 || out_at < 0)
		return -EINVAL;
	s.in_offset = in_offset ? &in_at : NULL;
	s.out_offset = out_offset ? &out_at : NULL;
	result = perform(&s, false);
	if ((in_offset && user_put(in_offset, &in_at)) ||
	    (out_offset && user_put(out_offset, &out_at)))
		return -EFAULT;
	return result;
}

long sys_tee(long in_fd, long out_fd, long length, long flags)
{
	struct splice s = {.length = (size_t)length, .nonblocking = flags & SPLICE_F_NONBLOCK};
	int result;

	if (flags & ~(long)SPLICE_FLAGS)
		return -EINVAL;
	if (!length)
		return 0;
	result = open_ends(&s, in_fd, out_fd);
	if (result)
		return result;
	if (!is_pipe(s.in) || !is_pipe(s.out) || pipe_same(s.in, s.out))
		return -EINVAL;
	return perform(&s, true);
}

/* To a pipe's writing end as writev, from its reading end as readv. */
long sys_vmsplice(long fd, long vector, long n, long flags)
{
	struct file *f = fd_file((int)fd);

	if (flags & ~(long)SPLICE_FLAGS)
		return -EINVAL;
	if (!f || f->flags & O_PATH || !is_pipe(f))
		return -EBADF;
	if (flags & SPLICE_F_NONBLOCK) {
		bool writes = (f->flags & O_ACCMODE) != O_RDONLY;
		ssize_t ready = writes ? pipe_room(f, true) : pipe_wait(f, true);

		if (ready < 0 && ready != -EPIPE)
			return ready;
	}
	return (f->flags & O_ACCMODE) == O_RDONLY ? sys_readv(fd, vector, n)
	                                          : sys_writev(fd, vector, n);
}
