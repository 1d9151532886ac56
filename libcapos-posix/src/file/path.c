/* SPDX-License-Identifier: MIT */
/*
 * Where paths start: the root that the process was given as "files" or that chroot took, its
 * working directory, or an open directory.  The working directory is a capability too, so it stays
 * the same directory however it is renamed.
 */
#include <errno.h>
#include <string.h>

#include <capos/schema/service_client.h>
#include <capos/start.h>

#include "core/core.h"
#include "file/file.h"

static cap_t root_directory;    /* CAP_NULL: the one that the process was given */
static cap_t working_directory; /* CAP_NULL: where the process started */
static unsigned mask = 022;
/* The working directory when it is one of the library's own: /proc or a directory below it. */
static char made_directory[64];

void path_state(cap_t *root, cap_t *directory, unsigned *bits)
{
	*root = root_directory;
	*directory = working_directory;
	*bits = mask;
}

void path_restore(cap_t root, cap_t directory, unsigned bits)
{
	root_directory = root;
	working_directory = directory;
	mask = bits;
}

cap_t path_root(void)
{
	return root_directory ? root_directory : start_cap("files");
}

cap_t path_files(void)
{
	cap_t files = start_cap("files");

	return files ? files : path_root();
}

cap_t path_cwd(void)
{
	cap_t start = working_directory ? working_directory : start_cap("directory");

	return start ? start : path_root();
}

struct msg_text path_text(const char *path)
{
	return (struct msg_text){.ptr = path, .len = (uint32_t)strlen(path)};
}

unsigned path_umask(unsigned mode)
{
	return mode & 07777 & ~mask;
}

int path_check(const char *path)
{
	long length = posix_user_length(path, PATH_BYTES);

	if (length < 0)
		return -EFAULT;
	return length == PATH_BYTES ? -ENAMETOOLONG : 0;
}

int path_base(int directory_fd, const char *path, cap_t *base)
{
	struct file *f;
	int result = path_check(path);

	if (result)
		return result;
	if (!*path)
		return -ENOENT;
	if (*path == '/' || directory_fd == AT_FDCWD) {
		*base = *path == '/' ? path_root() : path_cwd();
		return *base ? 0 : -EACCES;
	}
	f = fd_file(directory_fd);
	if (!f)
		return -EBADF;
	*base = file_directory(f);
	return *base ? 0 : -ENOTDIR;
}

void path_absolute(const char *path, char out[PATH_BYTES])
{
	struct directory_path_results results = {.path = MSG_TEXT("")};
	struct capos_call call = FILES_CALL();
	size_t length = strlen(path), before;

	out[0] = 0;
	while (!strncmp(path, "./", 2))
		path += 2, length -= 2;
	if (*path != '/' && (!path_cwd() || directory_path(path_cwd(), &results, &call)))
		return;
	before = results.path.len == 1 ? 0 : results.path.len; /* the root's is one slash */
	if (before + 1 + length >= PATH_BYTES)
		return;
	memcpy(out, results.path.ptr, before);
	if (*path != '/')
		out[before++] = '/';
	memcpy(out + before, path, length + 1);
}

static void change_directory(cap_t directory)
{
	cap_release(working_directory);
	working_directory = directory;
}

const char *path_of_made(int directory_fd, const char *path, char out[PATH_BYTES])
{
	size_t before = strlen(made_directory);

	if (*path == '/' || directory_fd != AT_FDCWD || !before ||
	    before + 1 + strlen(path) >= PATH_BYTES)
		return path;
	strcpy(out, made_directory);
	out[before] = '/';
	strcpy(out + before + 1, path);
	return out;
}

/* Takes note of where the process is now, as far as it matters here. */
static void note_directory(const char *path)
{
	char text[PATH_BYTES];
	const char *full = path_of_made(AT_FDCWD, path, text);

	if (strncmp(full, "/proc", 5) || (full[5] && full[5] != '/') || strstr(full, "..") ||
	    strlen(full) >= sizeof(made_directory))
		full = "";
	strcpy(made_directory, full);
}

long sys_chdir(long path)
{
	struct directory_open_params params = {.flags = OPEN_DIRECTORY};
	struct directory_open_results results;
	struct capos_call call;
	struct path_walk w;
	int result = path_start(&w, AT_FDCWD, (const char *)path);

	if (result)
		return result;
	do {
		call = FILES_CALL();
		params.path = w.path;
		result = directory_open(w.base, &params, &results, &call);
	} while (path_goes_on(&w, true, &result));
	if (result)
		return result;
	if (!call.ncaps)
		return -EIO;
	change_directory(call.caps[0]);
	note_directory((const char *)path);
	return 0;
}

/* The directory as a root of its own.  As on Linux the working directory stays where it is, and the
 * devices of /dev and the files of /proc are what they were: they are authority over nothing that
 * the process has not got. */
long sys_chroot(long path)
{
	struct directory_subdirectory_params params;
	struct directory_subdirectory_results results;
	struct capos_call call;
	struct path_walk w;
	cap_t start;
	int result = path_start(&w, AT_FDCWD, (const char *)path);

	if (result)
		return result;
	/* Where it started is below the old root, and the new one's paths are others. */
	if (!working_directory) {
		result = errno_of(cap_copy(path_cwd(), CAP_RIGHTS_ALL, &start));
		if (result)
			return result;
		working_directory = start;
	}
	do {
		call = FILES_CALL();
		params.path = w.path;
		result = directory_subdirectory(w.base, &params, &results, &call);
	} while (path_goes_on(&w, true, &result));
	if (result)
		return result;
	if (!call.ncaps)
		return -EIO;
	cap_release(root_directory);
	root_directory = call.caps[0];
	return 0;
}

long sys_fchdir(long fd)
{
	struct file *f = fd_file((int)fd);
	cap_t copy;
	int result;

	if (!f)
		return -EBADF;
	if (!file_directory(f))
		return -ENOTDIR;
	result = cap_copy(file_directory(f), CAP_RIGHTS_ALL, &copy);
	if (result)
		return errno_of(result);
	change_directory(copy);
	made_directory[0] = 0;
	return 0;
}

long sys_getcwd(long buffer, long size)
{
	struct directory_path_results results;
	struct capos_call call = FILES_CALL();
	int result;

	if (!path_cwd())
		return -EACCES;
	result = directory_path(path_cwd(), &results, &call);
	if (result)
		return errno_of(result);
	if (results.path.len + 1ul > (unsigned long)size)
		return -ERANGE;
	if (user_write(buffer, results.path.ptr, results.path.len) ||
	    user_write(buffer + results.path.len, "", 1))
		return -EFAULT;
	return results.path.len + 1;
}

long sys_umask(long new_mask)
{
	unsigned old = mask;

	mask = (unsigned)new_mask & 0777;
	return old;
}
