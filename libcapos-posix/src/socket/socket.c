/* SPDX-License-Identifier: MIT */
/*
 * Sockets as descriptors: making them, what is the same for every kind, and closing.  The right to
 * the network is the capability "network": without it there are no sockets (EACCES), with it
 * netstack decides about each use.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <capos/schema/network_client.h>
#include <capos/start.h>

#include "core/absent.h"
#include "core/carried.h"
#include "core/posix.h"
#include "socket/socket.h"
#include "core/syscalls.h"

#define SOCKET_CALL_BUFFER 512u

struct capos_send_cap socket_wake_cap(void)
{
	return (struct capos_send_cap){.cap = process_event(), .rights = CAP_RIGHT_SIGNAL};
}

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

/* The three methods that make a socket differ in nothing but their names. */
#define DEFINE_OPEN(method)                                                                        \
	static int method(cap_t network, cap_t *object, struct chan *chan)                         \
	{                                                                                          \
		_Alignas(8) uint8_t buffer[SOCKET_CALL_BUFFER];                                    \
		const struct capos_send_cap wake = socket_wake_cap();                              \
		struct capos_call call = {.send_caps = &wake,                                      \
		                          .send_ncaps = 1,                                         \
		                          .buffer = buffer,                                        \
		                          .size = sizeof(buffer)};                                 \
		const struct network_manager_##method##_params params = {                          \
		        .wake_bits = PROCESS_WAKE_BITS};                                           \
		struct network_manager_##method##_results results;                                 \
		int result = network_manager_##method(network, &params, &results, &call);          \
                                                                                                   \
		return result ? result                                                             \
		              : socket_take(&call, results.socket_index, &results.channel, object, \
		                            chan);                                                 \
	}
DEFINE_OPEN(open_tcp)
DEFINE_OPEN(open_udp)
DEFINE_OPEN(open_icmp)

/* ---- Errors and waiting ---- */

bool socket_has_error(struct socket *s)
{
	return s->error || chan_has_error(&s->chan) || chan_broken(&s->chan);
}

int socket_take_error(struct socket *s)
{
	int error = s->error;

	s->error = 0;
	if (!error)
		error = -errno_of((int)chan_take_error(&s->chan));
	if (!error && chan_broken(&s->chan))
		error = EIO;
	return error;
}

uint64_t socket_deadline(uint64_t timeout_ns)
{
	if (!timeout_ns)
		return UINT64_MAX;
	signal_no_restart();
	return deadline_after(timeout_ns);
}

int socket_wait(uint64_t deadline)
{
	int result = process_wait(deadline);

	return result == -ETIMEDOUT ? -EAGAIN : result;
}

/* ---- Descriptions ---- */

static ssize_t socket_read(struct file *f, const struct iovec *iov, int n)
{
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};

	return f->ops->socket->recvmsg(f, &message, 0);
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
	if (request != FIONREAD)
		return inet_ioctl(request, argument);
	if (socket_of(f)->state == SOCKET_LISTENING)
		return -EINVAL;
	*(int *)argument = unread_bytes(socket_of(f));
	return 0;
}

static void socket_close(struct file *f)
{
	struct socket *s = socket_of(f);

	if (s->connect) {
		cap_cancel(&s->connect->op);
		posix_free(s->connect);
	}
	chan_close(&s->chan);
	cap_release(s->object);
	posix_free(s);
}

static int socket_fork(struct file *f, const struct membership *child)
{
	(void)child;
	chan_make_common(&socket_of(f)->chan);
	return 0;
}

/* The parent's connect is answered to the parent; here the channel's status tells how it went. */
static void socket_forked(struct file *f)
{
	struct socket *s = socket_of(f);

	posix_free(s->connect);
	s->connect = NULL;
}

static int socket_carry(struct file *f, struct carried *out)
{
	struct socket *s = socket_of(f);

	if (s->connect) /* exec withdraws the call */
		return -EBUSY;
	out->kind = CARRY_SOCKET;
	out->object = s->object;
	out->chan = chan_save(&s->chan);
	out->socket = (struct carried_socket){.kind = (uint8_t)s->kind,
	                                      .state = (uint8_t)s->state,
	                                      .read_shut = s->read_shut,
	                                      .write_shut = s->write_shut,
	                                      .error = s->error,
	                                      .receive_timeout = s->receive_timeout,
	                                      .send_timeout = s->send_timeout,
	                                      .number = s->number,
	                                      .ping_id = s->ping_id};
	memcpy(out->socket.peer, &s->peer, sizeof(s->peer));
	return 0;
}

static const struct file_ops tcp_file_ops = {
        .read = socket_read,
        .write = socket_write,
        .poll = socket_tcp_poll,
        .stat = socket_stat,
        .ioctl = socket_ioctl,
        .close = socket_close,
        .socket = &socket_tcp_ops,
        .fork = socket_fork,
        .forked = socket_forked,
        .carry = socket_carry,
};

static const struct file_ops datagram_file_ops = {
        .read = socket_read,
        .write = socket_write,
        .poll = socket_datagram_poll,
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
	result = errno_of(chan_restore(&chan, &in->chan));
	if (!result)
		result = socket_file(saved->kind, saved->state, in->object, &chan, 0, out);
	if (result)
		return result;
	s = socket_of(*out);
	(*out)->flags = in->flags;
	s->error = saved->error;
	s->read_shut = saved->read_shut;
	s->write_shut = saved->write_shut;
	s->receive_timeout = saved->receive_timeout;
	s->send_timeout = saved->send_timeout;
	s->number = saved->number;
	s->ping_id = saved->ping_id;
	memcpy(&s->peer, saved->peer, sizeof(s->peer));
	return 0;
}

/* ---- socket() ---- */

#define SOCK_TYPES 11 /* SOCK_MAX of Linux */

static int unknown_protocol(int protocol)
{
	return (int)absent_option(ABSENT_PROTOCOL, (unsigned)protocol,
	                          protocol < 0 || protocol >= IPPROTO_MAX ? -EINVAL
	                                                                  : -EPROTONOSUPPORT);
}

static int kind_of(int type, int protocol, enum socket_kind *kind)
{
	switch (type) {
	case SOCK_STREAM:
		*kind = SOCKET_TCP;
		return protocol == 0 || protocol == IPPROTO_TCP ? 0 : unknown_protocol(protocol);
	case SOCK_DGRAM:
		*kind = protocol == IPPROTO_ICMP ? SOCKET_PING : SOCKET_UDP;
		return protocol == 0 || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP
		               ? 0
		               : unknown_protocol(protocol);
	case SOCK_RAW:
		*kind = SOCKET_RAW_ICMP;
		if (protocol == IPPROTO_ICMP)
			return 0;
		return protocol > 0 && protocol < IPPROTO_MAX ? (int)absent(ABSENT_RAW_PROTOCOL)
		                                              : -EPROTONOSUPPORT;
	default:
		return (int)absent_option(ABSENT_TYPE, (unsigned)type,
		                          type > 0 && type < SOCK_TYPES ? -ESOCKTNOSUPPORT
		                                                        : -EINVAL);
	}
}

static int open_kind(enum socket_kind kind, cap_t network, cap_t *object, struct chan *chan)
{
	switch (kind) {
	case SOCKET_TCP:
		return open_tcp(network, object, chan);
	case SOCKET_UDP:
		return open_udp(network, object, chan);
	default:
		return open_icmp(network, object, chan);
	}
}

static int install(struct file *f, int flags)
{
	int fd = fd_install(f, 0, flags & SOCK_CLOEXEC);

	if (fd < 0)
		file_put(f);
	return fd;
}

long sys_socket(long family, long type, long protocol)
{
	int flags = (int)type & (SOCK_NONBLOCK | SOCK_CLOEXEC);
	cap_t network = start_cap("network"), object;
	enum socket_kind kind;
	struct chan chan;
	struct file *f;
	int result;

	if ((int)family != AF_INET)
		return absent_option(ABSENT_FAMILY, (unsigned)family, -EAFNOSUPPORT);
	result = kind_of((int)type & ~flags, (int)protocol, &kind);
	if (result)
		return result;
	if (!network)
		return -EACCES;
	result = errno_of(open_kind(kind, network, &object, &chan));
	if (!result)
		result = socket_file(kind, SOCKET_FRESH, object, &chan, flags, &f);
	return result ? result : install(f, flags);
}

/* ---- The calls on sockets ---- */

int socket_fd(long fd, struct file **f)
{
	*f = fd_file((int)fd);
	if (!*f)
		return -EBADF;
	return (*f)->ops->socket ? 0 : -ENOTSOCK;
}

/* Runs one operation with the description held: another thread, or a signal's handler, may close
 * the descriptor. */
#define WITH_SOCKET(fd, operation, ...)                     \
	struct file *f;                                     \
	long result = socket_fd(fd, &f);                    \
                                                            \
	if (result)                                         \
		return result;                              \
	if (!f->ops->socket->operation)                     \
		return -EOPNOTSUPP;                         \
	file_get(f);                                        \
	result = f->ops->socket->operation(f, __VA_ARGS__); \
	file_put(f);                                        \
	return result

long sys_bind(long fd, long address, long length)
{
	WITH_SOCKET(fd, bind, (const struct sockaddr *)address, (unsigned)length);
}

long sys_connect(long fd, long address, long length)
{
	WITH_SOCKET(fd, connect, (const struct sockaddr *)address, (unsigned)length);
}

long sys_listen(long fd, long backlog)
{
	WITH_SOCKET(fd, listen, (int)backlog);
}

long sys_shutdown(long fd, long how)
{
	WITH_SOCKET(fd, shutdown, (int)how);
}

long sys_getsockname(long fd, long address, long length)
{
	WITH_SOCKET(fd, getname, false, (struct sockaddr *)address, (unsigned *)length);
}

long sys_getpeername(long fd, long address, long length)
{
	WITH_SOCKET(fd, getname, true, (struct sockaddr *)address, (unsigned *)length);
}

long sys_setsockopt(long fd, long level, long option, long value, long length)
{
	WITH_SOCKET(fd, setopt, (int)level, (int)option, (const void *)value, (unsigned)length);
}

long sys_getsockopt(long fd, long level, long option, long value, long length)
{
	WITH_SOCKET(fd, getopt, (int)level, (int)option, (void *)value, (unsigned *)length);
}

static long do_accept(long fd, struct sockaddr *address, unsigned *length, int flags,
                      struct file **out)
{
	WITH_SOCKET(fd, accept, address, length, flags, out);
}

long sys_accept4(long fd, long address, long length, long flags)
{
	struct file *accepted;
	long result;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	result = do_accept(fd, (struct sockaddr *)address, (unsigned *)length, (int)flags,
	                   &accepted);
	return result ? result : install(accepted, (int)flags);
}

long sys_accept(long fd, long address, long length)
{
	return sys_accept4(fd, address, length, 0);
}
