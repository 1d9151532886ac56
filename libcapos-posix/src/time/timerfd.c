/* SPDX-License-Identifier: MIT */
/*
 * timerfd: when it is due and how often then is in memory that is common to all processes that have
 * the descriptor.  Nothing runs while nobody waits: how many times it was due follows from the
 * time.  The deadline is changed by one atomic operation, so there is no lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>

#include <capos/cap.h>
#include <capos/start.h>

#include "time/internal.h"
#include "time/time.h"

struct setting {
	_Atomic uint64_t deadline; /* monotonic; 0: it does not run */
	_Atomic uint64_t interval; /* 0: once */
	_Atomic uint32_t wants;    /* a process sleeps until it is set */
	uint32_t realtime;         /* its absolute times are the time of day */
};

struct timerfd {
	struct setting *shared;
	cap_t memory;
	cap_t timer;        /* wakes poll; CAP_NULL: poll has not waited for it */
	uint64_t armed_for; /* what it was set to */
};

static struct timerfd *timerfd_of(const struct file *f)
{
	return f->data;
}

static uint64_t times_due(uint64_t deadline, uint64_t interval, uint64_t now)
{
	if (!deadline || now < deadline)
		return 0;
	return interval ? (now - deadline) / interval + 1 : 1;
}

/* ---- Reading ---- */

/* How many times it was due since the last time that was asked; 0: it is not yet. */
static uint64_t take(struct setting *s)
{
	uint64_t deadline = atomic_load(&s->deadline), next, interval, times;

	do {
		interval = atomic_load(&s->interval);
		times = times_due(deadline, interval, cap_now());
		if (!times)
			return 0;
		next = interval ? deadline + times * interval : 0;
	} while (!atomic_compare_exchange_weak(&s->deadline, &deadline, next));
	return times;
}

static ssize_t timerfd_read(struct file *f, const struct iovec *iov, int n)
{
	struct setting *s = timerfd_of(f)->shared;
	uint64_t times, deadline;
	ssize_t result = 0;

	if (vector_length(iov, n) < sizeof(times))
		return -EINVAL;
	while (!(times = take(s))) {
		if (file_flags(f) & O_NONBLOCK)
			return -EAGAIN;
		atomic_store(&s->wants, 1);
		deadline = atomic_load(&s->deadline);
		result = process_wait(deadline ? deadline : UINT64_MAX);
		if (result && result != -ETIMEDOUT)
			return result;
	}
	result = vector_put(iov, n, 0, &times, sizeof(times));
	return result ? result : (ssize_t)sizeof(times);
}

/* ---- poll ---- */

/* The event that all relatives wait for is signalled when it is due. */
static void arm(struct timerfd *t, uint64_t deadline)
{
	cap_t given = start_cap("timer");

	if (!deadline || (t->timer && t->armed_for == deadline))
		return;
	if (!t->timer && (!given || cap_timer_create(given, &t->timer)))
		return;
	if (!cap_timer_arm(t->timer, deadline, 0, process_event(), PROCESS_WAKE_BITS))
		t->armed_for = deadline;
}

static unsigned timerfd_poll(struct file *f, unsigned wanted, bool ask)
{
	struct timerfd *t = timerfd_of(f);
	uint64_t deadline;

	if (ask)
		atomic_store(&t->shared->wants, 1);
	deadline = atomic_load(&t->shared->deadline);
	if (ask && wanted & POLLIN)
		arm(t, deadline);
	return deadline && cap_now() >= deadline ? POLLIN : 0;
}

/* ---- The description ---- */

static int timerfd_stat(struct file *f, struct stat *st)
{
	*st = (struct stat){.st_ino = timerfd_of(f)->memory,
	                    .st_mode = 0600,
	                    .st_nlink = 1,
	                    .st_blksize = 4096};
	return 0;
}

static void release(struct timerfd *t)
{
	pages_release_shared(t->shared, sizeof(*t->shared), t->memory);
	cap_release(t->timer);
	posix_free(t);
}

static void timerfd_close(struct file *f)
{
	release(timerfd_of(f));
}

/* The child makes one of its own. */
static int timerfd_fork(struct file *f)
{
	struct timerfd *t = timerfd_of(f);

	cap_release(t->timer);
	t->timer = CAP_NULL;
	return 0;
}

static int timerfd_carry(struct file *f, struct carried *out)
{
	timerfd_fork(f);
	out->kind = CARRY_TIMERFD;
	out->object = timerfd_of(f)->memory;
	return 0;
}

static const struct file_ops timerfd_ops = {.read = timerfd_read,
                                            .seek = file_seek_nowhere,
                                            .poll = timerfd_poll,
                                            .stat = timerfd_stat,
                                            .close = timerfd_close,
                                            .fork = timerfd_fork,
                                            .carry = timerfd_carry};

/* memory CAP_NULL: a new one. */
static int create(cap_t memory, int flags, struct file **out)
{
	struct timerfd *t = posix_alloc(sizeof(*t));
	void *address = NULL;
	int result = t ? pages_share(sizeof(*t->shared), &memory, &address) : -ENOMEM;

	if (result) {
		posix_free(t);
		return result;
	}
	*t = (struct timerfd){.shared = address, .memory = memory};
	*out = file_create(&timerfd_ops, flags, t);
	if (*out)
		return 0;
	release(t);
	return -ENOMEM;
}

int timerfd_restore(const struct carried *in, struct file **out)
{
	return create(in->object, in->flags, out);
}

/* ---- The calls ---- */

long sys_timerfd_create(long clock, long flags)
{
	struct file *f;
	long result;

	if (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM)
		return absent_option(ABSENT_CLOCK, (unsigned long)clock, -EPERM);
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
		return -EINVAL;
	result = create(CAP_NULL, O_RDWR | (flags & TFD_NONBLOCK ? O_NONBLOCK : 0), &f);
	if (result)
		return result;
	timerfd_of(f)->shared->realtime = clock == CLOCK_REALTIME;
	result = fd_install(f, 0, flags & TFD_CLOEXEC);
	if (result < 0)
		file_put(f);
	return result;
}

static long find(long fd, struct setting **out)
{
	struct file *f = fd_file((int)fd);

	if (!f)
		return -EBADF;
	if (f->ops != &timerfd_ops)
		return -EINVAL;
	*out = timerfd_of(f)->shared;
	return 0;
}

static void fill(uint64_t deadline, uint64_t interval, struct itimerspec *out)
{
	uint64_t now = cap_now();

	deadline += times_due(deadline, interval, now) * interval;
	ns_to_timespec(deadline > now ? (int64_t)(deadline - now) : 0, &out->it_value);
	ns_to_timespec((int64_t)interval, &out->it_interval);
}

static uint64_t deadline_for(const struct setting *s, uint64_t ns, bool absolute)
{
	int64_t now = cap_realtime();

	if (!ns)
		return 0;
	if (!absolute)
		return deadline_after(ns);
	if (!s->realtime)
		return ns;
	return now < 0 || ns > (uint64_t)now ? deadline_after(ns - (uint64_t)now) : cap_now();
}

long sys_timerfd_settime(long fd, long flags, long new, long old)
{
	struct itimerspec wanted, previous;
	uint64_t ns, interval;
	struct setting *s;
	long result;

	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	if (user_get(&wanted, new))
		return -EFAULT;
	if (timespec_to_ns(&wanted.it_value, &ns) || timespec_to_ns(&wanted.it_interval, &interval))
		return -EINVAL;
	result = find(fd, &s);
	if (result)
		return result;
	fill(atomic_exchange(&s->deadline, 0), atomic_load(&s->interval), &previous);
	atomic_store(&s->interval, interval);
	atomic_store(&s->deadline, deadline_for(s, ns, flags & TFD_TIMER_ABSTIME));
	if (atomic_exchange(&s->wants, 0))
		family_wake();
	return old ? user_put(old, &previous) : 0;
}

long sys_timerfd_gettime(long fd, long out)
{
	struct itimerspec now;
	struct setting *s;
	long result = find(fd, &s);

	if (result)
		return result;
	fill(atomic_load(&s->deadline), atomic_load(&s->interval), &now);
	return user_put(out, &now);
}
