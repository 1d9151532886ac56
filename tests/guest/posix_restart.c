/* SPDX-License-Identifier: MIT */
/*
 * What a POSIX program sees when a service ends and is started again: what sleeps wakes with an
 * error, what was open fails, what is opened anew works.  The manifest gives the program the
 * services' processes, with the right to kill them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <capos/cap.h>
#include <capos/schema/kernel_client.h>
#include <capos/start.h>

#include "posix_tap.h"

#define PATIENCE 40 /* seconds until a sleep that should have ended is a failure */

static struct sockaddr_in peer = {.sin_family = AF_INET};

static void end_service(const char *name)
{
	const struct process_kill_params kill_it = {.status = CAPOS_EXIT_STATUS(0, SIGKILL)};

	ok(process_kill(start_cap(name), &kill_it, NULL) == CAP_OK, name);
}

static int connected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&peer, sizeof(peer)) == 0)
		return fd;
	return -1;
}

static int listening(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 5) ? -1 : fd;
}

/* ---- What sleeps ---- */

/* Each in a child: 0 when the call failed with the errno that is expected. */
static int sleep_in_read(int fd)
{
	char byte;

	return read(fd, &byte, 1) == -1 && errno == ECONNRESET ? 0 : 1;
}

static int sleep_in_write(int fd)
{
	static char block[65536];
	ssize_t n;

	do {
		n = write(fd, block, sizeof(block));
	} while (n > 0);
	return errno == ECONNRESET || errno == EPIPE ? 0 : 1;
}

static int sleep_in_accept(int fd)
{
	return accept(fd, NULL, NULL) == -1 && errno == ENETDOWN ? 0 : 1;
}

static int sleep_in_recv(int fd)
{
	char byte;

	return recv(fd, &byte, 1, 0) == -1 && errno == ENETDOWN ? 0 : 1;
}

static int sleep_in_poll(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, -1) == 1 && p.revents & (POLLERR | POLLHUP) ? 0 : 1;
}

static int sleep_in_select(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, NULL) == 1 ? 0 : 1;
}

static pid_t start_sleeper(int (*call)(int fd), int fd)
{
	pid_t child = fork();

	if (child)
		return child;
	alarm(PATIENCE);
	signal(SIGPIPE, SIG_IGN);
	_exit(call(fd));
}

static bool ended_well(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && status == 0;
}

static void network(const char *process)
{
	int stream = connected(), full = connected(), listener = listening(),
	    datagrams = socket(AF_INET, SOCK_DGRAM, 0);
	const struct {
		const char *what;
		int (*call)(int fd);
		int fd;
	} sleepers[] = {{"read", sleep_in_read, stream},
	                {"write", sleep_in_write, full},
	                {"accept", sleep_in_accept, listener},
	                {"recv", sleep_in_recv, datagrams},
	                {"poll of a connection", sleep_in_poll, stream},
	                {"poll of a listener", sleep_in_poll, listener},
	                {"select", sleep_in_select, datagrams}};
	const unsigned n = sizeof(sleepers) / sizeof(sleepers[0]);
	pid_t children[sizeof(sleepers) / sizeof(sleepers[0])];
	char byte;

	ok(stream >= 0 && full >= 0 && listener >= 0 && datagrams >= 0, "four sockets");
	for (unsigned i = 0; i < n; i++)
		children[i] = start_sleeper(sleepers[i].call, sleepers[i].fd);
	sleep(1);
	end_service(process);
	for (unsigned i = 0; i < n; i++)
		ok(ended_well(children[i]), sleepers[i].what);
	/* This process was elsewhere when it happened. */
	fails(read(stream, &byte, 1), ECONNRESET, "a read that comes later fails too");
	fails(listen(listener, 5), ENETDOWN, "a call on a dead socket is ENETDOWN");
	close(stream);
	close(full);
	close(listener);
	close(datagrams);
}

/* A datagram comes back from the peer.  Datagrams may be lost, and this one's interface may have
 * no address yet: it is sent some times. */
static bool echoed(void)
{
	struct timeval patience = {.tv_sec = 1};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char byte = 0;
	bool came = false;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	for (int i = 0; i < PATIENCE && fd >= 0 && !came; i++) {
		if (sendto(fd, "x", 1, 0, (struct sockaddr *)&peer, sizeof(peer)) != 1)
			usleep(100000);
		came = recv(fd, &byte, 1, 0) == 1 && byte == 'x';
	}
	close(fd);
	return came;
}

/* The program's network leads to the next netstack, from the first call on. */
static void network_again(void)
{
	int stream, listener, fd = socket(AF_INET, SOCK_STREAM, 0);

	ok(fd >= 0, "a socket is made at once");
	close(fd);
	stream = connected();
	ok(stream >= 0, "connections are made");
	listener = listening();
	ok(listener >= 0, "a port is listened on");
	ok(echoed(), "datagrams go both ways");
	close(stream);
	close(listener);
}

static int look(int fd)
{
	struct stat st;

	return fd == -1 && stat("/etc/manifest", &st) == 0 ? 0 : 1;
}

/* So that the library knows its attributes, by its path and by its descriptor. */
static bool told_of_mark(int fd)
{
	DIR *directory = opendir("/tmp");
	const struct dirent *entry;
	struct stat st;
	bool found = false;

	while (directory && (entry = readdir(directory)))
		found = found || strcmp(entry->d_name, "mark") == 0;
	for (int i = 0; i < 20; i++)
		found = found && fstat(fd, &st) == 0;
	return found && lstat("/tmp/mark", &st) == 0;
}

static void files(void)
{
	enum { CALLERS = 8 };
	int fd = open("/tmp/mark", O_RDWR | O_CREAT, 0600);
	pid_t callers[CALLERS];
	struct stat st;
	bool well = true;
	char byte;

	ok(fd >= 0 && write(fd, "x", 1) == 1, "a file is written");
	ok(told_of_mark(fd), "its directory is listed");
	end_service("files-process");
	fails(lstat("/tmp/mark", &st), ENOENT, "what was told of it is forgotten");
	/* These arrive before init has opened the program's session with the new process. */
	for (int i = 0; i < CALLERS; i++)
		callers[i] = start_sleeper(look, -1);
	ok(stat("/etc/manifest", &st) == 0, "paths work again, from the first call on");
	for (int i = 0; i < CALLERS; i++)
		well = ended_well(callers[i]) && well;
	ok(well, "for several processes at once");
	fails(pread(fd, &byte, 1, 0), EIO, "what was open is EIO");
	fails(fstat(fd, &st), EIO, "all of it");
	ok(close(fd) == 0, "and can be closed");
	fails(open("/tmp/mark", O_RDONLY), ENOENT, "what was written is lost");
	fd = open("/tmp/mark", O_RDWR | O_CREAT, 0600);
	ok(fd >= 0 && write(fd, "x", 1) == 1, "new files are written");
	close(fd);
}

/* ---- Processes ---- */

/* 0: the wait that was under way failed for lack of a child that anything knows. */
static int sleep_in_wait(int unused)
{
	(void)unused;
	if (!fork())
		for (;;)
			pause();
	return wait(NULL) == -1 && errno == ECHILD ? 0 : 1;
}

/* What a child waits for goes with the service, whose children no other process waits for then: it
 * says how it went in the segment, which stays where it is attached. */
static volatile int *start_semop(int *segment)
{
	int set = semget(IPC_PRIVATE, 1, 0600);
	struct sembuf down = {0, -1, 0};
	volatile int *said;

	*segment = shmget(IPC_PRIVATE, sizeof(*said), 0600);
	said = shmat(*segment, NULL, 0);
	ok(said != (void *)-1 && set >= 0, "a segment and a set of semaphores");
	if (said != (void *)-1 && !fork()) {
		alarm(PATIENCE);
		*said = semop(set, &down, 1) ? errno : -1;
		_exit(0);
	}
	return said;
}

static void check_system_v(volatile int *said, int segment)
{
	struct shmid_ds state;

	for (int i = 0; i < PATIENCE * 100 && !*said; i++)
		usleep(10000);
	ok(*said == EINVAL, "a semop that waited finds no set then");
	fails(shmctl(segment, IPC_STAT, &state), EINVAL, "the segment has no number");
	*said = 17;
	ok(*said == 17, "but it is where it was");
	ok(shmdt((const void *)(uintptr_t)said) == 0, "until it is detached");
	ok(semget(IPC_PRIVATE, 1, 0600) != -1, "new ones are made");
}

/* A child of another user: once the pipe ends it says by its own what it may still do. */
static pid_t start_user(int go[2], int said[2])
{
	pid_t child, root = getpid();
	char byte;

	if (pipe(go) || pipe(said))
		return -1;
	child = fork();
	if (child)
		return child;
	alarm(PATIENCE);
	close(go[1]);
	byte = setgid(100) || setuid(1000) ? 's' : '-';
	write(said[1], &byte, 1);
	read(go[0], &byte, 1);
	byte = getuid() != 1000 || geteuid() != 1000 || getegid() != 100        ? 'n'
	       : setuid(0) == 0 || setegid(0) == 0                              ? 'u'
	       : kill(root, 0) == 0 || errno != EPERM                           ? 'k'
	       : open("/etc/shadow-of-root", O_WRONLY) != -1 || errno != EACCES ? 'o'
	                                                                        : '-';
	write(said[1], &byte, 1);
	_exit(0);
}

/* Its number is new to the service, which has it from the first call that it makes. */
static void check_user(pid_t child, int go[2], int said[2])
{
	char byte = 'r';

	kill(getpid(), 0);
	close(go[1]);
	close(said[1]);
	ok(child > 0 && read(said[0], &byte, 1) == 1 && byte == '-',
	   "who was another user is that user for the next service");
	if (byte != '-')
		printf("# it failed at %c\n", byte);
	close(go[0]);
	close(said[0]);
}

static void processes(void)
{
	int segment, go[2], users[2];
	char byte = 'r';
	volatile int *said = start_semop(&segment);
	pid_t self = getpid(), waiter = fork(), stranger, child, user;
	int status;

	if (!waiter)
		_exit(sleep_in_wait(0));
	stranger = fork();
	if (!stranger)
		for (;;)
			pause();
	close(open("/etc/shadow-of-root", O_CREAT | O_WRONLY, 0600));
	user = start_user(go, users);
	ok(user > 0 && read(users[0], &byte, 1) == 1 && byte == '-', "a child is another user");
	usleep(300000);
	end_service("processes-process");
	ok(kill(stranger, SIGTERM) == -1 && errno == ESRCH, "kill finds no process then");
	ok(waitpid(stranger, &status, 0) == -1 && errno == ECHILD, "nor wait a child");
	ok(getpid() == self, "the process keeps its number");
	child = fork();
	if (!child)
		_exit(getppid() == self ? 7 : 8);
	ok(child > 0 && child != self, "fork works on");
	ok(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7,
	   "and wait");
	ok(kill(self, 0) == 0 && getpgrp() > 0, "the process is there for others");
	check_user(user, go, users);
	if (said != (void *)-1)
		check_system_v(said, segment);
}

/* Standard output goes over to the console's next process. */
static void console(void)
{
	fflush(stdout);
	end_service("console-process");
	for (int i = 0; i < 20; i++) {
		if (printf("# line %d behind the console's end\n", i) < 0)
			_exit(2);
		usleep(50000);
	}
	ok(!ferror(stdout), "standard output works on");
}

int main(int argc, char **argv)
{
	start_init((const uint64_t *)argv - 1);
	if (argc < 2)
		return 1;
	inet_pton(AF_INET, "10.0.2.2", &peer.sin_addr);
	peer.sin_port = htons((uint16_t)atoi(argv[1]));
	setvbuf(stdout, NULL, _IOLBF, 0);
	files();
	network("netstack-process");
	network_again();
	network("driver-process");
	network_again();
	processes();
	console();
	return tap_finish();
}
