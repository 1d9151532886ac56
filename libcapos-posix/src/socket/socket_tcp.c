/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets.  Data is copied straight between the program's buffers and the shared queues;
 * connect is a call kept in flight, so that it can be waited for, polled for, interrupted and given
 * up.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include <capos/schema/network_client.h>

#include "core/posix.h"
#include "socket/socket.h"

#define TCP_CALL_BUFFER 512u

/* ---- connect ---- */

/* Of a connect that another process began: how it went is in the channel. */
static void settle_by_status(struct socket *s)
{
	if (chan_status(&s->chan) & CHANNEL_CONNECTED)
		s->state = SOCKET_CONNECTED;
	else if (!(chan_status(&s->chan) & CHANNEL_CONNECTING))
		s->state = SOCKET_FRESH;
	else
		chan_arm_status(&s->chan);
}

/* Takes note of a connect that was answered.  Reaps without entering the kernel. */
static void settle_connect(struct socket *s)
{
	int result;

	if (s->state != SOCKET_CONNECTING)
		return;
	if (!s->connect) {
		settle_by_status(s);
		return;
	}
	if (!s->connect->op.done)
		cap_poll(false, 0);
	if (!s->connect->op.done)
		return;
	result = s->connect->op.cqe.result;
	posix_free(s->connect);
	s->connect = NULL;
	s->state = result ? SOCKET_FRESH : SOCKET_CONNECTED;
	if (result) {
		chan_take_error(&s->chan); /* the channel tells of the same failure */
		s->error = -errno_of(result);
	}
}

static int start_connect(struct socket *s, const struct sockaddr_in *peer)
{
	const struct tcp_socket_connect_params params = {.addr = inet_data(&peer->sin_addr, false),
	                                                 .port = ntohs(peer->sin_port)};
	struct socket_connect *connect = posix_alloc(sizeof(*connect));
	struct msg_builder builder;
	int result;

	if (!connect)
		return -ENOMEM;
	msg_builder_init(&builder, connect->buffer, sizeof(connect->buffer));
	result = tcp_socket_connect_params_write(&builder, &params);
	if (!result) {
		struct capos_sqe sqe = {
		        .op = CAP_OP_CALL,
		        .method = TCP_SOCKET_CONNECT,
		        .cap = s->object,
		        .interface = TCP_SOCKET_INTERFACE,
		        .send_addr = (uintptr_t)connect->buffer,
		        .send_len = msg_builder_length(&builder),
		        .recv_addr = (uintptr_t)connect->buffer,
		        .recv_len = sizeof(connect->buffer),
		};
		result = cap_submit(&sqe, &connect->op);
	}
	if (result) {
		posix_free(connect);
		return errno_of(result);
	}
	s->connect = connect;
	s->state = SOCKET_CONNECTING;
	chan_arm_status(&s->chan);
	cap_poll(false, 0); /* sends it; a refusal by netstack itself may be back already */
	return 0;
}

/* Waits until connect is answered; 0 or -errno. */
static int finish_connect(struct socket *s, uint64_t deadline)
{
	for (;;) {
		int result;

		settle_connect(s);
		if (s->state != SOCKET_CONNECTING)
			break;
		result = process_wait(deadline);
		if (result)
			return result == -ETIMEDOUT ? -EINPROGRESS : result;
	}
	return -socket_take_error(s);
}

static int tcp_connect(struct file *f, const struct sockaddr *address, unsigned length)
{
	struct socket *s = socket_of(f);
	struct sockaddr_in peer;
	int result;

	if (!address || length < sizeof(address->sa_family))
		return -EINVAL;
	result = inet_parse(address, length, &peer);
	if (result)
		return result;
	settle_connect(s);
	if (s->state == SOCKET_LISTENING || s->state == SOCKET_CONNECTED)
		return -EISCONN;
	if (s->state == SOCKET_CONNECTING) {
		if (f->flags & O_NONBLOCK)
			return -EALREADY;
		return finish_connect(s, socket_deadline(s->send_timeout));
	}
	if (s->error)
		return -socket_take_error(s); /* of a connect that failed in the meantime */
	result = start_connect(s, &peer);
	if (result)
		return result;
	settle_connect(s);
	if (s->state != SOCKET_CONNECTING)
		return -socket_take_error(s);
	if (f->flags & O_NONBLOCK)
		return -EINPROGRESS;
	return finish_connect(s, socket_deadline(s->send_timeout));
}

/* ---- Data ---- */

/* Why nothing can be received: -errno, 0 for the end; -EAGAIN: nothing there yet.  status was read
 * before the queue was found empty, since data is put in before the end is told. */
static ssize_t receive_nothing(struct socket *s, uint32_t status)
{
	int error = socket_take_error(s);

	if (error)
		return -error;
	if (s->state == SOCKET_FRESH || s->state == SOCKET_LISTENING)
		return -ENOTCONN;
	return status & CHANNEL_EOF || s->read_shut ? 0 : -EAGAIN;
}

static ssize_t discard(struct socket *s, size_t length)
{
	uint32_t there;

	chan_begin(&s->chan);
	there = queue_readable(&s->chan.channel.receive);
	if (there > length)
		there = (uint32_t)length;
	queue_advance(&s->chan.channel.receive, there);
	if (there)
		chan_taken(&s->chan, there);
	chan_end(&s->chan);
	return there;
}

static size_t receive_some(struct socket *s, const struct msghdr *message, int flags, size_t skip)
{
	if (flags & MSG_TRUNC && !(flags & MSG_PEEK))
		return (size_t)discard(s, iov_length(message->msg_iov, message->msg_iovlen) - skip);
	return chan_read(&s->chan, message->msg_iov, message->msg_iovlen, skip, flags & MSG_PEEK);
}

static ssize_t tcp_recvmsg(struct file *f, struct msghdr *message, int flags)
{
	struct socket *s = socket_of(f);
	size_t total = iov_length(message->msg_iov, message->msg_iovlen), done = 0;
	/* Peeking starts anew each time, so it waits for all only if all fits the queue. */
	size_t enough = flags & MSG_WAITALL ? total : 1;
	uint64_t deadline = 0;
	bool armed = false;

	message->msg_namelen = 0;
	settle_connect(s);
	if (enough > s->chan.channel.receive.capacity && flags & MSG_PEEK)
		enough = s->chan.channel.receive.capacity;
	while (done < total) {
		uint32_t status = chan_status(&s->chan);
		ssize_t result;

		if (flags & MSG_PEEK)
			done = 0;
		done += receive_some(s, message, flags, done);
		if (done >= enough)
			break;
		/* What was received comes first; the error or the end is for the next call. */
		if (done && (status & CHANNEL_EOF || s->read_shut || socket_has_error(s)))
			break;
		result = done ? -EAGAIN : receive_nothing(s, status);
		if (result != -EAGAIN)
			return result;
		if (f->flags & O_NONBLOCK || flags & MSG_DONTWAIT)
			return done ? (ssize_t)done : -EAGAIN;
		if (!armed) {
			chan_arm_read(&s->chan);
			armed = true;
			continue;
		}
		armed = false;
		if (!deadline)
			deadline = socket_deadline(s->receive_timeout);
		result = socket_wait(deadline);
		if (result)
			return done ? (ssize_t)done : result;
		settle_connect(s);
	}
	return (ssize_t)done;
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

static ssize_t tcp_sendmsg(struct file *f, const struct msghdr *message, int flags)
{
	struct socket *s = socket_of(f);
	size_t total = iov_length(message->msg_iov, message->msg_iovlen), done = 0;
	uint64_t deadline = 0;
	bool armed = false;

	if (message->msg_name && s->state == SOCKET_CONNECTED && message->msg_namelen)
		return -EISCONN;
	for (;;) {
		/* As when receiving: an error is told by the call after the one that sent
		 * something. */
		int result = done && socket_has_error(s) ? -EPIPE : send_check(s);
		size_t put = 0;

		if (!result)
			put = chan_write(&s->chan, message->msg_iov, message->msg_iovlen, done);
		else if (result != -EAGAIN)
			return done ? (ssize_t)done : result;
		done += put;
		if (!result && done == total)
			return (ssize_t)done;
		if (f->flags & O_NONBLOCK || flags & MSG_DONTWAIT)
			return done ? (ssize_t)done : -EAGAIN;
		if (put || !armed) {
			chan_arm_write(&s->chan);
			armed = true;
			continue;
		}
		armed = false;
		if (!deadline)
			deadline = socket_deadline(s->send_timeout);
		result = socket_wait(deadline);
		if (result)
			return done ? (ssize_t)done : result;
	}
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
	if (s->state == SOCKET_LISTENING)
		return atomic_load(&s->chan.channel.shared->pending) ? POLLIN | POLLRDNORM : 0;
	if (socket_has_error(s))
		events |= POLLERR | POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
	if (s->state == SOCKET_FRESH)
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
	return errno_of(tcp_socket_bind(socket_of(f)->object, &params, NULL));
}

static int tcp_listen(struct file *f, int backlog)
{
	const struct tcp_socket_listen_params params = {.backlog = backlog > 0 ? (uint32_t)backlog
	                                                                       : 0};
	struct socket *s = socket_of(f);
	int result;

	if (s->state != SOCKET_FRESH && s->state != SOCKET_LISTENING)
		return -EINVAL;
	result = errno_of(tcp_socket_listen(s->object, &params, NULL));
	if (!result)
		s->state = SOCKET_LISTENING;
	return result;
}

static int accept_now(struct socket *s, struct sockaddr *address, unsigned *length, int flags,
                      struct file **out)
{
	_Alignas(8) uint8_t buffer[TCP_CALL_BUFFER];
	const struct capos_send_cap wake = socket_wake_cap();
	struct capos_call call = {
	        .send_caps = &wake, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct tcp_socket_accept_params params = {.wake_bits = PROCESS_WAKE_BITS};
	struct tcp_socket_accept_results results;
	struct sockaddr_in peer;
	struct chan chan;
	cap_t object;
	int result = tcp_socket_accept(s->object, &params, &results, &call);

	if (result)
		return errno_of(result);
	inet_from(&results.peer, &peer);
	result = errno_of(
	        socket_take(&call, results.socket_index, &results.channel, &object, &chan));
	if (!result)
		result = socket_file(SOCKET_TCP, SOCKET_CONNECTED, object, &chan, flags, out);
	if (!result && address)
		inet_store(&peer, address, length);
	return result;
}

static int tcp_accept(struct file *f, struct sockaddr *address, unsigned *length, int flags,
                      struct file **out)
{
	struct socket *s = socket_of(f);
	uint64_t deadline = 0;
	bool armed = false;

	if (s->state != SOCKET_LISTENING)
		return -EINVAL;
	for (;;) {
		int result = -EAGAIN;

		if (atomic_load(&s->chan.channel.shared->pending))
			result = accept_now(s, address, length, flags, out);
		if (result != -EAGAIN || f->flags & O_NONBLOCK)
			return result;
		if (!armed) {
			chan_arm_status(&s->chan);
			armed = true;
			continue;
		}
		armed = false;
		if (!deadline)
			deadline = socket_deadline(s->receive_timeout);
		result = socket_wait(deadline);
		if (result)
			return result;
	}
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
	result = errno_of(tcp_socket_shutdown(s->object, &params, NULL));
	if (result)
		return result;
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
		return errno_of(result);
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
