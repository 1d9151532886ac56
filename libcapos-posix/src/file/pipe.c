/* SPDX-License-Identifier: MIT */
/*
 * Pipes: a buffer in memory that is common to all processes that have an end of it, made by one and
 * handed on by fork and exec.  It is changed under its lock; a process that waits says so first and
 * is woken by the event that relatives have in common.  Each process that opens or closes an end
 * counts it; of those that were killed the process service knows, so an end is held exactly while
 * both say so.
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

#include <capos/cap.h>

#include "core/core.h"
#include "file/file.h"

#define PIPE_CAPACITY 65536u /* bytes, a power of two; as Linux has it */

struct pipe_shared {
	_Atomic uint32_t lock;
	uint32_t head, tail;               /* taken and put so far; run freely */
	_Atomic uint32_t wants;            /* a process sleeps until something changes */
	_Atomic uint32_t readers, writers; /* processes that have that end, killed ones included */
	uint64_t word; /* of the reading end (ends.h); the writing one's follows */
	_Alignas(4096) uint8_t data[PIPE_CAPACITY];
};

/* Of both ends in this process. */
struct pipe {
	struct pipe_shared *shared;
	cap_t memory;
	unsigned ends; /* descriptions here, of one end each */
	cap_t held[2]; /* ProcessEnds: of the reading one, of the writing one */
	struct pipe *next;
};

static struct pipe *pipes; /* all, to find the other end's after exec */

static uint32_t filled(const struct pipe_shared *p)
{
	uint32_t bytes = p->tail - p->head;

	return bytes < PIPE_CAPACITY ? bytes : PIPE_CAPACITY;
}

static bool has_readers(struct pipe_shared *p)
{
	return atomic_load(&p->readers) && ends_held(p->word);
}

static bool has_writers(struct pipe_shared *p)
{
	return atomic_load(&p->writers) && ends_held(p->word + 1);
}

/* The next bytes at index `from` on that are in one piece: up to length, and no more than
 * `most`. */
static uint32_t run_of(uint32_t from, size_t length, uint32_t most)
{
	uint32_t run = PIPE_CAPACITY - from % PIPE_CAPACITY;

	run = run < most ? run : most;
	return run < length ? run : (uint32_t)length;
}

static ssize_t take(void *context, void *to, size_t length, size_t before)
{
	struct pipe_shared *p = context;
	size_t done = 0, left = 0;

	(void)before;
	while (done < length && filled(p) && !left) {
		uint32_t run = run_of(p->head, length - done, filled(p));

		left = posix_user_copy((uint8_t *)to + done, p->data + p->head % PIPE_CAPACITY,
		                       run);
		p->head += run - (uint32_t)left;
		done += run - left;
	}
	return left && !done ? -EFAULT : (ssize_t)done;
}

static ssize_t put(void *context, void *from, size_t length, size_t before)
{
	struct pipe_shared *p = context;
	size_t done = 0, left = 0;

	(void)before;
	while (done < length && filled(p) < PIPE_CAPACITY && !left) {
		uint32_t run = run_of(p->tail, length - done, PIPE_CAPACITY - filled(p));

		left = posix_user_copy(p->data + p->tail % PIPE_CAPACITY, (uint8_t *)from + done,
		                       run);
		p->tail += run - (uint32_t)left;
		done += run - left;
	}
	return left && !done ? -EFAULT : (ssize_t)done;
}

/* Gives the pipe to the others, and wakes who waits for what was changed. */
static void unlock(struct pipe_shared *p, bool has_changed)
{
	bool wake = has_changed && atomic_exchange(&p->wants, 0);

	shared_unlock(&p->lock);
	if (wake)
		family_wake();
}

/* ---- Reading and writing ---- */

struct transfer {
	struct pipe_shared *pipe;
	const struct iovec *iov;
	int n;
	size_t length, done; /* bytes */
	size_t least;        /* of what is written at once */
};

/* What the pipe has; WAIT_NOTHING: nothing, but a writer exists, who wakes us. */
static ssize_t try_take(void *context)
{
	struct transfer *t = context;
	struct pipe_shared *p = t->pipe;
	ssize_t result;

	shared_lock(&p->lock);
	result = vector_move(t->iov, t->n, 0, take, p);
	if (!result && has_writers(p)) {
		atomic_store(&p->wants, 1);
		result = WAIT_NOTHING;
	}
	unlock(p, result > 0);
	return result;
}

static ssize_t pipe_read(struct file *f, const struct iovec *iov, int n)
{
	struct transfer t = {.pipe = ((struct pipe *)f->data)->shared, .iov = iov, .n = n};
	const struct waiting w = {
	        .attempt = try_take, .context = &t, .nonblocking = file_flags(f) & O_NONBLOCK};

	return vector_length(iov, n) ? wait_for(&w) : 0;
}

/* As many as fit, at least `least`. */
static ssize_t try_put(void *context)
{
	struct transfer *t = context;
	struct pipe_shared *p = t->pipe;
	ssize_t result;

	shared_lock(&p->lock);
	if (!has_readers(p)) {
		result = -EPIPE;
	} else if (PIPE_CAPACITY - filled(p) < t->least) {
		atomic_store(&p->wants, 1);
		result = WAIT_NOTHING;
	} else {
		result = vector_move(t->iov, t->n, t->done, put, p);
	}
	unlock(p, result > 0);
	if (result <= 0)
		return result;
	t->done += (size_t)result;
	return t->done < t->length ? WAIT_SOME : (ssize_t)t->done;
}

static ssize_t pipe_write(struct file *f, const struct iovec *iov, int n)
{
	struct transfer t = {.pipe = ((struct pipe *)f->data)->shared,
	                     .iov = iov,
	                     .n = n,
	                     .length = vector_length(iov, n)};
	const struct waiting w = {
	        .attempt = try_put, .context = &t, .nonblocking = file_flags(f) & O_NONBLOCK};
	ssize_t result;

	if (!t.length)
		return 0;
	t.least = t.length <= PIPE_BUF ? t.length : 1; /* up to PIPE_BUF: all at once */
	result = wait_for(&w);
	return t.done ? (ssize_t)t.done : result;
}

static unsigned pipe_poll_reader(struct file *f, unsigned wanted, bool arm)
{
	struct pipe_shared *p = ((struct pipe *)f->data)->shared;

	(void)wanted;
	if (arm)
		atomic_store(&p->wants, 1);
	return (filled(p) ? POLLIN | POLLRDNORM : 0) | (has_writers(p) ? 0 : POLLHUP);
}

static unsigned pipe_poll_writer(struct file *f, unsigned wanted, bool arm)
{
	struct pipe_shared *p = ((struct pipe *)f->data)->shared;

	(void)wanted;
	if (arm)
		atomic_store(&p->wants, 1);
	return (PIPE_CAPACITY - filled(p) >= PIPE_BUF ? POLLOUT | POLLWRNORM : 0) |
	       (has_readers(p) ? 0 : POLLERR);
}

static int pipe_stat(struct file *f, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFIFO | 0600;
	st->st_nlink = 1;
	st->st_ino = ((struct pipe *)f->data)->memory;
	st->st_blksize = PIPE_BUF;
	return 0;
}

static int pipe_ioctl(struct file *f, unsigned long request, void *argument)
{
	int unread;

	if (request != FIONREAD)
		return -ENOTTY;
	unread = (int)filled(((struct pipe *)f->data)->shared);
	return user_put(argument, &unread);
}

static void pipe_free(struct pipe *p)
{
	struct pipe **link = &pipes;

	while (*link && *link != p)
		link = &(*link)->next;
	if (*link)
		*link = p->next;
	if (p->shared)
		cap_memory_unmap(p->shared, sizeof(*p->shared));
	cap_release(p->held[0]);
	cap_release(p->held[1]);
	cap_release(p->memory);
	posix_free(p);
}

/* One process less has the end. */
static void leave_end(struct pipe_shared *p, _Atomic uint32_t *end)
{
	if (atomic_fetch_sub(end, 1) == 1 && atomic_exchange(&p->wants, 0))
		family_wake();
}

static void close_end(struct pipe *p, _Atomic uint32_t *end, cap_t *held)
{
	cap_release(*held);
	*held = CAP_NULL;
	leave_end(p->shared, end);
	if (--p->ends == 0)
		pipe_free(p);
}

static void pipe_close_reader(struct file *f)
{
	struct pipe *p = f->data;

	close_end(p, &p->shared->readers, &p->held[0]);
}

static void pipe_close_writer(struct file *f)
{
	struct pipe *p = f->data;

	close_end(p, &p->shared->writers, &p->held[1]);
}

static void pipe_leave_reader(struct file *f)
{
	struct pipe_shared *p = ((struct pipe *)f->data)->shared;

	leave_end(p, &p->readers);
}

static void pipe_leave_writer(struct file *f)
{
	struct pipe_shared *p = ((struct pipe *)f->data)->shared;

	leave_end(p, &p->writers);
}

static int pipe_fork_reader(struct file *f)
{
	atomic_fetch_add(&((struct pipe *)f->data)->shared->readers, 1);
	return 0;
}

static int pipe_fork_writer(struct file *f)
{
	atomic_fetch_add(&((struct pipe *)f->data)->shared->writers, 1);
	return 0;
}

static int pipe_carry_reader(struct file *f, struct carried *out)
{
	out->kind = CARRY_PIPE_READER;
	out->end = ((struct pipe *)f->data)->held[0];
	out->object = ((struct pipe *)f->data)->memory;
	return 0;
}

static int pipe_carry_writer(struct file *f, struct carried *out)
{
	out->kind = CARRY_PIPE_WRITER;
	out->end = ((struct pipe *)f->data)->held[1];
	out->object = ((struct pipe *)f->data)->memory;
	return 0;
}

static const struct file_ops reader_ops = {.read = pipe_read,
                                           .poll = pipe_poll_reader,
                                           .stat = pipe_stat,
                                           .ioctl = pipe_ioctl,
                                           .pipe_capacity = PIPE_CAPACITY,
                                           .close = pipe_close_reader,
                                           .fork = pipe_fork_reader,
                                           .fork_failed = pipe_leave_reader,
                                           .leave = pipe_leave_reader,
                                           .carry = pipe_carry_reader};
static const struct file_ops writer_ops = {.write = pipe_write,
                                           .poll = pipe_poll_writer,
                                           .stat = pipe_stat,
                                           .ioctl = pipe_ioctl,
                                           .pipe_capacity = PIPE_CAPACITY,
                                           .close = pipe_close_writer,
                                           .fork = pipe_fork_writer,
                                           .fork_failed = pipe_leave_writer,
                                           .leave = pipe_leave_writer,
                                           .carry = pipe_carry_writer};

/* Maps the pipe's memory, whose capability it takes over, also when it fails. */
static struct pipe *pipe_map(cap_t memory)
{
	struct pipe *p = posix_alloc(sizeof(*p));
	void *address;

	if (!p) {
		cap_release(memory);
		return NULL;
	}
	p->memory = memory;
	if (cap_memory_map(memory, 0, sizeof(*p->shared), CAP_RIGHT_READ | CAP_RIGHT_WRITE,
	                   &address)) {
		pipe_free(p);
		return NULL;
	}
	p->shared = address;
	p->next = pipes;
	pipes = p;
	return p;
}

static struct pipe *pipe_create(void)
{
	struct shared_ends ends;
	cap_t memory;
	struct pipe *p = NULL;

	if (ends_open(&ends))
		return NULL;
	if (!cap_memory_create(sizeof(struct pipe_shared), &memory))
		p = pipe_map(memory);
	if (!p) {
		cap_release(ends.ends[0]);
		cap_release(ends.ends[1]);
		return NULL;
	}
	p->ends = 2;
	p->held[0] = ends.ends[0];
	p->held[1] = ends.ends[1];
	p->shared->word = ends.word;
	atomic_store(&p->shared->readers, 1);
	atomic_store(&p->shared->writers, 1);
	return p;
}

int pipe_restore(const struct carried *in, struct file **out)
{
	bool writes = in->kind == CARRY_PIPE_WRITER;
	struct pipe *p = pipes;

	while (p && p->memory != in->object)
		p = p->next;
	if (!p)
		p = pipe_map(in->object);
	if (!p)
		return -ENOMEM;
	*out = file_create(writes ? &writer_ops : &reader_ops, in->flags, p);
	if (!*out)
		return -ENOMEM;
	p->ends++;
	p->held[writes] = in->end;
	return 0;
}

/* Both descriptions, each with a descriptor. */
static int install_ends(struct pipe *p, long flags, int fds[2])
{
	struct file *reader = file_create(&reader_ops, O_RDONLY | (int)(flags & O_NONBLOCK), p);
	struct file *writer = file_create(&writer_ops, O_WRONLY | (int)(flags & O_NONBLOCK), p);

	if (!reader || !writer) {
		posix_free(reader);
		posix_free(writer);
		pipe_free(p);
		return -ENOMEM;
	}
	fds[0] = fd_install(reader, 0, flags & O_CLOEXEC);
	if (fds[0] < 0) {
		file_put(reader);
		file_put(writer);
		return fds[0];
	}
	fds[1] = fd_install(writer, 0, flags & O_CLOEXEC);
	if (fds[1] < 0) {
		sys_close(fds[0]);
		file_put(writer);
		return fds[1];
	}
	return 0;
}

long sys_pipe2(long fds, long flags)
{
	struct pipe *p;
	int ends[2], result;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK)) {
		long refused = absent_flags(ABSENT_PIPE, (unsigned long)flags);

		return refused ? refused : -EINVAL;
	}
	p = pipe_create();
	if (!p)
		return -ENOMEM;
	result = install_ends(p, flags, ends);
	if (!result && user_put(fds, &ends)) {
		sys_close(ends[0]);
		sys_close(ends[1]);
		result = -EFAULT;
	}
	return result;
}

long sys_pipe(long fds)
{
	return sys_pipe2(fds, 0);
}
