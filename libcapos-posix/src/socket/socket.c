/* SPDX-License-Identifier: MIT */
/*
 * Sockets as descriptions: what is the same for every kind, how they cross fork and exec, and
 * closing.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "core/core.h"
#include "socket/internal.h"
#include "socket/socket.h"

int socket_take(struct capos_call *reply, uint16_t index, const struct channel_ref *ref,
                cap_t *object, struct chan *chan)
{
	int result;

	*object = index < reply->ncaps ? reply->caps[index] : CAP_NULL;
	if (*object)
		reply->caps[index] = CAP_NULL;
	result = *object ? chan_open(chan, ref, reply) : CAP_EMESSAGE;
	if (!result && (!chan->channel.receive.capacity || !chan->channel.send.capacity)) {
		chan_close(chan);
		result = CAP_EMESSAGE;
	}
	for (uint32_t i = 0; i < reply->ncaps; i++)
		cap_release(reply->caps[i]);
	reply->ncaps = 0;
	if (result)
		cap_release(*object);
	return result;
}

/* ---- Errors ---- */

bool socket_has_error(struct socket *s)
{
	return s->error || chan_has_error(&s->chan) || chan_broken(&s->chan);
}

int socket_errno(int result)
{
	return result == CAP_EGONE ? -ENETDOWN : errno_of(result);
}

int socket_take_error(struct socket *s)
{
	int error = s->error;

	s->error = 0;
	if (!error)
		error = -errno_of((int)chan_take_error(&s->chan));
	if (!error && chan_gone(&s->chan))
		error = s->state == SOCKET_CONNECTED && s->kind == SOCKET_TCP ? ECONNRESET
		                                                              : ENETDOWN;
	if (!error && chan_broken(&s->chan))
		error = EIO;
	return error;
}

/* ---- Descriptions ---- */

static ssize_t socket_read(struct file *f, const struct iovec *iov, int n)
{
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};

	return vector_length(iov, n) ? f->ops->socket->recvmsg(f, &message, 0) : 0;
}

/* write() raises SIGPIPE itself. */
static ssize_t socket_write(struct file *f, const struct iovec *iov, int n)
{
	const struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};

	return f->ops->socket->sendmsg(f, &message, MSG_NOSIGNAL);
}

static int socket_stat(struct file *f, struct stat *st)
{
	*st = (struct stat){.st_ino = socket_of(f)->number,
	                    .st_mode = S_IFSOCK | 0777,
	                    .st_nlink = 1,
	                    .st_blksize = 4096};
	return 0;
}

static int unread_bytes(struct socket *s)
{
	struct channel_datagram header;

	chan_look(&s->chan);
	if (s->kind == SOCKET_TCP)
		return (int)queue_readable(&s->chan.channel.receive);
	if (channel_take_datagram(&s->chan.channel.receive, &header, &header, 0, true) < 0)
		return 0;
	return header.length;
}

static int socket_ioctl(struct file *f, unsigned long request, void *argument)
{
	int unread;

	if (request != FIONREAD)
		return inet_ioctl(request, (long)argument);
	if (socket_of(f)->state == SOCKET_LISTENING)
		return -EINVAL;
	unread = unread_bytes(socket_of(f));
	return user_put(argument, &unread);
}

static void socket_close(struct file *f)
{
	struct socket *s = socket_of(f);

	chan_close(&s->chan);
	cap_release(s->object);
	posix_free(s);
}

static int socket_fork(struct file *f)
{
	chan_make_common(&socket_of(f)->chan);
	return 0;
}

static int socket_carry(struct file *f, struct carried *out)
{
	struct socket *s = socket_of(f);

	out->kind = CARRY_SOCKET;
	out->object = s->object;
	out->chan = chan_save(&s->chan);
	out->socket = (struct carried_socket){.kind = (uint8_t)s->kind,
	                                      .state = (uint8_t)s->state,
	                                      .read_shut = s->read_shut,
	                                      .write_shut = s->write_shut,
	                                      .broadcast = s->broadcast,
	                                      .error = s->error,
	                                      .receive_timeout = s->receive_timeout,
	                                      .send_timeout = s->send_timeout,
	                                      .number = s->number,
	                                      .ping_id = s->ping_id};
	memcpy(out->socket.peer, &s->peer, sizeof(s->peer));
	return 0;
}

/* Connections that wait are not counted by how many came. */
static bool socket_progress(struct file *f, uint64_t *number)
{
	struct socket *s = socket_of(f);
	struct channel_shared *c = s->chan.channel.shared;
	uint64_t rest;

	if (!s->chan.memory || s->state == SOCKET_LISTENING)
		return false;
	rest = (uint64_t)chan_status(&s->chan) | (uint64_t)atomic_load(&c->error_count) << 32;
	*number = ((uint64_t)atomic_load(&c->receive.tail) << 32 | atomic_load(&c->send.head)) +
	          rest * 0x9e3779b97f4a7c15ull;
	return true;
}

static const struct file_ops tcp_file_ops = {
        .read = socket_read,
        .write = socket_write,
        .poll = socket_tcp_poll,
        .progress = socket_progress,
        .stat = socket_stat,
        .ioctl = socket_ioctl,
        .close = socket_close,
        .socket = &socket_tcp_ops,
        .fork = socket_fork,
        .carry = socket_carry,
};

static const struct file_ops datagram_file_ops = {
        .read = socket_read,
        .write = socket_write,
        .poll = socket_datagram_poll,
        .progress = socket_progress,
        .stat = socket_stat,
        .ioctl = socket_ioctl,
        .close = socket_close,
        .socket = &socket_datagram_ops,
        .fork = socket_fork,
        .carry = socket_carry,
};

int socket_file(enum socket_kind kind, enum socket_state state, cap_t object,
                const struct chan *chan, int flags, struct file **out)
{
	static uint64_t last_number;
	struct socket *s = posix_alloc(sizeof(*s));
	struct chan unused = *chan;

	*out = s ? file_create(kind == SOCKET_TCP ? &tcp_file_ops : &datagram_file_ops,
	                       O_RDWR | (flags & SOCK_NONBLOCK), s)
	         : NULL;
	if (!*out) {
		posix_free(s);
		chan_close(&unused);
		cap_release(object);
		return -ENOMEM;
	}
	s->kind = kind;
	s->state = state;
	s->object = object;
	s->chan = *chan;
	s->chan.served = object;
	s->number = ++last_number;
	if (kind == SOCKET_PING)
		sys_getrandom((long)&s->ping_id, sizeof(s->ping_id), 0);
	return 0;
}

int socket_restore(const struct carried *in, struct file **out)
{
	const struct carried_socket *saved = &in->socket;
	struct chan chan;
	struct socket *s;
	int result;

	if (saved->kind >= SOCKET_KINDS || saved->state > SOCKET_LISTENING)
		return -EINVAL;
	result = socket_errno(chan_restore(&chan, &in->chan));
	if (!result)
		result = socket_file(saved->kind, saved->state, in->object, &chan, 0, out);
	if (result)
		return result;
	s = socket_of(*out);
	(*out)->flags = in->flags;
	s->error = saved->error;
	s->read_shut = saved->read_shut;
	s->write_shut = saved->write_shut;
	s->broadcast = saved->broadcast;
	s->receive_timeout = saved->receive_timeout;
	s->send_timeout = saved->send_timeout;
	s->number = saved->number;
	s->ping_id = saved->ping_id;
	memcpy(&s->peer, saved->peer, sizeof(s->peer));
	return 0;
}

int socket_install(struct file *f, int flags)
{
	int fd = fd_install(f, 0, flags & SOCK_CLOEXEC);

	if (fd < 0)
		file_put(f);
	return fd;
}
