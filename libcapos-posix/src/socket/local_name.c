/* SPDX-License-Identifier: MIT */
/*
 * AF_UNIX datagram sockets with names as descriptions: binding, connecting, readiness, closing.  A
 * name whose receiver is gone refuses, as a file that is left over does on Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <capos/cap.h>

#include "core/core.h"
#include "socket/internal.h"
#include "socket/local_name.h"
#include "socket/socket.h"

uint32_t named_filled(const struct named_shared *p)
{
	uint32_t bytes = p->tail - p->head;

	return bytes < NAMED_CAPACITY ? bytes : NAMED_CAPACITY;
}

bool named_is_there(const struct named_shared *p)
{
	return atomic_load(&p->processes) && ends_held(p->word);
}

int named_lock(struct named_shared *p)
{
	int result = shared_lock(&p->lock);

	return result < 0 ? result : 0;
}

void named_unlock(struct named_shared *p, bool has_changed)
{
	bool wake = has_changed && atomic_exchange(&p->wants, 0);

	shared_unlock(&p->lock);
	if (wake)
		family_wake();
}

/* ---- Names ---- */

int named_parse(const struct sockaddr *address, unsigned length, struct named_node *out)
{
	const size_t before = offsetof(struct sockaddr_un, sun_path);
	const struct sockaddr_un *name = (const struct sockaddr_un *)address;

	if (length < sizeof(sa_family_t) || length > sizeof(*name) || address->sa_family != AF_UNIX)
		return -EINVAL;
	if (length == before || !name->sun_path[0])
		return (int)absent(ABSENT_LOCAL_NAME);
	*out = (struct named_node){.path_length =
	                                   (uint32_t)strnlen(name->sun_path, length - before)};
	memcpy(out->path, name->sun_path, out->path_length);
	return 0;
}

/* With a 0 behind it. */
static void text_of(const struct named_node *node, char out[NAMED_PATH + 1])
{
	memcpy(out, node->path, node->path_length);
	out[node->path_length] = 0;
}

int named_open(struct named_node *node)
{
	char path[NAMED_PATH + 1];
	void *address;
	int result;

	text_of(node, path);
	result = core_hooks.socket_open(path, &node->file, &node->memory);
	if (result)
		return result;
	result = errno_of(cap_memory_map(node->memory, 0, sizeof(*node->shared),
	                                 CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address));
	if (!result) {
		node->shared = address;
		return 0;
	}
	cap_release(node->memory);
	cap_release(node->file);
	return result;
}

void named_close(struct named_node *node)
{
	if (!node->shared)
		return;
	cap_memory_unmap(node->shared, sizeof(*node->shared));
	cap_release(node->memory);
	cap_release(node->file);
	node->shared = NULL;
}

void named_store(const struct named_node *node, struct sockaddr *address, unsigned *length)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	const unsigned before = offsetof(struct sockaddr_un, sun_path);
	unsigned whole = before;

	if (node->path_length) {
		memcpy(name.sun_path, node->path, node->path_length);
		whole += node->path_length + (node->path_length < NAMED_PATH ? 1 : 0);
	}
	memcpy(address, &name, *length < whole ? *length : whole);
	*length = whole;
}

static int named_bind(struct file *f, const struct sockaddr *address, unsigned length)
{
	struct named *s = named_of(f);
	struct shared_ends held;
	struct named_node node;
	char path[NAMED_PATH + 1];
	int result = named_parse(address, length, &node);

	if (result)
		return result;
	if (s->own.shared)
		return -EINVAL;
	text_of(&node, path);
	result = core_hooks.socket_make(path);
	if (result)
		return result == -EEXIST ? -EADDRINUSE : result;
	result = named_open(&node);
	if (!result)
		result = ends_open(&held);
	if (result) {
		named_close(&node);
		return result;
	}
	cap_release(held.ends[1]);
	s->held = held.ends[0];
	s->own = node;
	node.shared->word = held.word;
	node.shared->path_length = node.path_length;
	memcpy(node.shared->path, node.path, node.path_length);
	atomic_store(&node.shared->processes, 1);
	return 0;
}

static int named_connect(struct file *f, const struct sockaddr *address, unsigned length)
{
	struct named *s = named_of(f);
	struct named_node node = {.shared = NULL};
	int result = 0;

	if (length < sizeof(sa_family_t) || address->sa_family != AF_UNSPEC)
		result = named_parse(address, length, &node);
	if (!result && node.path_length)
		result = named_open(&node);
	if (!result && node.shared && !named_is_there(node.shared)) {
		named_close(&node);
		result = -ECONNREFUSED;
	}
	if (result)
		return result;
	named_close(&s->peer);
	s->peer = node;
	return 0;
}

static int named_getname(struct file *f, bool peer, struct sockaddr *address, unsigned *length)
{
	const struct named *s = named_of(f);

	if (peer && !s->peer.shared)
		return -ENOTCONN;
	named_store(peer ? &s->peer : &s->own, address, length);
	return 0;
}

static int named_shutdown(struct file *f, int how)
{
	struct named *s = named_of(f);

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	s->read_shut |= how != SHUT_WR;
	s->write_shut |= how != SHUT_RD;
	if (s->read_shut && s->own.shared) {
		if (named_lock(s->own.shared))
			return -EINTR;
		atomic_store(&s->own.shared->read_shut, 1);
		named_unlock(s->own.shared, true);
	}
	return 0;
}

static int named_setopt(struct file *f, int level, int option, const void *value, unsigned length)
{
	return local_option_set(&named_of(f)->options, level, option, value, length);
}

static int named_getopt(struct file *f, int level, int option, void *value, unsigned *length)
{
	return local_option_get(&named_of(f)->options, 0, level, option, value, length);
}

const struct socket_ops named_ops = {
        .bind = named_bind,
        .connect = named_connect,
        .shutdown = named_shutdown,
        .getname = named_getname,
        .setopt = named_setopt,
        .getopt = named_getopt,
        .sendmsg = named_sendmsg,
        .recvmsg = named_recvmsg,
};

/* ---- As a description ---- */

static unsigned named_poll(struct file *f, unsigned wanted, bool arm)
{
	struct named *s = named_of(f);
	unsigned ready = 0;

	(void)wanted;
	if (arm && s->own.shared)
		atomic_store(&s->own.shared->wants, 1);
	if (arm && s->peer.shared)
		atomic_store(&s->peer.shared->wants, 1);
	if (s->read_shut)
		ready |= POLLRDHUP | POLLIN | POLLRDNORM | (s->write_shut ? POLLHUP : 0);
	if (s->own.shared && named_filled(s->own.shared))
		ready |= POLLIN | POLLRDNORM;
	if (!s->peer.shared || named_filled(s->peer.shared) <= NAMED_WRITABLE ||
	    !named_is_there(s->peer.shared))
		ready |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return ready;
}

static ssize_t named_read(struct file *f, const struct iovec *iov, int n)
{
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};

	return vector_length(iov, n) ? named_recvmsg(f, &message, 0) : 0;
}

static ssize_t named_write(struct file *f, const struct iovec *iov, int n)
{
	const struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};

	return named_sendmsg(f, &message, 0);
}

static int named_stat(struct file *f, struct stat *st)
{
	*st = (struct stat){.st_ino = named_of(f)->number,
	                    .st_mode = S_IFSOCK | 0777,
	                    .st_nlink = 1,
	                    .st_blksize = 4096};
	return 0;
}

static int named_ioctl(struct file *f, unsigned long request, void *argument)
{
	const struct named_shared *p = named_of(f)->own.shared;
	int bytes = 0;

	if (request != FIONREAD)
		return inet_ioctl(request, (long)argument);
	if (p && named_filled(p) >= sizeof(struct named_header))
		for (uint32_t i = 0; i < sizeof(uint32_t); i++)
			((uint8_t *)&bytes)[i] = p->data[(p->head + i) % NAMED_CAPACITY];
	return user_put(argument, &bytes);
}

/* One process less has it. */
static void named_leave(struct file *f)
{
	struct named_shared *p = named_of(f)->own.shared;

	if (p && atomic_fetch_sub(&p->processes, 1) == 1 && atomic_exchange(&p->wants, 0))
		family_wake();
}

static int named_fork(struct file *f)
{
	if (named_of(f)->own.shared)
		atomic_fetch_add(&named_of(f)->own.shared->processes, 1);
	return 0;
}

static void named_end(struct file *f)
{
	struct named *s = named_of(f);

	named_leave(f);
	named_close(&s->own);
	named_close(&s->peer);
	cap_release(s->held);
	posix_free(s);
}

static int named_carry(struct file *f, struct carried *out)
{
	const struct named *s = named_of(f);

	out->kind = CARRY_NAMED;
	if (s->own.shared) {
		out->contents = s->own.file;
		out->object = s->own.memory;
		out->end = s->held;
	}
	if (s->peer.shared) {
		out->more[0] = s->peer.file;
		out->more[1] = s->peer.memory;
	}
	out->socket = (struct carried_socket){.read_shut = s->read_shut,
	                                      .write_shut = s->write_shut,
	                                      .receive_timeout = s->options.receive_timeout,
	                                      .send_timeout = s->options.send_timeout,
	                                      .number = s->number};
	return 0;
}

static const struct file_ops named_file_ops = {
        .read = named_read,
        .write = named_write,
        .poll = named_poll,
        .stat = named_stat,
        .ioctl = named_ioctl,
        .close = named_end,
        .socket = &named_ops,
        .fork = named_fork,
        .fork_failed = named_leave,
        .leave = named_leave,
        .carry = named_carry,
};

static int make_named(int flags, struct file **out)
{
	struct named *s = posix_alloc(sizeof(*s));

	*out = s ? file_create(&named_file_ops, flags, s) : NULL;
	if (!*out) {
		posix_free(s);
		return -ENOMEM;
	}
	s->options = (struct local_options){.type = SOCK_DGRAM,
	                                    .peer = {.uid = (uid_t)-1, .gid = (gid_t)-1}};
	return 0;
}

/* Its path is in its memory, where a relative may have changed it. */
static int restore_node(struct named_node *node, cap_t file, cap_t memory)
{
	void *address;
	uint32_t length;
	int result = cap_memory_map(memory, 0, sizeof(*node->shared),
	                            CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address);

	if (result)
		return errno_of(result);
	*node = (struct named_node){.shared = address, .file = file, .memory = memory};
	length = *(volatile uint32_t *)&node->shared->path_length;
	node->path_length = length < NAMED_PATH ? length : (uint32_t)NAMED_PATH;
	memcpy(node->path, node->shared->path, node->path_length);
	return 0;
}

int named_restore(const struct carried *in, struct file **out)
{
	const struct carried_socket *saved = &in->socket;
	struct named *s;
	int result = make_named(in->flags, out);

	if (result)
		return result;
	s = named_of(*out);
	s->read_shut = saved->read_shut;
	s->write_shut = saved->write_shut;
	s->options.receive_timeout = saved->receive_timeout;
	s->options.send_timeout = saved->send_timeout;
	s->number = saved->number;
	s->held = in->end;
	if (in->object)
		result = restore_node(&s->own, in->contents, in->object);
	if (!result && in->more[1])
		result = restore_node(&s->peer, in->more[0], in->more[1]);
	return result;
}

long local_socket(int type, int flags, int protocol)
{
	struct file *f;
	int result = local_check_type(&type, protocol);

	if (result)
		return result;
	if (type != SOCK_DGRAM)
		return absent(ABSENT_LOCAL_STREAM);
	result = make_named(O_RDWR | (flags & SOCK_NONBLOCK), &f);
	if (result)
		return result;
	named_of(f)->number = local_number();
	return socket_install(f, flags);
}
