/* SPDX-License-Identifier: MIT */
/*
 * Names, shutting down and options of pairs of AF_UNIX sockets.  They have no names but the empty
 * one, and no option changes what they do but the two time-outs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/core.h"
#include "socket/internal.h"
#include "socket/local.h"

static int local_getname(struct file *f, bool peer, struct sockaddr *address, unsigned *length)
{
	const sa_family_t family = AF_UNIX;

	if (peer && local_of(f)->options.type == SOCK_DGRAM &&
	    atomic_load(&local_mine(local_of(f))->noticed))
		return -ENOTCONN;
	memcpy(address, &family, *length < sizeof(family) ? *length : sizeof(family));
	*length = sizeof(family);
	return 0;
}

static int local_shutdown(struct file *f, int how)
{
	struct local *s = local_of(f);

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (local_lock(s->shared))
		return -EINTR;
	if (how != SHUT_WR)
		atomic_store(&local_mine(s)->read_shut, 1);
	if (how != SHUT_RD)
		atomic_store(&local_mine(s)->write_shut, 1);
	local_unlock(s->shared, true);
	return 0;
}

static int local_bind(struct file *f, const struct sockaddr *address, unsigned length)
{
	(void)f;
	if (length < sizeof(sa_family_t) || length > sizeof(struct sockaddr_un) ||
	    address->sa_family != AF_UNIX)
		return -EINVAL;
	return (int)absent(ABSENT_LOCAL_NAME);
}

static int local_connect(struct file *f, const struct sockaddr *address, unsigned length)
{
	if (length < sizeof(sa_family_t) || length > sizeof(struct sockaddr_un) ||
	    address->sa_family != AF_UNIX)
		return -EINVAL;
	return local_of(f)->options.type == SOCK_DGRAM ? (int)absent(ABSENT_LOCAL_NAME) : -EISCONN;
}

static int local_listen(struct file *f, int backlog)
{
	(void)backlog;
	return local_of(f)->options.type == SOCK_DGRAM ? -EOPNOTSUPP : -EINVAL;
}

static int local_accept(struct file *f, struct sockaddr *address, unsigned *length, int flags,
                        struct file **out)
{
	(void)address, (void)length, (void)flags, (void)out;
	return local_of(f)->options.type == SOCK_DGRAM ? -EOPNOTSUPP : -EINVAL;
}

/* ---- Options ---- */

/* Linux keeps these for every socket; between two ends on one machine they change nothing. */
static bool has_no_effect(int option)
{
	return option == SO_KEEPALIVE || option == SO_REUSEADDR || option == SO_SNDBUF ||
	       option == SO_RCVBUF || option == SO_LINGER || option == SO_BROADCAST ||
	       option == SO_PRIORITY;
}

int local_option_set(struct local_options *options, int level, int option, const void *value,
                     unsigned length)
{
	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (option == SO_RCVTIMEO)
		return socket_set_timeout(&options->receive_timeout, value, length);
	if (option == SO_SNDTIMEO)
		return socket_set_timeout(&options->send_timeout, value, length);
	if (has_no_effect(option))
		return length < sizeof(int) ? -EINVAL : 0;
	return (int)absent_option(ABSENT_SOCKET_OPTION, (unsigned)option, -ENOPROTOOPT);
}

static int number_of(const struct local_options *options, int option, int *number)
{
	*number = 0;
	switch (option) {
	case SO_TYPE:
		*number = options->type;
		return 0;
	case SO_DOMAIN:
		*number = AF_UNIX;
		return 0;
	case SO_SNDBUF:
	case SO_RCVBUF:
		*number = (int)LOCAL_CAPACITY;
		return 0;
	case SO_PROTOCOL:
	case SO_ACCEPTCONN:
	case SO_KEEPALIVE:
	case SO_REUSEADDR:
	case SO_BROADCAST:
	case SO_PRIORITY:
		return 0;
	default:
		return (int)absent_option(ABSENT_SOCKET_OPTION, (unsigned)option, -ENOPROTOOPT);
	}
}

int local_option_get(const struct local_options *options, int error, int level, int option,
                     void *value, unsigned *length)
{
	static const struct linger none;
	int number = error, result = 0;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (option == SO_RCVTIMEO)
		return socket_get_timeout(options->receive_timeout, value, length);
	if (option == SO_SNDTIMEO)
		return socket_get_timeout(options->send_timeout, value, length);
	if (option == SO_LINGER)
		return socket_store(&none, sizeof(none), value, length);
	if (option == SO_PEERCRED)
		return socket_store(&options->peer, sizeof(options->peer), value, length);
	if (option != SO_ERROR)
		result = number_of(options, option, &number);
	return result ? result : socket_store(&number, sizeof(number), value, length);
}

static int local_setopt(struct file *f, int level, int option, const void *value, unsigned length)
{
	return local_option_set(&local_of(f)->options, level, option, value, length);
}

static int local_getopt(struct file *f, int level, int option, void *value, unsigned *length)
{
	struct local *s = local_of(f);
	int error = 0;

	if (level == SOL_SOCKET && option == SO_ERROR && local_is_reset(s)) {
		atomic_store(&local_mine(s)->noticed, 1);
		error = ECONNRESET;
	}
	return local_option_get(&s->options, error, level, option, value, length);
}

const struct socket_ops local_ops = {
        .bind = local_bind,
        .connect = local_connect,
        .listen = local_listen,
        .accept = local_accept,
        .shutdown = local_shutdown,
        .getname = local_getname,
        .setopt = local_setopt,
        .getopt = local_getopt,
        .sendmsg = local_sendmsg,
        .recvmsg = local_recvmsg,
};
