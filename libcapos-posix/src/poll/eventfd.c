/* SPDX-License-Identifier: MIT */
/*
 * eventfd: a counter in memory that is common to all processes that have the descriptor, from the
 * beginning on.  It is changed by one atomic operation, so there is no lock that a process could
 * die with; a process that waits says so first and is woken by the event that relatives share.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <capos/cap.h>

#include "core/core.h"
#include "poll/poll.h"

#define COUNT_MAX (UINT64_MAX - 1)

struct counter {
	_Atomic uint64_t count;
	_Atomic uint32_t wants;        /* a process sleeps until it changes */
	uint32_t semaphore;            /* one at a time is taken */
	_Atomic uint32_t added, taken; /* how often */
};

struct eventfd {
	struct counter *shared;
	cap_t memory;
};

static struct eventfd *eventfd_of(const struct file *f)
{
	return f->data;
}

static void changed(struct counter *c)
{
	if (atomic_load(&c->wants) && atomic_exchange(&c->wants, 0))
		family_wake();
}

static void arm(void *counter)
{
	atomic_store(&(*(struct counter **)counter)->wants, 1);
}

/* ---- Reading ---- */

struct change {
	struct counter *counter; /* first: arm */
	uint64_t value;          /* taken, or to be added */
};

static ssize_t attempt_take(void *context)
{
	struct change *t = context;
	uint64_t count = atomic_load(&t->counter->count), take;

	do {
		if (!count)
			return WAIT_NOTHING;
		take = t->counter->semaphore ? 1 : count;
	} while (!atomic_compare_exchange_weak(&t->counter->count, &count, count - take));
	t->value = take;
	atomic_fetch_add(&t->counter->taken, 1);
	changed(t->counter);
	return 0;
}

static ssize_t counter_read(struct file *f, const struct iovec *iov, int n)
{
	struct change t = {.counter = eventfd_of(f)->shared};
	const struct waiting w = {.attempt = attempt_take,
	                          .arm = arm,
	                          .context = &t,
	                          .nonblocking = file_flags(f) & O_NONBLOCK};
	ssize_t result;

	if (vector_length(iov, n) < sizeof(t.value))
		return -EINVAL;
	result = wait_for(&w);
	if (!result)
		result = vector_put(iov, n, 0, &t.value, sizeof(t.value));
	return result ? result : (ssize_t)sizeof(t.value);
}

/* ---- Writing ---- */

static ssize_t attempt_add(void *context)
{
	const struct change *t = context;
	uint64_t count = atomic_load(&t->counter->count);

	do {
		if (t->value > COUNT_MAX - count)
			return WAIT_NOTHING;
	} while (!atomic_compare_exchange_weak(&t->counter->count, &count, count + t->value));
	atomic_fetch_add(&t->counter->added, 1);
	changed(t->counter);
	return 0;
}

static ssize_t counter_write(struct file *f, const struct iovec *iov, int n)
{
	struct change t = {.counter = eventfd_of(f)->shared};
	const struct waiting w = {.attempt = attempt_add,
	                          .arm = arm,
	                          .context = &t,
	                          .nonblocking = file_flags(f) & O_NONBLOCK};
	ssize_t result;

	/* Neither more nor in pieces, as Linux has it. */
	if (n != 1 || iov->iov_len != sizeof(t.value))
		return -EINVAL;
	if (vector_gather(&t.value, sizeof(t.value), iov, n, 0) != sizeof(t.value))
		return -EFAULT;
	if (t.value > COUNT_MAX)
		return -EINVAL;
	result = wait_for(&w);
	return result ? result : (ssize_t)sizeof(t.value);
}

static unsigned counter_poll(struct file *f, unsigned wanted, bool ask)
{
	struct counter *c = eventfd_of(f)->shared;
	uint64_t count;

	(void)wanted;
	if (ask)
		arm(&c);
	count = atomic_load(&c->count);
	return (count ? POLLIN : 0) | (count < COUNT_MAX ? POLLOUT : 0);
}

static bool counter_progress(struct file *f, uint64_t *number)
{
	struct counter *c = eventfd_of(f)->shared;

	*number = (uint64_t)atomic_load(&c->added) << 32 | atomic_load(&c->taken);
	return true;
}

static int counter_stat(struct file *f, struct stat *st)
{
	*st = (struct stat){.st_ino = eventfd_of(f)->memory,
	                    .st_mode = 0600,
	                    .st_nlink = 1,
	                    .st_blksize = 4096};
	return 0;
}

static void release(struct eventfd *e)
{
	pages_release_shared(e->shared, sizeof(*e->shared), e->memory);
	posix_free(e);
}

static void counter_close(struct file *f)
{
	release(eventfd_of(f));
}

static int counter_carry(struct file *f, struct carried *out)
{
	out->kind = CARRY_EVENTFD;
	out->object = eventfd_of(f)->memory;
	return 0;
}

static const struct file_ops counter_ops = {.read = counter_read,
                                            .write = counter_write,
                                            .seek = file_seek_nowhere,
                                            .poll = counter_poll,
                                            .progress = counter_progress,
                                            .stat = counter_stat,
                                            .close = counter_close,
                                            .carry = counter_carry};

/* memory CAP_NULL: a new one. */
static int create(cap_t memory, int flags, struct file **out)
{
	struct eventfd *e = posix_alloc(sizeof(*e));
	void *address = NULL;
	int result = e ? pages_share(sizeof(*e->shared), &memory, &address) : -ENOMEM;

	if (result) {
		posix_free(e);
		return result;
	}
	*e = (struct eventfd){.shared = address, .memory = memory};
	*out = file_create(&counter_ops, flags, e);
	if (*out)
		return 0;
	release(e);
	return -ENOMEM;
}

int eventfd_restore(const struct carried *in, struct file **out)
{
	return create(in->object, in->flags, out);
}

long sys_eventfd2(long count, long flags)
{
	struct file *f;
	long result;

	if (flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	result = create(CAP_NULL, O_RDWR | (flags & EFD_NONBLOCK ? O_NONBLOCK : 0), &f);
	if (result)
		return result;
	eventfd_of(f)->shared->count = (unsigned)count;
	eventfd_of(f)->shared->semaphore = (flags & EFD_SEMAPHORE) != 0;
	result = fd_install(f, 0, flags & EFD_CLOEXEC);
	if (result < 0)
		file_put(f);
	return result;
}

long sys_eventfd(long count)
{
	return sys_eventfd2(count, 0);
}
