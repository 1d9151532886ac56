/* SPDX-License-Identifier: MIT */
/*
 * inotify: a Watcher of the files service.  Its queue is there, and all who have the descriptor by
 * fork or exec take from it; the service signals their event when there is something to take.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/file.h"
#include "file/made.h"

_Static_assert(IN_ALL_EVENTS == WATCH_ALL && IN_ISDIR == WATCH_DIRECTORY &&
                       IN_IGNORED == WATCH_IGNORED && IN_Q_OVERFLOW == WATCH_OVERFLOW &&
                       IN_EXCL_UNLINK == WATCH_NO_UNLINKED && IN_MASK_ADD == WATCH_MORE &&
                       IN_MASK_CREATE == WATCH_NEW && IN_ONESHOT == WATCH_ONCE,
               "the schema has Linux's numbers");

/* A volume is another service: there is a Watcher with the same key in each in which something is
 * watched.  Which those are is a bit each in the description's offset, so all who have the
 * descriptor know; each asks for its capability when it needs it. */
#define VOLUMES 8u

struct inotify {
	cap_t watcher;
	uint64_t key;
	cap_t volumes[VOLUMES];
};

_Static_assert(sizeof(((struct carried *)0)->volumes) == sizeof(((struct inotify *)0)->volumes),
               "all of them are carried");

static struct inotify *inotify_of(const struct file *f)
{
	return f->data;
}

static int make_watcher(cap_t directory, uint64_t key, cap_t *watcher);

static int ask_volume(struct inotify *i, uint32_t number)
{
	cap_t directory;
	int result = volume_directory(number, &directory);

	if (result)
		return result;
	result = make_watcher(directory, i->key, &i->volumes[number - 1]);
	cap_release(directory);
	return result;
}

/* The index-th of the Watchers, the files service's first; CAP_NULL: it has none there. */
static cap_t watcher_at(struct file *f, uint32_t index)
{
	struct inotify *i = inotify_of(f);

	if (!index)
		return i->watcher;
	if (!(*file_offset(f) >> (index - 1) & 1))
		return CAP_NULL;
	if (!i->volumes[index - 1] && ask_volume(i, index))
		return CAP_NULL;
	return i->volumes[index - 1];
}

struct reading {
	struct file *file;
	const struct iovec *iov;
	int n;
};

static ssize_t read_one(const struct reading *r, cap_t watcher)
{
	const size_t room = vector_length(r->iov, r->n);
	const struct watcher_read_params params = {.length = room < FILES_CHUNK ? (uint32_t)room
	                                                                        : FILES_CHUNK};
	struct watcher_read_results results;
	struct capos_call call = FILES_CALL();
	int result = errno_of(watcher_read(watcher, &params, &results, &call));

	if (result)
		return result == -EAGAIN ? WAIT_NOTHING : result;
	if (results.data.len > params.length)
		return -EIO;
	return vector_scatter(r->iov, r->n, results.data.ptr, results.data.len);
}

/* Of one Watcher after the other: between them there is no order. */
static ssize_t attempt(void *context)
{
	const struct reading *r = context;
	ssize_t result = WAIT_NOTHING;

	for (uint32_t n = 0; n <= VOLUMES && result == WAIT_NOTHING; n++) {
		cap_t watcher = watcher_at(r->file, n);

		if (watcher)
			result = read_one(r, watcher);
	}
	return result;
}

static ssize_t inotify_read(struct file *f, const struct iovec *iov, int n)
{
	struct reading r = {.file = f, .iov = iov, .n = n};
	const struct waiting w = {
	        .attempt = attempt, .context = &r, .nonblocking = file_flags(f) & O_NONBLOCK};

	return wait_for(&w);
}

static int ready(struct file *f, uint64_t *bytes)
{
	int result = 0;

	*bytes = 0;
	for (uint32_t n = 0; n <= VOLUMES && !result; n++) {
		struct watcher_ready_results results;
		struct capos_call call = FILES_CALL();
		cap_t watcher = watcher_at(f, n);

		if (!watcher)
			continue;
		result = errno_of(watcher_ready(watcher, &results, &call));
		*bytes += result ? 0 : results.bytes;
	}
	return result;
}

static unsigned inotify_poll(struct file *f, unsigned wanted, bool arm)
{
	uint64_t bytes;

	(void)wanted, (void)arm; /* the first event after none always signals */
	if (ready(f, &bytes))
		return POLLERR;
	return bytes ? POLLIN | POLLRDNORM : 0;
}

static int inotify_ioctl(struct file *f, unsigned long request, void *argument)
{
	uint64_t bytes;
	int result, count;

	if (request != FIONREAD)
		return -ENOTTY;
	result = ready(f, &bytes);
	count = bytes > INT_MAX ? INT_MAX : (int)bytes;
	return result ? result : user_put((long)argument, &count);
}

static int inotify_stat(struct file *f, struct stat *st)
{
	(void)f;
	*st = (struct stat){.st_mode = 0600, .st_nlink = 1, .st_blksize = 4096};
	return 0;
}

static void inotify_close(struct file *f)
{
	for (uint32_t n = 0; n < VOLUMES; n++)
		cap_release(inotify_of(f)->volumes[n]);
	cap_release(inotify_of(f)->watcher);
	posix_free(f->data);
}

static int inotify_carry(struct file *f, struct carried *out)
{
	out->kind = CARRY_WATCHER;
	out->object = inotify_of(f)->watcher;
	out->signals = inotify_of(f)->key;
	memcpy(out->volumes, inotify_of(f)->volumes, sizeof(out->volumes));
	return 0;
}

static const struct file_ops inotify_ops = {.read = inotify_read,
                                            .seek = file_seek_nowhere,
                                            .poll = inotify_poll,
                                            .ioctl = inotify_ioctl,
                                            .stat = inotify_stat,
                                            .close = inotify_close,
                                            .carry = inotify_carry};

static int create(cap_t watcher, uint64_t key, int flags, struct file **out)
{
	struct inotify *i = posix_alloc(sizeof(*i));

	if (!i)
		return -ENOMEM;
	*i = (struct inotify){.watcher = watcher, .key = key};
	*out = file_create(&inotify_ops, flags, i);
	if (!*out)
		posix_free(i);
	return *out ? 0 : -ENOMEM;
}

int inotify_restore(const struct carried *in, struct file **out)
{
	int result = create(in->object, in->signals, in->flags, out);

	if (!result)
		memcpy(inotify_of(*out)->volumes, in->volumes, sizeof(in->volumes));
	return result;
}

static int make_watcher(cap_t directory, uint64_t key, cap_t *watcher)
{
	const struct directory_make_watcher_params params = {.key = key,
	                                                     .wake_bits = PROCESS_WAKE_BITS};
	const struct capos_send_cap wake = process_wake_cap();
	struct directory_make_watcher_results results;
	struct capos_call call = FILES_CALL(.send_caps = &wake, .send_ncaps = 1);
	int result;

	if (!directory)
		return -EACCES;
	result = errno_of(directory_make_watcher(directory, &params, &results, &call));
	if (result)
		return result == -ENOBUFS ? -EMFILE : result == -ENOSPC ? -ENOMEM : result;
	if (results.watcher_index || call.ncaps != 1)
		return -EIO;
	*watcher = call.caps[0];
	return 0;
}

long sys_inotify_init1(long flags)
{
	uint64_t key = 0;
	struct file *f;
	cap_t watcher;
	long result;

	if (flags & ~(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	/* It is a secret only between programs that share a session, so no entropy is no error. */
	if (sys_getrandom((long)&key, sizeof(key), 0) < 0)
		key = cap_now();
	files_settle(); /* a file that is removed is to be gone for those who watch it */
	result = make_watcher(path_files(), key, &watcher);
	if (result)
		return result;
	result = create(watcher, key, O_RDONLY | (flags & IN_NONBLOCK ? O_NONBLOCK : 0), &f);
	if (result) {
		cap_release(watcher);
		return result;
	}
	result = fd_install(f, 0, flags & IN_CLOEXEC);
	if (result < 0)
		file_put(f);
	return result;
}

long sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

/* What the library has under that path, or the service a name for alone, tells nobody of its
 * use. */
static bool is_of_service(const char *path)
{
	char made[PATH_BYTES];
	struct stat st;

	path = path_of_made(AT_FDCWD, path, made);
	return device_stat(path, &st) == 1 && made_files.stat(path, false, &st) == 1;
}

/* The number of a new watch; or one is given back. */
static int number_of(const struct inotify *i, uint32_t back, uint32_t *number)
{
	const struct watcher_number_params params = {.back = back};
	struct watcher_number_results results;
	struct capos_call call = FILES_CALL();
	int result = errno_of(watcher_number(i->watcher, &params, &results, &call));

	*number = result ? 0 : results.watch;
	return result;
}

/* In a volume. */
static int add_there(struct file *f, struct directory_watch_params *params, cap_t base,
                     uint32_t volume)
{
	struct inotify *i = inotify_of(f);
	struct directory_watch_results results;
	struct capos_call call = FILES_CALL();
	uint32_t number;
	int result;

	if (volume > VOLUMES)
		return (int)absent(ABSENT_WATCH);
	result = i->volumes[volume - 1] ? 0 : ask_volume(i, volume);
	if (!result)
		result = number_of(i, 0, &params->number);
	if (result)
		return result;
	__atomic_fetch_or(file_offset(f), (off_t)1 << (volume - 1), __ATOMIC_SEQ_CST);
	result = errno_of(directory_watch(base, params, &results, &call));
	if (result || results.watch != params->number)
		(void)number_of(i, params->number, &number);
	return result ? result : (int)results.watch;
}

static int add_in_volume(struct file *f, struct directory_watch_params *params, const char *path)
{
	struct path_walk w;
	uint32_t volume;
	int result = path_start(&w, AT_FDCWD, path);

	if (!result)
		result = path_locate(&w, params->follow_link, &volume);
	if (result)
		return result;
	params->path = w.path;
	result = volume ? add_there(f, params, w.base, volume) : -ENOENT;
	path_end(&w);
	return result;
}

static int add(struct file *f, const char *path, uint32_t mask)
{
	const struct inotify *i = inotify_of(f);
	const bool follow = !(mask & IN_DONT_FOLLOW);
	struct directory_watch_params params = {
	        .follow_link = follow, .directory = mask & IN_ONLYDIR, .key = i->key, .mask = mask};
	struct directory_watch_results results;
	struct path_walk w;
	int result = path_start(&w, AT_FDCWD, path);

	if (result)
		return result;
	if (!is_of_service(path)) {
		path_end(&w);
		return (int)absent(ABSENT_WATCH);
	}
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_watch(w.base, &params, &results, &call);
	} while (path_goes_on(&w, follow, &result));
	if (result == -EOPNOTSUPP)
		return add_in_volume(f, &params, path);
	return result ? result : (int)results.watch;
}

long sys_inotify_add_watch(long fd, long path, long mask)
{
	const uint32_t bits = (uint32_t)mask;
	struct file *f = fd_file((int)fd);

	if (!(bits &
	      (IN_ALL_EVENTS | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_ADD |
	       IN_MASK_CREATE | IN_ISDIR | IN_ONESHOT | IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW)))
		return -EINVAL;
	if (!f)
		return -EBADF;
	if ((bits & IN_MASK_ADD && bits & IN_MASK_CREATE) || f->ops != &inotify_ops)
		return -EINVAL;
	return add(f, (const char *)path, bits);
}

long sys_inotify_rm_watch(long fd, long watch)
{
	const struct watcher_remove_params params = {.watch = (uint32_t)watch};
	struct file *f = fd_file((int)fd);
	int result = -EINVAL;

	if (!f)
		return -EBADF;
	if (f->ops != &inotify_ops)
		return -EINVAL;
	for (uint32_t n = 0; n <= VOLUMES && result == -EINVAL; n++) {
		cap_t watcher = watcher_at(f, n);

		if (watcher)
			result = errno_of(watcher_remove(watcher, &params, NULL));
	}
	return result;
}
