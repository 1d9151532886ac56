/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets.  Data is copied straight between the program's buffers and the shared queues; how a
 * connection stands is in the channel's status, nowhere else.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include <capos/schema/network_client.h>

#include "core/core.h"
#include "socket/internal.h"

#define TCP_CALL_BUFFER 512u

/* ---- connect ---- */

/* Takes note of how far a connect has got: the channel's status alone says it, to every process
 * that has the channel. */
static void settle_connect(struct socket *s)
{
	uint32_t status;

	if (s->state != SOCKET_CONNECTING)
		return;
	status = chan_status(&s->chan);
	if (status & CHANNEL_CONNECTED)
		s->state = SOCKET_CONNECTED;
	else if (!(status & CHANNEL_CONNECTING) || chan_broken(&s->chan))
		s->state = SOCKET_FRESH; /* the channel's error says why */
}

static ssize_t attempt_connect(void *context)
{
	struct socket *s = context;
	int error;

	settle_connect(s);
	if (s->state == SOCKET_CONNECTING)
		return WAIT_NOTHING;
	error = socket_take_error(s);
	if (!error && s->state != SOCKET_CONNECTED)
		error = ECONNABORTED; /* another process has taken the error */
	return -error;
}

static void arm_connect(void *context)
{
	chan_arm_status(&((struct socket *)context)->chan);
}

static int finish_connect(struct file *f)
{
	struct socket *s = socket_of(f);
	const struct waiting w = {.attempt = attempt_connect,
	                          .arm = arm_connect,
	                          .context = s,
	                          .nonblocking = file_flags(f) & O_NONBLOCK,
	                          .timeout_ns = s->send_timeout};
	ssize_t result = wait_for(&w);

	return result == -EAGAIN ? -EINPROGRESS : (int)result;
}

static int tcp_connect(struct file *f, const struct sockaddr *address, unsigned length)
{
	struct tcp_socket_start_connect_params params;
	struct socket *s = socket_of(f);
	struct sockaddr_in peer;
	int result;

	if (length < sizeof(address->sa_family))
		return -EINVAL;
	if (address->sa_family == AF_UNSPEC)
		return (int)absent(ABSENT_TCP_DISCONNECT);
	result = inet_parse(address, length, &peer);
	if (result)
		return result;
	settle_connect(s);
	if (s->state == SOCKET_LISTENING || s->state == SOCKET_CONNECTED)
		return -EISCONN;
	if (s->state == SOCKET_CONNECTING)
		return file_flags(f) & O_NONBLOCK ? -EALREADY : finish_connect(f);
	result = socket_take_error(s);
	if (result)
		return -result; /* of a connect that failed in the meantime */
	params = (struct tcp_socket_start_connect_params){.addr = inet_data(&peer.sin_addr, false),
	                                                  .port = ntohs(peer.sin_port)};
	result = socket_errno(tcp_socket_start_connect(s->object, &params, NULL));
	if (result)
		return result;
	s->state = SOCKET_CONNECTING;
	/* How it went is for poll and SO_ERROR, as on Linux, even if it is known already. */
	return file_flags(f) & O_NONBLOCK ? -EINPROGRESS : finish_connect(f);
}

/* ---- Data ---- */

/* Why nothing can be received: -errno, 0 for the end; -EAGAIN: nothing there yet.  status was read
 * before the queue was found empty, since data is put in before the end is marked. */
static ssize_t receive_nothing(struct socket *s, uint32_t status)
{
	int error;

	if (status & CHANNEL_EOF && chan_gone(&s->chan)) /* all that was to come had come */
		return 0;
	error = socket_take_error(s);
	if (error)
		return -error;
	if (s->state == SOCKET_FRESH || s->state == SOCKET_LISTENING)
		return -ENOTCONN;
	return status & CHANNEL_EOF || s->read_shut ? 0 : -EAGAIN;
}

static ssize_t discard(struct socket *s, size_t length)
{
	uint32_t there;

	if (chan_begin(&s->chan))
		return -EINTR;
	there = queue_readable(&s->chan.channel.receive);
	if (there > length)
		there = (uint32_t)length;
	queue_advance(&s->chan.channel.receive, there);
	if (there)
		chan_taken(&s->chan, there);
	chan_end(&s->chan);
	return there;
}

static ssize_t receive_some(struct socket *s, const struct msghdr *message, int flags, size_t skip)
{
	if (flags & MSG_TRUNC && !(flags & MSG_PEEK))
		return discard(s, vector_length(message->msg_iov, message->msg_iovlen) - skip);
	return chan_read(&s->chan, message->msg_iov, message->msg_iovlen, skip, flags & MSG_PEEK);
}

struct transfer {
	struct socket *socket;
	const struct msghdr *message;
	int flags;
	size_t total, enough, done; /* bytes: asked for, to return with, moved so far */
};

static bool has_bytes(struct socket *s)
{
	chan_look(&s->chan);
	return queue_readable(&s->chan.channel.receive) != 0;
}

static ssize_t attempt_receive(void *context)
{
	struct transfer *t = context;
	struct socket *s = t->socket;
	uint32_t status;
	ssize_t got;

	settle_connect(s);
	status = chan_status(&s->chan);
	if (t->flags & MSG_PEEK)
		t->done = 0;
	got = receive_some(s, t->message, t->flags, t->done);
	if (got < 0)
		return got;
	t->done += (size_t)got;
	if (t->done >= t->enough || (!t->total && has_bytes(s)))
		return (ssize_t)t->done;
	if (!t->done)
		return receive_nothing(s, status);
	/* What was received comes first; the error or the end is for the next call. */
	if (status & CHANNEL_EOF || s->read_shut || socket_has_error(s))
		return (ssize_t)t->done;
	return WAIT_NOTHING;
}

static void arm_receive(void *context)
{
	chan_arm_read(&((struct transfer *)context)->socket->chan);
}

static ssize_t tcp_recvmsg(struct file *f, struct msghdr *message, int flags)
{
	struct socket *s = socket_of(f);
	struct transfer t = {.socket = s,
	                     .message = message,
	                     .flags = flags,
	                     .total = vector_length(message->msg_iov, message->msg_iovlen)};
	const struct waiting w = {.attempt = attempt_receive,
	                          .arm = arm_receive,
	                          .context = &t,
	                          .nonblocking = file_flags(f) & O_NONBLOCK || flags & MSG_DONTWAIT,
	                          .timeout_ns = s->receive_timeout};
	ssize_t result;

	message->msg_namelen = 0;
	t.enough = flags & MSG_WAITALL && t.total ? t.total : 1;
	/* Peeking starts anew each time, so it waits for all only if all fits the queue. */
	if (t.enough > s->chan.channel.receive.capacity && flags & MSG_PEEK)
		t.enough = s->chan.channel.receive.capacity;
	result = wait_for(&w);
	if (!t.total && result == -EINTR)
		return 0; /* it waited for data, and wanted none */
	return t.done ? (ssize_t)t.done : result;
}

/* Whether data may be sent: 0, -EAGAIN while connecting, or why not. */
static int send_check(struct socket *s)
{
	int error;

	settle_connect(s);
	if (s->state == SOCKET_CONNECTING)
		return -EAGAIN;
	error = socket_take_error(s);
	if (error)
		return -error;
	if (s->state != SOCKET_CONNECTED || s->write_shut || chan_status(&s->chan) & CHANNEL_CLOSED)
		return -EPIPE;
	return 0;
}

static ssize_t attempt_send(void *context)
{
	struct transfer *t = context;
	struct socket *s = t->socket;
	/* As when receiving: an error is for the call after the one that sent something. */
	int result = t->done && socket_has_error(s) ? -EPIPE : send_check(s);
	ssize_t put;

	if (result)
		return result == -EAGAIN ? WAIT_NOTHING : result;
	put = chan_write(&s->chan, t->message->msg_iov, t->message->msg_iovlen, t->done);
	if (put < 0)
		return put;
	t->done += (size_t)put;
	if (t->done == t->total)
		return (ssize_t)t->done;
	return put ? WAIT_SOME : WAIT_NOTHING;
}

static void arm_send(void *context)
{
	chan_arm_write(&((struct transfer *)context)->socket->chan);
}

static ssize_t tcp_sendmsg(struct file *f, const struct msghdr *message, int flags)
{
	struct socket *s = socket_of(f);
	struct transfer t = {.socket = s,
	                     .message = message,
	                     .total = vector_length(message->msg_iov, message->msg_iovlen)};
	const struct waiting w = {.attempt = attempt_send,
	                          .arm = arm_send,
	                          .context = &t,
	                          .nonblocking = file_flags(f) & O_NONBLOCK || flags & MSG_DONTWAIT,
	                          .timeout_ns = s->send_timeout};
	ssize_t result;

	result = wait_for(&w);
	return t.done ? (ssize_t)t.done : result;
}

/* ---- poll ---- */

static unsigned events_now(struct socket *s)
{
	uint32_t status = chan_status(&s->chan);
	struct queue *send = &s->chan.channel.send;
	unsigned events = 0;

	chan_look(&s->chan);
	if (s->state == SOCKET_CONNECTING)
		return 0;
	if (s->state == SOCKET_LISTENING && !chan_broken(&s->chan) && status & CHANNEL_LISTENING)
		return atomic_load(&s->chan.channel.shared->pending) ? POLLIN | POLLRDNORM : 0;
	if (socket_has_error(s))
		events |= POLLERR | POLLIN | POLLRDNORM | POLLRDHUP | POLLOUT | POLLWRNORM;
	if (s->state == SOCKET_FRESH || s->state == SOCKET_LISTENING || chan_broken(&s->chan))
		return events | POLLHUP | POLLOUT | POLLWRNORM;
	if (status & CHANNEL_EOF || s->read_shut)
		events |= POLLIN | POLLRDNORM | POLLRDHUP;
	else if (queue_readable(&s->chan.channel.receive))
		events |= POLLIN | POLLRDNORM;
	if (status & CHANNEL_CLOSED || s->write_shut) {
		events |= POLLOUT | POLLWRNORM;
		if (status & CHANNEL_EOF || s->read_shut)
			events |= POLLHUP;
	} else if (queue_writable(send) >= send->capacity / 4) {
		events |= POLLOUT | POLLWRNORM;
	}
	return events;
}

unsigned socket_tcp_poll(struct file *f, unsigned wanted, bool arm)
{
	struct socket *s = socket_of(f);

	if (arm) {
		if (wanted & (POLLIN | POLLRDNORM))
			chan_arm_read(&s->chan);
		if (wanted & (POLLOUT | POLLWRNORM))
			chan_arm_write(&s->chan);
		chan_arm_status(&s->chan);
	}
	settle_connect(s);
	return events_now(s);
}

/* ---- The rest ---- */

static int tcp_bind(struct file *f, const struct sockaddr *address, unsigned length)
{
	struct tcp_socket_bind_params params;
	struct sockaddr_in local;
	int result = inet_parse(address, length, &local);

	if (result)
		return result;
	params = (struct tcp_socket_bind_params){.addr = inet_data(&local.sin_addr, true),
	                                         .port = ntohs(local.sin_port)};
	return socket_errno(tcp_socket_bind(socket_of(f)->object, &params, NULL));
}

static int tcp_listen(struct file *f, int backlog)
{
	const struct tcp_socket_listen_params params = {.backlog = backlog > 0 ? (uint32_t)backlog
	                                                                       : 0};
	struct socket *s = socket_of(f);
	int result;

	if (s->state != SOCKET_FRESH && s->state != SOCKET_LISTENING)
		return -EINVAL;
	result = socket_errno(tcp_socket_listen(s->object, &params, NULL));
	if (!result)
		s->state = SOCKET_LISTENING;
	return result;
}

static int accept_now(struct socket *s, struct sockaddr *address, unsigned *length, int flags,
                      struct file **out)
{
	_Alignas(8) uint8_t buffer[TCP_CALL_BUFFER];
	const struct capos_send_cap wake = process_wake_cap();
	struct capos_call call = {
	        .send_caps = &wake, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct tcp_socket_accept_params params = {.wake_bits = PROCESS_WAKE_BITS};
	struct tcp_socket_accept_results results;
	struct sockaddr_in peer;
	struct chan chan;
	cap_t object;
	int result = tcp_socket_accept(s->object, &params, &results, &call);

	if (result)
		return socket_errno(result);
	inet_from(&results.peer, &peer);
	result = socket_errno(
	        socket_take(&call, results.socket_index, &results.channel, &object, &chan));
	if (!result)
		result = socket_file(SOCKET_TCP, SOCKET_CONNECTED, object, &chan, flags, out);
	if (!result && address)
		inet_store(&peer, address, length);
	return result;
}

struct acceptance {
	struct socket *socket;
	struct sockaddr *address;
	unsigned *length;
	int flags;
	struct file **out;
};

static ssize_t attempt_accept(void *context)
{
	const struct acceptance *a = context;
	struct socket *s = a->socket;

	if (chan_broken(&s->chan))
		return -socket_take_error(s);
	if (!(chan_status(&s->chan) & CHANNEL_LISTENING)) /* shut down, perhaps by another */
		return -EINVAL;
	if (!atomic_load(&s->chan.channel.shared->pending))
		return WAIT_NOTHING;
	return accept_now(s, a->address, a->length, a->flags, a->out);
}

static void arm_accept(void *context)
{
	chan_arm_status(&((struct acceptance *)context)->socket->chan);
}

static int tcp_accept(struct file *f, struct sockaddr *address, unsigned *length, int flags,
                      struct file **out)
{
	struct acceptance a = {.socket = socket_of(f),
	                       .address = address,
	                       .length = length,
	                       .flags = flags,
	                       .out = out};
	const struct waiting w = {.attempt = attempt_accept,
	                          .arm = arm_accept,
	                          .context = &a,
	                          .nonblocking = file_flags(f) & O_NONBLOCK,
	                          .timeout_ns = a.socket->receive_timeout};

	return a.socket->state == SOCKET_LISTENING ? (int)wait_for(&w) : -EINVAL;
}

static int tcp_shutdown(struct file *f, int how)
{
	struct socket *s = socket_of(f);
	const struct tcp_socket_shutdown_params params = {.receive = how != SHUT_WR,
	                                                  .send = how != SHUT_RD};
	int result;

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	settle_connect(s);
	if (s->state == SOCKET_FRESH)
		return -ENOTCONN;
	if (s->state == SOCKET_LISTENING && !params.receive)
		return 0;
	result = socket_errno(tcp_socket_shutdown(s->object, &params, NULL));
	if (result)
		return result;
	if (s->state == SOCKET_CONNECTING)
		return 0; /* the connect has failed, and the socket may connect again */
	if (s->state == SOCKET_LISTENING) {
		s->state = SOCKET_FRESH;
		return 0;
	}
	s->read_shut |= params.receive;
	s->write_shut |= params.send;
	return 0;
}

static int tcp_getname(struct file *f, bool peer, struct sockaddr *address, unsigned *length)
{
	_Alignas(8) uint8_t buffer[TCP_CALL_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct socket *s = socket_of(f);
	struct tcp_socket_local_address_results local;
	struct tcp_socket_peer_address_results remote;
	struct sockaddr_in name;
	int result;

	settle_connect(s);
	if (peer && s->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	result = peer ? tcp_socket_peer_address(s->object, &remote, &call)
	              : tcp_socket_local_address(s->object, &local, &call);
	if (result)
		return socket_errno(result);
	result = inet_from(peer ? &remote.address : &local.address, &name);
	if (!result)
		inet_store(&name, address, length);
	return result;
}

const struct socket_ops socket_tcp_ops = {
        .bind = tcp_bind,
        .connect = tcp_connect,
        .listen = tcp_listen,
        .accept = tcp_accept,
        .shutdown = tcp_shutdown,
        .getname = tcp_getname,
        .setopt = socket_setopt,
        .getopt = socket_getopt,
        .sendmsg = tcp_sendmsg,
        .recvmsg = tcp_recvmsg,
};
