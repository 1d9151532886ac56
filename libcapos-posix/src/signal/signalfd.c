/* SPDX-License-Identifier: MIT */
/*
 * signalfd: a descriptor from which signals that wait are read.  It has no more than a set; whose
 * signals they are is up to the process that reads.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <capos/cap.h>

#include "signal/internal.h"

#define SIGSET_SIZE 8

static uint64_t set_of(const struct file *f)
{
	return (uint64_t)(uintptr_t)f->data;
}

static void fill(int signal, const struct signal_origin *origin, struct signalfd_siginfo *out)
{
	*out = (struct signalfd_siginfo){.ssi_signo = (uint32_t)signal, .ssi_code = origin->code};
	if (origin->code == SI_TIMER) {
		out->ssi_tid = (uint32_t)origin->pid;
		out->ssi_overrun = (uint32_t)origin->uid;
	} else {
		out->ssi_pid = (uint32_t)origin->pid;
		out->ssi_uid = (uint32_t)origin->uid;
	}
	if (signal == SIGCHLD && origin->code > 0) {
		out->ssi_status = origin->status;
		out->ssi_utime = origin->cpu_ns / 10000000; /* clock_t: AT_CLKTCK is 100 */
	} else {
		out->ssi_ptr = origin->value;
		out->ssi_int = (int32_t)origin->value;
	}
}

struct reading {
	uint64_t set;
	const struct iovec *iov;
	int n;
	size_t room;
};

/* As many as there are and fit. */
static ssize_t attempt(void *context)
{
	const struct reading *r = context;
	struct signalfd_siginfo info;
	struct signal_origin origin;
	size_t done = 0;
	int signal;

	signal_collect();
	while (r->room - done >= sizeof(info) && (signal = signal_take(r->set, &origin)) != 0) {
		fill(signal, &origin, &info);
		if (vector_put(r->iov, r->n, done, &info, sizeof(info)))
			return done ? (ssize_t)done : -EFAULT;
		done += sizeof(info);
	}
	return done ? (ssize_t)done : WAIT_NOTHING;
}

static ssize_t signalfd_read(struct file *f, const struct iovec *iov, int n)
{
	struct reading r = {.set = set_of(f), .iov = iov, .n = n, .room = vector_length(iov, n)};
	const struct waiting w = {
	        .attempt = attempt, .context = &r, .nonblocking = file_flags(f) & O_NONBLOCK};
	ssize_t result;

	if (r.room < sizeof(struct signalfd_siginfo))
		return -EINVAL;
	/* What it reads ends the wait without being delivered. */
	signal_here()->awaited = r.set;
	result = wait_for(&w);
	signal_here()->awaited = 0;
	return result;
}

static unsigned signalfd_poll(struct file *f, unsigned wanted, bool arm)
{
	(void)wanted, (void)arm; /* a signal ends every wait */
	signal_collect();
	return signal_any_pending(set_of(f)) ? POLLIN : 0;
}

static int signalfd_stat(struct file *f, struct stat *st)
{
	(void)f;
	*st = (struct stat){.st_mode = 0600, .st_nlink = 1, .st_blksize = 4096};
	return 0;
}

static int signalfd_carry(struct file *f, struct carried *out)
{
	out->kind = CARRY_SIGNALFD;
	out->signals = set_of(f);
	return 0;
}

static const struct file_ops signalfd_ops = {.read = signalfd_read,
                                             .seek = file_seek_nowhere,
                                             .poll = signalfd_poll,
                                             .stat = signalfd_stat,
                                             .carry = signalfd_carry};

static int create(uint64_t set, int flags, struct file **out)
{
	signal_of_descriptor(set);
	*out = file_create(&signalfd_ops, flags, (void *)(uintptr_t)set);
	return *out ? 0 : -ENOMEM;
}

int signalfd_restore(const struct carried *in, struct file **out)
{
	return create(in->signals, in->flags, out);
}

long sys_signalfd4(long fd, long set, long size, long flags)
{
	struct file *f;
	uint64_t bits;
	long result;

	if (size != SIGSET_SIZE || flags & ~(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	if (user_get(&bits, set))
		return -EFAULT;
	bits &= ~SIGNAL_UNBLOCKED;
	if ((int)fd != -1) {
		f = fd_file((int)fd);
		if (!f)
			return -EBADF;
		if (f->ops != &signalfd_ops)
			return -EINVAL;
		signal_of_descriptor(bits);
		f->data = (void *)(uintptr_t)bits;
		return fd;
	}
	result = create(bits, O_RDWR | (flags & SFD_NONBLOCK ? O_NONBLOCK : 0), &f);
	if (result)
		return result;
	result = fd_install(f, 0, flags & SFD_CLOEXEC);
	if (result < 0)
		file_put(f);
	return result;
}

long sys_signalfd(long fd, long set, long size)
{
	return sys_signalfd4(fd, set, size, 0);
}
