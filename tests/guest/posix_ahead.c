/* SPDX-License-Identifier: MIT */
/*
 * A program that opens one listed file after the other: what it opens, reads and is told is what is
 * there at that moment, whatever was changed since the files before.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

#define FILES 40
#define FIRST 10 /* so many are opened before something happens */

static char home[] = "/tmp/posix_ahead.XXXXXX";
static char names[FILES + 2][32]; /* as listed, with "d/" in front */
static int nnames;
static DIR *directory;

static void put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd))
		exit(2);
}

/* Whether the file opens and has that text. */
static int has(const char *name, const char *text)
{
	int fd = open(name, O_RDONLY);
	char found[64] = "";
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, found, sizeof(found) - 1);
	return !close(fd) && n == (ssize_t)strlen(text) && !strcmp(found, text);
}

static void make(void)
{
	char name[32];

	if (mkdir("d", 0700))
		exit(2);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "d/f%02d", i);
		put(name, name);
	}
}

static int list(void)
{
	struct dirent *entry;

	if (directory)
		closedir(directory);
	directory = opendir("d");
	nnames = 0;
	while (directory && nnames < FILES && (entry = readdir(directory)))
		if (entry->d_name[0] == 'f')
			snprintf(names[nnames++], sizeof(names[0]), "d/%.20s", entry->d_name);
	return nnames;
}

/* Lists anew and opens the first ones; the others are as they were made. */
static int walk(void)
{
	struct stat st;
	int fine;

	if (system("rm -rf d e new"))
		return 0;
	make();
	put("new", "new text");
	fine = list() == FILES;
	for (int i = 0; i < FIRST; i++)
		fine = fine && !lstat(names[i], &st) && has(names[i], names[i]);
	return fine;
}

static void removed(void)
{
	ok(walk() && !unlink(names[FIRST]), "the next file is removed");
	fails(open(names[FIRST], O_RDONLY), ENOENT, "it does not open");
	ok(has(names[FIRST + 1], names[FIRST + 1]), "the one behind it does");
}

static void replaced(void)
{
	ok(walk() && !rename("new", names[FIRST]) && has(names[FIRST], "new text"),
	   "the next file is replaced");
}

static void linked(void)
{
	ok(walk() && !unlink(names[FIRST]) && !symlink(names[20] + 2, names[FIRST]) &&
	           has(names[FIRST], names[20]),
	   "a link takes its place");
	fails(open(names[FIRST], O_RDONLY | O_NOFOLLOW), ELOOP, "which is not followed");
}

static void moved(void)
{
	ok(walk() && !rename("d", "e") && !mkdir("d", 0700), "another directory has the path");
	fails(open(names[FIRST], O_RDONLY), ENOENT, "the next file is not there");
	put(names[FIRST], "of the other");
	ok(has(names[FIRST], "of the other"), "now it is");
}

static void changed_files(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/", home);
	ok(walk(), "as they were");
	strcat(path, names[FIRST + 1]);
	put(path, "longer than it was");
	ok(has(names[FIRST], names[FIRST]) && has(names[FIRST + 1], "longer than it was"),
	   "one is written");
	ok(!truncate(names[FIRST + 2], 2) && has(names[FIRST + 2], "d/"), "one is cut");
}

/* 1 may search neither the home nor the directory. */
static void other_user(void)
{
	int fd = -1, result = walk() ? 0 : -1;

	if (!geteuid()) {
		result |= seteuid(1);
		fd = open(names[FIRST], O_RDONLY);
		result |= seteuid(0);
	} else {
		errno = EACCES;
	}
	ok(!result && fd == -1 && errno == EACCES, "another user may not open the next");
	ok(has(names[FIRST], names[FIRST]), "the first one may");
}

static int same(const char *name)
{
	struct stat told, asked;
	char path[96];

	memset(&told, 0, sizeof(told));
	memset(&asked, 0, sizeof(asked));
	snprintf(path, sizeof(path), "%s/./%s", home, name);
	return !lstat(name, &told) && !lstat(path, &asked) && !memcmp(&told, &asked, sizeof(told));
}

static void attributes(void)
{
	struct stat told, opened;
	int fine = walk(), fd;

	for (int i = FIRST; i < FILES; i++) {
		memset(&told, 0, sizeof(told));
		memset(&opened, 0, sizeof(opened));
		fine = fine && !lstat(names[i], &told);
		fd = open(names[i], O_RDONLY);
		fine = fine && !fstat(fd, &opened) && !memcmp(&told, &opened, sizeof(told));
		close(fd);
		fine = fine && same(names[i]) && has(names[i], names[i]) && same(names[i]);
	}
	ok(fine, "attributes before, while and after a file is open");
}

static int64_t ns_of(struct timespec t)
{
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* Whether the file was last read before that moment. */
static int was_read_before(const char *name, int64_t moment)
{
	struct stat st;

	return !lstat(name, &st) && ns_of(st.st_atim) < moment &&
	       ns_of(st.st_atim) >= ns_of(st.st_mtim) - 1000000000;
}

/* The first read after a change counts, also when nobody asks before the second. */
static void times(void)
{
	struct timespec now;
	struct stat made;
	int fine = walk();
	int64_t moment;

	usleep(50000);
	fine = fine && !lstat(names[FIRST], &made);
	fine = fine && has(names[FIRST], names[FIRST]) && has(names[FIRST + 1], names[FIRST + 1]);
	usleep(50000);
	clock_gettime(CLOCK_REALTIME, &now);
	moment = ns_of(now);
	usleep(50000);
	ok(fine && has(names[FIRST], names[FIRST]) && was_read_before(names[FIRST], moment) &&
	           !was_read_before(names[FIRST], ns_of(made.st_mtim)),
	   "the first read after a change is when a file was read");
	ok(!truncate(names[FIRST + 1], 0) && was_read_before(names[FIRST + 1], moment) &&
	           !was_read_before(names[FIRST + 1], ns_of(made.st_mtim)),
	   "also when it is cut before anybody asks");
}

static void descriptions(void)
{
	char text[8] = "";
	int one, two, fine = walk();

	one = open(names[FIRST], O_RDONLY);
	two = open(names[FIRST], O_RDONLY);
	ok(fine && read(one, text, 4) == 4 && lseek(two, 0, SEEK_CUR) == 0 &&
	           read(two, text, 2) == 2 && lseek(one, 0, SEEK_CUR) == 4,
	   "opened twice, each has its offset");
	ok(flock(one, LOCK_EX) == 0 && flock(two, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK,
	   "and its lock");
	ok(!close(one) && flock(two, LOCK_EX | LOCK_NB) == 0, "which goes when it is closed");
	fails(write(two, "x", 1), EBADF, "they are open to be read alone");
	close(two);
}

/* The child opens the same next file as the parent. */
static void in_both(void)
{
	int there[2], back[2], status, fine = walk() && !pipe(there) && !pipe(back), fd;
	char byte = 0;
	pid_t child = fork();

	if (!child) {
		fd = open(names[FIRST], O_RDONLY);
		if (flock(fd, LOCK_EX) || write(back[1], &byte, 1) != 1 ||
		    read(there[0], &byte, 1) != 1)
			_exit(1);
		_exit(0);
	}
	fd = open(names[FIRST], O_RDONLY);
	ok(fine && read(back[0], &byte, 1) == 1 && flock(fd, LOCK_EX | LOCK_NB) == -1 &&
	           errno == EWOULDBLOCK,
	   "a child's open file is another than its parent's");
	ok(write(there[1], &byte, 1) == 1 && waitpid(child, &status, 0) == child && !status &&
	           flock(fd, LOCK_EX | LOCK_NB) == 0,
	   "and its lock goes with it");
	close(fd);
}

/* Another process makes its changes while this one runs and makes no call. */
static void by_another(void)
{
	volatile int *turn =
	        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, fine;
	pid_t child;

	*turn = 0;
	fine = system("rm -rf d e new") == 0;
	make();
	put("new", "new text");
	child = fork();
	if (!child) {
		while (!*turn)
			usleep(1000);
		list();
		if (unlink(names[FIRST]) || chmod(names[FIRST + 2], 0400) ||
		    rename("new", names[FIRST + 1]))
			_exit(1);
		*turn = 2;
		_exit(0);
	}
	fine = fine && list() == FILES;
	for (int i = 0; i < FIRST; i++)
		fine = fine && has(names[i], names[i]);
	*turn = 1;
	while (*turn == 1)
		;
	ok(fine && open(names[FIRST], O_RDONLY) == -1 && errno == ENOENT,
	   "another process removes the next file");
	ok(has(names[FIRST + 1], "new text"), "replaces one");
	ok(same(names[FIRST + 2]) && has(names[FIRST + 2], names[FIRST + 2]), "changes one's mode");
	ok(waitpid(child, &status, 0) == child && !status, "and ends");
}

/* Whether these events come next, of the files d/NAME; 0 ends them. */
static int told(int fd, const uint32_t *masks, const char *const *of)
{
	static char events[4096];
	static ssize_t length, at;

	for (int i = 0; masks[i]; i++) {
		const struct inotify_event *e;

		if (at == length) {
			length = read(fd, events, sizeof(events));
			at = 0;
		}
		if (length <= 0)
			return 0;
		e = (const struct inotify_event *)(events + at);
		at += (ssize_t)(sizeof(*e) + e->len);
		if (e->mask != masks[i] || strcmp(e->len ? e->name : "", of[i] + 2) != 0) {
			printf("# %x of %s\n", e->mask, e->name);
			return 0;
		}
	}
	return at == length;
}

static void watched(void)
{
	const char *const of[] = {names[FIRST], names[FIRST], names[FIRST + 1], names[FIRST + 1],
	                          names[FIRST + 1]};
	static const uint32_t masks[] = {IN_ACCESS, IN_CLOSE_NOWRITE, IN_OPEN,
	                                 IN_ACCESS, IN_CLOSE_NOWRITE, 0};
	static const uint32_t removed[] = {IN_ATTRIB, IN_DELETE_SELF, IN_IGNORED, 0};
	static const char *const self[] = {"d/", "d/", "d/"};
	int fine = walk(), fd = open(names[FIRST], O_RDONLY), watch;
	int inotify = inotify_init1(IN_NONBLOCK);
	char text[32];

	watch = inotify_add_watch(inotify, "d", IN_OPEN | IN_ACCESS | IN_CLOSE);
	ok(fine && watch > 0 && read(fd, text, sizeof(text)) > 0 && !close(fd) &&
	           has(names[FIRST + 1], names[FIRST + 1]) && told(inotify, masks, of),
	   "who watches is told what is opened and closed from now on, and nothing else");
	ok(!inotify_rm_watch(inotify, watch) && told(inotify, (uint32_t[]){IN_IGNORED, 0}, self),
	   "no more");
	watch = inotify_add_watch(inotify, names[FIRST + 2], IN_ALL_EVENTS);
	ok(watch > 0 && !unlink(names[FIRST + 2]) && told(inotify, removed, self),
	   "a file that is removed is gone at once");
	close(inotify);
}

/* Each in a process of its own, which has opened nothing before. */
static void (*const scenarios[])(void) = {removed,       replaced,   linked,     moved,
                                          changed_files, other_user, attributes, times,
                                          descriptions,  in_both,    by_another, watched};

static void run(void (*scenario)(void))
{
	int *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t child;

	fflush(stdout);
	counts[0] = -1;
	child = fork();
	if (!child) {
		scenario();
		fflush(stdout);
		counts[0] = tap_count;
		counts[1] = tap_failed;
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status || counts[0] < 0)
		exit(2);
	tap_count = counts[0];
	tap_failed = counts[1];
	munmap(counts, 4096);
}

int main(void)
{
	char command[64];

	ok(mkdtemp(home) && !chdir(home), "a directory");
	for (unsigned i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		run(scenarios[i]);
	snprintf(command, sizeof(command), "rm -r %s", home);
	ok(!chdir("/") && system(command) == 0, "all is removed");
	return tap_finish();
}
