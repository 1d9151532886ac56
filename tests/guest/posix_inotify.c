/* SPDX-License-Identifier: MIT */
/*
 * inotify: which events each call makes, in which order, and what the queue does with them.  Linux
 * says the same.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

static int queue;
static char seen[4096]; /* the events that were read, as text */
static uint32_t cookies[2];

static const char *name_of(uint32_t mask)
{
	static const char *const names[] = {"access", "modify", "attrib", "close_write",
	                                    "close",  "open",   "from",   "to",
	                                    "create", "delete", "gone",   "moved"};

	for (unsigned i = 0; i < 12; i++)
		if (mask & 1u << i)
			return names[i];
	return mask & IN_IGNORED ? "ignored" : "?";
}

static void note(const struct inotify_event *e)
{
	size_t used = strlen(seen);

	snprintf(seen + used, sizeof(seen) - used, "%s%d:%s%s%s%s", used ? " " : "", e->wd,
	         name_of(e->mask), e->mask & IN_ISDIR ? "/" : "", e->len ? "=" : "",
	         e->len ? e->name : "");
	if (e->mask & (IN_MOVED_FROM | IN_MOVED_TO))
		cookies[e->mask & IN_MOVED_TO ? 1 : 0] = e->cookie;
}

/* Reads until nothing has come for a moment. */
static const char *events(void)
{
	_Alignas(8) char buffer[4096];
	struct pollfd p = {.fd = queue, .events = POLLIN};

	seen[0] = 0;
	while (poll(&p, 1, 50) == 1) {
		ssize_t n = read(queue, buffer, sizeof(buffer));

		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (void *)(buffer + at);

			note(e);
			at += (ssize_t)sizeof(*e) + e->len;
		}
	}
	return seen;
}

static void expect(const char *wanted, const char *what)
{
	const char *got = events();
	bool fine = !strcmp(got, wanted);

	if (!fine)
		printf("# wanted %s\n# got    %s\n", wanted, got);
	ok(fine, what);
}

static void touch(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY, 0644));
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND);

	(void)!write(fd, text, strlen(text));
	close(fd);
}

static int watch(const char *path, uint32_t mask)
{
	return inotify_add_watch(queue, path, mask);
}

static void entries(void)
{
	char byte;
	int fd;

	ok(watch("d", IN_ALL_EVENTS) == 1, "the first watch is number 1");
	touch("d/file");
	expect("1:create=file 1:open=file 1:close_write=file", "a file is made");
	put("d/file", "hello");
	expect("1:open=file 1:modify=file 1:close_write=file", "a file is written");
	fd = open("d/file", O_RDONLY);
	(void)!read(fd, &byte, 1);
	(void)!read(fd, &byte, 1);
	close(fd);
	expect("1:open=file 1:access=file 1:close=file", "a file is read; equal events are one");
	chmod("d/file", 0600);
	expect("1:attrib=file", "chmod");
	(void)!truncate("d/file", 1);
	(void)!utimensat(AT_FDCWD, "d/file", NULL, 0);
	expect("1:modify=file 1:attrib=file", "truncate, times");
	link("d/file", "d/other");
	symlink("file", "d/link");
	mkfifo("d/fifo", 0600);
	mkdir("d/sub", 0755);
	expect("1:create=other 1:create=link 1:create=fifo 1:create/=sub", "other entries");
	unlink("d/other");
	unlink("d/link");
	unlink("d/fifo");
	rmdir("d/sub");
	expect("1:delete=other 1:delete=link 1:delete=fifo 1:delete/=sub", "entries go");
	close(open("d", O_RDONLY | O_DIRECTORY));
	expect("1:open/ 1:close/", "the directory itself is opened");
	close(open("d/file", O_PATH));
	expect("", "naming a file is not opening it");
	rename("d/file", "d/moved");
	expect("1:from=file 1:to=moved", "a file is moved");
	ok(cookies[0] && cookies[0] == cookies[1], "both halves have one cookie");
	rename("d/moved", "away");
	expect("1:from=moved", "moved out");
	rename("away", "d/back");
	expect("1:to=back", "moved in");
	ok(inotify_rm_watch(queue, 1) == 0, "the watch is taken away");
	expect("1:ignored", "its last event");
	touch("d/back");
	expect("", "nothing after that");
	fails(inotify_rm_watch(queue, 1), EINVAL, "taking it away again");
}

static void itself(void)
{
	char byte;
	int fd, w;

	touch("f");
	w = watch("f", IN_ALL_EVENTS);
	ok(w == 2, "numbers are not used again");
	put("f", "text");
	expect("2:open 2:modify 2:close_write", "a watched file is written");
	fd = open("f", O_RDWR);
	(void)!pwrite(fd, "x", 1, 0);
	(void)!pread(fd, &byte, 1, 0);
	expect("2:open 2:modify 2:access", "each use by a descriptor");
	rename("f", "g");
	expect("2:moved", "it is moved");
	unlink("g");
	expect("2:attrib", "its name goes while it is open");
	close(fd);
	expect("2:close_write 2:gone 2:ignored", "it goes with its last descriptor");
	mkdir("e", 0755);
	ok(watch("e", IN_DELETE_SELF | IN_MOVE_SELF) == 3, "a directory");
	rename("e", "e2");
	rmdir("e2");
	expect("3:moved 3:gone 3:ignored", "a directory is moved and goes");
	touch("old");
	touch("new");
	watch("old", IN_DELETE_SELF | IN_ATTRIB);
	rename("new", "old");
	expect("4:attrib 4:gone 4:ignored", "another takes its place");
}

/* A descriptor from before the watch is watched as well. */
static void opened_before(void)
{
	int fd = open("d/early", O_CREAT | O_RDWR, 0600), w;

	(void)!write(fd, "1", 1);
	w = watch("d", IN_MODIFY | IN_CLOSE | IN_EXCL_UNLINK);
	ok(w == 5, "a watch on the directory of a file that is open");
	(void)!write(fd, "2", 1);
	expect("5:modify=early", "its use is told");
	rename("d/early", "d/late");
	(void)!write(fd, "3", 1);
	expect("5:modify=late", "by the name that it has now");
	unlink("d/late");
	(void)!write(fd, "4", 1);
	close(fd);
	expect("", "IN_EXCL_UNLINK: not after its name is gone");
	ok(watch("d", IN_MODIFY | IN_CLOSE) == 5, "the mask is changed");
	fd = open("d/early", O_CREAT | O_RDWR, 0600);
	unlink("d/early");
	(void)!write(fd, "5", 1);
	close(fd);
	expect("5:modify=early 5:close_write=early", "without: by the name that it had");
	inotify_rm_watch(queue, w);
	expect("5:ignored", "taken away");
}

static void masks(void)
{
	int other;

	touch("f");
	symlink("f", "l");
	ok(watch("f", IN_OPEN | IN_ONESHOT) == 6, "IN_ONESHOT");
	close(open("f", O_RDONLY));
	close(open("f", O_RDONLY));
	expect("6:open 6:ignored", "is told once");
	ok(watch("f", IN_OPEN) == 7 && watch("f", IN_CLOSE_NOWRITE | IN_MASK_ADD) == 7,
	   "IN_MASK_ADD");
	close(open("f", O_RDONLY));
	expect("7:open 7:close", "adds to the mask");
	watch("f", IN_ATTRIB);
	close(open("f", O_RDONLY));
	chmod("f", 0600);
	expect("7:attrib", "without it the mask is new");
	fails(watch("f", IN_OPEN | IN_MASK_CREATE), EEXIST, "IN_MASK_CREATE of a watched file");
	fails(watch("f", IN_OPEN | IN_MASK_CREATE | IN_MASK_ADD), EINVAL, "both");
	fails(watch("f", IN_OPEN | IN_ONLYDIR), ENOTDIR, "IN_ONLYDIR");
	ok(watch("l", IN_OPEN) == 7, "a link is followed");
	ok(watch("l", IN_DELETE_SELF | IN_DONT_FOLLOW) == 8, "IN_DONT_FOLLOW");
	unlink("l");
	expect("8:gone 8:ignored", "the link itself");
	fails(watch("nothing", IN_OPEN), ENOENT, "what is not there");
	fails(watch("f", 0), EINVAL, "an empty mask");
	fails(watch((const char *)8, IN_OPEN), EFAULT, "a bad pointer");
	fails(watch("", IN_OPEN), ENOENT, "an empty path");
	fails(inotify_add_watch(1000, "f", IN_OPEN), EBADF, "no descriptor");
	fails(inotify_add_watch(0, "f", IN_OPEN), EINVAL, "another kind");
	fails(inotify_rm_watch(0, 1), EINVAL, "another kind");
	fails(inotify_rm_watch(1000, 1), EBADF, "no descriptor");
	fails(inotify_init1(1), EINVAL, "unknown flags");
	other = inotify_init();
	ok(other >= 0 && inotify_add_watch(other, "f", IN_OPEN) == 1, "a second queue");
	close(open("f", O_RDONLY));
	expect("7:open", "both are told");
	ok(close(other) == 0, "closed with events in it");
	inotify_rm_watch(queue, 7);
	expect("7:ignored", "taken away");
}

static void reading(void)
{
	_Alignas(8) char buffer[256];
	struct pollfd p = {.fd = queue, .events = POLLIN | POLLOUT};
	struct timeval none = {0};
	fd_set set;
	int bytes = -1, w = watch("d", IN_CREATE);

	ok(w == 9, "a watch");
	FD_ZERO(&set);
	FD_SET(queue, &set);
	fails(read(queue, buffer, sizeof(buffer)), EAGAIN, "nothing to read");
	ok(poll(&p, 1, 0) == 0, "nor for poll");
	touch("d/a");
	touch("d/sixteen--letters");
	ok(poll(&p, 1, 0) == 1 && p.revents == POLLIN, "poll");
	ok(select(queue + 1, &set, NULL, NULL, &none) == 1, "select");
	ok(ioctl(queue, FIONREAD, &bytes) == 0 && bytes == 32 + 48, "FIONREAD");
	fails(read(queue, buffer, 16), EINVAL, "a buffer that is too small");
	ok(read(queue, buffer, 79) == 32, "whole events alone");
	ok(read(queue, buffer, sizeof(buffer)) == 48, "the other");
	ok(!strcmp(((struct inotify_event *)(void *)buffer)->name, "sixteen--letters"), "its name");
	fails(write(queue, buffer, 16), EBADF, "it is not written to");
	unlink("d/a");
	unlink("d/sixteen--letters");
}

/* A child makes what the parent waits for, and reads what the parent has. */
static void processes(const char *self)
{
	_Alignas(8) char buffer[256];
	char number[16];
	struct timespec moment = {.tv_nsec = 100000000};
	int status;
	pid_t child = fork();

	if (!child) {
		nanosleep(&moment, NULL);
		touch("d/by-child");
		_exit(0);
	}
	fcntl(queue, F_SETFL, 0);
	ok(read(queue, buffer, sizeof(buffer)) == 32, "a read waits");
	waitpid(child, &status, 0);
	unlink("d/by-child");
	touch("d/for-exec");
	snprintf(number, sizeof(number), "%d", queue);
	child = fork();
	if (!child) {
		execl(self, self, "read", number, (char *)NULL);
		_exit(99);
	}
	ok(waitpid(child, &status, 0) == child && status == 0, "another program reads it");
	ok(ioctl(queue, FIONREAD, &status) == 0 && status == 0, "so it is read");
	fcntl(queue, F_SETFL, O_NONBLOCK);
	unlink("d/for-exec");
}

static int read_in_other_program(int fd)
{
	_Alignas(8) char buffer[256];
	ssize_t n = read(fd, buffer, sizeof(buffer));

	return n == 32 && inotify_add_watch(fd, "f", IN_OPEN) == 10 ? 0 : 1;
}

/* Linux has 16384 as well, unless somebody set another number. */
static void full(void)
{
	static char buffer[65536];
	struct inotify_event last = {0};
	ssize_t n;
	int count = 0;

	watch("f", IN_ATTRIB | IN_OPEN | IN_CLOSE);
	for (int i = 0; i < 8300; i++)
		close(open("f", O_RDONLY));
	while ((n = read(queue, buffer, sizeof(buffer))) > 0) {
		count += (int)(n / (ssize_t)sizeof(last));
		memcpy(&last, buffer + n - (ssize_t)sizeof(last), sizeof(last));
	}
	ok(count == 16385 && last.mask == IN_Q_OVERFLOW && last.wd == -1,
	   "a full queue ends with IN_Q_OVERFLOW");
	chmod("f", 0644);
	expect("10:attrib", "and goes on when it was read");
}

/* What nobody has open is gone before its name is. */
static void removed(void)
{
	int directory, own = inotify_init1(IN_NONBLOCK), before = queue;

	queue = own;
	mkdir("r", 0755);
	mkdir("r/d", 0755);
	close(open("r/f", O_CREAT | O_WRONLY, 0644));
	watch("r", IN_DELETE);
	watch("r/d", IN_DELETE_SELF);
	watch("r/f", IN_DELETE_SELF | IN_ATTRIB);
	rmdir("r/d");
	expect("2:gone 2:ignored 1:delete/=d", "rmdir: the directory, then its name");
	unlink("r/f");
	expect("3:attrib 3:gone 3:ignored 1:delete=f", "unlink: the file, then its name");
	mkdir("r/d", 0755);
	watch("r/d", IN_DELETE_SELF);
	directory = open("r/d", O_RDONLY);
	rmdir("r/d");
	expect("1:delete/=d", "one that is open: its name");
	close(directory);
	expect("4:gone 4:ignored", "and itself when it is closed");
	rmdir("r");
	close(own);
	queue = before;
}

/* Who closes a file and then calls nothing has closed it all the same: for who watches it, and for
 * who wants the lock that went with it. */
static void computing(void)
{
	atomic_int *stop = mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE,
	                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int said[2], before = queue, fd;
	pid_t child;
	char byte;

	touch("quiet");
	touch("locked");
	queue = inotify_init1(IN_NONBLOCK);
	child = pipe(said) ? -1 : fork();
	if (!child) {
		for (int i = 0; i < 20; i++)
			close(open("quiet", O_RDONLY));
		fd = open("locked", O_RDONLY);
		flock(fd, LOCK_EX);
		read(said[0], &byte, 1);
		close(open("quiet", O_RDONLY));
		while (!atomic_load(stop))
			;
		close(fd);
		while (atomic_load(stop) == 1)
			;
		_exit(0);
	}
	usleep(300000);
	watch("quiet", IN_CLOSE);
	write(said[1], "x", 1);
	for (int i = 0; i < 100 && strcmp(events(), "1:close"); i++)
		;
	ok(!strcmp(seen, "1:close"), "who computes has closed what it closed before");
	fd = open("locked", O_RDONLY);
	ok(flock(fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK, "it has a lock");
	atomic_store(stop, 1);
	usleep(100000);
	ok(flock(fd, LOCK_EX | LOCK_NB) == 0, "that is gone with the next");
	atomic_store(stop, 2);
	ok(waitpid(child, NULL, 0) == child, "it ends");
	close(fd);
	close(said[0]);
	close(said[1]);
	close(queue);
	queue = before;
}

int main(int argc, char **argv)
{
	char directory[] = "/tmp/inotify-XXXXXX", self[4096];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3)
		return read_in_other_program(atoi(argv[2]));
	if (!realpath(argv[0], self) || !mkdtemp(directory) || chdir(directory))
		return 1;
	mkdir("d", 0755);
	queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	ok(queue >= 0 && fcntl(queue, F_GETFD) == FD_CLOEXEC, "inotify_init1");
	fcntl(queue, F_SETFD, 0);
	entries();
	itself();
	opened_before();
	masks();
	reading();
	processes(self);
	full();
	removed();
	computing();
	return tap_finish();
}
