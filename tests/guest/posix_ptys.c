/* SPDX-License-Identifier: MIT */
/*
 * Pseudo-terminals in one process that holds both ends: nothing may wait for what only it can do.
 * Linux says the same.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
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

/* ---- Files ---- */

#define USER 4242

static bool is_listed(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	DIR *directory = opendir("/dev/pts");
	const struct dirent *entry;
	bool found = false;

	while (directory && (entry = readdir(directory)))
		found |= !strcmp(entry->d_name, name) && entry->d_type == DT_CHR;
	if (directory)
		closedir(directory);
	return found;
}

/* Whether a process of another user opens it. */
static bool opens_as_user(const char *path)
{
	int status;
	pid_t child = fork();

	if (!child) {
		if (setgid(USER) || setuid(USER))
			_exit(2);
		_exit(open(path, O_RDWR | O_NOCTTY) < 0);
	}
	waitpid(child, &status, 0);
	return status == 0;
}

static void owners(void)
{
	int slave, master = open_both(&slave);
	char path[64];
	struct stat st, by_name;

	strcpy(path, ptsname(master));
	ok(is_listed(path), "a pseudo-terminal is in /dev/pts");
	ok(!fstat(slave, &st) && !stat(path, &by_name) && S_ISCHR(st.st_mode) &&
	           st.st_ino == by_name.st_ino && st.st_rdev == by_name.st_rdev && !st.st_uid,
	   "it is a device of who opened its master");
	ok(!opens_as_user(path), "another user does not open it");
	ok(!fchown(slave, USER, USER) && !stat(path, &st) && st.st_uid == USER && st.st_gid == USER,
	   "fchown gives it to that user");
	ok(opens_as_user(path), "who opens it then");
	ok(!chown(path, 0, 0) && !fstat(slave, &st) && !st.st_uid && !opens_as_user(path),
	   "chown takes it back");
	ok(!chmod(path, 0600) && !fstat(slave, &st) && (st.st_mode & 07777) == 0600, "chmod");
	ok(!fchmod(slave, 0622) && !stat(path, &st) && (st.st_mode & 07777) == 0622, "fchmod");
	close(slave);
	close(master);
	fails(stat(path, &st), ENOENT, "there is none when it is closed");
	ok(!is_listed(path), "nor in /dev/pts");
}

/* By a process that is another user's already. */
static void of_a_user(void)
{
	int slave, master, status;
	struct stat st;
	pid_t child = fork();

	if (!child) {
		if (setegid(USER) || seteuid(USER))
			_exit(2);
		master = open_both(&slave);
		if (master < 0)
			_exit(3);
		_exit(fstat(slave, &st) || st.st_uid != USER || fchmod(slave, 0600) ||
		      fchown(slave, 0, (gid_t)-1) != -1 || errno != EPERM);
	}
	waitpid(child, &status, 0);
	ok(status == 0, "who opens a master has its terminal");
}

/* ---- Sessions ---- */

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

/* Its read finds the end at once, though something was typed; all else fails. */
static void hung_up(void)
{
	int slave, master = open_both(&slave);
	struct pollfd p = {.events = POLLIN};
	struct termios attributes;
	char byte;

	write(master, "typed\n", 6);
	p.fd = slave;
	ok(poll(&p, 1, 5000) == 1 && p.revents & POLLIN, "a line was typed");
	p.events |= POLLOUT;
	close(master);
	for (int i = 0; i < 100 && !(p.revents & POLLHUP); i++)
		if (poll(&p, 1, 0) == 1 && !(p.revents & POLLHUP))
			usleep(10000);
	ok(p.revents == (POLLIN | POLLOUT | POLLERR | POLLHUP), "a hung up terminal is all events");
	ok(read(slave, &byte, 1) == 0, "its read finds the end, whatever was typed before");
	fails(write(slave, &byte, 1), EIO, "a write is an error");
	fails(tcgetattr(slave, &attributes), EIO, "so are its attributes");
	fails(tcsetpgrp(slave, getpgrp()), ENOTTY, "it controls no session");
	ok(!isatty(slave), "it is no terminal any more");
	close(slave);
}

/* The status of a child in the background that uses the terminal this way, after so many stops each
 * of which is followed by SIGCONT alone, and one that makes it the foreground's. */
static int stopped_twice(int master, int slave, int way)
{
	struct termios attributes;
	int status = 0;
	char byte;
	pid_t child;

	tcgetattr(slave, &attributes);
	child = fork();
	if (!child) {
		setpgid(0, 0);
		if (way == 0)
			_exit(tcsetpgrp(slave, getpgrp()) ? 1 : 7);
		if (way == 1)
			_exit(read(slave, &byte, 1) != 1 ? 2 : 7);
		_exit(tcsetattr(slave, TCSANOW, &attributes) ? 3 : 7);
	}
	for (int stops = 0; stops < 2; stops++) {
		if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
			return -1;
		if (stops == 1) {
			tcsetpgrp(slave, child);
			write(master, "\n", 1);
		}
		kill(child, SIGCONT);
	}
	waitpid(child, &status, WUNTRACED);
	signal(SIGTTOU, SIG_IGN);
	tcsetpgrp(slave, getpgrp());
	signal(SIGTTOU, SIG_DFL);
	return status;
}

/* SIGCONT alone does not bring a process to the foreground. */
static void background(void)
{
	static const char *const ways[] = {"tcsetpgrp", "read", "tcsetattr"};
	int slave, master, status = 0, results[2];
	int stopped[3] = {0};
	char words[100];
	pid_t child;

	pipe(results);
	child = fork();
	if (!child) {
		alarm(20);
		master = open_both(&slave);
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		for (int i = 0; i < 3; i++)
			stopped[i] = stopped_twice(master, slave, i);
		child = fork();
		if (!child)
			_exit(0);
		waitpid(child, NULL, 0);
		errno = 0;
		write(results[1], stopped, sizeof(stopped));
		_exit(tcsetpgrp(slave, child) == -1 && errno == ESRCH ? 0 : 1);
	}
	waitpid(child, &status, 0);
	ok(read(results[0], stopped, sizeof(stopped)) == sizeof(stopped), "it has ended");
	for (int i = 0; i < 3; i++) {
		snprintf(words, sizeof(words), "%s stops again after SIGCONT in the background",
		         ways[i]);
		ok(WIFEXITED(stopped[i]) && WEXITSTATUS(stopped[i]) == 7, words);
	}
	ok(status == 0, "a group that is over does not come to the foreground: ESRCH");
	close(results[0]);
	close(results[1]);
}

/* What a read of the master gives: the first byte, and whether the text follows; else -1. */
static int packet(int master, const char *text)
{
	char bytes[64];
	ssize_t n = read(master, bytes, sizeof(bytes));

	if (n < 1 || (size_t)n != 1 + strlen(text) || memcmp(bytes + 1, text, strlen(text)))
		return -1;
	return (unsigned char)bytes[0];
}

static void packets(void)
{
	int slave, master = open_both(&slave), on = 1, flow;
	struct pollfd p = {.fd = master, .events = POLLIN | POLLPRI};
	struct termios t;
	char byte = 9;

	tcgetattr(slave, &t);
	t.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(slave, TCSANOW, &t);
	ok(ioctl(master, TIOCGPKT, &flow) == 0 && flow == 0, "a master reads no packets");
	ok(ioctl(master, TIOCPKT, &on) == 0 && ioctl(master, TIOCGPKT, &flow) == 0 && flow == 1,
	   "TIOCPKT");
	fails(ioctl(slave, TIOCPKT, &on), ENOTTY, "of the other end");
	ok(write(slave, "text", 4) == 4 && packet(master, "text") == TIOCPKT_DATA,
	   "a packet of data");
	ok(write(slave, "more", 4) == 4 && read(master, &byte, 1) == 1 && byte == TIOCPKT_DATA &&
	           packet(master, "more") == TIOCPKT_DATA,
	   "a short read has the kind alone");
	ok(tcflush(slave, TCIFLUSH) == 0 && poll(&p, 1, 5000) == 1 &&
	           (p.revents & (POLLPRI | POLLIN)) == (POLLPRI | POLLIN),
	   "news are urgent");
	ok(packet(master, "") == TIOCPKT_FLUSHREAD, "what was not read is dropped");
	ok(poll(&p, 1, 0) == 0, "and told once");
	ok(tcflush(slave, TCOFLUSH) == 0 && packet(master, "") == TIOCPKT_FLUSHWRITE,
	   "what was not sent is dropped");
	ok(tcflow(slave, TCOOFF) == 0 && packet(master, "") == TIOCPKT_STOP, "output stops");
	ok(tcflow(slave, TCOON) == 0 && packet(master, "") == TIOCPKT_START, "and goes on");
	ok(write(master, "\023", 1) == 1 && packet(master, "") == TIOCPKT_STOP &&
	           write(master, "\021", 1) == 1 && packet(master, "") == TIOCPKT_START,
	   "by characters");
	t.c_iflag &= ~(tcflag_t)IXON;
	ok(tcsetattr(slave, TCSANOW, &t) == 0 && packet(master, "") == TIOCPKT_NOSTOP,
	   "which mean nothing now");
	t.c_iflag |= IXON;
	ok(tcsetattr(slave, TCSANOW, &t) == 0 && packet(master, "") == TIOCPKT_DOSTOP,
	   "and mean it again");
	ok(write(master, "\003", 1) == 1 &&
	           packet(master, "") == (TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE),
	   "a typed signal drops both");
	on = 0;
	ok(ioctl(master, TIOCPKT, &on) == 0 && tcflush(slave, TCIFLUSH) == 0 &&
	           write(slave, "a", 1) == 1 && read(master, &byte, 1) == 1 && byte == 'a',
	   "without packets there are no news");
	close(slave), close(master);
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

/* The flags are the description's, whoever sets them. */
static void not_blocking(void)
{
	int slave, master = open_both(&slave);
	char byte;
	pid_t child = fork();

	if (!child) {
		fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
		fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	fails(read(slave, &byte, 1), EAGAIN, "a terminal that a child made nonblocking");
	fails(read(master, &byte, 1), EAGAIN, "and the other end");
	close(slave);
	close(master);
}

/* Each of these is refused to the background as a change of the attributes is. */
static int from_background(int slave)
{
	const struct sigaction action = {.sa_handler = nothing};
	int result = 0;

	setpgid(0, 0);
	sigaction(SIGTTOU, &action, NULL);
	result |= !(tcflush(slave, TCIFLUSH) == -1 && errno == EINTR);
	result |= !(tcflow(slave, TCOON) == -1 && errno == EINTR) << 1;
	result |= !(tcsendbreak(slave, 0) == -1 && errno == EINTR) << 2;
	result |= !(tcdrain(slave) == -1 && errno == EINTR) << 3;
	signal(SIGTTOU, SIG_IGN);
	result |= (tcflush(slave, TCIFLUSH) || tcflow(slave, TCOON) || tcdrain(slave)) << 4;
	return result;
}

static void line_from_background(void)
{
	int slave, master = open_both(&slave), status = -1;
	pid_t child = fork();

	if (!child) {
		if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0))
			_exit(99);
		child = fork();
		if (!child)
			_exit(from_background(slave));
		waitpid(child, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	waitpid(child, &status, 0);
	ok(status == 0, "SIGTTOU is for who flushes, stops, breaks or drains from the background");
	close(slave);
	close(master);
}

int main(void)
{
	alarm(60);
	drains();
	ends();
	owners();
	of_a_user();
	not_controlling();
	hung_up();
	background();
	packets();
	interrupted();
	not_blocking();
	line_from_background();
	return tap_finish();
}
