/* SPDX-License-Identifier: MIT */
/*
 * The operations of pipes and FIFOs: a buffer in memory that is common to all processes that have
 * an end of it.  It is changed under its lock; a process that waits says so first and is woken by
 * the event that relatives have in common.
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

#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/file.h"
#include "file/pipe.h"

static struct pipe *pipes; /* all, to find the one of an end after exec */

static uint32_t read_once(const uint32_t *index)
{
	return *(const volatile uint32_t *)index;
}

static uint32_t between(uint32_t head, uint32_t tail)
{
	uint32_t bytes = tail - head;

	return bytes < PIPE_CAPACITY ? bytes : PIPE_CAPACITY;
}

static uint32_t filled(const struct pipe_shared *p)
{
	return between(read_once(&p->head), read_once(&p->tail));
}

bool pipe_has(struct pipe_shared *p, enum pipe_side side)
{
	uint32_t n = atomic_load(&p->nopens[side]);

	for (uint32_t i = 0; i < n && i < PIPE_OPENS; i++) {
		if (atomic_load(&p->opens[side][i].processes) && ends_held(p->opens[side][i].word))
			return true;
	}
	return false;
}

/* What F_SETPIPE_SZ made of it: no more than there is, whatever another process wrote there. */
static uint32_t size_of(const struct pipe_shared *p)
{
	uint32_t size = atomic_load(&p->size);

	return size && size < PIPE_CAPACITY ? size : PIPE_CAPACITY;
}

/* Bytes that a writer may add. */
static uint32_t room_of(const struct pipe_shared *p)
{
	uint32_t bytes = filled(p), size = size_of(p);

	return bytes < size ? size - bytes : 0;
}

static struct pipe_end *end_of(const struct file *f)
{
	return f->data;
}

static struct pipe_shared *shared_of(const struct file *f)
{
	return end_of(f)->pipe->shared;
}

/* The next bytes at index `from` on that are in one piece: up to length, and no more than
 * `most`. */
static uint32_t run_of(uint32_t from, size_t length, uint32_t most)
{
	uint32_t run = PIPE_CAPACITY - from % PIPE_CAPACITY;

	run = run < most ? run : most;
	return run < length ? run : (uint32_t)length;
}

/* Both read the index once: what has the pipe, too, may change it at any time, and a run that was
 * measured at one place is not to be moved at another, past the end of the data. */
static ssize_t take(void *context, void *to, size_t length, size_t before)
{
	struct pipe_shared *p = context;
	uint32_t head = read_once(&p->head), most = between(head, read_once(&p->tail));
	size_t done = 0, left = 0;

	(void)before;
	while (done < length && most && !left) {
		uint32_t run = run_of(head, length - done, most);

		left = posix_user_copy((uint8_t *)to + done, p->data + head % PIPE_CAPACITY, run);
		head += run - (uint32_t)left;
		most -= run - (uint32_t)left;
		done += run - left;
	}
	p->head = head;
	return left && !done ? -EFAULT : (ssize_t)done;
}

static ssize_t put(void *context, void *from, size_t length, size_t before)
{
	struct pipe_shared *p = context;
	uint32_t tail = read_once(&p->tail), room = room_of(p);
	size_t done = 0, left = 0;

	(void)before;
	while (done < length && room && !left) {
		uint32_t run = run_of(tail, length - done, room);

		left = posix_user_copy(p->data + tail % PIPE_CAPACITY, (uint8_t *)from + done, run);
		tail += run - (uint32_t)left;
		room -= run - (uint32_t)left;
		done += run - left;
	}
	p->tail = tail;
	return left && !done ? -EFAULT : (ssize_t)done;
}

int pipe_lock(struct pipe_shared *p)
{
	int result = shared_lock(&p->lock);

	return result < 0 ? result : 0;
}

void pipe_unlock(struct pipe_shared *p, bool has_changed)
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

/* Moves `most` bytes, the next of the transfer.  Where the program's memory is not there no part of
 * a page's worth is moved, as on Linux: so a write of PIPE_BUF bytes is all of them or none. */
static ssize_t move(const struct transfer *t, vector_mover *mover, uint32_t *index, uint32_t most)
{
	const uint32_t before = *index;
	ssize_t result = vector_move(t->iov, t->n, t->done, mover, t->pipe);

	if (result <= 0 || (size_t)result == t->length - t->done || (uint32_t)result == most)
		return result;
	result -= result % PIPE_BUF;
	*index = before + (uint32_t)result;
	return result ? result : -EFAULT;
}

/* What the pipe has; WAIT_NOTHING: nothing, but a writer exists, who wakes us. */
static ssize_t try_take(void *context)
{
	struct transfer *t = context;
	struct pipe_shared *p = t->pipe;
	ssize_t result = pipe_lock(p);

	if (result)
		return result;
	result = move(t, take, &p->head, filled(p));
	if (!result && pipe_has(p, PIPE_WRITES)) {
		atomic_store(&p->wants, 1);
		result = WAIT_NOTHING;
	}
	pipe_unlock(p, result > 0);
	return result;
}

ssize_t pipe_take(struct file *f, const struct iovec *iov, int n, bool nonblocking)
{
	struct transfer t = {
	        .pipe = shared_of(f), .iov = iov, .n = n, .length = vector_length(iov, n)};
	const struct waiting w = {.attempt = try_take, .context = &t, .nonblocking = nonblocking};

	return t.length ? wait_for(&w) : 0;
}

static ssize_t pipe_read(struct file *f, const struct iovec *iov, int n)
{
	return pipe_take(f, iov, n, file_flags(f) & O_NONBLOCK);
}

/* As many as fit, at least `least`. */
static ssize_t try_put(void *context)
{
	struct transfer *t = context;
	struct pipe_shared *p = t->pipe;
	ssize_t result = pipe_lock(p);

	if (result)
		return result;
	if (!pipe_has(p, PIPE_READS)) {
		result = -EPIPE;
	} else if (room_of(p) < t->least) {
		atomic_store(&p->wants, 1);
		result = WAIT_NOTHING;
	} else {
		result = move(t, put, &p->tail, room_of(p));
	}
	pipe_unlock(p, result > 0);
	if (result <= 0)
		return result;
	t->done += (size_t)result;
	return t->done < t->length ? WAIT_SOME : (ssize_t)t->done;
}

static ssize_t write_at_least(struct file *f, const struct iovec *iov, int n, size_t least,
                              bool nonblocking)
{
	struct transfer t = {.pipe = shared_of(f),
	                     .iov = iov,
	                     .n = n,
	                     .length = vector_length(iov, n),
	                     .least = least};
	const struct waiting w = {.attempt = try_put, .context = &t, .nonblocking = nonblocking};
	ssize_t result;

	if (!t.length)
		return 0;
	result = wait_for(&w);
	return t.done ? (ssize_t)t.done : result;
}

ssize_t pipe_fill(struct file *f, const struct iovec *iov, int n, bool nonblocking)
{
	return write_at_least(f, iov, n, 1, nonblocking);
}

static ssize_t pipe_write(struct file *f, const struct iovec *iov, int n)
{
	const size_t length = vector_length(iov, n);

	/* Up to PIPE_BUF: all at once. */
	return write_at_least(f, iov, n, length <= PIPE_BUF ? length : 1,
	                      file_flags(f) & O_NONBLOCK);
}

/* ---- For splice and tee ---- */

static ssize_t look_for_bytes(void *context)
{
	struct pipe_shared *p = context;
	ssize_t result = pipe_lock(p);

	if (result)
		return result;
	result = filled(p);
	if (!result && pipe_has(p, PIPE_WRITES)) {
		atomic_store(&p->wants, 1);
		result = WAIT_NOTHING;
	}
	pipe_unlock(p, false);
	return result;
}

static ssize_t look_for_room(void *context)
{
	struct pipe_shared *p = context;
	ssize_t result = pipe_lock(p);

	if (result)
		return result;
	result = room_of(p);
	if (!pipe_has(p, PIPE_READS)) {
		result = -EPIPE;
	} else if (!result) {
		atomic_store(&p->wants, 1);
		result = WAIT_NOTHING;
	}
	pipe_unlock(p, false);
	return result;
}

ssize_t pipe_wait(struct file *f, bool nonblocking)
{
	const struct waiting w = {
	        .attempt = look_for_bytes, .context = shared_of(f), .nonblocking = nonblocking};

	return wait_for(&w);
}

ssize_t pipe_room(struct file *f, bool nonblocking)
{
	const struct waiting w = {
	        .attempt = look_for_room, .context = shared_of(f), .nonblocking = nonblocking};

	return wait_for(&w);
}

ssize_t pipe_peek(struct file *f, uint8_t *to, size_t length)
{
	struct pipe_shared *p = shared_of(f);
	uint32_t head;
	ssize_t done = pipe_lock(p);

	if (done)
		return done;
	head = p->head;
	done = take(p, to, length, 0);
	p->head = head;
	pipe_unlock(p, false);
	return done;
}

bool pipe_give_back(struct file *f, const uint8_t *bytes, size_t length)
{
	struct pipe_shared *p = shared_of(f);
	uint32_t head;
	bool fits;

	if (pipe_lock(p))
		return false;
	fits = length <= PIPE_CAPACITY - filled(p);
	head = read_once(&p->head) - (fits ? (uint32_t)length : 0);
	for (size_t i = 0; fits && i < length; i++)
		p->data[(head + i) % PIPE_CAPACITY] = bytes[i];
	p->head = head;
	pipe_unlock(p, fits);
	return fits;
}

bool pipe_same(const struct file *a, const struct file *b)
{
	return shared_of(a) == shared_of(b);
}

static unsigned poll_sides(const struct pipe_end *end, struct pipe_shared *p)
{
	unsigned ready = 0;

	if (end->place[PIPE_READS] >= 0) {
		ready |= filled(p) ? POLLIN | POLLRDNORM : 0;
		if (end->writers_since != atomic_load(&p->opened[PIPE_WRITES]) &&
		    !pipe_has(p, PIPE_WRITES))
			ready |= POLLHUP;
	}
	if (end->place[PIPE_WRITES] >= 0) {
		ready |= room_of(p) >= PIPE_BUF ? POLLOUT | POLLWRNORM : 0;
		ready |= pipe_has(p, PIPE_READS) ? 0 : POLLERR;
	}
	return ready;
}

static unsigned pipe_poll(struct file *f, unsigned wanted, bool arm)
{
	struct pipe_shared *p = shared_of(f);

	(void)wanted;
	if (arm)
		atomic_store(&p->wants, 1);
	return poll_sides(end_of(f), p);
}

static bool reader_progress(struct file *f, uint64_t *number)
{
	const struct pipe_shared *p = shared_of(f);

	*number = (uint64_t)atomic_load(&p->opened[PIPE_WRITES]) << 32 | read_once(&p->tail);
	return true;
}

static bool writer_progress(struct file *f, uint64_t *number)
{
	const struct pipe_shared *p = shared_of(f);

	*number = (uint64_t)atomic_load(&p->opened[PIPE_READS]) << 32 | read_once(&p->head);
	return true;
}

static int pipe_stat(struct file *f, struct stat *st)
{
	const struct pipe_end *end = end_of(f);
	struct file_stat_results results;
	struct capos_call call = FILES_CALL();
	int result;

	if (end->file) {
		result = file_stat(end->file, &results, &call);
		if (!result)
			stat_from(&results.stat, st);
		return errno_of(result);
	}
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFIFO | 0600;
	st->st_nlink = 1;
	st->st_ino = end->pipe->memory;
	st->st_blksize = PIPE_BUF;
	return 0;
}

static int pipe_ioctl(struct file *f, unsigned long request, void *argument)
{
	int unread;

	if (request != FIONREAD)
		return -ENOTTY;
	unread = (int)filled(shared_of(f));
	return user_put(argument, &unread);
}

static long pipe_size(struct file *f, const unsigned *wanted)
{
	struct pipe_shared *p = shared_of(f);
	uint32_t size = PIPE_BUF;
	long result;

	if (!wanted)
		return size_of(p);
	if (*wanted > 1u << 31)
		return -EINVAL;
	if (*wanted > PIPE_CAPACITY)
		return absent(ABSENT_LONG_PIPE);
	while (size < *wanted)
		size *= 2;
	file_get(f);
	result = pipe_lock(p);
	if (!result) {
		result = filled(p) > size ? -EBUSY : (long)size;
		if (result > 0)
			atomic_store(&p->size, size);
		pipe_unlock(p, true); /* a writer may have room now */
	}
	file_put(f);
	return result;
}

void pipe_settle(struct pipe *p)
{
	struct pipe **link = &pipes;

	if (p->ends)
		return;
	while (*link && *link != p)
		link = &(*link)->next;
	if (*link)
		*link = p->next;
	if (p->shared)
		cap_memory_unmap(p->shared, sizeof(*p->shared));
	cap_release(p->memory);
	posix_free(p);
}

static int pipe_chmod(struct file *f, unsigned mode)
{
	struct capos_call call = FILES_CALL();
	const struct file_set_mode_params params = {.mode = mode};

	return end_of(f)->file ? errno_of(file_set_mode(end_of(f)->file, &params, &call)) : -EINVAL;
}

static int pipe_utimens(struct file *f, const struct file_times *times)
{
	struct capos_call call = FILES_CALL();
	const struct file_set_times_params params = {
	        .access_ns = times->access_ns, .modify_ns = times->modify_ns, .now = times->now};

	return end_of(f)->file ? errno_of(file_set_times(end_of(f)->file, &params, &call))
	                       : -EINVAL;
}

/* The calls of `change` for each side that the description has. */
static void each_side(const struct pipe_end *end,
                      void (*change)(struct pipe_shared *p, _Atomic uint32_t *processes))
{
	struct pipe_shared *p = end->pipe->shared;

	for (int side = 0; side < PIPE_SIDES; side++) {
		if (end->place[side] >= 0)
			change(p, &p->opens[side][end->place[side]].processes);
	}
}

/* One process less has it. */
static void leave_side(struct pipe_shared *p, _Atomic uint32_t *processes)
{
	if (atomic_fetch_sub(processes, 1) == 1 && atomic_exchange(&p->wants, 0))
		family_wake();
}

static void enter_side(struct pipe_shared *p, _Atomic uint32_t *processes)
{
	(void)p;
	atomic_fetch_add(processes, 1);
}

static void pipe_close(struct file *f)
{
	struct pipe_end *end = end_of(f);

	each_side(end, leave_side);
	cap_release(end->held);
	cap_release(end->file);
	end->pipe->ends--;
	pipe_settle(end->pipe);
	posix_free(end);
}

static void pipe_leave(struct file *f)
{
	each_side(end_of(f), leave_side);
}

static int pipe_fork(struct file *f)
{
	each_side(end_of(f), enter_side);
	return 0;
}

static int pipe_carry(struct file *f, struct carried *out)
{
	const struct pipe_end *end = end_of(f);

	out->kind = CARRY_PIPE;
	out->end = end->held;
	out->object = end->pipe->memory;
	out->contents = end->file;
	out->detail = (uint32_t)(end->place[PIPE_READS] + 1) |
	              (uint32_t)(end->place[PIPE_WRITES] + 1) << 16;
	out->offset = end->writers_since;
	return 0;
}

#define PIPE_OPS                                                                             \
	.poll = pipe_poll, .stat = pipe_stat, .chmod = pipe_chmod, .utimens = pipe_utimens,  \
	.ioctl = pipe_ioctl, .pipe_size = pipe_size, .close = pipe_close, .fork = pipe_fork, \
	.fork_failed = pipe_leave, .leave = pipe_leave, .carry = pipe_carry

static const struct file_ops reader_ops = {
        .read = pipe_read, .progress = reader_progress, PIPE_OPS};
static const struct file_ops writer_ops = {
        .write = pipe_write, .progress = writer_progress, PIPE_OPS};
static const struct file_ops both_ops = {.read = pipe_read, .write = pipe_write, PIPE_OPS};

/* ---- Ends ---- */

struct pipe *pipe_map(cap_t memory)
{
	struct pipe *p = pipes;
	void *address;

	while (p && p->memory != memory)
		p = p->next;
	if (p)
		return p;
	p = posix_alloc(sizeof(*p));
	if (!p) {
		cap_release(memory);
		return NULL;
	}
	p->memory = memory;
	if (cap_memory_map(memory, 0, sizeof(*p->shared), CAP_RIGHT_READ | CAP_RIGHT_WRITE,
	                   &address)) {
		pipe_settle(p);
		return NULL;
	}
	p->shared = address;
	p->next = pipes;
	pipes = p;
	return p;
}

/* A place that no process has; -1: there is none. */
static int find_place(struct pipe_shared *p, int side)
{
	uint32_t n = atomic_load(&p->nopens[side]);

	for (uint32_t i = 0; i < n && i < PIPE_OPENS; i++) {
		const struct pipe_open *open = &p->opens[side][i];

		if (!atomic_load(&open->processes) || !ends_held(open->word))
			return (int)i;
	}
	if (n >= PIPE_OPENS)
		return -1;
	atomic_store(&p->nopens[side], n + 1);
	return (int)n;
}

int pipe_enter(struct pipe_end *end, uint64_t word, unsigned sides)
{
	struct pipe_shared *p = end->pipe->shared;

	for (int side = 0; side < PIPE_SIDES; side++) {
		end->place[side] = sides & 1u << side ? find_place(p, side) : -1;
		if (end->place[side] >= 0 || !(sides & 1u << side))
			continue;
		end->place[PIPE_READS] = end->place[PIPE_WRITES] = -1;
		return -ENFILE;
	}
	for (int side = 0; side < PIPE_SIDES; side++) {
		if (end->place[side] < 0)
			continue;
		p->opens[side][end->place[side]].word = word;
		atomic_store(&p->opens[side][end->place[side]].processes, 1);
		atomic_fetch_add(&p->opened[side], 1);
	}
	return 0;
}

int pipe_describe(const struct pipe_end *end, int flags, struct file **out)
{
	struct pipe_end *own = posix_alloc(sizeof(*own));
	int mode = flags & O_ACCMODE;
	const struct file_ops *ops = mode == O_RDONLY   ? &reader_ops
	                             : mode == O_WRONLY ? &writer_ops
	                                                : &both_ops;

	*out = own ? file_create(ops, flags, own) : NULL;
	if (!*out) {
		posix_free(own);
		return -ENOMEM;
	}
	*own = *end;
	own->pipe->ends++;
	return 0;
}

/* A place of an exec's state, which is this process's own. */
static int carried_place(uint32_t detail)
{
	return detail && detail <= PIPE_OPENS ? (int)detail - 1 : -1;
}

int pipe_restore(const struct carried *in, struct file **out)
{
	struct pipe_end end = {
	        .pipe = pipe_map(in->object),
	        .held = in->end,
	        .file = in->contents,
	        .place = {carried_place(in->detail & 0xffff), carried_place(in->detail >> 16)},
	        .writers_since = (uint32_t)in->offset};

	return end.pipe ? pipe_describe(&end, in->flags, out) : -ENOMEM;
}
