/* SPDX-License-Identifier: MIT */
/*
 * Sending to and receiving from names of AF_UNIX datagram sockets: a message is in the name's
 * memory whole or not at all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/core.h"
#include "socket/internal.h"
#include "socket/local_name.h"

/* A place in the ring. */
struct cursor {
	uint8_t *data;
	uint32_t at, left;
};

static ssize_t move(struct cursor *c, uint8_t *piece, size_t length, bool out)
{
	size_t done = 0, left = 0;

	while (done < length && c->left && !left) {
		uint8_t *place = c->data + c->at % NAMED_CAPACITY;
		size_t run = NAMED_CAPACITY - c->at % NAMED_CAPACITY;

		run = run < c->left ? run : c->left;
		run = run < length - done ? run : length - done;
		left = out ? posix_user_copy(piece + done, place, run)
		           : posix_user_copy(place, piece + done, run);
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
	const struct named *socket;
	struct named_node *to; /* sending: where */
	const struct msghdr *message;
	int flags;
	uint32_t length;         /* of the message */
	struct named_node *from; /* received: the sender's name */
};

/* ---- Sending ---- */

static ssize_t put_message(const struct transfer *t, struct named_shared *p)
{
	const struct named_node *own = &t->socket->own;
	const struct named_header header = {.length = t->length, .path_length = own->path_length};
	uint32_t before = (uint32_t)sizeof(header) + header.path_length;
	struct cursor c = {.data = p->data, .at = p->tail, .left = before};
	ssize_t n;

	if (NAMED_CAPACITY - named_filled(p) < before + t->length) {
		atomic_store(&p->wants, 1);
		return WAIT_NOTHING;
	}
	(void)move(&c, (uint8_t *)&header, sizeof(header), false);
	(void)move(&c, (uint8_t *)own->path, header.path_length, false);
	c.left = t->length;
	n = vector_move(t->message->msg_iov, t->message->msg_iovlen, 0, put, &c);
	if (n < 0 || (uint32_t)n < t->length)
		return -EFAULT;
	p->tail += before + t->length;
	return n;
}

static ssize_t attempt_send(void *context)
{
	const struct transfer *t = context;
	struct named_shared *p = t->to->shared;
	ssize_t result = named_lock(p);

	if (result)
		return result;
	if (!named_is_there(p))
		result = -ECONNREFUSED;
	else if (atomic_load(&p->read_shut))
		result = -EPIPE;
	else
		result = put_message(t, p);
	named_unlock(p, result >= 0);
	return result;
}

static struct waiting waiting_for(ssize_t (*attempt)(void *context), struct transfer *t,
                                  const struct file *f, uint64_t timeout)
{
	return (struct waiting){.attempt = attempt,
	                        .context = t,
	                        .timeout_ns = timeout,
	                        .nonblocking =
	                                file_flags(f) & O_NONBLOCK || t->flags & MSG_DONTWAIT};
}

ssize_t named_sendmsg(struct file *f, const struct msghdr *message, int flags)
{
	struct named *s = named_of(f);
	size_t length = vector_length(message->msg_iov, message->msg_iovlen);
	struct transfer t = {.socket = s, .to = &s->peer, .message = message, .flags = flags};
	const struct waiting w = waiting_for(attempt_send, &t, f, s->options.send_timeout);
	struct named_node named = {.shared = NULL};
	ssize_t result;

	if (s->write_shut)
		return -EPIPE;
	if (length > NAMED_MESSAGE_MAX)
		return -EMSGSIZE;
	t.length = (uint32_t)length;
	if (message->msg_namelen) {
		result = named_parse(message->msg_name, message->msg_namelen, &named);
		if (!result)
			result = named_open(&named);
		if (result)
			return result;
		t.to = &named;
	}
	result = t.to->shared ? wait_for(&w) : -ENOTCONN;
	named_close(&named);
	return result;
}

/* ---- Receiving ---- */

static ssize_t take_message(struct transfer *t, struct named_shared *p)
{
	uint32_t filled = named_filled(p);
	struct cursor c = {.data = p->data, .at = p->head, .left = sizeof(struct named_header)};
	struct named_header header;
	ssize_t n;

	if (filled < sizeof(header))
		return -EIO;
	(void)move(&c, (uint8_t *)&header, sizeof(header), true);
	filled -= (uint32_t)sizeof(header);
	if (header.path_length > NAMED_PATH || header.path_length > filled ||
	    header.length > filled - header.path_length)
		return -EIO; /* a relative has written there */
	c.left = t->from->path_length = header.path_length;
	(void)move(&c, (uint8_t *)t->from->path, header.path_length, true);
	c.left = header.length;
	n = vector_move(t->message->msg_iov, t->message->msg_iovlen, 0, take, &c);
	if (!(t->flags & MSG_PEEK))
		p->head += (uint32_t)sizeof(header) + header.path_length + header.length;
	t->length = header.length;
	return n;
}

static ssize_t attempt_receive(void *context)
{
	struct transfer *t = context;
	struct named_shared *p = t->socket->own.shared;
	ssize_t result;
	bool some;

	if (!p)
		return t->socket->read_shut ? 0 : WAIT_NOTHING; /* nothing can come */
	result = named_lock(p);
	if (result)
		return result;
	some = named_filled(p) != 0;
	if (some) {
		result = take_message(t, p);
	} else if (t->socket->read_shut) {
		result = 0;
	} else {
		atomic_store(&p->wants, 1);
		result = WAIT_NOTHING;
	}
	named_unlock(p, some);
	return result;
}

ssize_t named_recvmsg(struct file *f, struct msghdr *message, int flags)
{
	const struct named *s = named_of(f);
	struct named_node from = {.path_length = 0};
	struct transfer t = {.socket = s, .message = message, .flags = flags, .from = &from};
	const struct waiting w = waiting_for(attempt_receive, &t, f, s->options.receive_timeout);
	size_t room = vector_length(message->msg_iov, message->msg_iovlen);
	ssize_t result = wait_for(&w);

	if (result < 0)
		return result;
	if (message->msg_name && from.path_length)
		named_store(&from, message->msg_name, &message->msg_namelen);
	else
		message->msg_namelen = 0;
	if (t.length > room) {
		message->msg_flags |= MSG_TRUNC;
		if (flags & MSG_TRUNC)
			return (ssize_t)t.length;
	}
	return result;
}
