/* SPDX-License-Identifier: MIT */
/*
 * poll and select over descriptors of every kind: look at the shared words; if nothing is ready ask
 * to be woken, look again, and only then enter the kernel, once, to sleep.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

#include <capos/cap.h>

#include "core/core.h"
#include "signal/signal.h"

/* Reported whether asked for or not. */
#define ALWAYS (POLLERR | POLLHUP | POLLNVAL)

static unsigned ready_events(int fd, unsigned wanted, bool arm)
{
	struct file *f = fd_file(fd);

	if (!f)
		return POLLNVAL;
	if (!f->ops->poll)
		return (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM) & wanted;
	return f->ops->poll(f, wanted, arm) & (wanted | ALWAYS);
}

/* One look at all; how many are ready.  arm: stops asking to be woken once one is. */
static int look(struct pollfd *fds, unsigned long n, bool arm)
{
	int ready = 0;

	for (unsigned long i = 0; i < n; i++) {
		fds[i].revents = 0;
		if (fds[i].fd >= 0)
			fds[i].revents = (short)ready_events(
			        fds[i].fd, (unsigned short)fds[i].events, arm && !ready);
		ready += fds[i].revents != 0;
	}
	return ready;
}

static long wait_ready(struct pollfd *fds, unsigned long n, uint64_t deadline)
{
	int ready = look(fds, n, false);

	while (!ready) {
		int result;

		if (deadline == 0)
			return 0;
		ready = look(fds, n, true);
		if (ready)
			break;
		result = process_wait(deadline);
		ready = look(fds, n, false);
		if (ready || result == -ETIMEDOUT)
			break;
		if (result)
			return result;
	}
	return ready;
}

/* A deadline of 0 means not to wait. */
static uint64_t poll_deadline(uint64_t ns)
{
	return ns ? deadline_after(ns) : 0;
}

static long do_poll(struct pollfd *fds, unsigned long n, uint64_t deadline)
{
	if (n > FD_MAX)
		return -EINVAL;
	return wait_ready(fds, n, deadline);
}

long sys_poll(long fds, long n, long timeout_ms)
{
	int ms = (int)timeout_ms;

	return do_poll((struct pollfd *)fds, (unsigned long)n,
	               ms < 0 ? UINT64_MAX : poll_deadline((uint64_t)ms * 1000000u));
}

static int deadline_of(const struct timespec *t, uint64_t *deadline)
{
	uint64_t ns;

	*deadline = UINT64_MAX;
	if (!t)
		return 0;
	if (timespec_to_ns(t, &ns))
		return -EINVAL;
	*deadline = poll_deadline(ns);
	return 0;
}

/* What is left of a timeout, stored as Linux does. */
static void store_rest(struct timespec *t, uint64_t deadline)
{
	uint64_t now = cap_now();

	if (t && deadline != UINT64_MAX)
		ns_to_timespec((int64_t)(deadline > now ? deadline - now : 0), t);
}

long sys_ppoll(long fds, long n, long timeout, long mask, long mask_size)
{
	uint64_t deadline;
	long result = deadline_of((const struct timespec *)timeout, &deadline);

	if (!result)
		result = signal_mask_for_call((const uint64_t *)mask, (uint64_t)mask_size);
	if (result)
		return result;
	result = do_poll((struct pollfd *)fds, (unsigned long)n, deadline);
	store_rest((struct timespec *)timeout, deadline);
	return result;
}

/* ---- select ---- */

#define READ_EVENTS   (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define WRITE_EVENTS  (POLLWRNORM | POLLWRBAND | POLLOUT | POLLERR)
#define EXCEPT_EVENTS POLLPRI

static bool is_in(const fd_set *set, int fd)
{
	return set && FD_ISSET(fd, set);
}

/* The sets as a list for poll, in posix_alloc's memory; its length, or -errno. */
static int to_list(int n, fd_set *const sets[3], struct pollfd *list)
{
	int count = 0;

	for (int fd = 0; fd < n; fd++) {
		short events = 0;

		if (is_in(sets[0], fd))
			events |= POLLIN | POLLRDNORM;
		if (is_in(sets[1], fd))
			events |= POLLOUT | POLLWRNORM;
		if (is_in(sets[2], fd))
			events |= POLLPRI;
		if (!events)
			continue;
		if (!fd_file(fd))
			return -EBADF;
		list[count++] = (struct pollfd){.fd = fd, .events = events};
	}
	return count;
}

static long from_list(const struct pollfd *list, int count, int n, fd_set *const sets[3])
{
	static const short events[3] = {READ_EVENTS, WRITE_EVENTS, EXCEPT_EVENTS};
	static const short asked[3] = {POLLIN, POLLOUT, POLLPRI};
	size_t bytes = ((size_t)n + 63) / 64 * 8;
	long total = 0;

	for (int k = 0; k < 3; k++) {
		if (sets[k])
			memset(sets[k], 0, bytes);
		for (int i = 0; sets[k] && i < count; i++) {
			if (!(list[i].events & asked[k]) || !(list[i].revents & events[k]))
				continue;
			FD_SET(list[i].fd, sets[k]);
			total++;
		}
	}
	return total;
}

static long do_select(int n, fd_set *const sets[3], uint64_t deadline)
{
	struct pollfd *list;
	long result;
	int count;

	if (n < 0)
		return -EINVAL;
	if (n > FD_SETSIZE)
		n = FD_SETSIZE;
	list = posix_alloc((size_t)n * sizeof(*list) + 1);
	if (!list)
		return -ENOMEM;
	count = to_list(n, sets, list);
	result = count < 0 ? count : wait_ready(list, (unsigned long)count, deadline);
	if (result >= 0)
		result = from_list(list, count, n, sets);
	posix_free(list);
	return result;
}

long sys_select(long n, long read_set, long write_set, long except_set, long timeout)
{
	fd_set *const sets[3] = {(fd_set *)read_set, (fd_set *)write_set, (fd_set *)except_set};
	struct timeval *t = (struct timeval *)timeout;
	struct timespec rest;
	uint64_t deadline = UINT64_MAX;
	long result;

	if (t) {
		/* Linux takes microseconds beyond a second over into the seconds. */
		if (t->tv_sec < 0 || t->tv_usec < 0)
			return -EINVAL;
		rest = (struct timespec){.tv_sec = t->tv_sec + t->tv_usec / 1000000,
		                         .tv_nsec = t->tv_usec % 1000000 * 1000};
		if (deadline_of(&rest, &deadline))
			return -EINVAL;
	}
	result = do_select((int)n, sets, deadline);
	if (t && deadline != UINT64_MAX) {
		store_rest(&rest, deadline);
		*t = (struct timeval){.tv_sec = rest.tv_sec, .tv_usec = rest.tv_nsec / 1000};
	}
	return result;
}

long sys_pselect6(long n, long read_set, long write_set, long except_set, long timeout, long mask)
{
	fd_set *const sets[3] = {(fd_set *)read_set, (fd_set *)write_set, (fd_set *)except_set};
	const uint64_t *sigset = (const uint64_t *)mask; /* address and size of a signal set */
	uint64_t deadline;
	long result = deadline_of((const struct timespec *)timeout, &deadline);

	if (!result && sigset && sigset[0])
		result = signal_mask_for_call((const uint64_t *)sigset[0], sigset[1]);
	if (result)
		return result;
	result = do_select((int)n, sets, deadline);
	store_rest((struct timespec *)timeout, deadline);
	return result;
}
