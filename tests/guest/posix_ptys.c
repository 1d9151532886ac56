/* SPDX-License-Identifier: MIT */
/*
 * Pseudo-terminals in one process that holds both ends: nothing may wait for what only it can do.
 * Linux says the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "posix_tap.h"

static int open_both(int *slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	if (master < 0 || grantpt(master) || unlockpt(master))
		return -1;
	*slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	return *slave < 0 ? -1 : master;
}

static void drains(void)
{
	char read_back[16] = "";
	struct termios t;
	int slave, master = open_both(&slave);

	ok(master >= 0, "both ends are open");
	ok(write(slave, "hello\n", 6) == 6, "something is written");
	ok(!tcdrain(slave), "a drain does not wait for the master's read");
	ok(!tcgetattr(slave, &t) && !tcsetattr(slave, TCSADRAIN, &t),
	   "nor do attributes that are set after it");
	ok(!tcsetattr(slave, TCSAFLUSH, &t), "nor those that drop the input");
	ok(read(master, read_back, sizeof(read_back)) == 7 && !memcmp(read_back, "hello\r\n", 7),
	   "what was written is all there");
	close(slave);
	close(master);
}

static void ends(void)
{
	int slave, master = open_both(&slave);
	struct pollfd p = {.fd = master, .events = POLLIN};
	char byte;

	close(slave);
	ok(poll(&p, 1, 5000) == 1 && p.revents == POLLHUP,
	   "the master is hung up when the slave is closed");
	ok(read(master, &byte, 1) == -1 && errno == EIO, "and its read says so");
	close(master);
}

/* A session's leader asks not to be given it. */
static void not_controlling(void)
{
	int status = 0, slave, master;
	pid_t child = fork();

	if (!child) {
		setsid();
		master = open_both(&slave);
		if (open("/dev/tty", O_RDWR) != -1 || errno != ENXIO)
			_exit(1);
		close(slave);
		close(master); /* what it controls gets SIGHUP */
		_exit(0);
	}
	waitpid(child, &status, 0);
	ok(child > 0 && status == 0,
	   "O_NOCTTY opens a terminal that does not become the session's");
}

static void nothing(int number)
{
	(void)number;
}

/* Programs (script of BusyBox) look at the events of a poll that failed. */
static void interrupted(void)
{
	const struct sigaction action = {.sa_handler = nothing};
	struct pollfd p = {.events = POLLIN, .revents = POLLIN};
	int ends[2], parent = getpid(), result;
	pid_t child;

	if (pipe(ends))
		return;
	p.fd = ends[0];
	sigaction(SIGUSR1, &action, NULL);
	child = fork();
	if (!child) {
		/* Again and again: the first may come before the poll. */
		for (int i = 0; i < 100 && !kill(parent, SIGUSR1); i++)
			usleep(50000);
		_exit(0);
	}
	result = poll(&p, 1, 20000);
	ok(result == -1 && errno == EINTR, "a poll is interrupted");
	ok(p.revents == 0, "and leaves no old events");
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) != child)
		;
}

int main(void)
{
	alarm(60);
	drains();
	ends();
	not_controlling();
	interrupted();
	return tap_finish();
}
