/* SPDX-License-Identifier: MIT */
/*
 * The calls that check or change what is noted about files: access, chmod, chown, times; and
 * statfs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/file.h"

/* Linux's number for a file system in memory. */
#define TMPFS_MAGIC 0x01021994
#define V9FS_MAGIC  0x01021997 /* for one that 9P serves */

struct user_ids {
	uint32_t user, group;
};

static bool in_group(const struct user_ids *ids, uint32_t group)
{
	const struct cap_identity *own = process_identity();

	if (ids->group == group)
		return true;
	for (uint32_t i = 0; i < own->ngroups; i++)
		if (own->groups[i] == group)
			return true;
	return false;
}

/* Whether these may do that with what has these attributes.  User 0 may do everything, but run only
 * what has an execute bit. */
static bool allows(const struct stat *st, const struct user_ids *ids, unsigned mode)
{
	unsigned bits = st->st_mode;

	if (!ids->user)
		return !(mode & X_OK) || S_ISDIR(st->st_mode) || bits & 0111;
	if (ids->user == st->st_uid)
		bits >>= 6;
	else if (in_group(ids, st->st_gid))
		bits >>= 3;
	return !(mode & ~bits & 7);
}

bool stat_allows(const struct stat *st, unsigned mode)
{
	const struct cap_identity *own = process_identity();
	const struct user_ids ids = {own->file_user, own->file_group};

	return allows(st, &ids, mode);
}

/* The path is searched for them, too.  Not while there are other threads, whose files would be
 * another user's meanwhile. */
static int stat_for(const struct user_ids *ids, int directory_fd, const char *path, int flags,
                    struct stat *st)
{
	const struct cap_identity before = *process_identity();
	int result;

	if ((ids->user == before.file_user && ids->group == before.file_group) || !threads_alone())
		return stat_at(directory_fd, path, flags, st);
	core_hooks.users_for_files(ids->user, ids->group);
	result = stat_at(directory_fd, path, flags, st);
	core_hooks.users_for_files(before.file_user, before.file_group);
	return result;
}

/* The answer is for the process itself: where it acts, the service decides. */
static long access_at(int directory_fd, const char *path, long mode, int flags)
{
	const struct cap_identity *own = process_identity();
	const struct user_ids ids = {flags & AT_EACCESS ? own->file_user : own->user.real,
	                             flags & AT_EACCESS ? own->file_group : own->group.real};
	struct stat st;
	int result;

	if (mode & ~(R_OK | W_OK | X_OK))
		return -EINVAL;
	result = stat_for(&ids, directory_fd, path, flags & ~AT_EACCESS, &st);
	if (result)
		return result;
	return allows(&st, &ids, (unsigned)mode) ? 0 : -EACCES;
}

long sys_faccessat2(long directory_fd, long path, long mode, long flags)
{
	if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return access_at((int)directory_fd, (const char *)path, mode, (int)flags);
}

long sys_faccessat(long directory_fd, long path, long mode)
{
	return access_at((int)directory_fd, (const char *)path, mode, 0);
}

long sys_access(long path, long mode)
{
	return access_at(AT_FDCWD, (const char *)path, mode, 0);
}

/* ---- Modes and owners ---- */

static long change_mode(int directory_fd, const char *path, unsigned mode)
{
	struct directory_set_mode_params params = {.mode = mode & 07777, .follow_link = true};
	struct path_walk w;
	struct file *f;
	int result = path_check(path);

	f = result ? NULL : device_description(path);
	if (f)
		return f->ops->chmod ? f->ops->chmod(f, params.mode) : -EINVAL;
	if (!result)
		result = device_change(path, UINT32_MAX, UINT32_MAX, params.mode);
	if (result <= 0)
		return result;
	result = path_start(&w, directory_fd, path);
	if (result)
		return result;
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_set_mode(w.base, &params, &call);
	} while (path_goes_on(&w, true, &result));
	return result;
}

long sys_fchmodat(long directory_fd, long path, long mode)
{
	return change_mode((int)directory_fd, (const char *)path, (unsigned)mode);
}

long sys_fchmodat2(long directory_fd, long path, long mode, long flags)
{
	const char *text = (const char *)path;
	struct file *f;
	struct stat st;
	int result;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	if (!flags)
		return change_mode((int)directory_fd, text, (unsigned)mode);
	result = path_check(text);
	if (!result)
		result = stat_at((int)directory_fd, text, (int)flags, &st);
	if (result)
		return result;
	if (S_ISLNK(st.st_mode))
		return -EOPNOTSUPP; /* as Linux: a symlink's mode stays */
	if (*text)
		return change_mode((int)directory_fd, text, (unsigned)mode);
	if ((int)directory_fd == AT_FDCWD)
		return change_mode(AT_FDCWD, ".", (unsigned)mode);
	f = fd_file((int)directory_fd);
	return f->ops->chmod ? f->ops->chmod(f, (unsigned)mode & 07777) : -EINVAL;
}

long sys_chmod(long path, long mode)
{
	return sys_fchmodat(AT_FDCWD, path, mode);
}

long sys_fchmod(long fd, long mode)
{
	struct file *f = fd_file((int)fd);

	if (!f || f->flags & O_PATH)
		return -EBADF;
	return f->ops->chmod ? f->ops->chmod(f, (unsigned)mode & 07777) : -EINVAL;
}

/* What is no file of the files service belongs to user and group 0: giving it to them changes
 * nothing, to any other is not possible. */
static long check_owner(long user, long group)
{
	bool user_ok = (uid_t)user == 0 || (uid_t)user == (uid_t)-1;
	bool group_ok = (gid_t)group == 0 || (gid_t)group == (gid_t)-1;

	return user_ok && group_ok ? 0 : -EPERM;
}

/* Of a description; the owners of files are noted, and nothing depends on them. */
static long change_owner(struct file *f, long user, long group)
{
	return f->ops->chown ? f->ops->chown(f, (unsigned)user, (unsigned)group)
	                     : check_owner(user, group);
}

long sys_fchownat(long directory_fd, long path, long user, long group, long flags)
{
	struct directory_set_owner_params params = {.user = (uint32_t)user,
	                                            .group = (uint32_t)group,
	                                            .follow_link = !(flags & AT_SYMLINK_NOFOLLOW)};
	const char *text = !path && flags & AT_EMPTY_PATH ? "" : (const char *)path;
	struct path_walk w;
	struct stat st;
	int result;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	result = stat_at((int)directory_fd, text, (int)flags, &st);
	if (result)
		return result;
	if (!*text && (int)directory_fd != AT_FDCWD)
		return change_owner(fd_file((int)directory_fd), user, group);
	if (params.follow_link && device_description(text))
		return change_owner(device_description(text), user, group);
	if (st.st_dev != FILES_DEVICE && st.st_dev < VOLUME_DEVICES) {
		result = device_change(text, (uint32_t)user, (uint32_t)group, UINT32_MAX);
		return result <= 0 ? result : check_owner(user, group);
	}
	if (!*text)
		text = ".";
	result = path_start(&w, (int)directory_fd, text);
	if (result)
		return result;
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_set_owner(w.base, &params, &call);
	} while (path_goes_on(&w, params.follow_link, &result));
	return result;
}

long sys_chown(long path, long user, long group)
{
	return sys_fchownat(AT_FDCWD, path, user, group, 0);
}

long sys_lchown(long path, long user, long group)
{
	return sys_fchownat(AT_FDCWD, path, user, group, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(long fd, long user, long group)
{
	struct file *f = fd_file((int)fd);

	return f && !(f->flags & O_PATH) ? change_owner(f, user, group) : -EBADF;
}

/* ---- Times ---- */

static int time_of(const struct timespec *t, int64_t now, int64_t *out)
{
	if (t->tv_nsec == UTIME_NOW) {
		*out = now;
	} else if (t->tv_nsec == UTIME_OMIT) {
		*out = INT64_MIN;
	} else {
		if (t->tv_nsec < 0 || t->tv_nsec >= 1000000000)
			return -EINVAL;
		if (t->tv_sec >= INT64_MAX / 1000000000 || t->tv_sec <= INT64_MIN / 1000000000)
			return -EOVERFLOW;
		*out = t->tv_sec * 1000000000 + t->tv_nsec;
	}
	return 0;
}

/* Of a description, unless it was opened with one of these flags. */
static long change_times(struct file *f, int without, const struct file_times *times)
{
	if (!f || f->flags & without)
		return -EBADF;
	return f->ops->utimens ? f->ops->utimens(f, times) : -EINVAL;
}

/* What the program wants; without times: the present.  0 or -errno. */
static int read_times(long from, struct file_times *out)
{
	const int64_t now = cap_realtime();
	struct timespec t[2];
	int result;

	*out = (struct file_times){now, now, true};
	if (!from)
		return 0;
	if (user_get(&t, from))
		return -EFAULT;
	out->now = t[0].tv_nsec == UTIME_NOW && t[1].tv_nsec == UTIME_NOW;
	result = time_of(&t[0], now, &out->access_ns);
	return result ? result : time_of(&t[1], now, &out->modify_ns);
}

static long change_times_at(int directory_fd, const char *path, bool follow,
                            const struct file_times *times)
{
	struct directory_set_times_params params = {.follow_link = follow,
	                                            .access_ns = times->access_ns,
	                                            .modify_ns = times->modify_ns,
	                                            .now = times->now};
	struct path_walk w;
	int result = path_start(&w, directory_fd, path);

	if (result)
		return result;
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_set_times(w.base, &params, &call);
	} while (path_goes_on(&w, follow, &result));
	return result;
}

long sys_utimensat(long directory_fd, long path, long times, long flags)
{
	const char *text = (const char *)path;
	struct file_times wanted;
	int result;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	result = read_times(times, &wanted);
	if (result)
		return result;
	if (wanted.access_ns == INT64_MIN && wanted.modify_ns == INT64_MIN)
		return 0; /* there is nothing to look for, as on Linux */
	if (!path && (int)directory_fd != AT_FDCWD) {
		if (flags)
			return -EINVAL;
		return change_times(fd_file((int)directory_fd), O_PATH, &wanted);
	}
	result = path_check(text);
	if (result)
		return result;
	if (!*text && flags & AT_EMPTY_PATH) {
		if ((int)directory_fd != AT_FDCWD)
			return change_times(fd_file((int)directory_fd), 0, &wanted);
		text = ".";
	}
	if (!(flags & AT_SYMLINK_NOFOLLOW) && device_description(text))
		return change_times(device_description(text), 0, &wanted);
	return change_times_at((int)directory_fd, text, !(flags & AT_SYMLINK_NOFOLLOW), &wanted);
}

/* ---- The file system ---- */

static long space_of(cap_t directory, bool volume, long out)
{
	struct directory_space_results results;
	struct statfs space;
	int result = directory_space(directory, &results, NULL);

	if (result)
		return errno_of(result);
	space = (struct statfs){
	        .f_type = volume ? V9FS_MAGIC : TMPFS_MAGIC,
	        .f_bsize = results.block_size,
	        .f_frsize = results.block_size,
	        .f_blocks = results.blocks,
	        .f_bfree = results.free_blocks,
	        .f_bavail = results.free_blocks,
	        .f_files = results.files,
	        .f_namelen = 255,
	};
	return user_put(out, &space);
}

/* Of the file system that the file is in. */
static long space_where(const struct stat *st, long out)
{
	cap_t directory;
	long result;

	if (st->st_dev <= VOLUME_DEVICES)
		return path_root() ? space_of(path_root(), false, out) : -EACCES;
	result = volume_directory((uint32_t)st->st_dev - VOLUME_DEVICES, &directory);
	if (result)
		return result;
	result = space_of(directory, true, out);
	cap_release(directory);
	return result;
}

long sys_statfs(long path, long buffer)
{
	struct stat st;
	int result = stat_at(AT_FDCWD, (const char *)path, 0, &st);

	return result ? result : space_where(&st, buffer);
}

long sys_fstatfs(long fd, long buffer)
{
	struct file *f = fd_file((int)fd);
	struct stat st = {.st_dev = 0};
	int result = !f ? -EBADF : f->ops->stat ? f->ops->stat(f, &st) : 0;

	return result ? result : space_where(&st, buffer);
}
