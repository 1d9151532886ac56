/* SPDX-License-Identifier: MIT */
/*
 * The send and recv families: all of them become sendmsg and recvmsg of the socket's kind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <time.h>

#include "core/core.h"
#include "signal/signal.h"
#include "socket/internal.h"

static bool vector_ok(const struct msghdr *message)
{
	size_t total = 0;

	if (message->msg_iovlen < 0 || message->msg_iovlen > IOV_MAX)
		return false;
	for (int i = 0; i < message->msg_iovlen; i++) {
		if (message->msg_iov[i].iov_len > SSIZE_MAX - total)
			return false;
		total += message->msg_iov[i].iov_len;
	}
	return true;
}

static long send_message(long fd, const struct msghdr *message, int flags)
{
	struct file *f;
	long result = socket_fd(fd, &f);

	if (result)
		return result;
	if (!vector_ok(message))
		return message->msg_iovlen > IOV_MAX ? -EMSGSIZE : -EINVAL;
	if (message->msg_controllen)
		return absent(ABSENT_CONTROL_DATA);
	result = absent_flags(ABSENT_SEND, (unsigned)flags);
	if (!result && socket_of(f)->kind != SOCKET_TCP)
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
	if (!vector_ok(message))
		return message->msg_iovlen > IOV_MAX ? -EMSGSIZE : -EINVAL;
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
	struct iovec iov = {.iov_base = (void *)buffer, .iov_len = (size_t)length};
	const struct msghdr message = {.msg_name = (void *)address,
	                               .msg_namelen = address ? (socklen_t)address_length : 0,
	                               .msg_iov = &iov,
	                               .msg_iovlen = 1};

	return send_message(fd, &message, (int)flags);
}

long sys_recvfrom(long fd, long buffer, long length, long flags, long address, long address_length)
{
	struct iovec iov = {.iov_base = (void *)buffer, .iov_len = (size_t)length};
	socklen_t *name_length = (socklen_t *)address_length;
	struct msghdr message = {.msg_name = (void *)address,
	                         .msg_namelen = address && name_length ? *name_length : 0,
	                         .msg_iov = &iov,
	                         .msg_iovlen = 1};
	long result;

	if (address && name_length && *(const int *)name_length < 0)
		return -EINVAL;
	result = receive_message(fd, &message, (int)flags);
	if (result >= 0 && address && name_length)
		*name_length = message.msg_namelen;
	return result;
}

long sys_sendmsg(long fd, long message, long flags)
{
	return send_message(fd, (const struct msghdr *)message, (int)flags);
}

long sys_recvmsg(long fd, long message, long flags)
{
	return receive_message(fd, (struct msghdr *)message, (int)flags);
}

long sys_sendmmsg(long fd, long messages, long count, long flags)
{
	struct mmsghdr *list = (struct mmsghdr *)messages;
	long done = 0, result = 0;

	for (; done < count && done < IOV_MAX; done++) {
		result = send_message(fd, &list[done].msg_hdr, (int)flags);
		if (result < 0)
			break;
		list[done].msg_len = (unsigned)result;
	}
	return done ? done : result < 0 ? result : 0;
}

long sys_recvmmsg(long fd, long messages, long count, long flags, long timeout)
{
	struct mmsghdr *list = (struct mmsghdr *)messages;
	uint64_t deadline = UINT64_MAX, ns;
	long done = 0, result = 0;

	if (timeout) {
		if (timespec_to_ns((const struct timespec *)timeout, &ns))
			return -EINVAL;
		deadline = deadline_after(ns);
	}
	/* As on Linux, the timeout is looked at between messages only. */
	for (; done < count && done < IOV_MAX; done++) {
		if (done && (cap_now() >= deadline || signal_waiting()))
			break;
		result = receive_message(fd, &list[done].msg_hdr, (int)flags & ~MSG_WAITFORONE);
		if (result < 0)
			break;
		list[done].msg_len = (unsigned)result;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
	}
	return done ? done : result < 0 ? result : 0;
}
