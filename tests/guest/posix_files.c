/* SPDX-License-Identifier: MIT */
/*
 * Files, directories, links and devices.  Works in a directory of its own under /tmp and leaves
 * nothing behind; run as root, so that Linux answers as capOS does.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "posix_tap.h"

#define HOME "/tmp/posix_files"

static char big[200000], back[200000];

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

static int has(const char *path, const char *text)
{
	char buffer[256] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer) - 1);

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && !strcmp(buffer, text);
}

static void opening(void)
{
	struct stat st;
	int fd;

	fails(open("none", O_RDONLY), ENOENT, "open of nothing is ENOENT");
	fails(open("", O_RDONLY), ENOENT, "open of the empty path is ENOENT");
	umask(027);
	fd = open("f", O_CREAT | O_EXCL | O_RDWR, 0666);
	umask(022);
	ok(fd >= 0, "O_CREAT");
	ok(fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0640, "umask");
	ok(st.st_nlink == 1 && st.st_size == 0 && st.st_blocks == 0 && st.st_uid == 0,
	   "fstat of a new file");
	fails(open("f", O_CREAT | O_EXCL | O_RDWR, 0666), EEXIST, "O_EXCL");
	fails(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR, "O_DIRECTORY of a file");
	fails(open("f/", O_RDONLY), ENOTDIR, "a slash behind a file");
	fails(open("f/x", O_RDONLY), ENOTDIR, "a path through a file");
	fails(open(".", O_RDWR), EISDIR, "a directory is not opened for writing");
	fails(open("new/", O_CREAT | O_RDWR, 0666), EISDIR, "O_CREAT with a slash behind");
	fails(open("f/", O_CREAT | O_RDWR, 0666), EISDIR, "O_CREAT of a file with a slash behind");
	fails(open("f/", O_CREAT | O_EXCL, 0666), EISDIR, "the same with O_EXCL");
	fails(open("./", O_CREAT | O_EXCL, 0666), EEXIST, "O_EXCL of no name");
	fails(open("f/new/", O_CREAT | O_RDWR, 0666), ENOTDIR, "O_CREAT below a file");
	fails(mknod("new/", S_IFREG | 0666, 0), ENOENT, "mknod with a slash behind");
	fails(mknod("f/", S_IFREG | 0666, 0), EEXIST, "mknod of a file with a slash behind");
	fails(read(open(".", O_RDONLY), big, 1), EISDIR, "read of a directory");
	ok(write(fd, "hello", 5) == 5, "write");
	close(fd);
	fd = open("f", O_RDONLY);
	fails(write(fd, "x", 1), EBADF, "write to what was opened for reading");
	fails(ftruncate(fd, 1), EINVAL, "ftruncate of it");
	ok(read(fd, back, 100) == 5 && !memcmp(back, "hello", 5), "read");
	ok(read(fd, back, 100) == 0, "the end");
	close(fd);
	fd = open("f", O_WRONLY | O_TRUNC);
	ok(fstat(fd, &st) == 0 && st.st_size == 0, "O_TRUNC");
	fails(read(fd, back, 1), EBADF, "read from what was opened for writing");
	close(fd);
	char name[300];
	memset(name, 'n', sizeof(name));
	name[256] = 0;
	fails(open(name, O_RDONLY), ENAMETOOLONG, "a name of 256 bytes");
	name[255] = 0;
	fd = open(name, O_CREAT | O_RDWR, 0600);
	ok(fd >= 0 && unlink(name) == 0, "a name of 255 bytes");
	close(fd);
	static char path[PATH_MAX + 10];
	memset(path, '/', sizeof(path) - 1);
	fails(open(path, O_RDONLY), ENAMETOOLONG, "a path of more than PATH_MAX");
}

static void data(void)
{
	struct iovec out[3] = {{"ab", 2}, {big, 100000}, {"yz", 2}},
	             in[2] = {{back, 3}, {back + 3, 100001}};
	struct stat st;
	int fd = open("data", O_CREAT | O_RDWR, 0644), second;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 251);
	ok(write(fd, big, sizeof(big)) == sizeof(big), "a large write");
	ok(lseek(fd, 0, SEEK_CUR) == sizeof(big) && lseek(fd, 0, SEEK_SET) == 0, "lseek");
	ok(read(fd, back, sizeof(back)) == sizeof(back) && !memcmp(big, back, sizeof(big)),
	   "a large read");
	ok(pread(fd, back, 1000, 70000) == 1000 && !memcmp(back, big + 70000, 1000), "pread");
	ok(pwrite(fd, "XYZ", 3, 65535) == 3 && pread(fd, back, 5, 65534) == 5 &&
	           !memcmp(back + 1, "XYZ", 3),
	   "pwrite");
	ok(lseek(fd, 0, SEEK_CUR) == sizeof(big), "both leave the offset");
	fails(pread(fd, back, 1, -1), EINVAL, "pread at a negative offset");
	fails(lseek(fd, -1, SEEK_SET), EINVAL, "lseek before the start");
	fails(lseek(fd, 0, 99), EINVAL, "an unknown whence");
	ok(lseek(fd, -10, SEEK_END) == sizeof(big) - 10, "SEEK_END");
	ok(ftruncate(fd, 10) == 0 && fstat(fd, &st) == 0 && st.st_size == 10, "ftruncate down");
	ok(ftruncate(fd, 5000) == 0 && pread(fd, back, 5000, 0) == 5000 && back[9] == big[9] &&
	           !back[10] && !back[4999],
	   "ftruncate up gives zeros");
	ok(lseek(fd, 100000, SEEK_SET) == 100000 && write(fd, "!", 1) == 1 &&
	           pread(fd, back, 2, 99999) == 2 && back[0] == 0 && back[1] == '!',
	   "a hole is zeros");
	ok(fstat(fd, &st) == 0 && st.st_size == 100001 && st.st_blocks < 100001 / 512,
	   "a hole takes no blocks");
	ok(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 && writev(fd, out, 3) == 100004,
	   "writev");
	ok(lseek(fd, 0, SEEK_SET) == 0 && readv(fd, in, 2) == 100004 && !memcmp(back, "ab", 2) &&
	           !memcmp(back + 2, big, 100000) && !memcmp(back + 100002, "yz", 2),
	   "readv");
	second = open("data", O_WRONLY | O_APPEND);
	ok(write(second, "end", 3) == 3 && lseek(second, 0, SEEK_CUR) == 100007, "O_APPEND");
	ok(lseek(second, 0, SEEK_SET) == 0 && write(second, "!", 1) == 1 && fstat(fd, &st) == 0 &&
	           st.st_size == 100008,
	   "O_APPEND appends at any offset");
	ok(pread(fd, back, 10, 100004) == 4 && !memcmp(back, "end!", 4),
	   "another description sees it");
	int copy = dup(fd);
	ok(lseek(copy, 7, SEEK_SET) == 7 && lseek(fd, 0, SEEK_CUR) == 7, "dup shares the offset");
	close(copy);
	close(second);
	ok(truncate("data", 3) == 0 && stat("data", &st) == 0 && st.st_size == 3, "truncate");
	fails(truncate(".", 3), EISDIR, "truncate of a directory");
	fails(truncate("data", -1), EINVAL, "truncate to a negative size");
	ok(fsync(fd) == 0 && fdatasync(fd) == 0, "fsync");
	close(fd);
	unlink("data");
}

static long exchange(const char *one, const char *other)
{
	return syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2 /* RENAME_EXCHANGE */);
}

static void names(void)
{
	struct stat st, other;
	char buffer[PATH_MAX];
	int fd;

	ok(mkdir("d", 0777) == 0 && stat("d", &st) == 0 && S_ISDIR(st.st_mode) &&
	           (st.st_mode & 07777) == 0755,
	   "mkdir");
	fails(mkdir("d", 0777), EEXIST, "mkdir of what is there");
	fails(mkdir("none/d", 0777), ENOENT, "mkdir nowhere");
	fails(mkdir("/", 0777), EEXIST, "mkdir of the root");
	ok(mkdir("d/sub/", 0700) == 0 && stat("d", &st) == 0 && st.st_nlink == 3,
	   "a subdirectory is a link");
	fails(rmdir("d"), ENOTEMPTY, "rmdir of a full directory");
	fails(rmdir("d/."), EINVAL, "rmdir of .");
	fails(rmdir("f"), ENOTDIR, "rmdir of a file");
	fails(unlink("d"), EISDIR, "unlink of a directory");
	fails(unlink("none"), ENOENT, "unlink of nothing");
	write_file("a", "first");
	write_file("b", "second");
	ok(link("a", "d/a2") == 0 && stat("a", &st) == 0 && stat("d/a2", &other) == 0 &&
	           st.st_ino == other.st_ino && st.st_nlink == 2,
	   "link");
	fails(link("a", "b"), EEXIST, "link over something");
	fails(link("d", "e"), EPERM, "link of a directory");
	ok(rename("a", "b") == 0 && has("b", "first"), "rename over a file");
	fails(stat("a", &st), ENOENT, "the old name is gone");
	ok(rename("b", "d/a2") == 0 && has("b", "first") && has("d/a2", "first"),
	   "rename between links does nothing");
	fails(rename("d", "d/sub/x"), EINVAL, "a directory into itself");
	fails(rename("b", "d"), EISDIR, "a file over a directory");
	fails(rename("d", "b"), ENOTDIR, "a directory over a file");
	fails(rename("none", "b"), ENOENT, "rename of nothing");
	fails(rename("none", "b/x"), ENOTDIR, "rename of nothing to where there is no way");
	fails(rename("none", "d/.."), EBUSY, "rename of nothing to what is no name");
	fails(exchange("b", "none"), ENOENT, "an exchange with nothing");
	fails(exchange("d", "d/a2"), EINVAL, "with what is below");
	ok(!exchange("b", "d") && has("d", "first") && has("b/a2", "first") &&
	           !exchange("b", "d") && has("b", "first"),
	   "of a file and a directory, there and back");
	mkdir("e", 0755);
	fails(rename("e", "d"), ENOTEMPTY, "over a full directory");
	ok(rename("d", "e") == 0 && has("e/a2", "first"), "over an empty directory");
	fd = open("b", O_RDONLY);
	ok(unlink("b") == 0 && unlink("e/a2") == 0 && read(fd, buffer, 10) == 5 &&
	           fstat(fd, &st) == 0 && st.st_nlink == 0,
	   "a removed file lives while it is open");
	close(fd);
	ok(symlink("e/sub", "s") == 0 && lstat("s", &st) == 0 && S_ISLNK(st.st_mode) &&
	           st.st_size == 5,
	   "symlink");
	ok(readlink("s", buffer, sizeof(buffer)) == 5 && !memcmp(buffer, "e/sub", 5), "readlink");
	ok(readlink("s", buffer, 2) == 2, "readlink into a small buffer");
	fails(readlink("e", buffer, 5), EINVAL, "readlink of a directory");
	ok(stat("s", &st) == 0 && S_ISDIR(st.st_mode), "stat follows");
	ok(write_file("s/f", "through") == 0 && has("e/sub/f", "through"),
	   "a path through a symlink");
	fails(open("s", O_RDONLY | O_NOFOLLOW), ELOOP, "O_NOFOLLOW");
	fails(rmdir("s"), ENOTDIR, "rmdir of a symlink");
	symlink("loop2", "loop1");
	symlink("loop1", "loop2");
	fails(open("loop1", O_RDONLY), ELOOP, "a loop");
	symlink("made", "dangling");
	fails(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST, "O_EXCL does not follow");
	ok(write_file("dangling", "x") == 0 && has("made", "x"),
	   "O_CREAT through a dangling symlink");
	unlink("s"), unlink("loop1"), unlink("loop2"), unlink("dangling"), unlink("made");
	unlink("e/sub/f"), rmdir("e/sub"), rmdir("e");
}

static void relative(void)
{
	char buffer[PATH_MAX];
	struct stat st;
	int d;

	ok(getcwd(buffer, sizeof(buffer)) && !strcmp(buffer, HOME), "getcwd");
	fails(getcwd(buffer, 5) ? 0 : -1, ERANGE, "getcwd into a small buffer");
	mkdir("d", 0755), mkdir("d/e", 0755), symlink("d/e", "s");
	ok(chdir("s") == 0 && getcwd(buffer, sizeof(buffer)) && !strcmp(buffer, HOME "/d/e"),
	   "chdir through a symlink");
	ok(stat("../../f", &st) == 0, ".. from there");
	ok(rename(HOME "/d", HOME "/moved") == 0 && getcwd(buffer, sizeof(buffer)) &&
	           !strcmp(buffer, HOME "/moved/e"),
	   "the working directory may be moved");
	fails(chdir("none"), ENOENT, "chdir to nothing");
	fails(chdir("../../f"), ENOTDIR, "chdir to a file");
	d = open("..", O_RDONLY | O_DIRECTORY);
	ok(fchdir(d) == 0 && getcwd(buffer, sizeof(buffer)) && !strcmp(buffer, HOME "/moved"),
	   "fchdir");
	ok(mkdirat(d, "x", 0755) == 0 && fstatat(d, "x", &st, 0) == 0 && S_ISDIR(st.st_mode),
	   "mkdirat, fstatat");
	ok(chdir("/") == 0 && openat(d, "../f", O_RDONLY) >= 0, "openat goes up");
	ok(renameat(d, "x", AT_FDCWD, HOME "/y") == 0, "renameat to an absolute path");
	int home = open(HOME, O_RDONLY | O_DIRECTORY);
	ok(renameat(home, "y", d, "z") == 0 && unlinkat(d, "z", AT_REMOVEDIR) == 0,
	   "renameat between two directories");
	fails(openat(d, "none", O_RDONLY), ENOENT, "openat of nothing");
	fails(openat(999, "x", O_RDONLY), EBADF, "openat of no descriptor");
	int file = open(HOME "/f", O_RDONLY);
	fails(openat(file, "x", O_RDONLY), ENOTDIR, "openat of a file");
	ok(fstatat(file, "", &st, AT_EMPTY_PATH) == 0 && S_ISREG(st.st_mode), "AT_EMPTY_PATH");
	ok(stat("/..", &st) == 0 && chdir("/../../tmp/./posix_files//") == 0,
	   "above the root is the root");
	unlink("s"), rmdir("moved/e"), rmdir("moved");
	ok(fstat(d, &st) == 0, "a removed directory that is open");
	fails(openat(d, "x", O_CREAT | O_RDWR, 0600), ENOENT, "takes no files");
	close(d), close(home), close(file);
}

static void listing(void)
{
	static char seen[500];
	char name[32];
	struct dirent *e;
	int count = 0, dots = 0;

	mkdir("many", 0755);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "many/entry-%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	DIR *dir = opendir("many");
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.') {
			dots += e->d_type == DT_DIR;
			continue;
		}
		int i = atoi(e->d_name + 6);
		count += e->d_type == DT_REG && i >= 0 && i < 500 && !seen[i]++;
		snprintf(name, sizeof(name), "many/%.20s", e->d_name);
		unlink(name);
	}
	ok(dots == 2, "a listing has . and ..");
	ok(count == 500, "and every entry once, though they are removed meanwhile");
	rewinddir(dir);
	while ((e = readdir(dir)))
		count += e->d_name[0] != '.';
	ok(count == 500, "rewinddir sees that they are gone");
	closedir(dir);
	ok(rmdir("many") == 0, "the directory is empty");
	fails(opendir("f") ? 0 : -1, ENOTDIR, "opendir of a file");
	mkdir("many", 0755), write_file("many/one", ""), write_file("many/two", "");
	dir = opendir("many");
	readdir(dir), readdir(dir), readdir(dir);
	long position = telldir(dir);
	e = readdir(dir);
	snprintf(name, sizeof(name), "%.20s", e ? e->d_name : "");
	seekdir(dir, position);
	e = readdir(dir);
	ok(e && !strcmp(e->d_name, name), "telldir and seekdir");
	closedir(dir);
	unlink("many/one"), unlink("many/two"), rmdir("many");
}

/* AT_EMPTY_PATH, of what is no usual descriptor, and of what is not empty. */
static void empty_paths(const struct timespec times[2])
{
	int path = open("f", O_PATH), mode;
	struct stat st;

	ok(utimensat(path, "", times, AT_EMPTY_PATH) == 0, "utimensat of an O_PATH descriptor");
	fails(syscall(SYS_utimensat, path, NULL, times, 0), EBADF, "but not without a path");
	fails(utimensat(path, "", times, 0), ENOENT, "nor by an empty path without the flag");
	ok(utimensat(AT_FDCWD, "", times, AT_EMPTY_PATH) == 0 && stat(".", &st) == 0 &&
	           st.st_mtim.tv_sec == 4000000,
	   "an empty path and AT_FDCWD are the working directory");
	fails(utimensat(999, "", times, AT_EMPTY_PATH), EBADF, "utimensat of no descriptor");
	fails(syscall(SYS_utimensat, AT_FDCWD, NULL, times, 0), EFAULT, "utimensat of no path");
	fails(syscall(SYS_utimensat, path, NULL, times, AT_SYMLINK_NOFOLLOW), EINVAL,
	      "a descriptor's times with a flag of paths");
	ok(fchmodat(AT_FDCWD, "f", 0640, AT_SYMLINK_NOFOLLOW) == 0 && stat("f", &st) == 0 &&
	           (st.st_mode & 07777) == 0640,
	   "fchmodat that does not follow, of a file");
	ok(symlink("f", "flink") == 0, "a symlink");
	fails(fchmodat(AT_FDCWD, "flink", 0600, AT_SYMLINK_NOFOLLOW), EOPNOTSUPP,
	      "a symlink's own mode does not change");
	mode = stat("f", &st) ? -1 : (int)(st.st_mode & 07777);
	ok(mode == 0640, "nor that of what it leads to");
	ok(syscall(SYS_fchmodat2, path, "", 0600, AT_EMPTY_PATH) == 0 && stat("f", &st) == 0 &&
	           (st.st_mode & 07777) == 0600,
	   "fchmodat2 of an O_PATH descriptor");
	fails(syscall(SYS_fchmodat2, AT_FDCWD, "f", 0600, 1), EINVAL, "an unknown flag");
	unlink("flink"), close(path);
}

static void attributes(void)
{
	struct timespec times[2] = {{1000000, 123456789}, {2000000, 987654321}};
	struct statx x;
	struct stat st, before;
	struct statfs fs;

	ok(chmod("f", 0751) == 0 && stat("f", &st) == 0 && (st.st_mode & 07777) == 0751, "chmod");
	int fd = open("f", O_RDONLY);
	ok(fchmod(fd, 0600) == 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0600, "fchmod");
	ok(access("f", R_OK | W_OK) == 0, "access");
	fails(access("f", X_OK), EACCES, "access to run a file that no user may run");
	ok(access(".", X_OK) == 0 && access("f", F_OK) == 0, "access to a directory");
	fails(access("none", F_OK), ENOENT, "access to nothing");
	fails(access("f", 1000), EINVAL, "access of an unknown kind");
	ok(chown("f", 0, 0) == 0 && fchown(fd, -1, -1) == 0 && lchown("f", 0, -1) == 0,
	   "chown to root");
	ok(utimensat(AT_FDCWD, "f", times, 0) == 0 && stat("f", &st) == 0 &&
	           st.st_atim.tv_sec == 1000000 && st.st_atim.tv_nsec == 123456789 &&
	           st.st_mtim.tv_sec == 2000000 && st.st_mtim.tv_nsec == 987654321,
	   "utimensat");
	times[0].tv_nsec = UTIME_OMIT, times[1].tv_nsec = UTIME_NOW;
	ok(futimens(fd, times) == 0 && fstat(fd, &st) == 0 && st.st_atim.tv_sec == 1000000 &&
	           st.st_mtim.tv_sec > 2000000,
	   "UTIME_OMIT and UTIME_NOW");
	times[0] = (struct timespec){3000000, 5}, times[1] = (struct timespec){4000000, 6};
	ok(utimensat(fd, "", times, AT_EMPTY_PATH) == 0 && stat("f", &st) == 0 &&
	           st.st_atim.tv_sec == 3000000 && st.st_mtim.tv_nsec == 6,
	   "utimensat of a descriptor by an empty path");
	empty_paths(times);
	times[0].tv_nsec = 1000000000;
	fails(futimens(fd, times), EINVAL, "too many nanoseconds");
	before = st;
	close(fd);
	usleep(20000);
	write_file("f", "changed");
	ok(stat("f", &st) == 0 && (st.st_mtim.tv_sec > before.st_mtim.tv_sec ||
	                           st.st_mtim.tv_nsec > before.st_mtim.tv_nsec),
	   "a write changes the time");
	ok((int)syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x) == 0 &&
	           x.stx_size == 7 && x.stx_ino == st.st_ino && x.stx_mode == st.st_mode &&
	           x.stx_mtime.tv_sec == st.st_mtim.tv_sec,
	   "statx");
	ok(statfs("/tmp", &fs) == 0 && fs.f_bsize > 0 && fs.f_blocks >= fs.f_bfree &&
	           fs.f_namelen == 255,
	   "statfs");
}

static void last_component(void)
{
	struct dirent *entry;
	struct stat st;
	DIR *list;
	int fd;

	ok(mkdir("target", 0755) == 0 && symlink("target", "link") == 0 &&
	           symlink("nowhere", "dangling") == 0 &&
	           close(open("plain", O_CREAT | O_WRONLY, 0644)) == 0,
	   "a directory, a link to it, one to nothing, a file");
	fails(rmdir("link/"), ENOTDIR, "rmdir of a link with a slash does not remove its target");
	fails(unlink("link/"), ENOTDIR, "unlink: ENOTDIR");
	fails(unlink("dangling/"), ENOTDIR, "of a link to nothing too");
	fails(rename("link/", "moved"), ENOTDIR, "rename does not move its target");
	fails(rename("target", "dangling/"), ENOTDIR, "nor make what a link names");
	fails(mkdir("dangling/", 0755), EEXIST, "mkdir at a link to nothing is EEXIST");
	fails(mkdir("plain/", 0755), EEXIST, "at a file, with a slash: EEXIST");
	fails(unlink("plain/"), ENOTDIR, "a file with a slash behind it: ENOTDIR");
	ok(lstat("link/", &st) == 0 && S_ISDIR(st.st_mode), "lstat follows it, for the slash");
	list = opendir("target");
	fd = rmdir("target");
	ok(fd == 0 && list && !(entry = readdir(list)),
	   "a directory that was removed has no entries, not even \".\"");
	closedir(list);
	ok(unlink("link") == 0 && unlink("dangling") == 0 && unlink("plain") == 0, "removed");
}

/* /dev/fd and /proc/self/fd. */
static void opened_again(void)
{
	char path[32], back[8] = "";
	int fd = open("again", O_CREAT | O_RDWR | O_TRUNC, 0644), reader, other;
	struct stat st;

	ok(write(fd, "old", 3) == 3 && unlink("again") == 0, "a file without a name");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY);
	ok(read(reader, back, 8) == 3 && !strcmp(back, "old") && lseek(fd, 0, SEEK_CUR) == 3,
	   "opened again it is read from its beginning");
	fails(write(reader, "x", 1), EBADF, "as it was opened: for reading");
	other = open(path, O_RDWR);
	ok(write(other, "N", 1) == 1 && pread(fd, back, 8, 0) == 3 && !strcmp(back, "Nld"),
	   "two descriptions, one file");
	close(other);
	other = open(path, O_WRONLY | O_TRUNC);
	ok(fstat(fd, &st) == 0 && st.st_size == 0, "O_TRUNC");
	fails(open(path, O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST, "O_EXCL: EEXIST");
	close(other);
	close(reader);
	close(fd);
}

static void transfers(void)
{
	int in, out, fds[2];
	off_t offset = 100;

	in = open("from", O_CREAT | O_RDWR, 0600);
	out = open("to", O_CREAT | O_RDWR, 0600);
	ok(write(in, big, sizeof(big)) == sizeof(big) && lseek(in, 0, SEEK_SET) == 0,
	   "a file to send");
	ok(sendfile(out, in, NULL, sizeof(big) + 5) == sizeof(big), "sendfile to a file");
	ok(lseek(in, 0, SEEK_CUR) == sizeof(big) &&
	           pread(out, back, sizeof(back), 0) == sizeof(back) &&
	           !memcmp(back, big, sizeof(big)),
	   "all of it, and the offset moves");
	ok(sendfile(out, in, NULL, 10) == 0, "nothing at the end");
	ok(sendfile(out, in, &offset, 50) == 50 && offset == 150 &&
	           lseek(in, 0, SEEK_CUR) == sizeof(big),
	   "sendfile from an offset of its own");
	ok(pipe(fds) == 0 && sendfile(fds[1], in, &offset, 1000) == 1000 &&
	           read(fds[0], back, 2000) == 1000 && !memcmp(back, big + 150, 1000),
	   "sendfile to a pipe");
	fails(sendfile(out, fds[0], NULL, 10), EINVAL, "sendfile from a pipe");
	fails(sendfile(out, 999, NULL, 10), EBADF, "sendfile from nothing");
	char *map = mmap(NULL, sizeof(big), PROT_READ, MAP_PRIVATE, in, 0);
	ok(map != MAP_FAILED && !memcmp(map, big, sizeof(big)), "mmap of a file");
	if (map != MAP_FAILED)
		munmap(map, sizeof(big));
	close(in), close(out), close(fds[0]), close(fds[1]);
	unlink("from"), unlink("to");
}

static void devices(void)
{
	struct stat st;
	char text[100];
	int fd = open("/dev/null", O_RDWR);

	ok(fd >= 0 && read(fd, text, 10) == 0 && write(fd, text, 10) == 10, "/dev/null");
	ok(fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0x103, "is a device");
	close(fd);
	memset(text, 'x', sizeof(text));
	fd = open("/dev/zero", O_RDONLY);
	ok(read(fd, text, 50) == 50 && !text[0] && !text[49] && text[50] == 'x', "/dev/zero");
	close(fd);
	fd = open("/dev/full", O_RDWR);
	fails(write(fd, "x", 1), ENOSPC, "/dev/full");
	close(fd);
	fd = open("/dev/urandom", O_RDONLY);
	ok(read(fd, text, 100) == 100 && memcmp(text, text + 50, 50), "/dev/urandom");
	close(fd);
	ok(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && access("/dev/zero", R_OK) == 0,
	   "stat of devices");
	fd = open("/dev/stdout", O_WRONLY);
	ok(fd >= 0, "/dev/stdout");
	close(fd);
}

int main(void)
{
	mkdir(HOME, 0755);
	if (chdir(HOME))
		return 1;
	opening();
	data();
	names();
	relative();
	listing();
	attributes();
	last_component();
	opened_again();
	transfers();
	devices();
	ok(unlink("f") == 0 && chdir("/") == 0 && rmdir(HOME) == 0, "nothing is left");
	return tap_finish();
}
