/* SPDX-License-Identifier: MIT */
/*
 * What stat says of a file whose attributes the program was told before, by listing its directory
 * or opening it, after another process has changed something.  Asked by another path, which nothing
 * was told of, it must say the same.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

static char home[] = "/tmp/posix_remembered.XXXXXX";
static char absolute[64];

static void put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		exit(2);
	close(fd);
}

static int list(const char *name)
{
	DIR *d = opendir(name);
	int n = 0;

	while (d && readdir(d))
		n++;
	/* It stays open: what was told is known by it. */
	return n;
}

/* Whether both say the same of the file, or that there is none. */
static int same(const char *name)
{
	struct stat told, asked;
	int result;

	memset(&told, 0, sizeof(told));
	memset(&asked, 0, sizeof(asked));
	result = lstat(name, &told);
	if (lstat(absolute, &asked) != result)
		return 0;
	return result || !memcmp(&told, &asked, sizeof(told));
}

static int by_another(void (*change)(void))
{
	int status;
	pid_t child = fork();

	if (!child) {
		change();
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && status == 0;
}

static void appended(void)
{
	int fd = open("d/f", O_WRONLY | O_APPEND);

	if (write(fd, "more", 4) != 4)
		_exit(1);
}

static void cut(void)
{
	if (truncate("d/f", 1))
		_exit(1);
}

static void stored(void)
{
	int fd = open("d/f", O_RDWR);
	char *at;

	if (ftruncate(fd, 65536))
		_exit(1);
	at = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	at[40000] = 'x';
}

static void was_read(void)
{
	char text[8];
	int fd = open("d/f", O_RDONLY);

	if (read(fd, text, sizeof(text)) < 1)
		_exit(1);
}

static void mode_set(void)
{
	if (chmod("d/f", 0604))
		_exit(1);
}

static void times_set(void)
{
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};

	if (utimensat(AT_FDCWD, "d/f", times, 0))
		_exit(1);
}

static void linked(void)
{
	if (link("d/f", "d/other"))
		_exit(1);
}

static void replaced(void)
{
	put("new", "new one");
	if (rename("new", "d/f"))
		_exit(1);
}

static void moved(void)
{
	if (rename("d/f", "away"))
		_exit(1);
}

static void moved_back(void)
{
	if (rename("away", "d/f"))
		_exit(1);
}

static void removed(void)
{
	if (unlink("d/f"))
		_exit(1);
}

static void made_again(void)
{
	put("d/f", "again");
}

static void directory_moved(void)
{
	if (rename("d", "e") || mkdir("d", 0700))
		_exit(1);
	put("d/f", "of another directory");
}

static const struct {
	void (*change)(void);
	const char *what;
} changes[] = {
        {appended, "appended to"},
        {was_read, "read"},
        {cut, "cut"},
        {stored, "stored to in memory"},
        {mode_set, "its mode set"},
        {times_set, "its times set"},
        {linked, "another name"},
        {replaced, "replaced"},
        {moved, "moved"},
        {moved_back, "moved back"},
        {removed, "removed"},
        {made_again, "made again"},
        {directory_moved, "its directory moved, and another there"},
};

#define CHANGES (sizeof(changes) / sizeof(changes[0]))

static void entries(void)
{
	char what[96];

	for (unsigned i = 0; i < CHANGES; i++) {
		int listed = list("d") > 2, before = same("d/f");

		snprintf(what, sizeof(what), "a listed file, %s", changes[i].what);
		ok((listed || i > 0) && before && by_another(changes[i].change) && same("d/f"),
		   what);
	}
	ok(list("d") == 3 && same("./d/f") && same("d//f") && same("d/../d/f"),
	   "other ways of writing its path");
}

static void listed_links(void)
{
	struct stat st;

	ok(symlink("d", "s") == 0 && mkdir("t", 0700) == 0 && list("s") == 3 && same("s/f"),
	   "a directory behind a symbolic link");
	ok(rename("s", "u") == 0 && symlink("t", "s") == 0 && lstat("s/f", &st) == -1 &&
	           errno == ENOENT,
	   "the link leads elsewhere");
	ok(symlink("f", "d/l") == 0 && list("d") == 4 && lstat("d/l", &st) == 0 &&
	           S_ISLNK(st.st_mode) && stat("d/l", &st) == 0 && S_ISREG(st.st_mode),
	   "an entry that is a link, and what it leads to");
	ok(unlink("d/l") == 0 && chdir("t") == 0 && lstat("d/f", &st) == -1 && chdir("..") == 0,
	   "the same path from another directory");
}

/* A child has the file open while the program asks, and changes it by that. */
static void open_elsewhere(void)
{
	int there[2], back[2], status, fine;
	char byte = 0;
	pid_t child;

	fine = pipe(there) == 0 && pipe(back) == 0;
	child = fork();
	if (!child) {
		int fd = open("d/f", O_RDWR);

		for (int i = 0; i < 3; i++) {
			fine = write(back[1], &byte, 1) == 1 && read(there[0], &byte, 1) == 1;
			if (pwrite(fd, "changed", 7, (off_t)i * 5000) != 7 || !fine)
				_exit(1);
		}
		if (write(back[1], &byte, 1) != 1)
			_exit(1);
		_exit(0);
	}
	for (int i = 0; i < 4 && fine; i++) {
		fine = read(back[0], &byte, 1) == 1 && same("d/f") && list("d") == 3 && same("d/f");
		if (i < 3)
			fine = fine && write(there[1], &byte, 1) == 1;
	}
	ok(fine && waitpid(child, &status, 0) == child && status == 0, "open in another process");
}

static void descriptors(void)
{
	int fd = open("d/f", O_RDONLY), fine = fd >= 0;
	struct stat told, asked;
	char what[96];

	for (int i = 0; i < 20; i++)
		fine = fine && fstat(fd, &told) == 0;
	ok(fine, "an open file, asked often");
	for (unsigned i = 0; i + 1 < CHANGES; i++) {
		memset(&told, 0, sizeof(told));
		memset(&asked, 0, sizeof(asked));
		fine = by_another(changes[i].change) && fstat(fd, &told) == 0;
		if (lstat(absolute, &asked) == 0 && asked.st_ino == told.st_ino)
			fine = fine && !memcmp(&told, &asked, sizeof(told));
		else if (changes[i].change == removed || changes[i].change == replaced)
			fine = fine && told.st_nlink <= 1;
		snprintf(what, sizeof(what), "an open file, %s", changes[i].what);
		ok(fine, what);
		if (changes[i].change == replaced) {
			close(fd);
			fd = open("d/f", O_RDONLY);
		}
		fine = fstat(fd, &told) == 0;
	}
	ok(fstat(fd, &told) == 0 && told.st_nlink == 0, "which has no name in the end");
	close(fd);
}

int main(void)
{
	char command[64];

	ok(mkdtemp(home) && chdir(home) == 0 && mkdir("d", 0700) == 0, "a directory");
	snprintf(absolute, sizeof(absolute), "%s/d/f", home);
	put("d/f", "text");
	entries();
	listed_links();
	open_elsewhere();
	descriptors();
	snprintf(command, sizeof(command), "rm -r %s", home);
	ok(chdir("/") == 0 && system(command) == 0, "all is removed");
	return tap_finish();
}
