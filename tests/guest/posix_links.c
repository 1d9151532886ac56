/* SPDX-License-Identifier: MIT */
/*
 * Names for what has one already, or none: links to files that are open, and through symbolic
 * links.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix_tap.h"

static char proc_path[64];

static const char *path_of(int fd)
{
	snprintf(proc_path, sizeof(proc_path), "/proc/self/fd/%d", fd);
	return proc_path;
}

static int nameless(int flags)
{
	int fd = open(".", O_TMPFILE | O_RDWR | flags, 0640);

	return write(fd, "text", 4) == 4 ? fd : -1;
}

static int links_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) ? -1 : (int)st.st_nlink;
}

static int is_text(const char *name)
{
	char text[8] = "";
	int fd = open(name, O_RDONLY);
	int same = fd >= 0 && read(fd, text, 7) == 4 && !strcmp(text, "text");

	close(fd);
	return same;
}

static void files_without_names(void)
{
	int fd = nameless(0);
	struct stat st;

	ok(fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0, "a file without a name");
	fails(linkat(fd, "", AT_FDCWD, "made", 0), ENOENT, "an empty path alone names nothing");
	fails(linkat(fd, "", AT_FDCWD, "made", 0x8000), EINVAL, "an unknown flag");
	ok(linkat(fd, "", AT_FDCWD, "made", AT_EMPTY_PATH) == 0 && is_text("made"),
	   "it gets a name by its descriptor");
	ok(fstat(fd, &st) == 0 && st.st_nlink == 1 && (st.st_mode & 07777) == 0640 &&
	           pwrite(fd, "T", 1, 0) == 1 && !is_text("made") && pwrite(fd, "t", 1, 0) == 1,
	   "and is the same file");
	fails(linkat(fd, "", AT_FDCWD, "made", AT_EMPTY_PATH), EEXIST, "which is taken then");
	ok(linkat(fd, "", AT_FDCWD, "second", AT_EMPTY_PATH) == 0 && links_of("made") == 2,
	   "and a second one");
	ok(unlink("made") == 0 && unlink("second") == 0, "both go");
	fails(linkat(fd, "", AT_FDCWD, "made", AT_EMPTY_PATH), ENOENT,
	      "a file that has lost its names gets none");
	close(fd);
	fd = nameless(O_EXCL);
	fails(linkat(fd, "", AT_FDCWD, "made", AT_EMPTY_PATH), ENOENT,
	      "nor does one that was made with O_EXCL");
	fails(linkat(AT_FDCWD, path_of(fd), AT_FDCWD, "made", AT_SYMLINK_FOLLOW), ENOENT,
	      "by its path either");
	close(fd);
}

static void paths_of_descriptors(void)
{
	int fd = nameless(0), directory = open("there", O_RDONLY | O_DIRECTORY), pair[2];

	ok(linkat(AT_FDCWD, path_of(fd), AT_FDCWD, "made", AT_SYMLINK_FOLLOW) == 0 &&
	           is_text("made") && links_of("made") == 1,
	   "a file without a name gets one by /proc/self/fd");
	ok(linkat(AT_FDCWD, path_of(fd), directory, "made", AT_SYMLINK_FOLLOW) == 0 &&
	           is_text("there/made"),
	   "in another directory too");
	fails(linkat(AT_FDCWD, path_of(fd), AT_FDCWD, "none/made", AT_SYMLINK_FOLLOW), ENOENT,
	      "in none");
	fails(linkat(AT_FDCWD, path_of(fd), AT_FDCWD, "third", 0), EXDEV,
	      "the path itself is a link of another file system");
	ok(symlink(path_of(fd), "by") == 0 &&
	           linkat(AT_FDCWD, "by", AT_FDCWD, "third", AT_SYMLINK_FOLLOW) == 0 &&
	           is_text("third"),
	   "through a symbolic link");
	fails(linkat(AT_FDCWD, "/proc/self/fd/999", AT_FDCWD, "x", AT_SYMLINK_FOLLOW), ENOENT,
	      "of no descriptor");
	fails(linkat(999, "", AT_FDCWD, "x", AT_EMPTY_PATH), EBADF, "a number that is not open");
	fails(linkat(directory, "", AT_FDCWD, "x", AT_EMPTY_PATH), EPERM, "a directory");
	ok(pipe(pair) == 0, "a pipe");
	fails(linkat(pair[0], "", AT_FDCWD, "x", AT_EMPTY_PATH), EXDEV, "is in no directory");
	fails(linkat(AT_FDCWD, path_of(pair[0]), AT_FDCWD, "x", AT_SYMLINK_FOLLOW), EXDEV,
	      "by its path either");
	fails(linkat(AT_FDCWD, "/proc/self/stat", AT_FDCWD, "x", 0), EXDEV, "a file of /proc");
	close(fd), close(directory), close(pair[0]), close(pair[1]);
	unlink("by"), unlink("third"), unlink("there/made");
}

static void symbolic_links(void)
{
	struct stat st;

	ok(symlink("made", "one") == 0 && symlink("one", "two") == 0, "a link to a link");
	ok(linkat(AT_FDCWD, "two", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW) == 0 &&
	           lstat("followed", &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 2,
	   "AT_SYMLINK_FOLLOW links what it leads to");
	ok(linkat(AT_FDCWD, "two", AT_FDCWD, "same", 0) == 0 && lstat("same", &st) == 0 &&
	           S_ISLNK(st.st_mode) && links_of("two") == 2,
	   "without it the link itself");
	ok(linkat(AT_FDCWD, "made", AT_FDCWD, "plain", AT_SYMLINK_FOLLOW) == 0 &&
	           links_of("plain") == 3,
	   "what is no link is linked either way");
	ok(symlink("none", "dangling") == 0, "a link to nothing");
	fails(linkat(AT_FDCWD, "dangling", AT_FDCWD, "x", AT_SYMLINK_FOLLOW), ENOENT,
	      "leads to nothing");
	ok(symlink("there", "dir") == 0, "a link to a directory");
	fails(linkat(AT_FDCWD, "dir", AT_FDCWD, "x", AT_SYMLINK_FOLLOW), EPERM,
	      "which has one name");
	fails(linkat(AT_FDCWD, "two", AT_FDCWD, "plain", AT_SYMLINK_FOLLOW), EEXIST,
	      "the name is taken");
}

int main(void)
{
	char home[] = "/tmp/posix_links.XXXXXX", command[64];

	ok(mkdtemp(home) && chdir(home) == 0 && mkdir("there", 0700) == 0, "a directory");
	files_without_names();
	paths_of_descriptors();
	symbolic_links();
	snprintf(command, sizeof(command), "rm -r %s", home);
	ok(chdir("/") == 0 && system(command) == 0, "all is removed");
	return tap_finish();
}
