/* SPDX-License-Identifier: MIT */
/*
 * A file that gets its name when all of it has been written. Until then it has no name at all where
 * the file system can do that (O_TMPFILE), so that a signal leaves nothing behind; elsewhere it has
 * a name that is removed at exit.
 */
#include "tools/capos/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "tools/capos/complain.h"

#define MODE_NEW 0666
#define LEFT_MAX 4 /* files that are written at the same time: an image and its kernel */

/* Names to remove when the process ends before they were moved to their places. */
static const char *left[LEFT_MAX];

static void remove_left(void)
{
	for (size_t i = 0; i < LEFT_MAX; i++) {
		if (left[i])
			unlink(left[i]);
	}
}

static void keep_in_mind(const char *name, const char *in_place_of)
{
	static bool registered;

	if (!registered && atexit(remove_left) == 0)
		registered = true;
	for (size_t i = 0; i < LEFT_MAX; i++) {
		if (left[i] == in_place_of) {
			left[i] = name;
			return;
		}
	}
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return must(strdup("."));
	return must(strndup(path, slash == path ? 1 : (size_t)(slash - path)));
}

/* A file without a name, or with the temporary one. */
static int open_new(struct replacement *r)
{
	char *directory = directory_of(r->path);
	int fd = open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC, MODE_NEW);

	/* A kernel or a file system that does not know the flag sees a directory to be written. */
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		fd = open(r->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE_NEW);
		if (fd >= 0)
			keep_in_mind(r->temporary, NULL);
	}
	free(directory);
	return fd;
}

void replace_begin(struct replacement *r, const char *name)
{
	struct stat st;
	bool exists = stat(name, &st) == 0;

	*r = (struct replacement){.name = name, .fd = -1};
	r->path = exists ? realpath(name, NULL) : strdup(name);
	if (!r->path || (exists && S_ISREG(st.st_mode) && access(name, W_OK) != 0))
		die("%s: %s", name, strerror(errno));
	if (exists && !S_ISREG(st.st_mode)) {
		r->fd = open(name, O_RDWR | O_CLOEXEC);
	} else {
		r->temporary = must_format("%s.%ld.new", r->path, (long)getpid());
		r->fd = open_new(r);
	}
	if (r->fd < 0)
		die("%s: %s", name, strerror(errno));
	/* A file system without modes still has the bytes. */
	if (exists && r->temporary)
		(void)!fchmod(r->fd, st.st_mode & 07777);
}

/* Gives the file its temporary name, unless it has that already. */
static bool name_file(const struct replacement *r)
{
	struct stat st;

	if (fstat(r->fd, &st) != 0 || st.st_nlink != 0)
		return true;
	char *self = must_format("/proc/self/fd/%d", r->fd);
	bool named = linkat(AT_FDCWD, self, AT_FDCWD, r->temporary, AT_SYMLINK_FOLLOW) == 0;
	free(self);
	if (named)
		keep_in_mind(r->temporary, NULL);
	return named;
}

void replace_commit(struct replacement *r)
{
	/* Some file systems report only at close that there was no room. */
	if ((r->temporary && !name_file(r)) || close(r->fd) != 0 ||
	    (r->temporary && rename(r->temporary, r->path) != 0))
		die("%s: %s", r->name, strerror(errno));
	if (r->temporary)
		keep_in_mind(NULL, r->temporary);
	free(r->temporary);
	free(r->path);
}
