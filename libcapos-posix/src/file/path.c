/* SPDX-License-Identifier: MIT */
/*
 * Where paths start: the root that the process was given as "files" or that chroot took, its
 * working directory, or an open directory.  The working directory is a capability too, so it stays
 * the same directory however it is renamed.
 */
#include <errno.h>
#include <string.h>

#include <capos/format.h>
#include <capos/schema/service_client.h>
#include <capos/start.h>

#include "core/core.h"
#include "file/file.h"

static cap_t root_directory;    /* CAP_NULL: the one that the process was given */
static cap_t working_directory; /* CAP_NULL: where the process started */
static unsigned mask = 022;
/* The working directory when it is one of the library's own: /proc or a directory below it, which
 * the files service does not know. */
static char made_directory[PATH_MADE_BYTES];

void path_state(struct path_saved *out)
{
	out->root = root_directory;
	out->directory = working_directory;
	out->mask = mask;
	memcpy(out->made, made_directory, sizeof(out->made));
}

void path_restore(const struct path_saved *in)
{
	root_directory = in->root;
	working_directory = in->directory;
	mask = in->mask & 0777;
	memcpy(made_directory, in->made, sizeof(made_directory));
	made_directory[sizeof(made_directory) - 1] = 0;
}

/* Whether the working directory is below /proc. */
static bool is_below_proc(void)
{
	return strlen(made_directory) > sizeof("/proc") - 1;
}

/* What the process was given by that name, looked for once: each path asks. */
struct given {
	const char *name;
	cap_t cap;
	bool looked;
};

static struct given given_files = {.name = "files"}, given_directory = {.name = "directory"};

static cap_t given(struct given *g)
{
	if (!g->looked)
		g->cap = start_cap(g->name);
	g->looked = true;
	return g->cap;
}

cap_t path_root(void)
{
	return root_directory ? root_directory : given(&given_files);
}

cap_t path_files(void)
{
	cap_t files = given(&given_files);

	return files ? files : path_root();
}

cap_t path_cwd(void)
{
	cap_t start = working_directory ? working_directory : given(&given_directory);

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

int path_base(int directory_fd, const char **path, cap_t *base)
{
	const char *rest;
	struct file *f;
	int result = path_check(*path);

	if (result)
		return result;
	if (!**path)
		return -ENOENT;
	rest = **path == '/' ? device_through_link(*path, base) : NULL;
	if (rest) {
		*path = rest;
		return 0;
	}
	if (**path == '/' || directory_fd == AT_FDCWD) {
		*base = **path == '/' ? path_root() : path_cwd();
		return *base ? 0 : -EACCES;
	}
	f = fd_file(directory_fd);
	if (!f)
		return -EBADF;
	*base = file_directory(f);
	return *base ? 0 : -ENOTDIR;
}

int path_place(int directory_fd, const char **path, cap_t *base, char made[PATH_BYTES])
{
	const char *given = *path;
	int result = path_base(directory_fd, path, base);

	if (result || *given == '/' || directory_fd != AT_FDCWD || !is_below_proc())
		return result;
	*path = path_of_made(directory_fd, *path, made);
	*base = path_root();
	return *base ? 0 : -EACCES;
}

bool path_is_made(int directory_fd, const char *path)
{
	return *path && *path != '/' && directory_fd == AT_FDCWD && is_below_proc();
}

int path_of_directory(cap_t directory, struct directory_path_results *results,
                      struct capos_call *call)
{
	int result = errno_of(directory_path(directory, results, call));

	return result ? result : results->gone ? -ENOENT : 0;
}

void path_absolute(const char *path, char out[PATH_BYTES])
{
	struct directory_path_results results = {.path = MSG_TEXT("")};
	struct capos_call call = FILES_CALL();
	size_t length = strlen(path), before;

	out[0] = 0;
	while (!strncmp(path, "./", 2))
		path += 2, length -= 2;
	if (*path != '/' && is_below_proc())
		results.path = path_text(made_directory);
	else if (*path != '/' && (!path_cwd() || path_of_directory(path_cwd(), &results, &call)))
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

/* Appends a path's components to an absolute path without a slash at its end: "." and empty ones
 * are left out, ".." takes one away.  False: it is too long. */
static bool append(char out[PATH_BYTES], const char *path)
{
	size_t length, used = strlen(out);

	for (; *path; path += length) {
		length = strcspn(path, "/");
		if (!length) {
			path++;
		} else if (length == 2 && !memcmp(path, "..", 2)) {
			while (used && out[--used] != '/')
				;
		} else if (length != 1 || *path != '.') {
			if (used + 1 + length >= PATH_BYTES)
				return false;
			out[used] = '/';
			memcpy(out + used + 1, path, length);
			used += 1 + length;
		}
		out[used] = 0;
	}
	return true;
}

/* Whether a path is written as what makes files knows it, if it names one of them. */
static bool is_plain(const char *path)
{
	return *path == '/' && !strstr(path, "//") && !strstr(path, "/.");
}

const char *path_of_made(int directory_fd, const char *path, char out[PATH_BYTES])
{
	const bool relative = *path != '/';
	size_t length;

	if (!*path || is_plain(path) || (relative && directory_fd != AT_FDCWD) ||
	    (!strstr(path, "proc") && !(relative && made_directory[0])))
		return path;
	out[0] = 0;
	if (relative && made_directory[0])
		strcpy(out, made_directory);
	else if (relative)
		path_absolute("", out);
	length = strlen(out);
	if (length && out[length - 1] == '/')
		out[length - 1] = 0;
	if (!append(out, path))
		return path;
	/* A slash at the end asks for a directory. */
	length = strlen(out);
	if (!*out || (path[strlen(path) - 1] == '/' && length + 1 < PATH_BYTES))
		strcpy(out + length, "/");
	return out;
}

/* Takes note of where the process is now, as far as it matters here. */
static void note_directory(const char *path)
{
	const char *after = !strncmp(path, "/proc/self", 10) ? path + 10 : NULL;

	made_directory[0] = 0;
	if (after && (!*after || *after == '/')) /* it stays this process's for its children */
		fmt_snprintf(made_directory, sizeof(made_directory), "/proc/%u%s",
		             (unsigned)process_id(), after);
	else if (!strncmp(path, "/proc", 5) && (!path[5] || path[5] == '/') &&
	         strlen(path) < sizeof(made_directory))
		strcpy(made_directory, path);
}

static int open_directory(const char *path)
{
	struct directory_open_params params = {.flags = OPEN_DIRECTORY | OPEN_EXECUTE};
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
		return result;
	if (!call.ncaps)
		return -EIO;
	change_directory(call.caps[0]);
	return 0;
}

/* A directory below /proc, written out; 1: it is none. */
static int enter_made(const char *path, size_t length)
{
	struct stat st;
	int result;

	if (strncmp(path, "/proc/", 6))
		return 1;
	result = made_files.stat(path, true, &st);
	if (result)
		return result;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (length >= sizeof(made_directory) || st.st_dev)
		return 1;                 /* a link that leads out of /proc */
	result = open_directory("/proc"); /* where the service takes it to be */
	if (!result)
		note_directory(path);
	return result;
}

/* A link of /proc that leads out of it. */
static int enter_target(const char *path)
{
	char target[PATH_BYTES];
	long length = made_files.read_link(path, target, sizeof(target) - 1);

	if (length <= 0 || *target != '/')
		return length < 0 ? (int)length : 1;
	target[length] = 0;
	return open_directory(target);
}

long sys_chdir(long to)
{
	const char *path = (const char *)to, *full;
	char text[PATH_BYTES];
	size_t length;
	int result = path_check(path);

	if (result)
		return result;
	full = path_of_made(AT_FDCWD, path, text);
	if (full == path && strlen(path) < sizeof(text))
		full = strcpy(text, path);
	length = strlen(text);
	if (full == text && length > 1 && text[length - 1] == '/')
		text[--length] = 0;
	result = enter_made(full, length);
	if (result == 1)
		result = enter_target(full);
	if (result == 1) {
		result = open_directory(path);
		if (!result)
			note_directory(full);
	}
	return result;
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
	int result;

	if (process_identity()->user.effective)
		return -EPERM;
	result = path_start(&w, AT_FDCWD, (const char *)path);
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

/* To look at "." takes the permission to search, which user 0 always has.  0 or -errno. */
static int may_enter(cap_t directory)
{
	struct stat st;

	return process_identity()->file_user ? path_stat(directory, ".", true, &st) : 0;
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
	result = may_enter(file_directory(f));
	if (result)
		return result;
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
	struct stat st;
	int result;

	if (!path_cwd())
		return -EACCES;
	if (is_below_proc() && made_files.stat(made_directory, true, &st))
		return -ENOENT; /* its process has ended */
	if (is_below_proc())
		results.path = path_text(made_directory);
	else if ((result = path_of_directory(path_cwd(), &results, &call)))
		return result;
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
