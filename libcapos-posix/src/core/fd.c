/* SPDX-License-Identifier: MIT */
/*
 * The descriptor table: which number names which open description.  A description lives as long as
 * a descriptor or a running call holds a reference; its kind's close runs once, when the last one
 * goes.  Pure: knows no IPC.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>

#include "core/absent.h"
#include "core/fd.h"
#include "core/self.h"
#include "core/syscalls.h"

struct slot {
	struct file *file; /* NULL: free; else one reference */
	bool close_on_exec;
};

static struct slot slots[FD_MAX];
static int lowest_free; /* no number below it is free */
static int used_end; /* none from it on is in use: most processes have few, and the table is long */
static int limit = FD_MAX;

void fd_set_limit(uint64_t most)
{
	limit = most < FD_MAX ? (int)most : FD_MAX;
}

int fd_limit(void)
{
	return limit;
}

struct file *file_create(const struct file_ops *ops, int flags, void *data)
{
	struct file *f = posix_alloc(sizeof(*f));

	if (!f)
		return NULL;
	f->ops = ops;
	f->refs = 1;
	f->flags = flags;
	f->data = data;
	return f;
}

bool file_reads(const struct file *f)
{
	const int mode = f->flags & O_ACCMODE;

	return mode == O_RDONLY || mode == O_RDWR;
}

bool file_writes(const struct file *f)
{
	const int mode = f->flags & O_ACCMODE;

	return mode == O_WRONLY || mode == O_RDWR;
}

void file_get(struct file *f)
{
	f->refs++;
}

void file_put(struct file *f)
{
	if (--f->refs)
		return;
	core_hooks.closed(f);
	if (f->ops->close)
		f->ops->close(f);
	description_drop(&f->shared);
	posix_free(f);
}

off_t file_seek_nowhere(struct file *f, off_t offset, int whence)
{
	(void)f, (void)offset, (void)whence;
	return 0;
}

struct file *fd_file(int fd)
{
	return fd >= 0 && fd < FD_MAX ? slots[fd].file : NULL;
}

int fd_end(void)
{
	return used_end;
}

int fd_each(fd_visit *visit, void *context)
{
	int result = 0;

	for (int fd = 0; fd < used_end && !result; fd++) {
		if (slots[fd].file)
			result = visit(fd, slots[fd].file, slots[fd].close_on_exec, context);
	}
	return result;
}

/* Calls of other threads held references; those threads are not in the child. */
void fd_forked(void)
{
	for (int fd = 0; fd < used_end; fd++) {
		if (slots[fd].file)
			slots[fd].file->refs = 0;
	}
	for (int fd = 0; fd < used_end; fd++) {
		if (slots[fd].file)
			slots[fd].file->refs++;
	}
}

static void fill(int fd, struct file *f, bool close_on_exec)
{
	slots[fd] = (struct slot){.file = f, .close_on_exec = close_on_exec};
	if (fd >= used_end)
		used_end = fd + 1;
}

static int next_free(int from)
{
	int fd = from > lowest_free ? from : lowest_free;

	while (fd < limit && slots[fd].file)
		fd++;
	return fd < limit ? fd : -EMFILE;
}

int fd_check_room(void)
{
	const int fd = next_free(0);

	return fd < 0 ? fd : 0;
}

int fd_install(struct file *f, int from, bool close_on_exec)
{
	const int fd = next_free(from);

	if (fd < 0)
		return fd;
	fill(fd, f, close_on_exec);
	if (from <= lowest_free)
		lowest_free = fd + 1;
	return fd;
}

/* Puts f at exactly that number, closing the old one; takes the caller's reference. */
static void close_slot(struct file *old)
{
	if (old->ops->closing)
		old->ops->closing(old);
	file_put(old);
}

static void install_at(struct file *f, int fd, bool close_on_exec)
{
	struct file *old = slots[fd].file;

	fill(fd, f, close_on_exec);
	if (old)
		close_slot(old);
}

static long duplicate(int fd, int from, bool close_on_exec)
{
	struct file *f = fd_file(fd);
	int new_fd;

	if (!f)
		return -EBADF;
	file_get(f);
	new_fd = fd_install(f, from, close_on_exec);
	if (new_fd < 0)
		file_put(f);
	return new_fd;
}

long sys_close(long number)
{
	int fd = (int)number; /* the upper half may be anything, as on Linux */
	struct file *f = fd_file(fd);

	if (!f)
		return -EBADF;
	slots[fd] = (struct slot){0};
	if (fd < lowest_free)
		lowest_free = fd;
	close_slot(f);
	return 0;
}

#define RANGE_CLOEXEC 4 /* CLOSE_RANGE_CLOEXEC */

long sys_close_range(long first, long last, long flags)
{
	const unsigned from = (unsigned)first, to = (unsigned)last;
	long result;

	if (flags & ~(long)RANGE_CLOEXEC) {
		result = absent_flags(ABSENT_CLOSE_RANGE, (unsigned long)flags);
		return result ? result : -EINVAL;
	}
	if (from > to)
		return -EINVAL;
	for (int fd = from < FD_MAX ? (int)from : FD_MAX; fd < used_end && (unsigned)fd <= to;
	     fd++) {
		if (slots[fd].file && flags & RANGE_CLOEXEC)
			slots[fd].close_on_exec = true;
		else if (slots[fd].file)
			(void)sys_close(fd);
	}
	return 0;
}

long sys_dup(long fd)
{
	return duplicate((int)fd, 0, false);
}

static long duplicate_at(int old_fd, int new_fd, bool close_on_exec)
{
	struct file *f = fd_file(old_fd);

	if (!f || new_fd < 0 || new_fd >= limit)
		return -EBADF;
	file_get(f);
	install_at(f, new_fd, close_on_exec);
	return new_fd;
}

long sys_dup2(long old_fd, long new_fd)
{
	if (old_fd == new_fd)
		return fd_file((int)old_fd) ? new_fd : -EBADF;
	return duplicate_at((int)old_fd, (int)new_fd, false);
}

long sys_dup3(long old_fd, long new_fd, long flags)
{
	if (old_fd == new_fd || flags & ~O_CLOEXEC)
		return -EINVAL;
	return duplicate_at((int)old_fd, (int)new_fd, flags & O_CLOEXEC);
}

long sys_fcntl(long number, long command, long argument)
{
	int fd = (int)number;
	struct file *f = fd_file(fd);
	unsigned bytes;

	if (!f)
		return -EBADF;
	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (argument < 0 || argument >= limit)
			return -EINVAL;
		return duplicate(fd, (int)argument, command == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return slots[fd].close_on_exec ? FD_CLOEXEC : 0;
	case F_SETFD:
		slots[fd].close_on_exec = argument & FD_CLOEXEC;
		return 0;
	case F_GETFL:
		return file_flags(f);
	case F_SETFL:
		if (argument & O_ASYNC && f->ops->poll)
			return absent_flags(ABSENT_SETFL, O_ASYNC);
		file_set_flags(f, -1, (int)argument);
		return 0;
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		if (f->flags & O_PATH)
			return -EBADF;
		return f->ops->lock ? f->ops->lock(f, (int)command, argument)
		                    : absent(ABSENT_LOCK_OF_KIND);
	case F_GETPIPE_SZ:
		return f->ops->pipe_size ? f->ops->pipe_size(f, NULL) : -EBADF;
	case F_SETPIPE_SZ:
		bytes = (unsigned)argument;
		return f->ops->pipe_size ? f->ops->pipe_size(f, &bytes) : -EBADF;
	default:
		return absent_option(ABSENT_FCNTL, (unsigned long)command, -EINVAL);
	}
}
