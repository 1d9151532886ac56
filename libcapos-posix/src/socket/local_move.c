/* SPDX-License-Identifier: MIT */
/*
 * Sending and receiving on pairs of AF_UNIX sockets.  In the flow of a stream are bytes; in that of
 * the others each message has its length before it, as a number of 32 bits, and is there whole or
 * not at all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "core/core.h"
#include "socket/internal.h"
#include "socket/local.h"

/* A place in a flow's ring. */
struct cursor {
	uint8_t *data;
	uint32_t at;   /* runs freely */
	uint32_t left; /* bytes that may be moved yet */
};

/* Moves in pieces that do not cross the ring's end; how many bytes. */
static ssize_t move(struct cursor *c, uint8_t *program, size_t length, bool out)
{
	size_t done = 0, left = 0;

	while (done < length && c->left && !left) {
		uint8_t *place = c->data + c->at % LOCAL_CAPACITY;
		size_t run = LOCAL_CAPACITY - c->at % LOCAL_CAPACITY;

		run = run < c->left ? run : c->left;
		run = run < length - done ? run : length - done;
		left = out ? posix_user_copy(program + done, place, run)
		           : posix_user_copy(place, program + done, run);
		c->at += (uint32_t)(run - left);
		c->left -= (uint32_t)(run - left);
		done += run - left;
	}
	return left && !done ? -EFAULT : (ssize_t)done;
}

static ssize_t take(void *context, void *to, size_t length, size_t before)
{
	(void)before;
	return move(context, to, length, true);
}

static ssize_t put(void *context, void *from, size_t length, size_t before)
{
	(void)before;
	return move(context, from, length, false);
}

struct transfer {
	struct local *socket;
	const struct msghdr *message;
	int flags;
	size_t length, done; /* of the message; of what was moved */
	size_t whole;        /* received: the message's own length */
};

static struct waiting waiting_for(ssize_t (*attempt)(void *context), struct transfer *t,
                                  const struct file *f, uint64_t timeout)
{
	return (struct waiting){.attempt = attempt,
	                        .context = t,
	                        .timeout_ns = timeout,
	                        .nonblocking =
	                                file_flags(f) & O_NONBLOCK || t->flags & MSG_DONTWAIT};
}

/* ---- Sending ---- */

static ssize_t put_stream(const struct transfer *t, struct local_flow *flow, uint8_t *data)
{
	struct cursor c = {
	        .data = data, .at = flow->tail, .left = LOCAL_CAPACITY - local_filled(flow)};
	ssize_t n = vector_move(t->message->msg_iov, t->message->msg_iovlen, t->done, put, &c);

	if (n > 0)
		flow->tail += (uint32_t)n;
	return n ? n : WAIT_NOTHING;
}

static ssize_t put_message(const struct transfer *t, struct local_flow *flow, uint8_t *data)
{
	const uint32_t length = (uint32_t)t->length;
	struct cursor c = {.data = data, .at = flow->tail, .left = sizeof(length)};
	ssize_t n;

	if (LOCAL_CAPACITY - local_filled(flow) < sizeof(length) + length)
		return WAIT_NOTHING;
	(void)move(&c, (uint8_t *)&length, sizeof(length), false);
	c.left = length;
	n = vector_move(t->message->msg_iov, t->message->msg_iovlen, 0, put, &c);
	if (n < 0 || (size_t)n < length)
		return -EFAULT;
	flow->tail += (uint32_t)sizeof(length) + length;
	return n;
}

/* Why nothing can be sent.  A datagram socket loses its peer when it notices that it is gone. */
static int sending_error(const struct local *s)
{
	if (local_writes_end(s))
		return -EPIPE;
	if (s->options.type != SOCK_DGRAM)
		return 0;
	if (atomic_load(&local_mine(s)->noticed))
		return -ENOTCONN;
	if (!local_is_there(local_other(s))) {
		atomic_store(&local_mine(s)->noticed, 1);
		return -ECONNREFUSED;
	}
	return atomic_load(&local_other(s)->read_shut) ? -EPIPE : 0;
}

static ssize_t attempt_send(void *context)
{
	struct transfer *t = context;
	struct local *s = t->socket;
	struct local_shared *p = s->shared;
	struct local_flow *flow = &p->flows[!s->side];
	uint8_t *data = p->data[!s->side];
	bool stream = s->options.type == SOCK_STREAM;
	ssize_t result = local_lock(p);

	if (result)
		return result;
	result = sending_error(s);
	if (!result)
		result = stream ? put_stream(t, flow, data) : put_message(t, flow, data);
	if (result == WAIT_NOTHING)
		atomic_store(&p->wants, 1);
	local_unlock(p, result >= 0);
	if (result < 0)
		return result;
	t->done += (size_t)result;
	return t->done < t->length ? WAIT_SOME : (ssize_t)t->done;
}

ssize_t local_sendmsg(struct file *f, const struct msghdr *message, int flags)
{
	struct local *s = local_of(f);
	struct transfer t = {.socket = s,
	                     .message = message,
	                     .flags = flags,
	                     .length = vector_length(message->msg_iov, message->msg_iovlen)};
	struct waiting w = waiting_for(attempt_send, &t, f, s->options.send_timeout);
	ssize_t result;

	if (s->options.type == SOCK_STREAM && message->msg_namelen)
		return -EISCONN;
	if (s->options.type == SOCK_DGRAM && message->msg_namelen)
		return (ssize_t)absent(ABSENT_LOCAL_NAME);
	if (s->options.type == SOCK_STREAM && !t.length)
		return local_writes_end(s) ? -EPIPE : 0;
	if (s->options.type != SOCK_STREAM && t.length > LOCAL_MESSAGE_MAX)
		return -EMSGSIZE;
	result = wait_for(&w);
	return t.done ? (ssize_t)t.done : result;
}

/* ---- Receiving ---- */

static ssize_t take_stream(struct transfer *t, struct local_flow *flow, uint8_t *data)
{
	struct cursor c = {.data = data, .at = flow->head, .left = local_filled(flow)};
	ssize_t n = vector_move(t->message->msg_iov, t->message->msg_iovlen, t->done, take, &c);

	if (n > 0 && !(t->flags & MSG_PEEK))
		flow->head += (uint32_t)n;
	return n;
}

static ssize_t take_message(struct transfer *t, struct local_flow *flow, uint8_t *data)
{
	const uint32_t filled = local_filled(flow);
	struct cursor c = {.data = data, .at = flow->head, .left = sizeof(uint32_t)};
	uint32_t length;
	ssize_t n;

	if (filled < sizeof(length))
		return -EIO;
	(void)move(&c, (uint8_t *)&length, sizeof(length), true);
	if (length > filled - sizeof(length))
		return -EIO; /* a relative has written there */
	c.left = length;
	n = vector_move(t->message->msg_iov, t->message->msg_iovlen, 0, take, &c);
	if (!(t->flags & MSG_PEEK))
		flow->head += (uint32_t)sizeof(length) + length;
	t->whole = length;
	return n;
}

/* What a receive returns when nothing is there: 0 is the end. */
static ssize_t nothing(const struct local *s)
{
	if (local_is_reset(s)) {
		atomic_store(&local_mine(s)->noticed, 1);
		return -ECONNRESET;
	}
	if (local_reads_end(s))
		return 0;
	atomic_store(&s->shared->wants, 1);
	return WAIT_NOTHING;
}

static ssize_t attempt_receive(void *context)
{
	struct transfer *t = context;
	struct local *s = t->socket;
	struct local_shared *p = s->shared;
	struct local_flow *flow = &p->flows[s->side];
	bool stream = s->options.type == SOCK_STREAM, some;
	ssize_t result = local_lock(p);

	if (result)
		return result;
	some = local_filled(flow) != 0;
	if (!some)
		result = nothing(s);
	else if (stream)
		result = take_stream(t, flow, p->data[s->side]);
	else
		result = take_message(t, flow, p->data[s->side]);
	local_unlock(p, some && result >= 0);
	if (result < 0)
		return result;
	t->done += (size_t)result;
	if (stream && some && t->flags & MSG_WAITALL && !(t->flags & MSG_PEEK) &&
	    t->done < t->length)
		return WAIT_SOME;
	return (ssize_t)t->done;
}

ssize_t local_recvmsg(struct file *f, struct msghdr *message, int flags)
{
	struct local *s = local_of(f);
	struct transfer t = {.socket = s,
	                     .message = message,
	                     .flags = flags,
	                     .length = vector_length(message->msg_iov, message->msg_iovlen)};
	struct waiting w = waiting_for(attempt_receive, &t, f, s->options.receive_timeout);
	ssize_t result;

	message->msg_namelen = 0;
	result = wait_for(&w);
	if (t.done)
		result = (ssize_t)t.done;
	if (result < 0 || s->options.type == SOCK_STREAM)
		return result;
	if (t.whole > t.length) {
		message->msg_flags |= MSG_TRUNC;
		if (flags & MSG_TRUNC)
			return (ssize_t)t.whole;
	}
	return result;
}
