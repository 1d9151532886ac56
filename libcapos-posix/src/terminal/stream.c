/* SPDX-License-Identifier: MIT */
/*
 * Descriptors over ByteStream capabilities: standard input, output and error.  To the program they
 * are pipes; data moves between its buffers and the shared queue, and the kernel is entered only to
 * wake the server or to sleep.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <capos/schema/service_client.h>

#include "core/core.h"
#include "terminal/terminal.h"

/* Linux's PIPE_BUF: a writer finds a pipe writable when this much fits. */
#define STREAM_WRITABLE 4096u

struct stream {
	struct chan chan;
	cap_t object;
	uint64_t number;      /* st_ino */
	struct stream *next;  /* of all */
	struct stream **link; /* what points here */
};

static uint64_t last_number;
static struct stream *all; /* a few: standard input, output and error */

static bool can_read(struct file *f)
{
	return (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool can_write(struct file *f)
{
	return (f->flags & O_ACCMODE) != O_RDONLY;
}

static int attach(struct stream *s, cap_t object)
{
	_Alignas(8) uint8_t buffer[CAP_STUB_BUFFER];
	const struct capos_send_cap send = process_wake_cap();
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct byte_stream_attach_params params = {.wake_bits = PROCESS_WAKE_BITS};
	struct byte_stream_attach_results results;
	uint64_t era;
	int result = cap_test(object, &era);

	if (!result)
		result = byte_stream_attach(object, &params, &results, &call);
	if (result)
		return result;
	result = chan_open(&s->chan, &results.channel, &call);
	s->chan.served = object;
	s->chan.era = era;
	for (uint32_t i = 0; i < call.ncaps; i++)
		cap_release(call.caps[i]);
	return result;
}

/* When the console's process has ended: goes over to the channel of the next one, with what was
 * written and not taken.  CAP_OK, also when it has not ended, or an error: there is no next. */
static int follow(struct stream *s)
{
	struct chan old = s->chan;
	int result;

	if (!chan_gone(&old))
		return CAP_OK;
	result = attach(s, s->object);
	if (result) {
		s->chan = old;
		return result;
	}
	s->chan.common = old.common;
	if (s->chan.channel.send.capacity)
		chan_resend(&s->chan, &old);
	chan_close(&old);
	return CAP_OK;
}

/* Reads, or says why not: -EAGAIN when the caller may sleep.  The end is looked for before the
 * data, since the server puts data in before it says that this was all. */
static ssize_t try_read(struct stream *s, const struct iovec *iov, int n)
{
	uint32_t status = chan_status(&s->chan);
	ssize_t done = chan_read(&s->chan, iov, n, 0, false);

	if (done)
		return done;
	if (chan_gone(&s->chan))
		return follow(s) ? -EIO : WAIT_SOME;
	if (chan_broken(&s->chan))
		return -EIO;
	return status & CHANNEL_EOF ? 0 : -EAGAIN;
}

struct transfer {
	struct stream *stream;
	const struct iovec *iov;
	int n;
	size_t length, done; /* bytes, when writing */
};

static ssize_t attempt_read(void *context)
{
	const struct transfer *t = context;

	return try_read(t->stream, t->iov, t->n);
}

static void arm_read(void *context)
{
	chan_arm_read(&((struct transfer *)context)->stream->chan);
}

static ssize_t stream_read(struct file *f, const struct iovec *iov, int n)
{
	struct transfer t = {.stream = f->data, .iov = iov, .n = n};
	const struct waiting w = {.attempt = attempt_read,
	                          .arm = arm_read,
	                          .context = &t,
	                          .nonblocking = file_flags(f) & O_NONBLOCK};

	return vector_length(iov, n) ? wait_for(&w) : 0;
}

static ssize_t attempt_write(void *context)
{
	struct transfer *t = context;
	struct chan *c = &t->stream->chan;
	ssize_t put;

	if (chan_status(c) & CHANNEL_CLOSED)
		return -EPIPE;
	if (follow(t->stream) || chan_broken(c))
		return -EIO;
	put = chan_write(c, t->iov, t->n, t->done);
	if (put < 0)
		return put;
	t->done += (size_t)put;
	if (follow(t->stream)) /* it was put where nothing takes it */
		return -EIO;
	if (t->done == t->length)
		return (ssize_t)t->done;
	return put ? WAIT_SOME : WAIT_NOTHING;
}

static void arm_write(void *context)
{
	chan_arm_write(&((struct transfer *)context)->stream->chan);
}

static ssize_t stream_write(struct file *f, const struct iovec *iov, int n)
{
	struct transfer t = {
	        .stream = f->data, .iov = iov, .n = n, .length = vector_length(iov, n)};
	const struct waiting w = {.attempt = attempt_write,
	                          .arm = arm_write,
	                          .context = &t,
	                          .nonblocking = file_flags(f) & O_NONBLOCK};
	ssize_t result = wait_for(&w);

	return t.done ? (ssize_t)t.done : result;
}

static unsigned events_now(struct file *f)
{
	struct stream *s = f->data;
	uint32_t status = chan_status(&s->chan);
	unsigned events = 0;

	chan_look(&s->chan);

	if (can_read(f)) {
		if (queue_readable(&s->chan.channel.receive))
			events |= POLLIN | POLLRDNORM;
		if (status & CHANNEL_EOF)
			events |= POLLHUP;
	}
	if (can_write(f)) {
		uint32_t enough = s->chan.channel.send.capacity / 2;

		if (enough > STREAM_WRITABLE)
			enough = STREAM_WRITABLE;
		if (status & CHANNEL_CLOSED)
			events |= POLLERR | POLLOUT | POLLWRNORM;
		else if (queue_writable(&s->chan.channel.send) >= enough)
			events |= POLLOUT | POLLWRNORM;
	}
	return chan_broken(&s->chan) ? events | POLLERR : events;
}

static unsigned stream_poll(struct file *f, unsigned wanted, bool arm)
{
	struct stream *s = f->data;

	(void)follow(s); /* without a next console the stream counts as broken */
	if (arm) {
		if (can_read(f) && wanted & (POLLIN | POLLRDNORM))
			chan_arm_read(&s->chan);
		if (can_write(f) && wanted & (POLLOUT | POLLWRNORM))
			chan_arm_write(&s->chan);
		chan_arm_status(&s->chan);
	}
	return events_now(f);
}

static int stream_stat(struct file *f, struct stat *st)
{
	struct stream *s = f->data;

	*st = (struct stat){
	        .st_ino = s->number, .st_mode = S_IFIFO | 0600, .st_nlink = 1, .st_blksize = 4096};
	return 0;
}

static int stream_ioctl(struct file *f, unsigned long request, void *argument)
{
	struct stream *s = f->data;
	int unread;

	switch (request) {
	case FIONREAD:
		chan_look(&s->chan);
		unread = can_read(f) ? (int)queue_readable(&s->chan.channel.receive) : 0;
		return user_put(argument, &unread);
	default:
		return -ENOTTY; /* TCGETS and TIOCGWINSZ above all: a pipe is no terminal */
	}
}

/* A server that ended while it was awake asked for no signal, so no put has tested whether it is
 * gone: what it had not taken is given to the next one. */
static void settle(struct stream *s)
{
	const struct queue *send = &s->chan.channel.send;

	if (!send->capacity)
		return;
	chan_look(&s->chan);
	if (queue_writable(&s->chan.channel.send) < send->capacity && chan_gone_now(&s->chan))
		(void)follow(s);
}

void streams_settle(void)
{
	for (struct stream *s = all; s; s = s->next)
		settle(s);
}

static void list_add(struct stream *s)
{
	s->next = all;
	s->link = &all;
	if (all)
		all->link = &s->next;
	all = s;
}

static void list_remove(struct stream *s)
{
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
}

static void stream_close(struct file *f)
{
	struct stream *s = f->data;

	settle(s);
	list_remove(s);
	chan_close(&s->chan);
	cap_release(s->object);
	posix_free(s);
}

static int stream_fork(struct file *f)
{
	chan_make_common(&((struct stream *)f->data)->chan);
	return 0;
}

static int stream_carry(struct file *f, struct carried *out)
{
	struct stream *s = f->data;

	out->kind = CARRY_STREAM;
	out->object = s->object;
	out->chan = chan_save(&s->chan);
	return 0;
}

static const struct file_ops read_ops = {
        .read = stream_read,
        .poll = stream_poll,
        .stat = stream_stat,
        .ioctl = stream_ioctl,
        .close = stream_close,
        .fork = stream_fork,
        .carry = stream_carry,
};

static const struct file_ops write_ops = {
        .write = stream_write,
        .poll = stream_poll,
        .stat = stream_stat,
        .ioctl = stream_ioctl,
        .close = stream_close,
        .fork = stream_fork,
        .carry = stream_carry,
};

/* The description, its channel attached anew or, when carried is given, as it was before exec. */
static int create(cap_t object, int flags, const struct carried *carried, struct file **out)
{
	struct stream *s = posix_alloc(sizeof(*s));
	bool write = (flags & O_ACCMODE) == O_WRONLY;
	int result;

	if (!s)
		return -ENOMEM;
	result = carried ? chan_restore(&s->chan, &carried->chan) : attach(s, object);
	if (result) {
		posix_free(s);
		return errno_of(result);
	}
	struct queue *q = write ? &s->chan.channel.send : &s->chan.channel.receive;
	*out = q->capacity ? file_create(write ? &write_ops : &read_ops, flags, s) : NULL;
	if (!*out) {
		result = q->capacity ? -ENOMEM : -EIO;
		chan_close(&s->chan);
		posix_free(s);
		return result;
	}
	s->object = s->chan.served = object;
	s->number = ++last_number;
	list_add(s);
	return 0;
}

int stream_create(cap_t object, int flags, struct file **out)
{
	return create(object, flags, NULL, out);
}

int stream_restore(const struct carried *in, struct file **out)
{
	return create(in->object, in->flags, in, out);
}
