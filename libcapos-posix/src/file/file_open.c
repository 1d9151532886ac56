/* SPDX-License-Identifier: MIT */
/*
 * open and its relatives, and the calls on open files that go through the kind's operations.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/ahead.h"
#include "file/contents.h"
#include "file/file.h"
#include "file/made.h"
#include "file/mqueue.h"
#include "file/remembered.h"
#include "signal/signal.h"

/* Of memfd_create: NAME_MAX without the "memfd:" that Linux puts in front. */
#define MEMFD_NAME_MAX 249

/* Flags that a description keeps; the others only matter to open itself. */
#define KEPT_FLAGS \
	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT | O_NOATIME | O_LARGEFILE)

/* Of our own: a call on a name that has to open what it works on, which nobody is told. */
#define UNTOLD (1 << 30)

static uint32_t server_flags(int flags)
{
	uint32_t out = 0;
	int mode = flags & O_ACCMODE;

	if (!(flags & O_PATH)) {
		out |= mode != O_WRONLY ? OPEN_READ : 0;
		out |= mode != O_RDONLY ? OPEN_WRITE : 0;
		out |= flags & O_CREAT ? OPEN_CREATE : 0;
		out |= flags & O_EXCL ? OPEN_EXCLUSIVE : 0;
		out |= flags & O_TRUNC ? OPEN_TRUNCATE : 0;
		out |= OPEN_CONTENTS | (flags & UNTOLD ? OPEN_UNTOLD : 0);
	}
	if ((flags & O_TMPFILE) == O_TMPFILE)
		return (out & ~OPEN_CREATE) | OPEN_ANONYMOUS;
	out |= flags & O_DIRECTORY ? OPEN_DIRECTORY : 0;
	out |= flags & O_NOFOLLOW ? OPEN_NO_FOLLOW : 0;
	return out;
}

static int open_regular(const struct directory_open_results *results, const struct capos_call *call,
                        int flags, struct file **out)
{
	/* A volume has no objects to give. */
	struct contents contents = {.file = call->caps[0],
	                            .asked = flags & O_PATH || results->stat.volume,
	                            .stat = results->stat};

	/* The File is the first that comes, its contents the second. */
	if (results->file_index != 0 || call->ncaps > 1 + (results->has_contents ? 1u : 0u))
		return -EIO;
	if (results->has_contents && call->ncaps == 2) {
		contents.object = call->caps[1];
		contents.asked = true;
	}
	return file_open_regular(&contents, flags, out);
}

/* The buffer that the openers of a FIFO or a socket have in common: it came with the File, or its
 * volume is asked for it.  What came is released after an error. */
static int buffer_of(const struct directory_open_results *results, const struct capos_call *came,
                     cap_t *file, cap_t *memory)
{
	struct capos_call call = *came;
	int result = -ENOMEM;

	*file = call.caps[0];
	if (results->has_contents && call.ncaps == 2) {
		*memory = call.caps[1];
		return 0;
	}
	if (results->stat.volume && call.ncaps == 1)
		result = volume_shared_memory(*file, true, FIFO_BYTES, memory);
	for (uint32_t i = 0; result && i < call.ncaps; i++)
		cap_release(call.caps[i]);
	return result;
}

static int open_fifo(const struct directory_open_results *results, const struct capos_call *call,
                     int flags, struct file **out)
{
	cap_t file, memory;
	int result = buffer_of(results, call, &file, &memory);

	if (!result && (flags & O_ACCMODE) == FILE_MODE_NEITHER) {
		cap_release_both(memory, file);
		result = -EINVAL;
	}
	return result ? result : fifo_open(file, memory, flags, out);
}

/* Its pages came with the File, whichever way it was opened. */
static int open_queue(const struct directory_open_results *results, const struct capos_call *call,
                      int flags, struct file **out)
{
	struct file *file;
	int result = results->has_contents && call->ncaps == 2
	                     ? open_regular(results, call, O_RDWR, &file)
	                     : -ENOMEM;

	if (!result)
		return mqueue_describe(file, (size_t)results->stat.size, flags, out);
	for (uint32_t i = 0; i < call->ncaps; i++)
		cap_release(call->caps[i]);
	return result;
}

#define AHEAD_FLAGS \
	(O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_LARGEFILE | O_SYNC | O_NOATIME)

/* 0, -errno, or 1: it was not opened ahead. */
static int open_ahead(const struct path_walk *w, int flags, struct file **out)
{
	struct contents contents;
	int result;

	if (w->own || flags & ~AHEAD_FLAGS || !ahead_open(w->base, w->path.ptr, &contents))
		return 1;
	result = file_open_regular(&contents, flags & KEPT_FLAGS, out);
	if (result)
		cap_release_both(contents.object, contents.file);
	return result;
}

/* Whether a symlink at the path's end is followed. */
static bool open_follows(uint32_t flags)
{
	return !(flags & OPEN_NO_FOLLOW) &&
	       (flags & (OPEN_CREATE | OPEN_EXCLUSIVE)) != (OPEN_CREATE | OPEN_EXCLUSIVE);
}

/* That somebody reads a file is its owner's to hide. */
static bool may_hide_reading(const struct file_stat *stat)
{
	const uint32_t user = process_identity()->file_user;

	return !user || user == stat->user;
}

static int open_from(struct path_walk w, int flags, unsigned mode, struct file **out)
{
	struct directory_open_params params = {.flags = server_flags(flags),
	                                       .mode = path_umask(mode)};
	struct directory_open_results results;
	const struct msg_text path = w.path;
	const cap_t base = w.base;
	const bool is_programs = !w.own; /* else the path goes with the walk */
	struct capos_call call;
	int result = open_ahead(&w, flags, out);

	if (result <= 0)
		return result;
	do {
		call = FILES_CALL();
		params.path = w.path;
		result = directory_open(w.base, &params, &results, &call);
	} while (path_goes_on(&w, open_follows(params.flags), &result));
	if (result) /* all that the server can have open is */
		return result == -ENOBUFS ? -ENFILE : result;
	if (!call.ncaps)
		return -EIO;
	if (flags & O_NOATIME && !(flags & O_PATH) && !may_hide_reading(&results.stat)) {
		for (uint32_t i = 0; i < call.ncaps; i++)
			cap_release(call.caps[i]);
		return -EPERM;
	}
	if (results.stat.type == FILE_TYPE_DIRECTORY && !w.hops && is_programs)
		remembered_opened(call.caps[0], base, &path, &results);
	if (results.stat.type == FILE_TYPE_SOCKET && !(flags & O_PATH)) {
		for (uint32_t i = 0; i < call.ncaps; i++)
			cap_release(call.caps[i]);
		return -ENXIO;
	}
	if (results.stat.type == FILE_TYPE_FIFO && !(flags & O_PATH))
		return open_fifo(&results, &call, flags & KEPT_FLAGS, out);
	if (results.stat.type == FILE_TYPE_QUEUE && !(flags & O_PATH))
		return open_queue(&results, &call, flags & KEPT_FLAGS, out);
	if (results.stat.type == FILE_TYPE_DIRECTORY)
		result = file_open_directory(call.caps[0], flags & KEPT_FLAGS, out);
	else
		result = open_regular(&results, &call, flags & KEPT_FLAGS, out);
	for (uint32_t i = 0; result && i < call.ncaps; i++)
		cap_release(call.caps[i]);
	return result;
}

static int open_path(int directory_fd, const char *path, int flags, unsigned mode,
                     struct file **out)
{
	struct path_walk w;
	int result = path_start(&w, directory_fd, path);

	return result ? result : open_from(w, flags, mode, out);
}

int file_open_socket(const char *path, cap_t *file, cap_t *memory)
{
	struct directory_open_params params = {.flags = OPEN_READ | OPEN_WRITE | OPEN_CONTENTS};
	struct directory_open_results results;
	struct capos_call call;
	struct path_walk w;
	int result = path_start(&w, AT_FDCWD, path);

	if (result)
		return result;
	do {
		call = FILES_CALL();
		params.path = w.path;
		result = directory_open(w.base, &params, &results, &call);
	} while (path_goes_on(&w, true, &result));
	if (result)
		return result == -ENXIO || result == -EISDIR ? -ECONNREFUSED : result;
	if (!call.ncaps)
		return -EIO;
	if (results.stat.type == FILE_TYPE_SOCKET)
		return buffer_of(&results, &call, file, memory);
	for (uint32_t i = 0; i < call.ncaps; i++)
		cap_release(call.caps[i]);
	return -ECONNREFUSED;
}

/* Whether Linux would make up the file's contents. */
static bool is_of_kernel(const char *path)
{
	return !strncmp(path, "/proc/", 6) || !strncmp(path, "/sys/", 5);
}

/* The service opens the file that is open as it would by a name.  -ENOENT: it is in a volume. */
static int open_offered(const struct file *f, int flags, struct file **out)
{
	struct directory_open_offered_params params = {.flags = server_flags(flags)};
	struct directory_open_offered_results results;
	struct capos_call call = FILES_CALL();
	int result = file_offer_for(file_object(f), &params.key);

	if (!result)
		result = errno_of(directory_open_offered(path_files(), &params, &results, &call));
	if (!result && !call.ncaps)
		result = -EIO;
	if (!result) {
		const struct directory_open_results as_named = {
		        .file_index = results.file_index,
		        .stat = results.stat,
		        .contents_index = results.contents_index,
		        .has_contents = results.has_contents};

		result = open_regular(&as_named, &call, flags & KEPT_FLAGS, out);
	}
	for (uint32_t i = 0; result && i < call.ncaps; i++)
		cap_release(call.caps[i]);
	return result;
}

/* Whether the permission bits of what is open allow it to be opened this way.  0 or -errno. */
static int check_permission(struct file *f, int flags)
{
	const int mode = flags & O_ACCMODE;
	const bool writes = mode != O_RDONLY || flags & O_TRUNC;
	struct stat st;
	int result = f->ops->stat(f, &st);

	if (result || flags & O_PATH)
		return result;
	return stat_allows(&st, (mode == O_WRONLY ? 0 : R_OK) | (writes ? W_OK : 0)) ? 0 : -EACCES;
}

/* In a volume: with no more rights than the description has. */
static int open_again_in_volume(struct file *f, int flags, struct file **out)
{
	int result = check_permission(f, flags);

	if (!result)
		result = file_open_again(f, flags & KEPT_FLAGS, out);
	if (!result && flags & O_TRUNC && (flags & O_ACCMODE) != O_RDONLY) {
		result = (*out)->ops->truncate(*out, 0);
		if (result)
			file_put(*out);
	}
	return result;
}

/* What /dev/fd/N names: a file or a directory is opened again, anything else is the same
 * description. */
static int open_descriptor(int fd, int flags, struct file **out)
{
	struct file *f = fd_file(fd);
	int result;

	if (!f)
		return -ENOENT;
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (flags & O_NOFOLLOW && !(flags & O_PATH))
		return -ELOOP;
	if (file_directory(f) && (flags & (O_CREAT | O_TRUNC) || flags & O_ACCMODE))
		return -EISDIR;
	if (file_directory(f))
		return open_path(fd, ".", flags, 0, out);
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	if (file_object(f)) {
		result = path_files() ? open_offered(f, flags, out) : -ENOENT;
		return result == -ENOENT ? open_again_in_volume(f, flags, out) : result;
	}
	file_get(f);
	*out = f;
	return 0;
}

#define DEVICE_FLAGS (KEPT_FLAGS | O_CREAT | O_EXCL | O_DIRECTORY | O_NOCTTY)

/* What the library has under that path, written out: 0, -errno, or 1: nothing. */
static int open_own(const char *path, int flags, struct file **out)
{
	int fd = device_descriptor(path), result;

	if (fd >= 0)
		return open_descriptor(fd, flags, out);
	result = device_open(path, flags & DEVICE_FLAGS, out);
	return result <= 0
	               ? result
	               : made_files.open(path, flags & (KEPT_FLAGS | O_DIRECTORY | O_TRUNC), out);
}

/* What the files service has a name for and cannot open: the node of a device, or what a symbolic
 * link to one or to /proc leads to. */
static int open_elsewhere(int directory_fd, const char *path, int flags, struct file **out)
{
	char *resolved = flags & O_NOFOLLOW ? NULL : path_resolve(directory_fd, path);
	char made[PATH_BYTES];
	struct stat st;
	cap_t base;
	int result = resolved ? open_own(resolved, flags, out) : 1;

	if (resolved)
		posix_free(resolved);
	if (result <= 0)
		return result;
	result = path_place(directory_fd, &path, &base, made);
	if (!result)
		result = path_stat(base, path, !(flags & O_NOFOLLOW), &st);
	if (result)
		return result == -ENXIO ? -ENOENT : result; /* a link into /proc */
	if (!S_ISCHR(st.st_mode))
		return -ENXIO;
	result = device_open_number(st.st_rdev, flags & DEVICE_FLAGS, out);
	return result <= 0 ? result : -ENXIO;
}

static int open_any(int directory_fd, const char *path, int flags, unsigned mode, struct file **out)
{
	int result = path_check(path);
	char made[PATH_BYTES];

	if (result)
		return result;
	if (flags & O_CREAT && flags & O_DIRECTORY)
		return -EINVAL; /* also with O_TMPFILE, as of Linux 6.4 */
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		bool writes = (flags & O_ACCMODE) == O_WRONLY || (flags & O_ACCMODE) == O_RDWR;

		return writes ? open_path(directory_fd, path, flags, mode, out) : -EINVAL;
	}
	result = open_own(path_of_made(directory_fd, path, made), flags, out);
	if (result <= 0)
		return result;
	result = open_path(directory_fd, path, flags, mode, out);
	if (result == -ENXIO && !(flags & O_PATH))
		result = open_elsewhere(directory_fd, path, flags, out);
	return result == -ENOENT && is_of_kernel(path) ? (int)absent(ABSENT_PROC_FILES) : result;
}

int file_open_path(const char *path, int flags, struct file **out)
{
	return open_path(AT_FDCWD, path, flags, 0, out);
}

long sys_openat(long directory_fd, long path, long flags, long mode)
{
	struct file *f;
	int result = fd_check_room(); /* first, so that nothing is made or cut in vain */

	if (result) {
		const int bad = path_check((const char *)path);

		return bad ? bad : *(const char *)path ? result : -ENOENT;
	}
	result = open_any((int)directory_fd, (const char *)path, (int)flags, (unsigned)mode, &f);
	if (result)
		return result;
	result = fd_install(f, 0, flags & O_CLOEXEC);
	if (result < 0)
		file_put(f);
	return result;
}

long sys_open(long path, long flags, long mode)
{
	return sys_openat(AT_FDCWD, path, flags, mode);
}

long sys_creat(long path, long mode)
{
	return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* A file without a name, in the root's files: so it is paid for and counted as they are. */
long sys_memfd_create(long name, long flags)
{
	char text[MEMFD_NAME_MAX + 1];
	long length = user_string(text, sizeof(text), name);
	struct path_walk w;
	struct file *f;
	int result;

	if (length < 0)
		return length == -ENAMETOOLONG ? -EINVAL : length;
	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
		result = (int)absent_flags(ABSENT_MEMFD, (unsigned long)flags);
		return result ? result : -EINVAL;
	}
	if (!path_files())
		return -EACCES;
	path_start_at(&w, path_files(), "/");
	result = open_from(w, O_TMPFILE | O_RDWR | O_EXCL, 0777, &f);
	if (result)
		return result;
	result = fd_install(f, 0, flags & MFD_CLOEXEC);
	if (result < 0)
		file_put(f);
	return result;
}

long sys_lseek(long fd, long offset, long whence)
{
	struct file *f = fd_file((int)fd);

	if (!f || f->flags & O_PATH)
		return -EBADF;
	return f->ops->seek ? f->ops->seek(f, offset, (int)whence) : -ESPIPE;
}

long sys_ftruncate(long fd, long size)
{
	struct file *f = fd_file((int)fd);

	if (!f || f->flags & O_PATH)
		return -EBADF;
	if (size < 0 || !file_writes(f) || !f->ops->truncate)
		return -EINVAL;
	return f->ops->truncate(f, size);
}

long sys_truncate(long path, long size)
{
	struct file *f;
	struct stat st;
	int result = stat_at(AT_FDCWD, (const char *)path, 0, &st);

	if (!result && S_ISFIFO(st.st_mode))
		return -EINVAL; /* opening it would wait */
	result = open_any(AT_FDCWD, (const char *)path, O_WRONLY | UNTOLD, 0, &f);
	if (result)
		return result;
	result = size >= 0 && f->ops->truncate ? f->ops->truncate(f, size) : -EINVAL;
	file_put(f);
	return result;
}

/* Files in memory are where they stay; those of volumes go to the host's disk. */
static long sync_file(long fd, bool data_only)
{
	struct file *f = fd_file((int)fd);

	if (!f || f->flags & O_PATH)
		return -EBADF;
	if (f->ops->sync)
		return f->ops->sync(f, data_only);
	return f->ops->getdents ? 0 : -EINVAL;
}

long sys_fsync(long fd)
{
	return sync_file(fd, false);
}

long sys_fdatasync(long fd)
{
	return sync_file(fd, true);
}

static int sync_volume(uint32_t number)
{
	cap_t directory;
	int result = volume_directory(number, &directory);

	if (result)
		return result;
	result = errno_of(directory_sync(directory, NULL));
	cap_release(directory);
	return result;
}

long sys_sync(void)
{
	char path[PATH_BYTES];
	uint32_t number, i;
	int result;

	for (i = 0; !(result = volume_at(i, path, &number)); i++)
		(void)sync_volume(number);
	/* After chroot the root may be in a volume, and shows no other. */
	if (!i && result == -EOPNOTSUPP)
		(void)directory_sync(path_root(), NULL);
	return 0;
}

long sys_syncfs(long fd)
{
	struct file *f = fd_file((int)fd);
	struct stat st;
	int result;

	if (!f || f->flags & O_PATH)
		return -EBADF;
	if (!f->ops->stat || f->ops->stat(f, &st) || st.st_dev <= VOLUME_DEVICES)
		return 0;
	if (file_directory(f))
		return errno_of(directory_sync(file_directory(f), NULL));
	/* From a root in which the volume is not to be seen, the file alone. */
	result = sync_volume((uint32_t)st.st_dev - VOLUME_DEVICES);
	return result && f->ops->sync ? f->ops->sync(f, false) : result;
}

#define SYNC_FLAGS \
	(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)

long sys_sync_file_range(long fd, long offset, long length, long flags)
{
	struct file *f = fd_file((int)fd);
	struct stat st;
	int result;

	if (!f || f->flags & O_PATH)
		return -EBADF;
	if (flags & ~(long)SYNC_FLAGS || offset < 0 || length < 0)
		return -EINVAL;
	result = f->ops->stat ? f->ops->stat(f, &st) : -ESPIPE;
	if (result)
		return result;
	return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? 0 : -ESPIPE;
}

/* Nothing is further away than memory. */
long sys_readahead(long fd, long offset, long length)
{
	const struct file *f = fd_file((int)fd);

	(void)offset, (void)length;
	if (!f || !file_reads(f))
		return -EBADF;
	return f->ops->memory ? 0 : -EINVAL;
}

/* ---- sendfile ---- */

/* Writes all of it, unless the other side takes less; what was written, or -errno. */
static ssize_t send_chunk(struct file *out, uint8_t *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		const struct iovec iov = {.iov_base = bytes + done, .iov_len = length - done};
		ssize_t put = out->ops->write(out, &iov, 1);

		if (put <= 0)
			return done ? (ssize_t)done : put;
		done += (size_t)put;
		if (file_flags(out) & O_NONBLOCK && done < length)
			break;
	}
	return (ssize_t)done;
}

/* Kept from one call to the next: to have it mapped and unmapped costs more than to send a small
 * file.  NULL: a call has it, which may sleep. */
static uint8_t *send_buffer;

static uint8_t *take_buffer(void)
{
	uint8_t *buffer = send_buffer;

	send_buffer = NULL;
	return buffer ? buffer : posix_alloc(FILES_CHUNK);
}

static void give_buffer(uint8_t *buffer)
{
	posix_free(send_buffer);
	send_buffer = buffer;
}

static ssize_t send_range(struct file *out, struct file *in, off_t *offset, size_t count)
{
	uint8_t *buffer = take_buffer();
	ssize_t total = 0, put = 0;

	if (!buffer)
		return -ENOMEM;
	while ((size_t)total < count) {
		size_t want = count - (size_t)total;
		const struct iovec iov = {.iov_base = buffer,
		                          .iov_len = want < FILES_CHUNK ? want : FILES_CHUNK};
		ssize_t got = in->ops->pread(in, &iov, 1, *offset);

		put = got > 0 ? send_chunk(out, buffer, (size_t)got) : got;
		if (put <= 0)
			break;
		*offset += put;
		total += put;
		if (put < got || signal_waiting())
			break;
	}
	give_buffer(buffer);
	return total ? total : put;
}

long sys_sendfile(long out_fd, long in_fd, long offset, long count)
{
	struct file *in = fd_file((int)in_fd), *out = fd_file((int)out_fd);
	off_t position = 0;
	ssize_t result;

	if (offset && user_get(&position, offset))
		return -EFAULT;
	if (!in || !out || !file_reads(in) || !file_writes(out))
		return -EBADF;
	if (offset && !in->ops->pread)
		return -ESPIPE;
	/* From what has positions alone; a program then falls back to read and write. */
	if (!in->ops->pread || !out->ops->write || file_flags(out) & O_APPEND || count < 0 ||
	    position < 0)
		return -EINVAL;
	file_get(in);
	file_get(out);
	result = send_range(out, in, offset ? &position : file_offset(in), (size_t)count);
	file_put(in);
	file_put(out);
	if (offset && user_put(offset, &position))
		return -EFAULT;
	if (result == -EPIPE)
		signal_raise(SIGPIPE);
	return result;
}
