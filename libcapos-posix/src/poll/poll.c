/* SPDX-License-Identifier: MIT */
/*
 * poll and select over descriptors of every kind: look at the shared words; if nothing is ready ask
 * to be woken, look again, and only then enter the kernel, once, to sleep.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
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

	if (!f || f->flags & O_PATH)
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

#define LIST_ON_STACK 16 /* longer ones elsewhere: threads may have small stacks */

/* The program's list stays its own meanwhile; only what is ready is stored in it. */
static long do_poll(long fds, unsigned long n, uint64_t deadline)
{
	struct pollfd few[LIST_ON_STACK], *list = few;
	long result;

	if (n > (unsigned long)fd_limit())
		return -EINVAL;
	if (n > LIST_ON_STACK)
		list = posix_alloc(n * sizeof(*list));
	if (!list)
		return -ENOMEM;
	result = user_read(list, fds, n * sizeof(*list));
	if (!result)
		result = wait_ready(list, n, deadline);
	/* Of an interrupted call too: programs look at the events whatever it returned. */
	for (unsigned long i = 0; (result >= 0 || result == -EINTR) && i < n; i++) {
		long at = fds + (long)(i * sizeof(*list) + offsetof(struct pollfd, revents));

		if (user_put(at, &list[i].revents))
			result = -EFAULT;
	}
	if (list != few)
		posix_free(list);
	return result;
}

long sys_poll(long fds, long n, long timeout_ms)
{
	int ms = (int)timeout_ms;

	return do_poll(fds, (unsigned long)n,
	               ms < 0 ? UINT64_MAX : poll_deadline((uint64_t)ms * 1000000u));
}

/* timeout: of the program; 0: none. */
static int deadline_of(long timeout, uint64_t *deadline)
{
	struct timespec t;
	uint64_t ns;

	*deadline = UINT64_MAX;
	if (!timeout)
		return 0;
	if (user_get(&t, timeout))
		return -EFAULT;
	if (timespec_to_ns(&t, &ns))
		return -EINVAL;
	*deadline = poll_deadline(ns);
	return 0;
}

static void rest_of(struct timespec *t, uint64_t deadline)
{
	uint64_t now = cap_now();

	ns_to_timespec((int64_t)(deadline > now ? deadline - now : 0), t);
}

/* What is left of a timeout is stored, as Linux does; that it cannot be is no error. */
static void store_rest(long timeout, uint64_t deadline)
{
	struct timespec t;

	if (!timeout || deadline == UINT64_MAX)
		return;
	rest_of(&t, deadline);
	(void)user_put(timeout, &t);
}

long sys_ppoll(long fds, long n, long timeout, long mask, long mask_size)
{
	uint64_t deadline;
	long result = deadline_of(timeout, &deadline);

	if (!result)
		result = signal_mask_for_call(mask, (uint64_t)mask_size);
	if (result)
		return result;
	result = do_poll(fds, (unsigned long)n, deadline);
	store_rest(timeout, deadline);
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

/* The sets as a list for poll; its length, or -errno. */
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
		if (ready_events(fd, 0, false) & POLLNVAL)
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

/* Copies of the program's sets, of which a missing one is NULL. */
struct sets {
	fd_set copies[3];
	fd_set *given[3];
	size_t bytes; /* of each */
};

static int read_sets(struct sets *sets, int n, const long from[3])
{
	sets->bytes = ((size_t)n + 63) / 64 * 8;
	for (int k = 0; k < 3; k++) {
		if (!from[k])
			continue;
		sets->given[k] = &sets->copies[k];
		if (user_read(sets->given[k], from[k], sets->bytes))
			return -EFAULT;
	}
	return 0;
}

static int write_sets(const struct sets *sets, const long to[3])
{
	for (int k = 0; k < 3; k++) {
		if (to[k] && user_write(to[k], sets->given[k], sets->bytes))
			return -EFAULT;
	}
	return 0;
}

static long select_sets(int n, struct sets *sets, struct pollfd *list, uint64_t deadline)
{
	int count = to_list(n, sets->given, list);
	long result = count < 0 ? count : wait_ready(list, (unsigned long)count, deadline);

	return result >= 0 ? from_list(list, count, n, sets->given) : result;
}

static long do_select(int n, const long given[3], uint64_t deadline)
{
	struct sets *sets;
	long result;

	if (n < 0)
		return -EINVAL;
	if (n > FD_SETSIZE)
		n = FD_SETSIZE;
	sets = posix_alloc(sizeof(*sets) + (size_t)n * sizeof(struct pollfd));
	if (!sets)
		return -ENOMEM;
	result = read_sets(sets, n, given);
	if (!result)
		result = select_sets(n, sets, (struct pollfd *)(sets + 1), deadline);
	if (result >= 0 && write_sets(sets, given))
		result = -EFAULT;
	posix_free(sets);
	return result;
}

long sys_select(long n, long read_set, long write_set, long except_set, long timeout)
{
	const long sets[3] = {read_set, write_set, except_set};
	uint64_t deadline = UINT64_MAX, ns;
	struct timespec rest;
	struct timeval t;
	long result;

	if (timeout) {
		if (user_get(&t, timeout))
			return -EFAULT;
		/* Linux takes microseconds beyond a second over into the seconds. */
		if (t.tv_sec < 0 || t.tv_usec < 0)
			return -EINVAL;
		rest = (struct timespec){.tv_sec = t.tv_sec + t.tv_usec / 1000000,
		                         .tv_nsec = t.tv_usec % 1000000 * 1000};
		if (timespec_to_ns(&rest, &ns))
			return -EINVAL;
		deadline = poll_deadline(ns);
	}
	result = do_select((int)n, sets, deadline);
	if (timeout && deadline != UINT64_MAX) {
		rest_of(&rest, deadline);
		t = (struct timeval){.tv_sec = rest.tv_sec, .tv_usec = rest.tv_nsec / 1000};
		(void)user_put(timeout, &t);
	}
	return result;
}

long sys_pselect6(long n, long read_set, long write_set, long except_set, long timeout, long mask)
{
	const long sets[3] = {read_set, write_set, except_set};
	uint64_t sigset[2] = {0, 0}; /* address and size of a signal set */
	uint64_t deadline;
	long result = deadline_of(timeout, &deadline);

	if (!result && mask)
		result = user_get(&sigset, mask);
	if (!result)
		result = signal_mask_for_call((long)sigset[0], sigset[1]);
	if (result)
		return result;
	result = do_select((int)n, sets, deadline);
	store_rest(timeout, deadline);
	return result;
}
