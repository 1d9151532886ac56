/* SPDX-License-Identifier: MIT */
/*
 * The stat family: of descriptors through their kind, of paths through the files service.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/file.h"
#include "file/mqueue.h"
#include "file/remembered.h"

#define STATX_RESERVED 0x80000000l /* of the mask; not in musl's header */

void stat_from(const struct file_stat *in, struct stat *st)
{
	static const mode_t types[] = {0,       S_IFREG, S_IFDIR,  S_IFLNK, S_IFIFO,
	                               S_IFCHR, S_IFBLK, S_IFSOCK, S_IFREG};

	*st = (struct stat){
	        .st_dev = in->volume ? VOLUME_DEVICES + in->volume : FILES_DEVICE,
	        .st_ino = in->inode,
	        .st_mode = (in->mode & 07777) |
	                   (in->type < sizeof(types) / sizeof(types[0]) ? types[in->type] : 0),
	        .st_nlink = in->links,
	        .st_uid = in->user,
	        .st_gid = in->group,
	        .st_rdev = in->device,
	        .st_size = in->type == FILE_TYPE_QUEUE ? MQUEUE_TEXT_BYTES : (off_t)in->size,
	        .st_blksize = FILES_BLOCKSIZE,
	        .st_blocks = (blkcnt_t)in->blocks,
	};
	const int64_t times[3] = {in->access_ns, in->modify_ns, in->change_ns};
	struct timespec *out[3] = {&st->st_atim, &st->st_mtim, &st->st_ctim};
	for (int i = 0; i < 3; i++) {
		int64_t seconds = times[i] / 1000000000, rest = times[i] % 1000000000;
		if (rest < 0) {
			rest += 1000000000;
			seconds--;
		}
		out[i]->tv_sec = seconds;
		out[i]->tv_nsec = rest;
	}
}

int path_stat(cap_t base, const char *path, bool follow, struct stat *st)
{
	struct directory_stat_params params = {.follow_link = follow};
	struct directory_stat_results results;
	struct path_walk w;
	int result;

	if (remembered_stat(base, path, follow, &results.stat)) {
		stat_from(&results.stat, st);
		return 0;
	}
	path_start_at(&w, base, path);
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_stat(w.base, &params, &results, &call);
	} while (path_goes_on(&w, follow, &result));
	if (!result)
		stat_from(&results.stat, st);
	return result;
}

static int stat_file(struct file *f, struct stat *st)
{
	return f->ops->stat ? f->ops->stat(f, st) : -EBADF;
}

/* What the library has under that path, written out: 0, -errno, or 1: nothing. */
static int stat_own(const char *path, bool follow, struct stat *st)
{
	struct file *f = follow ? fd_file(device_descriptor(path)) : NULL;
	int result;

	if (f)
		return stat_file(f, st);
	result = device_stat(path, st);
	return result <= 0 ? result : made_files.stat(path, follow, st);
}

/* A symbolic link leads to what the library has. */
static int stat_elsewhere(int directory_fd, const char *path, bool follow, struct stat *st)
{
	char *resolved = path_resolve(directory_fd, path);
	int result = resolved ? stat_own(resolved, follow, st) : 1;

	if (resolved)
		posix_free(resolved);
	return result <= 0 ? result : -ENOENT;
}

int stat_at(int directory_fd, const char *path, int flags, struct stat *st)
{
	char made[PATH_BYTES];
	struct file *f;
	cap_t base;
	int result;

	if (flags & AT_EMPTY_PATH && !path)
		path = "";
	result = path_check(path);
	if (result)
		return result;
	if (flags & AT_EMPTY_PATH && !*path) {
		if (directory_fd == AT_FDCWD)
			return stat_at(AT_FDCWD, ".", 0, st);
		f = fd_file(directory_fd);
		return f ? stat_file(f, st) : -EBADF;
	}
	result = stat_own(path_of_made(directory_fd, path, made), !(flags & AT_SYMLINK_NOFOLLOW),
	                  st);
	if (result <= 0)
		return result;
	result = path_place(directory_fd, &path, &base, made);
	if (!result)
		result = path_stat(base, path, !(flags & AT_SYMLINK_NOFOLLOW), st);
	return result == -ENXIO
	               ? stat_elsewhere(directory_fd, path, !(flags & AT_SYMLINK_NOFOLLOW), st)
	               : result;
}

long sys_newfstatat(long directory_fd, long path, long out, long flags)
{
	struct stat st;
	int result;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return -EINVAL;
	result = stat_at((int)directory_fd, (const char *)path, (int)flags, &st);
	return result ? result : user_put(out, &st);
}

long sys_stat(long path, long out)
{
	return sys_newfstatat(AT_FDCWD, path, out, 0);
}

long sys_lstat(long path, long out)
{
	return sys_newfstatat(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
}

long sys_fstat(long fd, long out)
{
	struct file *f = fd_file((int)fd);
	struct stat st;
	int result = f ? stat_file(f, &st) : -EBADF;

	return result ? result : user_put(out, &st);
}

static struct statx_timestamp statx_time(const struct timespec *t)
{
	return (struct statx_timestamp){.tv_sec = t->tv_sec, .tv_nsec = (uint32_t)t->tv_nsec};
}

long sys_statx(long directory_fd, long path, long flags, long mask, long buffer)
{
	struct statx out;
	struct stat st;
	int result;

	/* All that is known is returned. */
	if (mask & STATX_RESERVED ||
	    flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	result = stat_at((int)directory_fd, (const char *)path, (int)flags, &st);
	if (result)
		return result;
	out = (struct statx){
	        .stx_mask = STATX_BASIC_STATS,
	        .stx_blksize = (uint32_t)st.st_blksize,
	        .stx_nlink = (uint32_t)st.st_nlink,
	        .stx_uid = st.st_uid,
	        .stx_gid = st.st_gid,
	        .stx_mode = (uint16_t)st.st_mode,
	        .stx_ino = st.st_ino,
	        .stx_size = (uint64_t)st.st_size,
	        .stx_blocks = (uint64_t)st.st_blocks,
	        .stx_atime = statx_time(&st.st_atim),
	        .stx_ctime = statx_time(&st.st_ctim),
	        .stx_mtime = statx_time(&st.st_mtim),
	        .stx_rdev_major = major(st.st_rdev),
	        .stx_rdev_minor = minor(st.st_rdev),
	        .stx_dev_major = major(st.st_dev),
	        .stx_dev_minor = minor(st.st_dev),
	};
	return user_put(buffer, &out);
}
