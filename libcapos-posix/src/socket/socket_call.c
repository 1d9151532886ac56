/* SPDX-License-Identifier: MIT */
/*
 * The calls on sockets: each finds the description, holds it, and leaves the rest to the kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/core.h"
#include "socket/internal.h"

#define SOCKET_OPTION_SIZE 64u /* the longest that is known takes 16 bytes */

int socket_fd(long fd, struct file **f)
{
	*f = fd_file((int)fd);
	if (!*f || (*f)->flags & O_PATH)
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

/* An address that the program gave; a missing one has no length. */
static long address_in(long address, long length, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if ((unsigned)length > sizeof(*out))
		return -EINVAL;
	return user_read(out, address, (unsigned)length);
}

long socket_address_out(const struct sockaddr_storage *from, unsigned length, long address,
                        unsigned room, long length_address)
{
	if (user_write(address, from, length < room ? length : room))
		return -EFAULT;
	return user_put(length_address, &length);
}

long sys_bind(long fd, long address, long length)
{
	struct sockaddr_storage name;
	struct file *f;
	long result = socket_hold(fd, &f);

	if (result)
		return result;
	result = address_in(address, length, &name);
	if (!result)
		result = f->ops->socket->bind(f, (struct sockaddr *)&name, (unsigned)length);
	return socket_done(f, result);
}

long sys_connect(long fd, long address, long length)
{
	struct sockaddr_storage name;
	struct file *f;
	long result = socket_hold(fd, &f);

	if (result)
		return result;
	result = address_in(address, length, &name);
	if (!result)
		result = f->ops->socket->connect(f, (struct sockaddr *)&name, (unsigned)length);
	return socket_done(f, result);
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
static long length_in(long length, unsigned *room)
{
	if (user_get(room, length))
		return -EFAULT;
	return (int)*room < 0 ? -EINVAL : 0;
}

static long get_name(long fd, bool peer, long address, long length)
{
	struct sockaddr_storage name;
	unsigned room, filled = sizeof(name);
	struct file *f;
	long result = socket_hold(fd, &f);

	if (result)
		return result;
	result = length_in(length, &room);
	if (!result)
		result = f->ops->socket->getname(f, peer, (struct sockaddr *)&name, &filled);
	if (!result)
		result = socket_address_out(&name, filled, address, room, length);
	return socket_done(f, result);
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
	uint8_t copy[SOCKET_OPTION_SIZE] = {0};
	unsigned size = (unsigned)length < sizeof(copy) ? (unsigned)length : sizeof(copy);
	struct file *f;
	long result = socket_hold(fd, &f);

	if (result)
		return result;
	result = (int)length < 0 ? -EINVAL : user_read(copy, value, size);
	if (!result)
		result = f->ops->socket->setopt(f, (int)level, (int)option, copy, size);
	return socket_done(f, result);
}

long sys_getsockopt(long fd, long level, long option, long value, long length)
{
	uint8_t copy[SOCKET_OPTION_SIZE];
	unsigned size;
	struct file *f;
	long result = socket_hold(fd, &f);

	if (result)
		return result;
	result = length_in(length, &size);
	if (size > sizeof(copy))
		size = sizeof(copy);
	if (!result)
		result = f->ops->socket->getopt(f, (int)level, (int)option, copy, &size);
	if (!result && (user_write(value, copy, size) || user_put(length, &size)))
		result = -EFAULT;
	return socket_done(f, result);
}

static long accept_and_name(struct file *f, long address, long length, long flags,
                            struct file **accepted)
{
	struct sockaddr_storage name;
	unsigned room = 0, filled = sizeof(name);
	long result = address ? length_in(length, &room) : 0; /* before a connection is taken */

	if (!result)
		result = f->ops->socket->accept(f, (struct sockaddr *)&name, &filled, (int)flags,
		                                accepted);
	if (result || !address || !socket_address_out(&name, filled, address, room, length))
		return result;
	file_put(*accepted);
	return -EFAULT;
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
	result = f->ops->socket->accept ? accept_and_name(f, address, length, flags, &accepted)
	                                : -EOPNOTSUPP;
	socket_done(f, result);
	return result ? result : socket_install(accepted, (int)flags);
}

long sys_accept(long fd, long address, long length)
{
	return sys_accept4(fd, address, length, 0);
}
