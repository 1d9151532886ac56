/* SPDX-License-Identifier: MIT */
/*
 * The send and recv families: all of them become sendmsg and recvmsg of the socket's kind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "core/core.h"
#include "signal/signal.h"
#include "socket/internal.h"

#define VECTOR_ON_STACK 8 /* longer ones elsewhere: threads may have small stacks */

/* A message of the program with its vector and its name as the library may use them; what the
 * vector points to is the program's. */
struct message {
	struct msghdr header;
	struct sockaddr_storage name;
	struct iovec few[VECTOR_ON_STACK];
	long name_address; /* where a received one goes; 0: nowhere */
	unsigned name_room;
};

static void message_done(struct message *m)
{
	if (m->header.msg_iov != m->few)
		posix_free(m->header.msg_iov);
}

static long check_lengths(const struct msghdr *h)
{
	size_t total = 0;

	for (int i = 0; i < h->msg_iovlen; i++) {
		if (h->msg_iov[i].iov_len > SSIZE_MAX - total)
			return -EINVAL;
		total += h->msg_iov[i].iov_len;
	}
	return 0;
}

static long read_vector(struct message *m)
{
	const long from = (long)m->header.msg_iov;
	int n = m->header.msg_iovlen;
	size_t bytes = (size_t)n * sizeof(struct iovec);
	long result;

	m->header.msg_iov = m->few;
	if (n < 0)
		return -EINVAL;
	if (n > IOV_MAX)
		return -EMSGSIZE;
	if (n > VECTOR_ON_STACK)
		m->header.msg_iov = posix_alloc(bytes);
	if (!m->header.msg_iov)
		return -ENOMEM;
	result = user_read(m->header.msg_iov, from, bytes);
	if (!result)
		result = check_lengths(&m->header);
	if (result)
		message_done(m);
	return result;
}

/* Of sendmsg and recvmsg.  After 0 the caller calls message_done. */
static long message_read(struct message *m, long address, bool with_name)
{
	if (user_get(&m->header, address))
		return -EFAULT;
	m->name_address = (long)m->header.msg_name;
	m->name_room = m->header.msg_namelen;
	if ((int)m->name_room < 0)
		return -EINVAL;
	if (m->name_room > sizeof(m->name))
		m->name_room = sizeof(m->name);
	m->header.msg_namelen = m->name_address ? m->name_room : 0;
	m->header.msg_name = m->name_address ? &m->name : NULL;
	if (with_name && m->name_address && user_read(&m->name, m->name_address, m->name_room))
		return -EFAULT;
	return read_vector(m);
}

/* Of sendto and recvfrom. */
static void message_make(struct message *m, long buffer, long length)
{
	m->header = (struct msghdr){.msg_iov = m->few, .msg_iovlen = 1};
	m->few[0] = (struct iovec){.iov_base = (void *)buffer, .iov_len = (size_t)length};
}

static long send_message(long fd, const struct msghdr *message, int flags)
{
	struct file *f;
	long result = socket_fd(fd, &f);

	if (result)
		return result;
	if (message->msg_controllen)
		return absent(ABSENT_CONTROL_DATA);
	result = absent_flags(ABSENT_SEND, (unsigned)flags);
	if (!result && f->ops->socket == &socket_datagram_ops)
		result = absent_flags(ABSENT_SEND_DATAGRAM, (unsigned)flags);
	if (result)
		return result;
	file_get(f);
	result = f->ops->socket->sendmsg(f, message, flags);
	file_put(f);
	if (result == -EPIPE && !(flags & MSG_NOSIGNAL))
		signal_raise(SIGPIPE);
	return result;
}

static long receive_message(long fd, struct msghdr *message, int flags)
{
	struct file *f;
	long result = socket_fd(fd, &f);

	if (result)
		return result;
	result = absent_flags(ABSENT_RECEIVE, (unsigned)flags);
	if (result)
		return result;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	message->msg_controllen = 0;
	message->msg_flags = 0;
	file_get(f);
	result = f->ops->socket->recvmsg(f, message, flags);
	file_put(f);
	return result;
}

long sys_sendto(long fd, long buffer, long length, long flags, long address, long address_length)
{
	struct message m;
	long result;

	message_make(&m, buffer, length);
	if (address) {
		if ((unsigned long)address_length > sizeof(m.name))
			return -EINVAL;
		if (user_read(&m.name, address, (size_t)address_length))
			return -EFAULT;
		m.header.msg_name = &m.name;
		m.header.msg_namelen = (socklen_t)address_length;
	}
	result = check_lengths(&m.header);
	return result ? result : send_message(fd, &m.header, (int)flags);
}

long sys_recvfrom(long fd, long buffer, long length, long flags, long address, long address_length)
{
	struct message m;
	unsigned room = 0;
	long result;

	message_make(&m, buffer, length);
	if (address && address_length && user_get(&room, address_length))
		return -EFAULT;
	if ((int)room < 0)
		return -EINVAL;
	m.header.msg_name = address ? &m.name : NULL;
	m.header.msg_namelen = address ? sizeof(m.name) : 0;
	result = check_lengths(&m.header);
	if (!result)
		result = receive_message(fd, &m.header, (int)flags);
	if (result < 0 || !address || !address_length)
		return result;
	if (socket_address_out(&m.name, m.header.msg_namelen, address, room, address_length))
		return -EFAULT;
	return result;
}

static long send_at(long fd, long address, int flags)
{
	struct message m;
	long result = message_read(&m, address, true);

	if (result)
		return result;
	result = send_message(fd, &m.header, flags);
	message_done(&m);
	return result;
}

/* What a received message left in its header goes back to the program's. */
static long message_write(const struct message *m, long address)
{
	const long lengths = address + (long)offsetof(struct msghdr, msg_namelen);
	const long controls = address + (long)offsetof(struct msghdr, msg_controllen);
	const long all_flags = address + (long)offsetof(struct msghdr, msg_flags);

	if (user_put(controls, &m->header.msg_controllen) ||
	    user_put(all_flags, &m->header.msg_flags))
		return -EFAULT;
	if (!m->name_address)
		return 0;
	return socket_address_out(&m->name, m->header.msg_namelen, m->name_address, m->name_room,
	                          lengths);
}

static long receive_at(long fd, long address, int flags)
{
	struct message m;
	long result = message_read(&m, address, false);

	if (result)
		return result;
	if (m.header.msg_name)
		m.header.msg_namelen = sizeof(m.name);
	result = receive_message(fd, &m.header, flags);
	message_done(&m);
	return result >= 0 && message_write(&m, address) ? -EFAULT : result;
}

long sys_sendmsg(long fd, long message, long flags)
{
	return send_at(fd, message, (int)flags);
}

long sys_recvmsg(long fd, long message, long flags)
{
	return receive_at(fd, message, (int)flags);
}

static long put_length(long message, long result)
{
	unsigned length = (unsigned)result;

	return user_put(message + (long)offsetof(struct mmsghdr, msg_len), &length);
}

long sys_sendmmsg(long fd, long messages, long count, long flags)
{
	long done = 0, result = 0;

	for (; done < count && done < IOV_MAX; done++) {
		long at = messages + done * (long)sizeof(struct mmsghdr);

		result = send_at(fd, at, (int)flags);
		if (result >= 0)
			result = put_length(at, result);
		if (result < 0)
			break;
	}
	return done ? done : result < 0 ? result : 0;
}

long sys_recvmmsg(long fd, long messages, long count, long flags, long timeout)
{
	uint64_t deadline = UINT64_MAX, ns;
	long done = 0, result = 0;
	struct timespec t;

	if (timeout) {
		if (user_get(&t, timeout))
			return -EFAULT;
		if (timespec_to_ns(&t, &ns))
			return -EINVAL;
		deadline = deadline_after(ns);
	}
	/* As on Linux, the timeout is looked at between messages only. */
	for (; done < count && done < IOV_MAX; done++) {
		long at = messages + done * (long)sizeof(struct mmsghdr);

		if (done && (cap_now() >= deadline || signal_waiting()))
			break;
		result = receive_at(fd, at, (int)flags & ~MSG_WAITFORONE);
		if (result >= 0)
			result = put_length(at, result);
		if (result < 0)
			break;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
	}
	return done ? done : result < 0 ? result : 0;
}
