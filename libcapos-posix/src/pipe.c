/* SPDX-License-Identifier: MIT */
/*
 * Pipes within the process: a buffer that both ends share.  Only this process can fill or drain it,
 * so an end that has to wait waits for a signal handler's (later: another thread's) work on the
 * other end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "internal.h"
#include "syscalls.h"

#define PIPE_CAPACITY 65536u /* bytes, a power of two; as Linux has it */

struct pipe {
	uint32_t head, tail; /* taken and put so far; run freely */
	unsigned ends;       /* descriptions that are open, 2 at first */
	bool reader, writer;
	uint8_t data[PIPE_CAPACITY];
};

static uint32_t filled(const struct pipe *p)
{
	return p->tail - p->head;
}

static size_t vector_length(const struct iovec *iov, int n)
{
	size_t total = 0;

	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	return total;
}

static size_t take(struct pipe *p, uint8_t *to, size_t length)
{
	size_t done = 0;

	while (done < length && filled(p)) {
		uint32_t at = p->head % PIPE_CAPACITY, run = PIPE_CAPACITY - at;

		run = run < filled(p) ? run : filled(p);
		run = run < length - done ? run : (uint32_t)(length - done);
		memcpy(to + done, p->data + at, run);
		p->head += run;
		done += run;
	}
	return done;
}

static size_t put(struct pipe *p, const uint8_t *from, size_t length)
{
	size_t done = 0;

	while (done < length && filled(p) < PIPE_CAPACITY) {
		uint32_t at = p->tail % PIPE_CAPACITY, run = PIPE_CAPACITY - at;

		run = run < PIPE_CAPACITY - filled(p) ? run : PIPE_CAPACITY - filled(p);
		run = run < length - done ? run : (uint32_t)(length - done);
		memcpy(p->data + at, from + done, run);
		p->tail += run;
		done += run;
	}
	return done;
}

static ssize_t pipe_read(struct file *f, const struct iovec *iov, int n)
{
	struct pipe *p = f->data;
	ssize_t total = 0;

	if (!vector_length(iov, n))
		return 0;
	while (!filled(p)) {
		int result;

		if (!p->writer)
			return 0;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		result = process_wait(UINT64_MAX);
		if (result)
			return result;
	}
	for (int i = 0; i < n; i++)
		total += (ssize_t)take(p, iov[i].iov_base, iov[i].iov_len);
	return total;
}

/* Puts what fits, from byte `skip` of the vector on. */
static size_t put_vector(struct pipe *p, const struct iovec *iov, int n, size_t skip)
{
	size_t total = 0;

	for (int i = 0; i < n; i++) {
		size_t length = iov[i].iov_len, done;

		if (skip >= length) {
			skip -= length;
			continue;
		}
		done = put(p, (const uint8_t *)iov[i].iov_base + skip, length - skip);
		total += done;
		if (done < length - skip)
			break;
		skip = 0;
	}
	return total;
}

static ssize_t pipe_write(struct file *f, const struct iovec *iov, int n)
{
	struct pipe *p = f->data;
	size_t length = vector_length(iov, n), done = 0;

	while (done < length) {
		size_t least = length <= PIPE_BUF ? length : 1; /* up to PIPE_BUF: all at once */
		int result;

		if (!p->reader)
			return done ? (ssize_t)done : -EPIPE;
		if (PIPE_CAPACITY - filled(p) >= least) {
			done += put_vector(p, iov, n, done);
			continue;
		}
		if (f->flags & O_NONBLOCK)
			return done ? (ssize_t)done : -EAGAIN;
		result = process_wait(UINT64_MAX);
		if (result)
			return done ? (ssize_t)done : result;
	}
	return (ssize_t)done;
}

static unsigned pipe_poll_reader(struct file *f, unsigned wanted, bool arm)
{
	const struct pipe *p = f->data;

	(void)wanted;
	(void)arm; /* nobody else changes a pipe of this process */
	return (filled(p) ? POLLIN | POLLRDNORM : 0) | (p->writer ? 0 : POLLHUP);
}

static unsigned pipe_poll_writer(struct file *f, unsigned wanted, bool arm)
{
	const struct pipe *p = f->data;

	(void)wanted;
	(void)arm;
	return (PIPE_CAPACITY - filled(p) >= PIPE_BUF ? POLLOUT | POLLWRNORM : 0) |
	       (p->reader ? 0 : POLLERR);
}

static int pipe_stat(struct file *f, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFIFO | 0600;
	st->st_nlink = 1;
	st->st_ino = (ino_t)(uintptr_t)f->data;
	st->st_blksize = PIPE_BUF;
	return 0;
}

static int pipe_ioctl(struct file *f, unsigned long request, void *argument)
{
	if (request != FIONREAD)
		return -ENOTTY;
	*(int *)argument = (int)filled(f->data);
	return 0;
}

static void close_end(struct pipe *p, bool *end)
{
	*end = false;
	if (--p->ends == 0)
		posix_free(p);
}

static void pipe_close_reader(struct file *f)
{
	struct pipe *p = f->data;

	close_end(p, &p->reader);
}

static void pipe_close_writer(struct file *f)
{
	struct pipe *p = f->data;

	close_end(p, &p->writer);
}

static const struct file_ops reader_ops = {.read = pipe_read,
                                           .poll = pipe_poll_reader,
                                           .stat = pipe_stat,
                                           .ioctl = pipe_ioctl,
                                           .close = pipe_close_reader};
static const struct file_ops writer_ops = {.write = pipe_write,
                                           .poll = pipe_poll_writer,
                                           .stat = pipe_stat,
                                           .ioctl = pipe_ioctl,
                                           .close = pipe_close_writer};

long sys_pipe2(long fds, long flags)
{
	struct pipe *p;
	struct file *reader, *writer;
	int in = -EMFILE, out;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	p = posix_alloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->reader = p->writer = true;
	p->ends = 2;
	reader = file_create(&reader_ops, O_RDONLY | (int)(flags & O_NONBLOCK), p);
	writer = file_create(&writer_ops, O_WRONLY | (int)(flags & O_NONBLOCK), p);
	if (!reader || !writer) {
		posix_free(reader);
		posix_free(writer);
		posix_free(p);
		return -ENOMEM;
	}
	in = fd_install(reader, 0, flags & O_CLOEXEC);
	if (in < 0) {
		file_put(reader);
		file_put(writer);
		return in;
	}
	out = fd_install(writer, 0, flags & O_CLOEXEC);
	if (out < 0) {
		sys_close(in);
		file_put(writer);
		return out;
	}
	((int *)fds)[0] = in;
	((int *)fds)[1] = out;
	return 0;
}

long sys_pipe(long fds)
{
	return sys_pipe2(fds, 0);
}
