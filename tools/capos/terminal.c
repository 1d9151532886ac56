/* SPDX-License-Identifier: MIT */
/*
 * A process of its own waits for this one's end: it puts the terminal back also after a SIGKILL.
 * What it waits for is the end of a pipe, which only this process holds open.
 */
#include "tools/capos/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "tools/capos/complain.h"

static struct {
	struct termios saved;
	bool is_raw;
	pid_t owner; /* who made it raw: a child that exits changes nothing */
	pid_t guard; /* 0: none */
	int pipe;
} terminal;

void terminal_check(const char *otherwise)
{
	if (isatty(STDIN_FILENO) != 1)
		die("%s", otherwise);
}

void terminal_size(uint16_t *columns, uint16_t *rows)
{
	struct winsize size;

	*columns = *rows = 0;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		*columns = size.ws_col;
		*rows = size.ws_row;
	}
}

bool terminal_is_taken(void)
{
	pid_t foreground = tcgetpgrp(STDIN_FILENO);

	return foreground > 0 && foreground != getpgrp();
}

/* The guard: "e" before the pipe's end says that the terminal is in order. */
_Noreturn static void guard(int fd)
{
	sigset_t all;
	char byte;
	ssize_t n;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (int other = STDERR_FILENO + 1; other < fd; other++)
		close(other);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 0) /* SIGTTOU is blocked: allowed from the background, too */
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal.saved);
	_exit(0);
}

static void start_guard(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		die("pipe: %s", strerror(errno));
	terminal.guard = fork();
	if (terminal.guard < 0)
		die("fork: %s", strerror(errno));
	if (terminal.guard == 0) {
		close(ends[1]);
		guard(ends[0]);
	}
	close(ends[0]);
	terminal.pipe = ends[1];
}

void terminal_begin(void)
{
	struct termios raw;

	if (terminal.is_raw)
		return;
	if (tcgetattr(STDIN_FILENO, &terminal.saved) != 0)
		die("the terminal on stdin: %s", strerror(errno));
	if (!terminal.owner)
		atexit(terminal_end);
	terminal.owner = getpid();
	start_guard();
	raw = terminal.saved;
	cfmakeraw(&raw);
	terminal.is_raw = true;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
		die("the terminal on stdin: %s", strerror(errno));
}

void terminal_end(void)
{
	if (!terminal.is_raw || terminal.owner != getpid())
		return;
	terminal.is_raw = false;
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal.saved);
	(void)!write(terminal.pipe, "e", 1);
	close(terminal.pipe);
	waitpid(terminal.guard, NULL, 0);
	terminal.guard = 0;
}
