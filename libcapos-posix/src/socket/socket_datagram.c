/* SPDX-License-Identifier: MIT */
/*
 * UDP sockets and the two kinds of ICMP socket.  Each datagram is one record of the channel, put
 * and taken whole.  A ping socket (SOCK_DGRAM) is a raw one with a filter in front: echo messages
 * of one identifier, without IP headers.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include <capos/schema/network_client.h>

#include "core/core.h"
#include "socket/icmp.h"
#include "socket/internal.h"

#define DATAGRAM_CALL_BUFFER 512u
/* Largest payload of UDP over IPv4 (RFC 768): 65535 less 20 for IP and 8 for UDP. */
#define PAYLOAD_MAX 65507u
/* A socket counts as writable when an Ethernet frame's worth fits. */
#define WRITABLE_ROOM CHANNEL_RECORD_SIZE(1472)

/* For the messages of ping sockets, which are changed on the way: it is empty whenever a call
 * waits. */
static uint8_t bounce[PAYLOAD_MAX];

/* ---- Sending ---- */

static int destination(struct socket *s, const struct msghdr *message,
                       struct channel_datagram *header)
{
	struct sockaddr_in peer;
	int result;

	if (!message->msg_name || !message->msg_namelen)
		return s->state == SOCKET_CONNECTED ? 0 : -EDESTADDRREQ;
	result = inet_parse(message->msg_name, message->msg_namelen, &peer);
	if (result)
		return result;
	if (s->kind == SOCKET_UDP && !peer.sin_port)
		return -EINVAL;
	if (peer.sin_addr.s_addr == INADDR_BROADCAST && !s->broadcast)
		return -EACCES;
	header->port = ntohs(peer.sin_port);
	header->address_length = 4;
	memcpy(header->address, &peer.sin_addr, 4);
	return 0;
}

/* One attempt: 0, -EAGAIN without space, or why not.  The record is what channel_put_datagram
 * makes, but its payload comes straight from the program. */
static int put_record(struct socket *s, const struct channel_datagram *header,
                      const struct iovec *iov, int n)
{
	static const uint8_t padding[8];
	struct queue *send = &s->chan.channel.send;
	uint32_t record = CHANNEL_RECORD_SIZE(header->length);
	int result = 0;

	if (record > send->capacity)
		return -EMSGSIZE;
	result = chan_begin(&s->chan);
	if (result)
		return result;
	if (queue_writable(send) < record)
		result = send->broken ? -EIO : -EAGAIN;
	else if (chan_copy_in(send, sizeof(*header), iov, n, 0) != header->length)
		result = -EFAULT;
	if (!result) {
		queue_put(send, header, sizeof(*header));
		queue_advance(send, header->length);
		queue_put(send, padding, record - (uint32_t)sizeof(*header) - header->length);
		chan_put(&s->chan);
	}
	chan_end(&s->chan);
	return result;
}

static int try_send(struct socket *s, const struct msghdr *message,
                    const struct channel_datagram *header)
{
	int error = socket_take_error(s);
	const struct iovec request = {.iov_base = bounce, .iov_len = header->length};

	if (error)
		return -error;
	if (s->write_shut)
		return -EPIPE;
	if (s->kind != SOCKET_PING)
		return put_record(s, header, message->msg_iov, message->msg_iovlen);
	if (vector_gather(bounce, sizeof(bounce), message->msg_iov, message->msg_iovlen, 0) !=
	    header->length)
		return -EFAULT;
	if (!icmp_make_request(bounce, header->length, s->ping_id))
		return -EINVAL;
	return put_record(s, header, &request, 1);
}

struct sending {
	struct socket *socket;
	const struct msghdr *message;
	struct channel_datagram header;
};

static ssize_t attempt_send(void *context)
{
	const struct sending *t = context;
	int result = try_send(t->socket, t->message, &t->header);

	return result ? result : t->header.length;
}

static void arm_send(void *context)
{
	chan_arm_write(&((struct sending *)context)->socket->chan);
}

static ssize_t datagram_sendmsg(struct file *f, const struct msghdr *message, int flags)
{
	struct sending t = {.socket = socket_of(f), .message = message};
	const struct waiting w = {.attempt = attempt_send,
	                          .arm = arm_send,
	                          .context = &t,
	                          .nonblocking = file_flags(f) & O_NONBLOCK || flags & MSG_DONTWAIT,
	                          .timeout_ns = t.socket->send_timeout};
	size_t length = vector_length(message->msg_iov, message->msg_iovlen);
	int result;

	if (length > PAYLOAD_MAX)
		return -EMSGSIZE;
	t.header.length = (uint16_t)length;
	result = destination(t.socket, message, &t.header);
	return result ? result : wait_for(&w);
}

/* ---- Receiving ---- */

struct record_part {
	const struct queue *queue;
	size_t length;
};

static ssize_t move_part(void *context, void *piece, size_t length, size_t done)
{
	const struct record_part *part = context;
	struct queue from = *part->queue;
	size_t rest = part->length - done;
	struct iovec iov = {.iov_base = piece, .iov_len = length < rest ? length : rest};

	return chan_copy_out(&from, (uint32_t)done, &iov, 1, 0);
}

/* So many bytes of what stands first in the queue. */
static ssize_t copy_record(const struct queue *record, const struct iovec *iov, int n,
                           size_t length)
{
	struct record_part part = {.queue = record, .length = length};

	return vector_move(iov, n, 0, move_part, &part);
}

/* Takes one record into the vector.  Its length as the sender had it, or -errno; *copied: bytes put
 * there.  As on Linux, a datagram that cannot be stored is lost. */
static ssize_t take_record(struct socket *s, struct channel_datagram *header,
                           const struct iovec *iov, int n, bool peek, size_t *copied)
{
	struct queue *receive = &s->chan.channel.receive;
	size_t room = vector_length(iov, n);
	ssize_t stored = 0;
	int result;

	*copied = 0;
	result = chan_begin(&s->chan);
	if (result)
		return result;
	result = channel_take_datagram(receive, header, NULL, 0, true);
	*copied = result >= 0 && header->length < room ? header->length : room;
	if (result >= 0 && *copied) {
		struct queue record = *receive;

		record.local += sizeof(*header);
		stored = copy_record(&record, iov, n, *copied);
	}
	if (result >= 0 && !peek) {
		uint32_t size = CHANNEL_RECORD_SIZE(header->length);

		queue_advance(receive, size);
		chan_taken(&s->chan, size);
	}
	chan_end(&s->chan);
	if (result < 0)
		return socket_errno(result);
	return stored < 0 || (size_t)stored < *copied ? -EFAULT : header->length;
}

/* For a ping socket: passes over what is not for it, and leaves the ICMP message alone in
 * bounce. */
static ssize_t take_reply(struct socket *s, struct channel_datagram *header, bool peek,
                          size_t *copied)
{
	const struct iovec whole = {.iov_base = bounce, .iov_len = sizeof(bounce)};

	for (;;) {
		size_t start, end;
		ssize_t length = take_record(s, header, &whole, 1, true, copied);

		if (length < 0)
			return length;
		bool ours = icmp_find_reply(bounce, *copied, s->ping_id, &start, &end);
		if (!ours || !peek)
			take_record(s, header, NULL, 0, false, &(size_t){0});
		if (!ours)
			continue;
		memmove(bounce, bounce + start, end - start);
		*copied = end - start;
		return (ssize_t)*copied;
	}
}

static ssize_t take_message(struct socket *s, const struct msghdr *message, int flags,
                            struct channel_datagram *header, size_t *copied)
{
	bool peek = flags & MSG_PEEK;
	size_t room = vector_length(message->msg_iov, message->msg_iovlen);
	ssize_t length, stored;

	if (s->kind != SOCKET_PING)
		return take_record(s, header, message->msg_iov, message->msg_iovlen, peek, copied);
	length = take_reply(s, header, peek, copied);
	if (length < 0)
		return length;
	if (*copied > room)
		*copied = room;
	stored = vector_scatter(message->msg_iov, message->msg_iovlen, bounce, *copied);
	return stored < 0 || (size_t)stored < *copied ? -EFAULT : length;
}

static void store_source(struct socket *s, const struct channel_datagram *header,
                         struct msghdr *message)
{
	struct sockaddr_in from = {.sin_family = AF_INET};

	if (!message->msg_name) {
		message->msg_namelen = 0;
		return;
	}
	if (s->kind == SOCKET_UDP)
		from.sin_port = htons(header->port);
	if (header->address_length == 4)
		memcpy(&from.sin_addr, header->address, 4);
	inet_store(&from, message->msg_name, &message->msg_namelen);
}

static ssize_t try_receive(struct socket *s, struct msghdr *message, int flags)
{
	struct channel_datagram header;
	size_t copied = 0;
	ssize_t length = take_message(s, message, flags, &header, &copied);
	int error;

	if (length >= 0) {
		store_source(s, &header, message);
		if (copied < (size_t)length)
			message->msg_flags |= MSG_TRUNC;
		return flags & MSG_TRUNC ? length : (ssize_t)copied;
	}
	if (length != -EAGAIN)
		return length;
	error = socket_take_error(s);
	if (error)
		return -error;
	return s->read_shut ? 0 : -EAGAIN;
}

struct receiving {
	struct socket *socket;
	struct msghdr *message;
	int flags;
};

static ssize_t attempt_receive(void *context)
{
	const struct receiving *t = context;

	return try_receive(t->socket, t->message, t->flags);
}

static void arm_receive(void *context)
{
	chan_arm_read(&((struct receiving *)context)->socket->chan);
}

static ssize_t datagram_recvmsg(struct file *f, struct msghdr *message, int flags)
{
	struct receiving t = {.socket = socket_of(f), .message = message, .flags = flags};
	const struct waiting w = {.attempt = attempt_receive,
	                          .arm = arm_receive,
	                          .context = &t,
	                          .nonblocking = file_flags(f) & O_NONBLOCK || flags & MSG_DONTWAIT,
	                          .timeout_ns = t.socket->receive_timeout};

	return wait_for(&w);
}

unsigned socket_datagram_poll(struct file *f, unsigned wanted, bool arm)
{
	struct socket *s = socket_of(f);
	struct queue *send = &s->chan.channel.send;
	unsigned events = 0;

	if (arm) {
		if (wanted & (POLLIN | POLLRDNORM))
			chan_arm_read(&s->chan);
		if (wanted & (POLLOUT | POLLWRNORM))
			chan_arm_write(&s->chan);
		chan_arm_status(&s->chan);
	}
	chan_look(&s->chan);
	if (queue_readable(&s->chan.channel.receive) || s->read_shut)
		events |= POLLIN | POLLRDNORM;
	if (s->write_shut || queue_writable(send) >= WRITABLE_ROOM ||
	    queue_writable(send) == send->capacity)
		events |= POLLOUT | POLLWRNORM;
	if (s->read_shut)
		events |= s->write_shut ? POLLRDHUP | POLLHUP : POLLRDHUP;
	return socket_has_error(s) ? events | POLLERR : events;
}

/* ---- Addresses ---- */

static int datagram_bind(struct file *f, const struct sockaddr *address, unsigned length)
{
	struct socket *s = socket_of(f);
	struct sockaddr_in local;
	int result = inet_parse(address, length, &local);

	if (result)
		return result;
	if (s->kind == SOCKET_UDP) {
		const struct udp_socket_bind_params params = {
		        .addr = inet_data(&local.sin_addr, true), .port = ntohs(local.sin_port)};
		return socket_errno(udp_socket_bind(s->object, &params, NULL));
	}
	/* A ping socket's port is the identifier of its echo requests. */
	if (s->kind == SOCKET_PING && local.sin_port)
		s->ping_id = local.sin_port;
	const struct raw_socket_bind_params params = {.addr = inet_data(&local.sin_addr, true)};
	return socket_errno(raw_socket_bind(s->object, &params, NULL));
}

static int connect_object(struct socket *s, const struct sockaddr_in *peer, bool disconnect)
{
	const struct msg_data addr =
	        disconnect ? (struct msg_data){0} : inet_data(&peer->sin_addr, false);

	if (s->kind == SOCKET_UDP) {
		const struct udp_socket_connect_params params = {
		        .addr = addr, .port = disconnect ? 0 : ntohs(peer->sin_port)};
		return socket_errno(udp_socket_connect(s->object, &params, NULL));
	}
	const struct raw_socket_connect_params params = {.addr = addr};
	return socket_errno(raw_socket_connect(s->object, &params, NULL));
}

static int datagram_connect(struct file *f, const struct sockaddr *address, unsigned length)
{
	struct socket *s = socket_of(f);
	struct sockaddr_in peer = {0};
	bool disconnect;
	int result;

	if (length < sizeof(address->sa_family))
		return -EINVAL;
	disconnect = address->sa_family == AF_UNSPEC;
	result = disconnect ? 0 : inet_parse(address, length, &peer);
	if (!result)
		result = connect_object(s, &peer, disconnect);
	if (result)
		return result;
	s->peer = peer;
	s->state = disconnect ? SOCKET_FRESH : SOCKET_CONNECTED;
	return 0;
}

static int local_address(struct socket *s, struct sockaddr_in *name)
{
	_Alignas(8) uint8_t buffer[DATAGRAM_CALL_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	int result;

	if (s->kind == SOCKET_UDP) {
		struct udp_socket_local_address_results results;
		result = udp_socket_local_address(s->object, &results, &call);
		return result ? socket_errno(result) : inet_from(&results.address, name);
	}
	struct raw_socket_local_address_results results;
	result = raw_socket_local_address(s->object, &results, &call);
	result = result ? socket_errno(result) : inet_from(&results.address, name);
	if (!result)
		name->sin_port = s->kind == SOCKET_PING ? s->ping_id : htons(IPPROTO_ICMP);
	return result;
}

static int datagram_getname(struct file *f, bool peer, struct sockaddr *address, unsigned *length)
{
	struct socket *s = socket_of(f);
	struct sockaddr_in name;
	int result = 0;

	if (peer && s->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	if (peer)
		name = s->peer;
	else
		result = local_address(s, &name);
	if (!result)
		inet_store(&name, address, length);
	return result;
}

/* Of datagrams netstack need not know: what this side does not send or take is as good as shut. */
static int datagram_shutdown(struct file *f, int how)
{
	struct socket *s = socket_of(f);

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (s->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	s->read_shut |= how != SHUT_WR;
	s->write_shut |= how != SHUT_RD;
	return 0;
}

const struct socket_ops socket_datagram_ops = {
        .bind = datagram_bind,
        .connect = datagram_connect,
        .shutdown = datagram_shutdown,
        .getname = datagram_getname,
        .setopt = socket_setopt,
        .getopt = socket_getopt,
        .sendmsg = datagram_sendmsg,
        .recvmsg = datagram_recvmsg,
};
