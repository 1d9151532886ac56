/* SPDX-License-Identifier: MIT */
/*
 * A standard stream that the process was not given: a descriptor that refuses everything.  Without
 * it the next file opened would become the program's standard output.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "core/core.h"
#include "terminal/terminal.h"

static ssize_t denied_transfer(struct file *f, const struct iovec *iov, int n)
{
	(void)f, (void)iov, (void)n;
	return -EACCES;
}

static unsigned denied_poll(struct file *f, unsigned wanted, bool arm)
{
	(void)f, (void)wanted, (void)arm;
	return POLLERR;
}

static int denied_stat(struct file *f, struct stat *st)
{
	(void)f;
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFCHR;
	return 0;
}

static int denied_carry(struct file *f, struct carried *out)
{
	(void)f;
	out->kind = CARRY_DENIED;
	return 0;
}

static const struct file_ops denied_ops = {.read = denied_transfer,
                                           .write = denied_transfer,
                                           .poll = denied_poll,
                                           .stat = denied_stat,
                                           .carry = denied_carry};

int denied_create(int flags, struct file **out)
{
	*out = file_create(&denied_ops, flags, NULL);
	return *out ? 0 : -ENOMEM;
}

int denied_restore(const struct carried *in, struct file **out)
{
	return denied_create(in->flags, out);
}
