/* SPDX-License-Identifier: MIT */
/*
 * Pairs of AF_UNIX sockets as descriptions: making them, how they cross fork and exec, readiness
 * and closing.  An end is there as long as a process counts itself and the process service knows of
 * one that has it (ends.h), so neither a close nor a kill is missed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <capos/cap.h>

#include "core/core.h"
#include "socket/internal.h"
#include "socket/local.h"
#include "socket/socket.h"

#define OUTPUT_LEFT 0x5411 /* SIOCOUTQ */

static const struct file_ops local_file_ops;

uint32_t local_filled(const struct local_flow *flow)
{
	uint32_t bytes = flow->tail - flow->head;

	return bytes < LOCAL_CAPACITY ? bytes : LOCAL_CAPACITY;
}

bool local_is_there(const struct local_end *end)
{
	return atomic_load(&end->processes) && ends_held(end->word);
}

int local_lock(struct local_shared *p)
{
	int result = shared_lock(&p->lock);

	return result < 0 ? result : 0;
}

void local_unlock(struct local_shared *p, bool has_changed)
{
	bool wake = has_changed && atomic_exchange(&p->wants, 0);

	shared_unlock(&p->lock);
	if (wake)
		family_wake();
}

bool local_reads_end(const struct local *s)
{
	if (atomic_load(&local_mine(s)->read_shut))
		return true;
	return s->options.type != SOCK_DGRAM &&
	       (atomic_load(&local_other(s)->write_shut) || !local_is_there(local_other(s)));
}

bool local_writes_end(const struct local *s)
{
	if (atomic_load(&local_mine(s)->write_shut))
		return true;
	return s->options.type != SOCK_DGRAM &&
	       (atomic_load(&local_other(s)->read_shut) || !local_is_there(local_other(s)));
}

bool local_is_reset(const struct local *s)
{
	return s->options.type != SOCK_DGRAM && !atomic_load(&local_mine(s)->noticed) &&
	       local_filled(&s->shared->flows[!s->side]) && !local_is_there(local_other(s));
}

static unsigned local_poll(struct file *f, unsigned wanted, bool arm)
{
	struct local *s = local_of(f);
	unsigned ready = 0;
	bool end = local_reads_end(s);

	(void)wanted;
	if (arm)
		atomic_store(&s->shared->wants, 1);
	if (local_filled(&s->shared->flows[s->side]) || end)
		ready |= POLLIN | POLLRDNORM;
	if (end)
		ready |= POLLRDHUP | (local_writes_end(s) ? POLLHUP : 0);
	if (local_is_reset(s))
		ready |= POLLERR;
	if (local_filled(&s->shared->flows[!s->side]) <= LOCAL_WRITABLE)
		ready |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return ready;
}

static bool local_progress(struct file *f, uint64_t *number)
{
	const struct local *s = local_of(f);
	const struct local_flow *flows = s->shared->flows;

	*number = (uint64_t) * (const volatile uint32_t *)&flows[s->side].tail << 32 |
	          *(const volatile uint32_t *)&flows[!s->side].head;
	return true;
}

static ssize_t local_read(struct file *f, const struct iovec *iov, int n)
{
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};

	return vector_length(iov, n) ? local_recvmsg(f, &message, 0) : 0;
}

static ssize_t local_write(struct file *f, const struct iovec *iov, int n)
{
	const struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};

	return local_sendmsg(f, &message, 0);
}

static int local_stat(struct file *f, struct stat *st)
{
	*st = (struct stat){.st_ino = local_of(f)->number,
	                    .st_mode = S_IFSOCK | 0777,
	                    .st_nlink = 1,
	                    .st_blksize = 4096};
	return 0;
}

/* The length of the first message; of a stream all that can be read. */
static int unread(const struct local *s)
{
	const struct local_flow *flow = &s->shared->flows[s->side];
	uint32_t length = local_filled(flow), header;

	if (s->options.type == SOCK_STREAM || length < sizeof(header))
		return (int)length;
	for (uint32_t i = 0; i < sizeof(header); i++)
		((uint8_t *)&header)[i] =
		        s->shared->data[s->side][(flow->head + i) % LOCAL_CAPACITY];
	return header < length ? (int)header : (int)(length - sizeof(header));
}

static int local_ioctl(struct file *f, unsigned long request, void *argument)
{
	struct local *s = local_of(f);
	int bytes;

	if (request != FIONREAD && request != OUTPUT_LEFT)
		return inet_ioctl(request, (long)argument);
	if (local_lock(s->shared))
		return -EINTR;
	bytes = request == FIONREAD ? unread(s) : (int)local_filled(&s->shared->flows[!s->side]);
	local_unlock(s->shared, false);
	return user_put(argument, &bytes);
}

/* ---- Ends ---- */

static void leave(struct local *s)
{
	if (atomic_fetch_sub(&local_mine(s)->processes, 1) == 1 &&
	    atomic_exchange(&s->shared->wants, 0))
		family_wake();
}

static void local_close(struct file *f)
{
	struct local *s = local_of(f);

	leave(s);
	cap_release(s->held);
	cap_memory_unmap(s->shared, sizeof(*s->shared));
	cap_release(s->memory);
	posix_free(s);
}

static void local_leave(struct file *f)
{
	leave(local_of(f));
}

static int local_fork(struct file *f)
{
	atomic_fetch_add(&local_mine(local_of(f))->processes, 1);
	return 0;
}

static int local_carry(struct file *f, struct carried *out)
{
	const struct local *s = local_of(f);

	out->kind = CARRY_LOCAL;
	out->object = s->memory;
	out->end = s->held;
	out->detail = (uint32_t)s->side;
	out->socket = (struct carried_socket){.kind = (uint8_t)s->options.type,
	                                      .receive_timeout = s->options.receive_timeout,
	                                      .send_timeout = s->options.send_timeout,
	                                      .number = s->number};
	_Static_assert(sizeof(s->options.peer) <= sizeof(out->socket.peer), "it is kept there");
	__builtin_memcpy(out->socket.peer, &s->options.peer, sizeof(s->options.peer));
	return 0;
}

static const struct file_ops local_file_ops = {
        .read = local_read,
        .write = local_write,
        .poll = local_poll,
        .progress = local_progress,
        .stat = local_stat,
        .ioctl = local_ioctl,
        .close = local_close,
        .socket = &local_ops,
        .fork = local_fork,
        .fork_failed = local_leave,
        .leave = local_leave,
        .carry = local_carry,
};

/* The description of an end whose memory is mapped here for it.  It takes over the capabilities,
 * also when it fails. */
static int describe(const struct local *from, int flags, struct file **out)
{
	struct local *s = posix_alloc(sizeof(*s));
	void *address;
	int result = s ? errno_of(cap_memory_map(from->memory, 0, sizeof(*s->shared),
	                                         CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address))
	               : -ENOMEM;

	if (!result) {
		*s = *from;
		s->shared = address;
		*out = file_create(&local_file_ops, flags, s);
		if (*out)
			return 0;
		cap_memory_unmap(address, sizeof(*s->shared));
		result = -ENOMEM;
	}
	cap_release(from->held);
	cap_release(from->memory);
	posix_free(s);
	return result;
}

int local_restore(const struct carried *in, struct file **out)
{
	struct local s = {.memory = in->object,
	                  .held = in->end,
	                  .side = in->detail & 1,
	                  .number = in->socket.number,
	                  .options = {.type = in->socket.kind,
	                              .receive_timeout = in->socket.receive_timeout,
	                              .send_timeout = in->socket.send_timeout}};

	__builtin_memcpy(&s.options.peer, in->socket.peer, sizeof(s.options.peer));
	return describe(&s, in->flags, out);
}

/* ---- socketpair ---- */

uint64_t local_number(void)
{
	static uint64_t last;

	return ++last;
}

/* Two capabilities on the memory and the ends of a new pair. */
static int create(cap_t memory[LOCAL_ENDS], struct shared_ends *held)
{
	int result = ends_open(held);

	if (result)
		return result;
	result = pages_create_common(sizeof(struct local_shared), &memory[0]);
	if (!result) {
		result = cap_copy(memory[0], CAP_RIGHTS_ALL, &memory[1]);
		if (result)
			cap_release(memory[0]);
	}
	if (result) {
		cap_release(held->ends[0]);
		cap_release(held->ends[1]);
	}
	return errno_of(result);
}

static int make_pair(int type, int flags, struct file *out[LOCAL_ENDS])
{
	const struct ucred me = {
	        .pid = (pid_t)process_id(), .uid = (uid_t)sys_getuid(), .gid = (gid_t)sys_getgid()};
	struct shared_ends held;
	cap_t memory[LOCAL_ENDS];
	int result = create(memory, &held), made[LOCAL_ENDS];

	if (result)
		return result;
	for (int side = 0; side < LOCAL_ENDS; side++) {
		const struct local s = {.memory = memory[side],
		                        .held = held.ends[side],
		                        .side = side,
		                        .number = local_number(),
		                        .options = {.type = type, .peer = me}};

		made[side] = describe(&s, O_RDWR | (flags & SOCK_NONBLOCK), &out[side]);
		if (made[side])
			continue;
		local_mine(local_of(out[side]))->word = held.word ? held.word + (unsigned)side : 0;
		atomic_store(&local_mine(local_of(out[side]))->processes, 1);
	}
	if (!made[0] && !made[1])
		return 0;
	for (int side = 0; side < LOCAL_ENDS; side++) {
		if (!made[side])
			file_put(out[side]);
	}
	return -ENOMEM;
}

static int install_pair(struct file *const files[LOCAL_ENDS], int flags, int fds[LOCAL_ENDS])
{
	fds[0] = fd_install(files[0], 0, flags & SOCK_CLOEXEC);
	if (fds[0] < 0) {
		file_put(files[0]);
		file_put(files[1]);
		return fds[0];
	}
	fds[1] = fd_install(files[1], 0, flags & SOCK_CLOEXEC);
	if (fds[1] >= 0)
		return 0;
	sys_close(fds[0]);
	file_put(files[1]);
	return fds[1];
}

int local_check_type(int *type, int protocol)
{
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (*type == SOCK_RAW)
		*type = SOCK_DGRAM;
	if (*type == SOCK_STREAM || *type == SOCK_DGRAM || *type == SOCK_SEQPACKET)
		return 0;
	return *type < 0 || *type > SOCK_PACKET ? -EINVAL : -ESOCKTNOSUPPORT;
}

long sys_socketpair(long family, long type, long protocol, long fds)
{
	int flags = (int)type & (SOCK_NONBLOCK | SOCK_CLOEXEC), kind = (int)type & ~flags;
	struct file *files[LOCAL_ENDS];
	int numbers[LOCAL_ENDS];
	long result;

	if ((int)family == AF_INET)
		return -EOPNOTSUPP;
	if ((int)family != AF_UNIX)
		return absent_option(ABSENT_FAMILY, (unsigned)family, -EAFNOSUPPORT);
	result = local_check_type(&kind, (int)protocol);
	if (!result)
		result = make_pair(kind, flags, files);
	if (!result)
		result = install_pair(files, flags, numbers);
	if (!result && user_put(fds, &numbers)) {
		sys_close(numbers[0]);
		sys_close(numbers[1]);
		result = -EFAULT;
	}
	return result;
}
