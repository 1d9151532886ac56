/* SPDX-License-Identifier: MIT */
/*
 * FIFOs as POSIX has them, on capOS and on Linux: opening waits for the other side, what is written
 * at once arrives at once, and an end is gone with the last process that has it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

static const char path[] = "/tmp/fifo";
static volatile sig_atomic_t caught;

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void note(int signal)
{
	(void)signal;
	caught++;
}

static unsigned ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

	return poll(&p, 1, 0) < 0 ? ~0u : (unsigned)p.revents;
}

static int ends(pid_t child)
{
	int status = -1;

	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

static void names(void)
{
	struct dirent *e;
	struct stat st;
	DIR *dir;
	int found = -1;

	umask(022);
	ok(mkfifo(path, 0666) == 0 && stat(path, &st) == 0 && S_ISFIFO(st.st_mode) &&
	           (st.st_mode & 07777) == 0644 && st.st_size == 0 && st.st_nlink == 1,
	   "mkfifo");
	fails(mkfifo(path, 0600), EEXIST, "its name is in use");
	fails(mkfifo("/tmp/none/fifo", 0600), ENOENT, "a directory that does not exist");
	fails(truncate(path, 0), EINVAL, "it has no length");
	dir = opendir("/tmp");
	while (dir && (e = readdir(dir)))
		found = !strcmp(e->d_name, "fifo") ? e->d_type : found;
	closedir(dir);
	ok(found == DT_FIFO, "a directory lists it as one");
	ok(mknod("/tmp/plain", S_IFREG | 0600, 0) == 0 && stat("/tmp/plain", &st) == 0 &&
	           S_ISREG(st.st_mode),
	   "mknod makes files too");
	unlink("/tmp/plain");
	ok(rename(path, "/tmp/moved") == 0 && link("/tmp/moved", path) == 0 &&
	           unlink("/tmp/moved") == 0,
	   "it is renamed and linked");
}

static void without_waiting(void)
{
	int reader, writer, both;
	char text[8] = "";

	fails(open(path, O_WRONLY | O_NONBLOCK), ENXIO, "nothing reads");
	reader = open(path, O_RDONLY | O_NONBLOCK);
	ok(reader >= 0 && ready(reader) == 0, "a reader comes first and nothing has hung up");
	ok(read(reader, text, 1) == 0, "without a writer it reads an end");
	writer = open(path, O_WRONLY | O_NONBLOCK | O_TRUNC);
	ok(writer >= 0 && ready(writer) == POLLOUT, "a writer");
	fails(read(reader, text, 1), EAGAIN, "nothing is there");
	fails(read(writer, text, 1), EBADF, "a writer does not read");
	fails(write(reader, text, 1), EBADF, "nor a reader write");
	fails(lseek(reader, 0, SEEK_CUR), ESPIPE, "it has no offset");
	ok(write(writer, "abc", 3) == 3 && ready(reader) == POLLIN, "bytes come");
	close(writer);
	ok(ready(reader) == (POLLIN | POLLHUP), "and then the end");
	ok(read(reader, text, 8) == 3 && !strcmp(text, "abc") && read(reader, text, 1) == 0,
	   "both are read");
	writer = open(path, O_WRONLY);
	ok(writer >= 0 && ready(reader) == 0, "another writer takes it up again");
	signal(SIGPIPE, note);
	close(reader);
	ok(write(writer, "x", 1) == -1 && errno == EPIPE && caught == 1 && ready(writer) & POLLERR,
	   "EPIPE and SIGPIPE when nothing reads");
	close(writer);
	both = open(path, O_RDWR);
	ok(both >= 0 && write(both, "self", 4) == 4 && read(both, text, 8) == 4,
	   "one that is both waits for none");
	close(both);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	writer = open(path, O_WRONLY);
	write(writer, "lost", 4);
	close(reader);
	close(writer);
	sleep_ms(50);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	ok(read(reader, text, 8) == 0, "what was not read goes with the last end");
	close(reader);
}

static void waits(void)
{
	char text[8] = "";
	pid_t child = fork();
	int fd;

	if (!child) {
		fd = open(path, O_WRONLY);
		_exit(write(fd, "late", 4) != 4);
	}
	sleep_ms(50);
	fd = open(path, O_RDONLY);
	ok(fd >= 0 && read(fd, text, 8) == 4 && !strcmp(text, "late") && read(fd, text, 1) == 0,
	   "a writer waits for a reader");
	close(fd);
	ok(ends(child) == 0, "and goes on");
	child = fork();
	if (!child) {
		sleep_ms(100);
		fd = open(path, O_WRONLY);
		close(fd);
		_exit(0);
	}
	fd = open(path, O_RDONLY);
	ok(fd >= 0 && read(fd, text, 1) == 0,
	   "a reader waits for a writer, though it goes at once");
	close(fd);
	ends(child);
}

/* A writer that waited goes on, and may be gone before the reader that it waited for looks. */
static bool meets(long ms)
{
	char text[8] = "";
	pid_t child = fork();
	bool well;
	int fd;

	if (!child) {
		fd = open(path, O_WRONLY);
		_exit(write(fd, "late", 4) != 4);
	}
	sleep_ms(ms);
	alarm(30);
	fd = open(path, O_RDONLY);
	well = fd >= 0 && read(fd, text, 8) == 4 && read(fd, text, 1) == 0;
	alarm(0);
	close(fd);
	return ends(child) == 0 && well;
}

static void meetings(void)
{
	const struct sigaction action = {.sa_handler = note};
	int met = 0;

	sigaction(SIGALRM, &action, NULL);
	while (met < 300 && meets(met % 3 * 3))
		met++;
	ok(met == 300, "who waited is met, however soon it goes");
}

static void interrupted(void)
{
	struct sigaction action = {.sa_handler = note};
	/* Again and again: the first may come before the wait. */
	struct itimerspec soon = {.it_interval = {0, 50000000}, .it_value = {0, 50000000}};
	timer_t timer;
	pid_t child;
	int fd;

	timer_create(CLOCK_MONOTONIC, NULL, &timer);
	sigaction(SIGALRM, &action, NULL);
	timer_settime(timer, 0, &soon, NULL);
	fails(open(path, O_RDONLY), EINTR, "a handler ends the wait");
	fails(open(path, O_WRONLY | O_NONBLOCK), ENXIO, "and leaves no reader");
	action.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	child = fork();
	if (!child) {
		sleep_ms(200);
		_exit(open(path, O_WRONLY) < 0);
	}
	timer_settime(timer, 0, &soon, NULL);
	fd = open(path, O_RDONLY);
	ok(fd >= 0 && caught, "with SA_RESTART it goes on");
	close(fd);
	ok(ends(child) == 0, "until a writer comes");
	timer_delete(timer);
}

/* Lines of PIPE_BUF bytes of one letter each. */
static int write_lines(int fd, char letter, int n)
{
	char line[PIPE_BUF];

	memset(line, letter, sizeof(line));
	while (n--) {
		if (write(fd, line, sizeof(line)) != (ssize_t)sizeof(line))
			return 1;
	}
	return 0;
}

static int read_lines(int fd, int n)
{
	char line[PIPE_BUF];

	while (n--) {
		size_t got = 0;

		while (got < sizeof(line)) {
			ssize_t r = read(fd, line + got, sizeof(line) - got);

			if (r <= 0)
				return 0;
			got += (size_t)r;
		}
		for (size_t i = 1; i < sizeof(line); i++) {
			if (line[i] != line[0])
				return 0;
		}
	}
	return 1;
}

static void many_writers(void)
{
	pid_t children[8];
	int fd = open(path, O_RDONLY | O_NONBLOCK), own = open(path, O_WRONLY), failed = 0;

	fcntl(fd, F_SETFL, 0);
	for (int i = 0; i < 8; i++) {
		children[i] = fork();
		if (!children[i])
			_exit(write_lines(open(path, O_WRONLY), (char)('a' + i), 100));
	}
	ok(read_lines(fd, 800), "PIPE_BUF bytes of eight writers stay together");
	close(own); /* until now it kept the first that was done from ending it */
	for (int i = 0; i < 8; i++)
		failed |= ends(children[i]);
	ok(!failed && read(fd, children, 1) == 0, "and all end");
	close(fd);
}

static void killed(void)
{
	char text[4];
	pid_t child = fork();
	int fd;

	if (!child) {
		fd = open(path, O_WRONLY);
		for (;;)
			pause();
	}
	fd = open(path, O_RDONLY);
	kill(child, SIGKILL);
	ok(read(fd, text, 1) == 0, "a killed writer's end is closed");
	ends(child);
	close(fd);
	child = fork();
	if (!child) {
		fd = open(path, O_RDONLY);
		for (;;)
			pause();
	}
	fd = open(path, O_WRONLY);
	kill(child, SIGKILL);
	ends(child);
	sleep_ms(50);
	caught = 0;
	fails(write(fd, text, 1), EPIPE, "and a killed reader's");
	close(fd);
}

static void many_times(void)
{
	int good = 0;

	for (int i = 0; i < 300; i++) {
		int reader = open(path, O_RDONLY | O_NONBLOCK), writer = open(path, O_WRONLY);
		char c = 0;

		good += write(writer, "x", 1) == 1 && read(reader, &c, 1) == 1 && c == 'x';
		close(reader);
		close(writer);
	}
	ok(good == 300, "300 times in a row");
}

static void across_exec(const char *self)
{
	char number[16], *args[] = {(char *)self, number, NULL};
	int reader = open(path, O_RDONLY | O_NONBLOCK), writer = open(path, O_WRONLY);
	char text[8] = "";
	pid_t child;

	snprintf(number, sizeof(number), "%d", writer);
	child = fork();
	if (!child) {
		execv(self, args);
		_exit(1);
	}
	close(writer);
	ok(ends(child) == 0 && read(reader, text, 8) == 4 && !strcmp(text, "exec"),
	   "an end crosses execve");
	ok(read(reader, text, 1) == 0, "and is closed by the new image's end");
	close(reader);
}

int main(int argc, char **argv)
{
	unlink(path);
	if (argc > 1)
		return write(atoi(argv[1]), "exec", 4) != 4;
	names();
	without_waiting();
	waits();
	meetings();
	interrupted();
	many_writers();
	killed();
	many_times();
	across_exec(argv[0]);
	unlink(path);
	return tap_finish();
}
