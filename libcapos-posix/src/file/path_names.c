/* SPDX-License-Identifier: MIT */
/*
 * The calls that make, move and take away names: directories, links, symlinks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include <capos/schema/service_client.h>
#include <capos/schema/status.h>

#include "core/core.h"
#include "file/file.h"

long sys_mkdirat(long directory_fd, long path, long mode)
{
	/* The set-ID bits are chmod's, or the directory's above. */
	struct directory_make_directory_params params = {
	        .mode = path_umask((unsigned)mode & 01777)};
	struct path_walk w;
	int result = path_start(&w, (int)directory_fd, (const char *)path);

	if (result)
		return result;
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_make_directory(w.base, &params, &call);
	} while (path_goes_on(&w, false, &result));
	return result;
}

long sys_mkdir(long path, long mode)
{
	return sys_mkdirat(AT_FDCWD, path, mode);
}

static long make_fifo(long directory_fd, long path, long mode)
{
	struct directory_make_fifo_params params = {.mode = path_umask((unsigned)mode)};
	struct path_walk w;
	int result = path_start(&w, (int)directory_fd, (const char *)path);

	if (result)
		return result;
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_make_fifo(w.base, &params, &call);
	} while (path_goes_on(&w, false, &result));
	return result;
}

/* A name of a device, which opens nothing, or of a socket. */
static long make_node(long directory_fd, long path, long mode, long device)
{
	struct directory_make_node_params params = {
	        .type = S_ISCHR(mode)    ? FILE_TYPE_CHARACTER_DEVICE
	                : S_ISSOCK(mode) ? FILE_TYPE_SOCKET
	                                 : FILE_TYPE_BLOCK_DEVICE,
	        .mode = path_umask((unsigned)mode),
	        .device = (uint64_t)device};
	struct path_walk w;
	int result = path_start(&w, (int)directory_fd, (const char *)path);

	if (result)
		return result;
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_make_node(w.base, &params, &call);
	} while (path_goes_on(&w, false, &result));
	return result;
}

int file_make_socket(const char *path)
{
	return (int)make_node(AT_FDCWD, (long)path, S_IFSOCK | 0777, 0);
}

static long make_regular(long directory_fd, long path, long mode)
{
	long fd = sys_openat(directory_fd, path, O_CREAT | O_EXCL | O_WRONLY, mode & 07777);
	struct stat st;

	/* With a slash behind, where open does not look whether it is there. */
	if (fd == -EISDIR)
		return sys_newfstatat(directory_fd, path, (long)&st, AT_SYMLINK_NOFOLLOW) == -ENOENT
		               ? -ENOENT
		               : -EEXIST;
	return fd < 0 ? fd : sys_close(fd);
}

long sys_mknodat(long directory_fd, long path, long mode, long device)
{
	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG:
		return make_regular(directory_fd, path, mode);
	case S_IFIFO:
		return make_fifo(directory_fd, path, mode);
	case S_IFCHR:
	case S_IFBLK:
		return make_node(directory_fd, path, mode, device);
	case S_IFSOCK:
		return make_node(directory_fd, path, mode, 0);
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

long sys_mknod(long path, long mode, long device)
{
	return sys_mknodat(AT_FDCWD, path, mode, device);
}

long sys_unlinkat(long directory_fd, long path, long flags)
{
	struct directory_remove_params params = {.directory = flags & AT_REMOVEDIR};
	struct path_walk w;
	int result;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	result = path_start(&w, (int)directory_fd, (const char *)path);
	if (result)
		return result;
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_remove(w.base, &params, &call);
	} while (path_goes_on(&w, false, &result));
	return result;
}

long sys_unlink(long path)
{
	return sys_unlinkat(AT_FDCWD, path, 0);
}

long sys_rmdir(long path)
{
	return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

/* ---- Two paths ---- */

/* Two paths as one Directory can be asked about them.  When both are relative and to different
 * directories, the second is written out from the root.  When one leads to a volume, both are
 * written out, and each finds its own Directory. */
struct two_paths {
	cap_t base;
	struct msg_text from, to;
	struct path_walk from_walk, to_walk; /* of paths that lead to a volume */
	char *full[2];                       /* allocated, or NULL: from and to, written out */
};

/* Relative to `directory`, from now on from the root. */
static int write_out(struct msg_text *path, cap_t directory, char **full)
{
	struct directory_path_results results;
	struct capos_call call = FILES_CALL();
	int result = path_of_directory(directory, &results, &call);

	if (result)
		return result;
	if (results.path.len + 1 + path->len >= PATH_BYTES)
		return -ENAMETOOLONG;
	*full = posix_alloc(PATH_BYTES);
	if (!*full)
		return -ENOMEM;
	memcpy(*full, results.path.ptr, results.path.len);
	(*full)[results.path.len] = '/';
	memcpy(*full + results.path.len + 1, path->ptr, path->len + 1);
	*path = path_text(*full);
	return 0;
}

static void two_paths_end(struct two_paths *paths)
{
	path_end(&paths->from_walk);
	path_end(&paths->to_walk);
	posix_free(paths->full[0]);
	posix_free(paths->full[1]);
}

/* One of them as the program gave it. */
static int begin(struct msg_text *out, int directory_fd, const char *path, cap_t *base, char **full)
{
	const char *given = path;
	int result = path_base(directory_fd, &path, base);

	if (!result && path_is_made(directory_fd, given)) {
		*full = posix_alloc(PATH_BYTES);
		result = *full ? path_place(directory_fd, &path, base, *full) : -ENOMEM;
	}
	if (!result)
		*out = path_text(path);
	return result;
}

static int two_paths(struct two_paths *paths, long from_fd, long from, long to_fd, long to)
{
	cap_t second;
	int result;

	*paths = (struct two_paths){.base = CAP_NULL};
	result = begin(&paths->from, (int)from_fd, (const char *)from, &paths->base,
	               &paths->full[0]);
	if (!result)
		result = begin(&paths->to, (int)to_fd, (const char *)to, &second, &paths->full[1]);
	if (result)
		return result;
	if (*paths->to.ptr == '/')
		return 0;
	if (*paths->from.ptr == '/')
		paths->base = second; /* an absolute path means the same anywhere */
	else if (paths->base != second)
		return write_out(&paths->to, second, &paths->full[1]);
	return 0;
}

/* After a call that answered `elsewhere`: finds the one volume that both are in, and asks for the
 * call to be made again there.  0, or -errno: -EXDEV. */
static int two_paths_follow(struct two_paths *paths)
{
	uint32_t from, to;
	int result = path_root() ? 0 : -EACCES;

	if (!result && *paths->from.ptr != '/')
		result = write_out(&paths->from, paths->base, &paths->full[0]);
	if (!result && *paths->to.ptr != '/')
		result = write_out(&paths->to, paths->base, &paths->full[1]);
	if (result)
		return result;
	path_start_at(&paths->from_walk, path_root(), paths->from.ptr);
	path_start_at(&paths->to_walk, path_root(), paths->to.ptr);
	result = path_locate(&paths->from_walk, false, &from);
	if (!result)
		result = path_locate(&paths->to_walk, false, &to);
	if (!result && from != to)
		result = -EXDEV;
	paths->base = paths->from_walk.base;
	paths->from = paths->from_walk.path;
	paths->to = paths->to_walk.path;
	return result;
}

/* Makes a call about both, where they are.  0 or -errno. */
static int two_paths_ask(struct two_paths *paths, long flags,
                         int (*ask)(const struct two_paths *paths, long flags))
{
	int result = ask(paths, flags);

	if (result == STATUS_ELSEWHERE) {
		result = two_paths_follow(paths);
		if (result)
			return result;
		result = ask(paths, flags);
	}
	return errno_of(result);
}

/* Of Linux; musl 1.2.5 does not name them. */
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE  2

static int ask_rename(const struct two_paths *paths, long flags)
{
	const struct directory_rename_params params = {
	        .from = paths->from,
	        .to = paths->to,
	        .flags = flags == RENAME_NOREPLACE  ? MOVE_NO_REPLACE
	                 : flags == RENAME_EXCHANGE ? MOVE_EXCHANGE
	                                            : 0};
	struct capos_call call = FILES_CALL();

	return directory_rename(paths->base, &params, &call);
}

long sys_renameat2(long from_fd, long from, long to_fd, long to, long flags)
{
	struct two_paths paths;
	int result;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) {
		result = (int)absent_flags(ABSENT_RENAMEAT2, (unsigned long)flags);
		return result ? result : -EINVAL;
	}
	if (flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	result = two_paths(&paths, from_fd, from, to_fd, to);
	if (!result)
		result = two_paths_ask(&paths, flags, ask_rename);
	two_paths_end(&paths);
	return result;
}

long sys_renameat(long from_fd, long from, long to_fd, long to)
{
	return sys_renameat2(from_fd, from, to_fd, to, 0);
}

long sys_rename(long from, long to)
{
	return sys_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

static int ask_link(const struct two_paths *paths, long unused)
{
	const struct directory_link_params params = {.from = paths->from, .to = paths->to};
	struct capos_call call = FILES_CALL();

	(void)unused;
	return directory_link(paths->base, &params, &call);
}

static int link_names(long from_fd, const char *from, long to_fd, long to)
{
	struct two_paths paths;
	int result = two_paths(&paths, from_fd, (long)from, to_fd, to);

	if (!result)
		result = two_paths_ask(&paths, 0, ask_link);
	two_paths_end(&paths);
	return result;
}

int file_offer_for(cap_t file, uint64_t *key)
{
	struct file_offer_params params;
	struct capos_call call = FILES_CALL();
	long got = sys_getrandom((long)key, sizeof(*key), 0);

	if (got < 0)
		return (int)got;
	*key |= 1; /* 0 is no key */
	params.key = *key;
	return errno_of(file_offer(file, &params, &call));
}

/* Whether the file and the path are in different volumes, or one of them in none. */
static bool is_far(struct file *f, int to_fd, long to)
{
	struct path_walk w;
	struct stat st;
	uint32_t volume;

	if (f->ops->stat(f, &st) || path_start(&w, to_fd, (const char *)to) ||
	    path_locate(&w, false, &volume))
		return false;
	path_end(&w);
	return st.st_dev != (volume ? VOLUME_DEVICES + volume : FILES_DEVICE);
}

/* Names what is open, with or without a name. */
static int link_open_file(int fd, long to_fd, long to)
{
	struct directory_link_file_params params;
	struct file *f = fd_file(fd);
	struct path_walk w;
	int result;

	if (!f && fd != AT_FDCWD)
		return -EBADF;
	if (!f || file_directory(f))
		return -EPERM;
	if (!file_object(f))
		return -EXDEV;
	result = file_offer_for(file_object(f), &params.key);
	if (!result)
		result = path_start(&w, (int)to_fd, (const char *)to);
	if (result)
		return result;
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_link_file(w.base, &params, &call);
	} while (path_goes_on(&w, false, &result));
	return result == -ENOENT && is_far(f, to_fd, to) ? -EXDEV : result;
}

/* A path without links in it: 1 when it is none of the library's own, which may be a descriptor. */
static int link_own(const char *path, bool follow, long to_fd, long to)
{
	int fd = follow ? device_descriptor(path) : -1;
	struct stat st;

	if (fd >= 0)
		return fd_file(fd) ? link_open_file(fd, to_fd, to) : -ENOENT;
	return device_stat(path, &st) && made_files.stat(path, false, &st) ? 1 : -EXDEV;
}

/* The service does not follow a link in the last place. */
static int link_followed(long from_fd, const char *from, long to_fd, long to)
{
	char *resolved = NULL;
	struct stat st;
	int result = stat_at((int)from_fd, from, AT_SYMLINK_NOFOLLOW, &st);

	if (result && result != -ENXIO)
		return result;
	if (!result && !S_ISLNK(st.st_mode))
		return link_names(from_fd, from, to_fd, to);
	resolved = path_resolve((int)from_fd, from);
	if (!resolved)
		return -ENOMEM;
	result = link_own(resolved, true, to_fd, to);
	if (result == 1)
		result = link_names(AT_FDCWD, resolved, to_fd, to);
	posix_free(resolved);
	return result;
}

long sys_linkat(long from_fd, long from, long to_fd, long to, long flags)
{
	const bool follow = flags & AT_SYMLINK_FOLLOW;
	const char *path = (const char *)from;
	char made[PATH_BYTES];
	int result;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	result = path_check(path);
	if (result)
		return result;
	if (!*path && flags & AT_EMPTY_PATH)
		return link_open_file((int)from_fd, to_fd, to);
	result = link_own(path_of_made((int)from_fd, path, made), follow, to_fd, to);
	if (result <= 0)
		return result;
	return follow ? link_followed(from_fd, path, to_fd, to)
	              : link_names(from_fd, path, to_fd, to);
}

long sys_link(long from, long to)
{
	return sys_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* ---- Symlinks ---- */

long sys_symlinkat(long target, long directory_fd, long path)
{
	struct directory_symlink_params params;
	struct path_walk w;
	int result = path_check((const char *)target);

	if (!result)
		result = path_start(&w, (int)directory_fd, (const char *)path);
	if (result)
		return result;
	params.target = path_text((const char *)target);
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_symlink(w.base, &params, &call);
	} while (path_goes_on(&w, false, &result));
	return result;
}

long sys_symlink(long target, long path)
{
	return sys_symlinkat(target, AT_FDCWD, path);
}

static long put_target(const char *target, size_t length, long buffer, size_t size)
{
	if (length > size)
		length = size;
	return user_write(buffer, target, length) ? -EFAULT : (long)length;
}

#define LINKS_MAX 40 /* as Linux: a path leads through no more */

void path_follow(char path[PATH_BYTES])
{
	struct directory_read_link_params params;
	struct directory_read_link_results results;

	for (int links = 0; links < LINKS_MAX && path_root(); links++) {
		struct path_walk w;
		char *name;
		int result;

		path_start_at(&w, path_root(), path);
		do {
			struct capos_call call = FILES_CALL();
			params.path = w.path;
			result = directory_read_link(w.base, &params, &results, &call);
		} while (path_goes_on(&w, false, &result));
		if (result)
			return; /* it is no link */
		name = strrchr(path, '/') + 1;
		if (*results.target.ptr == '/')
			name = path;
		if (results.target.len >= PATH_BYTES - (size_t)(name - path))
			return;
		memcpy(name, results.target.ptr, results.target.len);
		name[results.target.len] = 0;
	}
}

/* What the library's own path leads to, also what musl's ttyname asks: the path of a descriptor
 * that is a terminal.  Its length, -EINVAL: it is no link; 0: the library has no such path. */
static long own_link(const char *path, char target[PATH_BYTES])
{
	const struct file *f = fd_file(device_descriptor(path));
	size_t terminal = f ? core_hooks.terminal_path(f, target, PATH_BYTES) : 0;
	long length = terminal ? (long)terminal : made_files.read_link(path, target, PATH_BYTES);
	struct stat st;

	if (length)
		return length;
	return made_files.stat(path, false, &st) ? 0 : -EINVAL;
}

/* As own_link, of a path that leads out of the files service. */
static long link_elsewhere(int directory_fd, const char *path, char target[PATH_BYTES])
{
	char *resolved = path_resolve(directory_fd, path);
	long length = resolved ? own_link(resolved, target) : 0;

	if (resolved)
		posix_free(resolved);
	return length ? length : -ENOENT;
}

/* What the files service, or a volume, has for the link.  0 or -errno. */
static int read_link(int directory_fd, const char *path, long buffer, size_t size, long *put)
{
	struct directory_read_link_params params;
	struct directory_read_link_results results;
	struct path_walk w;
	int result = path_start(&w, directory_fd, path);

	if (result)
		return result;
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_read_link(w.base, &params, &results, &call);
		if (!result)
			*put = put_target(results.target.ptr, results.target.len, buffer, size);
	} while (path_goes_on(&w, false, &result));
	return result;
}

long sys_readlinkat(long directory_fd, long path, long buffer, long size)
{
	char target[PATH_BYTES], made[PATH_BYTES];
	long length, put = 0;
	int result;

	if ((int)size <= 0)
		return -EINVAL;
	result = path_check((const char *)path);
	if (result)
		return result;
	length = own_link(path_of_made((int)directory_fd, (const char *)path, made), target);
	if (!length) {
		result = read_link((int)directory_fd, (const char *)path, buffer, (size_t)size,
		                   &put);
		if (!result)
			return put;
		length = result;
	}
	if (length == -ENXIO)
		length = link_elsewhere((int)directory_fd, (const char *)path, target);
	return length < 0 ? length : put_target(target, (size_t)length, buffer, (size_t)size);
}

long sys_readlink(long path, long buffer, long size)
{
	return sys_readlinkat(AT_FDCWD, path, buffer, size);
}
