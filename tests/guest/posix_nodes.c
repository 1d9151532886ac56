/* SPDX-License-Identifier: MIT */
/*
 * Names of devices, owners of files and chroot: all of them are noted and shown as on Linux, and
 * none gives a process more than it has.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

static void devices(void)
{
	struct dirent *e;
	struct stat st;
	DIR *dir;
	int fd, found = 0;
	char byte;

	umask(027);
	ok(mknod("disk", S_IFBLK | 0666, makedev(240, 300)) == 0 && stat("disk", &st) == 0 &&
	           S_ISBLK(st.st_mode) && (st.st_mode & 07777) == 0640 &&
	           major(st.st_rdev) == 240 && minor(st.st_rdev) == 300,
	   "a block device has its number");
	ok(mknod("line", S_IFCHR | 0600, makedev(240, 1)) == 0 && lstat("line", &st) == 0 &&
	           S_ISCHR(st.st_mode) && st.st_rdev == makedev(240, 1) && st.st_size == 0,
	   "a character device");
	dir = opendir(".");
	while (dir && (e = readdir(dir)))
		found += (!strcmp(e->d_name, "disk") && e->d_type == DT_BLK) ||
		         (!strcmp(e->d_name, "line") && e->d_type == DT_CHR);
	closedir(dir);
	ok(found == 2, "the directory tells their types");
	fails(open("line", O_RDWR), ENXIO, "a name of a device that is not there opens nothing");
	fails(open("disk", O_WRONLY | O_TRUNC), ENXIO, "also to cut it");
	fails(open("disk", O_RDONLY | O_DIRECTORY), ENOTDIR, "a device as a directory");
	fails(mknod("disk", S_IFCHR | 0600, 0), EEXIST, "mknod where something is");
	ok(mknod("hole", S_IFCHR | 0666, makedev(1, 3)) == 0, "a name of the null device");
	fd = open("hole", O_RDWR | O_TRUNC);
	ok(fd >= 0 && write(fd, "x", 1) == 1 && read(fd, &byte, 1) == 0, "opens that device");
	close(fd);
	unlink("hole");
	ok(rename("line", "moved") == 0 && link("moved", "line") == 0 && stat("line", &st) == 0 &&
	           st.st_nlink == 2 && st.st_rdev == makedev(240, 1),
	   "it is moved and linked");
	ok(chmod("line", 0604) == 0 && stat("moved", &st) == 0 && (st.st_mode & 07777) == 0604,
	   "chmod");
	ok(unlink("line") == 0 && unlink("moved") == 0 && unlink("disk") == 0, "and removed");
}

static void owners(void)
{
	int fd = open("f", O_CREAT | O_WRONLY, 0600), dir = open(".", O_RDONLY);
	struct stat st;

	ok(fstat(fd, &st) == 0 && st.st_uid == 0 && st.st_gid == 0, "a file is root's at first");
	ok(chown("f", 12, 34) == 0 && stat("f", &st) == 0 && st.st_uid == 12 && st.st_gid == 34,
	   "chown");
	ok(fchown(fd, -1, 35) == 0 && fstat(fd, &st) == 0 && st.st_uid == 12 && st.st_gid == 35,
	   "fchown of the group alone");
	ok(fchownat(fd, "", 13, -1, AT_EMPTY_PATH) == 0 && fstat(fd, &st) == 0 && st.st_uid == 13,
	   "fchownat of a descriptor");
	ok(fchown(dir, 7, 8) == 0 && stat(".", &st) == 0 && st.st_uid == 7 && st.st_gid == 8,
	   "fchown of a directory");
	ok(symlink("f", "s") == 0 && lchown("s", 5, 6) == 0 && lstat("s", &st) == 0 &&
	           st.st_uid == 5 && stat("s", &st) == 0 && st.st_uid == 13,
	   "lchown of a symbolic link");
	ok(chown("s", 9, 9) == 0 && stat("f", &st) == 0 && st.st_uid == 9, "chown follows it");
	ok(fchmod(fd, 06711) == 0 && chown("f", 0, 0) == 0 && stat("f", &st) == 0 &&
	           (st.st_mode & 07777) == 0711,
	   "chown takes the set-id bits of a program");
	fails(chown("none", 0, 0), ENOENT, "chown of nothing");
	close(fd);
	close(dir);
	unlink("s");
	unlink("f");
}

static int in_jail(const char *self)
{
	char here[100];
	struct stat st;

	if (chroot("jail") || chdir("/"))
		return 1;
	if (!getcwd(here, sizeof(here)) || strcmp(here, "/"))
		return 2;
	if (stat("/../../etc/passwd", &st) == 0 || errno != ENOENT)
		return 3;
	if (stat("/self", &st) || open("/made", O_CREAT | O_WRONLY, 0600) < 0)
		return 4;
	if (stat("/out", &st) == 0 || errno != ENOENT)
		return 5;
	execl("/self", self, "inside", NULL);
	return 6;
}

static int copy(const char *from, const char *to)
{
	char buffer[4096];
	int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0755);
	ssize_t got = -1;

	while (in >= 0 && out >= 0 && (got = read(in, buffer, sizeof(buffer))) > 0)
		if (write(out, buffer, (size_t)got) != got)
			return -1;
	close(in);
	close(out);
	return (int)got;
}

static void roots(const char *self)
{
	struct stat st;
	pid_t child;
	int status = -1;

	ok(mkdir("jail", 0755) == 0 && copy(self, "jail/self") == 0 &&
	           symlink("/etc/passwd", "jail/out") == 0,
	   "a directory with a program");
	fails(chroot("jail/self"), ENOTDIR, "chroot to a file");
	fails(chroot("none"), ENOENT, "chroot to nothing");
	child = fork();
	if (!child)
		_exit(in_jail(self));
	ok(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42,
	   "chroot holds, also for the program that is executed");
	ok(stat("jail/made", &st) == 0 && stat("/etc/passwd", &st) == 0,
	   "and not for the one that made it");
	unlink("jail/made");
	unlink("jail/out");
	unlink("jail/self");
	rmdir("jail");
}

int main(int argc, char **argv)
{
	char self[4096], directory[] = "/tmp/nodes.XXXXXX";
	struct stat st;

	if (argc > 1)
		return stat("/self", &st) == 0 && stat("/bin", &st) && errno == ENOENT ? 42 : 41;
	if (!realpath(argv[0], self))
		strcpy(self, "/proc/self/exe");
	if (!mkdtemp(directory) || chdir(directory))
		return 99;
	devices();
	owners();
	roots(self);
	chdir("/");
	rmdir(directory);
	return tap_finish();
}
