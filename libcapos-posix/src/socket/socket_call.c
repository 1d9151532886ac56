/* SPDX-License-Identifier: MIT */
/*
 * The calls on sockets: each finds the description, holds it, and leaves the rest to the kind.
 */
#include <errno.h>

#include "core/core.h"
#include "socket/internal.h"

int socket_fd(long fd, struct file **f)
{
	*f = fd_file((int)fd);
	if (!*f)
		return -EBADF;
	return (*f)->ops->socket ? 0 : -ENOTSOCK;
}

/* The description of a socket, held while an operation runs: a signal's handler may close the
 * descriptor.  socket_done() lets go of it and hands the result on. */
static long socket_hold(long fd, struct file **f)
{
	int result = socket_fd(fd, f);

	if (!result)
		file_get(*f);
	return result;
}

static long socket_done(struct file *f, long result)
{
	file_put(f);
	return result;
}

long sys_bind(long fd, long address, long length)
{
	struct file *f;
	long result = socket_hold(fd, &f);

	if (result)
		return result;
	return socket_done(
	        f, f->ops->socket->bind(f, (const struct sockaddr *)address, (unsigned)length));
}

long sys_connect(long fd, long address, long length)
{
	struct file *f;
	long result = socket_hold(fd, &f);

	if (result)
		return result;
	return socket_done(
	        f, f->ops->socket->connect(f, (const struct sockaddr *)address, (unsigned)length));
}

long sys_listen(long fd, long backlog)
{
	struct file *f;
	long result = socket_hold(fd, &f);

	if (result)
		return result;
	return socket_done(f, f->ops->socket->listen ? f->ops->socket->listen(f, (int)backlog)
	                                             : -EOPNOTSUPP);
}

long sys_shutdown(long fd, long how)
{
	struct file *f;
	long result = socket_hold(fd, &f);

	return result ? result : socket_done(f, f->ops->socket->shutdown(f, (int)how));
}

/* A socklen_t is unsigned, but a length of more than INT_MAX is an error on Linux, too. */
static bool length_ok(long address, long length)
{
	return !address || !length || *(const int *)length >= 0;
}

static long get_name(long fd, bool peer, long address, long length)
{
	struct file *f;
	long result = socket_hold(fd, &f);

	if (result)
		return result;
	if (!length_ok(address, length))
		return socket_done(f, -EINVAL);
	return socket_done(f, f->ops->socket->getname(f, peer, (struct sockaddr *)address,
	                                              (unsigned *)length));
}

long sys_getsockname(long fd, long address, long length)
{
	return get_name(fd, false, address, length);
}

long sys_getpeername(long fd, long address, long length)
{
	return get_name(fd, true, address, length);
}

long sys_setsockopt(long fd, long level, long option, long value, long length)
{
	struct file *f;
	long result = socket_hold(fd, &f);

	if (result)
		return result;
	return socket_done(f, f->ops->socket->setopt(f, (int)level, (int)option,
	                                             (const void *)value, (unsigned)length));
}

long sys_getsockopt(long fd, long level, long option, long value, long length)
{
	struct file *f;
	long result = socket_hold(fd, &f);

	if (result)
		return result;
	return socket_done(f, f->ops->socket->getopt(f, (int)level, (int)option, (void *)value,
	                                             (unsigned *)length));
}

long sys_accept4(long fd, long address, long length, long flags)
{
	struct file *f, *accepted;
	long result;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	result = socket_hold(fd, &f);
	if (result)
		return result;
	if (!length_ok(address, length))
		return socket_done(f, -EINVAL); /* before a connection is taken */
	result = f->ops->socket->accept
	                 ? f->ops->socket->accept(f, (struct sockaddr *)address, (unsigned *)length,
	                                          (int)flags, &accepted)
	                 : -EOPNOTSUPP;
	socket_done(f, result);
	return result ? result : socket_install(accepted, (int)flags);
}

long sys_accept(long fd, long address, long length)
{
	return sys_accept4(fd, address, length, 0);
}
