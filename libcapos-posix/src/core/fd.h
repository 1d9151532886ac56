/* SPDX-License-Identifier: MIT */
/*
 * File descriptors of this process: a table of references to open file descriptions (struct file),
 * each of one kind whose operations stand in a struct file_ops.  The dispatcher runs with upcalls
 * masked, so nothing here is ever interrupted by a signal handler; results are >= 0 or -errno, as
 * Linux system calls have them.
 */
#ifndef POSIX_FD_H
#define POSIX_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/description.h"

#define FD_MAX 1024 /* POSIX_OPEN_MAX of a process; RLIMIT_NOFILE says the same */

struct iovec;
struct stat;
struct msghdr;
struct file;
struct carried;

/* Any pointer may be NULL: then the call returns what the comment says. */
/* For utimensat. */
struct file_times {
	int64_t access_ns, modify_ns; /* Unix time; INT64_MIN leaves one as it is */
	bool now;                     /* both are the present */
};

struct file_ops {
	/* NULL: EINVAL.  Honour O_NONBLOCK of file_flags(f).  iov itself is the library's; what its
	 * elements point to is the program's (user.h). */
	ssize_t (*read)(struct file *f, const struct iovec *iov, int n);
	ssize_t (*write)(struct file *f, const struct iovec *iov, int n);
	ssize_t (*pread)(struct file *f, const struct iovec *iov, int n, off_t offset); /* ESPIPE */
	ssize_t (*pwrite)(struct file *f, const struct iovec *iov, int n,
	                  off_t offset);                         /* ESPIPE */
	off_t (*seek)(struct file *f, off_t offset, int whence); /* ESPIPE */
	/* Ready events among POLLIN|POLLOUT|POLLHUP|POLLERR|POLLRDHUP|POLLPRI, from shared words,
	 * without entering the kernel.  arm: also ask to be woken (process event) when one of
	 * `wanted` becomes true; then looks again. NULL: always POLLIN|POLLOUT. */
	unsigned (*poll)(struct file *f, unsigned wanted, bool arm);
	/* For edges: a number that is another one whenever something has come or was taken by
	 * others, or something else is to be told, since it was looked at last.  false, NULL: it
	 * is not known. */
	bool (*progress)(struct file *f, uint64_t *number);
	int (*stat)(struct file *f, struct stat *st); /* EBADF */
	int (*truncate)(struct file *f, off_t size);  /* EINVAL */
	int (*chmod)(struct file *f, unsigned mode);  /* EINVAL */
	/* -1 leaves one as it is.  NULL: it has no owner but 0. */
	int (*chown)(struct file *f, unsigned user, unsigned group);
	int (*utimens)(struct file *f, const struct file_times *times); /* EINVAL */
	/* ENOTTY.  argument is the program's. */
	int (*ioctl)(struct file *f, unsigned long request, void *argument);
	/* ENOTDIR.  buffer is the program's. */
	ssize_t (*getdents)(struct file *f, void *buffer, size_t size);
	/* Maps pages for mmap: returns a new MemoryObject capability in *memory (copy-on-write
	 * snapshot). ENODEV */
	int (*memory)(struct file *f, uint64_t *memory);
	bool zeroes; /* mmap of it is memory of its own, as without a file */
	/* A capability on the pages themselves, for a shared mapping, with the rights that the
	 * description was opened with.  ENODEV */
	int (*share)(struct file *f, uint64_t *memory);
	/* What a shared mapping has to hold besides: CAP_NULL, nothing; a File with File.writeBack.
	 * NULL: nothing. */
	int (*keep)(struct file *f, uint64_t *file);
	/* fcntl's commands for record locks.  EINVAL */
	long (*lock)(struct file *f, int command, long argument);
	/* A descriptor of it is being closed, of others perhaps. */
	void (*closing)(struct file *f);
	int (*sync)(struct file *f, bool data_only); /* fsync; NULL: there is nothing to wait for */
	/* Of pipes only: the bytes that fit, after it was made to hold *wanted (NULL: as it is). */
	long (*pipe_size)(struct file *f, const unsigned *wanted);
	void (*close)(struct file *f);   /* the last reference is gone: release everything it owns,
	                                    not f itself */
	const struct socket_ops *socket; /* NULL: ENOTSOCK for socket calls */
	/* A child is about to be made that has the description too: what both move is made
	 * common.  May be called again for one that is common already.  0 or -errno. */
	int (*fork)(struct file *f);
	/* After all no child was made: fork is taken back.  NULL: it stays common. */
	void (*fork_failed)(struct file *f);
	/* The process ends with the description open: what was written must still arrive.  NULL:
	 * it does. */
	void (*leave)(struct file *f);
	/* Writes down for the next image of this process what it needs to have the same
	 * description.  0 or -errno.  NULL: it cannot be carried over exec. */
	int (*carry)(struct file *f, struct carried *out);
};

struct sockaddr;
struct socket_ops {
	int (*bind)(struct file *f, const struct sockaddr *address, unsigned length);
	int (*connect)(struct file *f, const struct sockaddr *address, unsigned length);
	int (*listen)(struct file *f, int backlog);
	int (*accept)(struct file *f, struct sockaddr *address, unsigned *length, int flags,
	              struct file **out);
	int (*shutdown)(struct file *f, int how);
	int (*getname)(struct file *f, bool peer, struct sockaddr *address, unsigned *length);
	int (*setopt)(struct file *f, int level, int option, const void *value, unsigned length);
	int (*getopt)(struct file *f, int level, int option, void *value, unsigned *length);
	ssize_t (*sendmsg)(struct file *f, const struct msghdr *message, int flags);
	ssize_t (*recvmsg)(struct file *f, struct msghdr *message, int flags);
};

struct file {
	const struct file_ops *ops;
	uint32_t refs;
	int flags;                        /* as opened; file_flags() has those of now */
	uint64_t kind;                    /* FILE_KIND_* for fstat and /proc, else unused */
	void *data;                       /* the kind's own */
	off_t offset;                     /* of files */
	struct shared_description shared; /* in place of offset and settable flags, once common */
};

/* Whether it is open to be read, and to be written: neither with O_PATH, or with 3, which asks for
 * both permissions and uses none of them, as on Linux. */
#define FILE_MODE_NEITHER 3
bool file_reads(const struct file *f);
bool file_writes(const struct file *f);

/* A new description with one reference, zeroed; NULL: no memory. */
struct file *file_create(const struct file_ops *ops, int flags, void *data);
void file_get(struct file *f);
void file_put(struct file *f); /* closes and frees at 0 */
/* The seek of kinds that have no place in a file system: every position is 0, as on Linux. */
off_t file_seek_nowhere(struct file *f, off_t offset, int whence);

/* Lowest free descriptor >= from; takes the caller's reference.  -EMFILE (the reference stays the
 * caller's). */
int fd_install(struct file *f, int from, bool close_on_exec);
int fd_check_room(void); /* 0, or -EMFILE: there is no free one */
int fd_limit(void);      /* no number is at or above it that was given out since it was set */
/* Numbers from `most` on are not given out any more (RLIMIT_NOFILE). */
void fd_set_limit(uint64_t most);
struct file *fd_file(int fd); /* borrowed; NULL: EBADF */
/* Calls visit for each descriptor, lowest first, until it returns other than 0; that result,
 * or 0. */
typedef int fd_visit(int fd, struct file *f, bool close_on_exec, void *context);
int fd_each(fd_visit *visit, void *context);
int fd_end(void);     /* no descriptor from this number on is in use */
void fd_forked(void); /* in the child, where no call is under way */

int errno_of(int capos_result); /* cap_error or Status to a negative errno; 0 for CAP_OK */

/* Memory for the library's own tables: pages straight from the kernel, not malloc. */
void *posix_alloc(size_t size); /* zeroed; NULL: no memory */
void posix_free(void *p);

#endif
