/* SPDX-License-Identifier: MIT */
/*
 * Locks on files: of processes, of open files, and flock's.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

#define NAME "/tmp/locked"

static int lock(int fd, int command, short type, off_t start, off_t length)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

	return fcntl(fd, command, &l);
}

static struct flock find(int fd, int command, short type, off_t start, off_t length)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

	if (fcntl(fd, command, &l))
		l.l_type = 99;
	return l;
}

/* Runs in a child: 0 or an errno of it. */
static int in_child(int (*run)(int fd), int fd)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(run(fd));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int child_locks(int fd)
{
	return lock(fd, F_SETLK, F_WRLCK, 0, 10) ? errno : 0;
}

static int child_reads(int fd)
{
	return lock(fd, F_SETLK, F_RDLCK, 20, 10) ? errno : 0;
}

static int child_finds(int fd)
{
	struct flock l = find(fd, F_GETLK, F_WRLCK, 0, 0);

	return l.l_type == F_WRLCK && l.l_whence == SEEK_SET && l.l_start == 0 && l.l_len == 15 &&
	                       l.l_pid == getppid()
	               ? 0
	               : 1;
}

static int child_opens_and_closes(int fd)
{
	int other = open(NAME, O_RDONLY);

	(void)fd;
	close(other);
	return 0;
}

static void of_processes(void)
{
	int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600), other;

	ok(lock(fd, F_SETLK, F_WRLCK, 0, 15) == 0, "a lock to write");
	ok(in_child(child_locks, fd) == EAGAIN, "a child's is refused: EAGAIN");
	ok(in_child(child_reads, fd) == 0, "elsewhere it is not, and goes with the child");
	ok(lock(fd, F_SETLK, F_WRLCK, 20, 10) == 0, "(as it does)");
	lock(fd, F_SETLK, F_UNLCK, 20, 10);
	ok(in_child(child_finds, fd) == 0, "F_GETLK says whose and where");
	ok(find(fd, F_GETLK, F_WRLCK, 0, 0).l_type == F_UNLCK,
	   "to its owner nothing is in the way");
	ok(in_child(child_opens_and_closes, fd) == 0 && in_child(child_locks, fd) == EAGAIN,
	   "a child that closes the file does not drop it");
	other = open(NAME, O_RDONLY);
	close(other);
	ok(in_child(child_locks, fd) == 0, "its owner does, by closing any descriptor");
	lock(fd, F_SETLK, F_WRLCK, 0, 15);
	close(dup(fd));
	ok(in_child(child_locks, fd) == 0, "a duplicate too");
	lock(fd, F_SETLK, F_RDLCK, 20, 10);
	ok(in_child(child_reads, fd) == 0, "locks to read are shared");
	other = open(NAME, O_RDONLY);
	fails(lock(other, F_SETLK, F_WRLCK, 0, 1), EBADF,
	      "a lock to write needs a file open to write");
	close(other);
	fails(lock(fd, F_SETLK, 77, 0, 1), EINVAL, "an unknown type: EINVAL");
	fails(lock(fd, F_GETLK, F_UNLCK, 0, 1), EINVAL, "F_GETLK of F_UNLCK: EINVAL");
	fails(lock(fd, F_SETLK, F_WRLCK, -1, 1), EINVAL, "before the start: EINVAL");
	fails(lock(fd, F_SETLK, F_WRLCK, INT64_MAX, 2), EOVERFLOW, "behind the end: EOVERFLOW");
	fails(fcntl(fd, F_SETLK, NULL), EFAULT, "a bad pointer: EFAULT");
	ok(lock(fd, F_SETLK, F_WRLCK, 30, -10) == 0, "a negative length is before the start");
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -5};
	ok(ftruncate(fd, 25) == 0 && fcntl(fd, F_SETLK, &l) == 0 &&
	           in_child(child_reads, fd) == EAGAIN,
	   "relative to the end");
	ok(lockf(fd, F_TEST, 0) == 0 && lockf(fd, F_ULOCK, 0) == 0, "lockf");
	close(fd);
}

/* ---- Waiting ---- */

static volatile int alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static pid_t holder(int fd, short type, off_t start, off_t length)
{
	int fds[2];
	char byte;
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		if (lock(fd, F_SETLKW, type, start, length) || write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	if (read(fds[0], &byte, 1) != 1)
		pid = -1;
	close(fds[0]);
	return pid;
}

static void *shared(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void waiting(void)
{
	struct sigaction action = {.sa_handler = on_alarm};
	int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	volatile int *got = shared();
	pid_t first = holder(fd, F_WRLCK, 0, 10), second;
	int status;

	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	fails(lock(fd, F_SETLKW, F_WRLCK, 5, 1), EINTR, "a signal ends the wait");
	ok(alarms == 1, "after its handler");
	second = fork();
	if (second == 0) {
		*got = lock(fd, F_SETLKW, F_WRLCK, 5, 1) ? -errno : 1;
		_exit(0);
	}
	usleep(200000);
	ok(*got == 0, "another waits");
	kill(first, SIGKILL);
	waitpid(first, NULL, 0);
	waitpid(second, &status, 0);
	ok(*got == 1, "and goes on when the holder is killed");
	ok(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0, "nothing is left of either");
	close(fd);
}

static void deadlock(void)
{
	int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	int fds[2];
	char byte;
	pid_t pid;
	int status;

	if (pipe(fds))
		return;
	lock(fd, F_SETLK, F_WRLCK, 0, 1);
	pid = fork();
	if (pid == 0) {
		lock(fd, F_SETLK, F_WRLCK, 1, 1);
		if (write(fds[1], "x", 1) != 1)
			_exit(1);
		_exit(lock(fd, F_SETLKW, F_WRLCK, 0, 1) ? 1 : 0);
	}
	ok(read(fds[0], &byte, 1) == 1, "a child holds the second byte");
	usleep(200000); /* it waits for the first */
	fails(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK, "who waits for each other: EDEADLK");
	lock(fd, F_SETLK, F_UNLCK, 0, 0);
	waitpid(pid, &status, 0);
	ok(status == 0, "the other goes on");
	close(fd), close(fds[0]), close(fds[1]);
}

/* ---- Open files ---- */

static int child_has(int fd)
{
	return lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10) ? errno : 0;
}

static void of_open_files(void)
{
	int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600), other = open(NAME, O_RDWR);

	ok(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10) == 0, "a lock of an open file");
	fails(lock(other, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN,
	      "another's is refused, in one process");
	ok(in_child(child_has, fd) == 0, "a child has the same file open, and the lock");
	ok(find(other, F_OFD_GETLK, F_RDLCK, 0, 0).l_pid == -1, "it is of no process");
	fails(lock(other, F_SETLK, F_WRLCK, 5, 1), EAGAIN, "processes' locks see it");
	close(dup(fd));
	fails(lock(other, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN,
	      "closing a duplicate does not drop it");
	close(fd);
	ok(lock(other, F_OFD_SETLK, F_WRLCK, 5, 1) == 0, "the last one does");
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_pid = 1};
	fails(fcntl(other, F_OFD_SETLK, &l), EINVAL, "with a process: EINVAL");
	close(other);
}

static int child_flocks(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) ? errno : 0;
}

static int child_opens_and_flocks(int fd)
{
	fd = open(NAME, O_RDONLY);
	return flock(fd, LOCK_SH | LOCK_NB) ? errno : 0;
}

static void whole(void)
{
	int fd = open(NAME, O_RDONLY), other = open(NAME, O_RDONLY);

	ok(flock(fd, LOCK_EX) == 0, "flock of a file open to read");
	fails(flock(other, LOCK_SH | LOCK_NB), EAGAIN, "another's is refused");
	ok(in_child(child_flocks, fd) == 0, "a child that inherits it has it");
	ok(in_child(child_opens_and_flocks, fd) == EAGAIN, "one that opens the file has not");
	ok(flock(fd, LOCK_SH) == 0 && flock(other, LOCK_SH | LOCK_NB) == 0, "to read they share");
	fails(flock(fd, LOCK_EX | LOCK_NB), EAGAIN, "not to write");
	ok(flock(other, LOCK_EX | LOCK_NB) == 0,
	   "who was refused another lock has lost the one it had");
	ok(flock(other, LOCK_UN) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0, "given up");
	int writer = open(NAME, O_RDWR);
	ok(lock(writer, F_SETLK, F_WRLCK, 0, 0) == 0, "record locks are another matter");
	volatile int *got = shared();
	pid_t pid = fork();
	if (pid == 0) {
		close(fd);
		*got = flock(other, LOCK_EX) ? -errno : 1;
		_exit(0);
	}
	usleep(200000);
	ok(*got == 0, "a child waits");
	close(fd);
	waitpid(pid, NULL, 0);
	ok(*got == 1, "until it is closed");
	fails(flock(other, 77), EINVAL, "an unknown operation: EINVAL");
	fails(flock(999, LOCK_SH), EBADF, "no descriptor: EBADF");
	close(other), close(writer);
}

/* A directory is locked as a file is: by the description, which a child has in common. */
static void directories(void)
{
	int first, second, status = -1;
	pid_t child;

	mkdir("locked", 0755);
	first = open("locked", O_RDONLY);
	second = open("locked", O_RDONLY);
	ok(!flock(first, LOCK_EX), "a directory is locked");
	fails(flock(second, LOCK_SH | LOCK_NB), EWOULDBLOCK, "by one of who have it open");
	child = fork();
	if (!child)
		_exit(flock(first, LOCK_SH) ? 1 : 0);
	waitpid(child, &status, 0);
	ok(status == 0 && !flock(second, LOCK_SH | LOCK_NB), "a child shares its lock");
	flock(second, LOCK_UN);
	child = fork();
	if (!child) {
		close(first);
		_exit(flock(second, LOCK_EX) ? 1 : 0); /* waits */
	}
	usleep(100000);
	close(first);
	status = -1;
	waitpid(child, &status, 0);
	ok(status == 0, "the last close unlocks it for who waits");
	close(second);
	rmdir("locked");
}

int main(int argc, char **argv)
{
	if (argc == 2) /* after execve: a child must find the lock in the way */
		return in_child(child_locks, atoi(argv[1])) == EAGAIN ? 0 : 1;
	of_processes();
	waiting();
	deadlock();
	of_open_files();
	whole();
	int fd = open(NAME, O_RDWR), status;
	pid_t pid = fork();
	if (pid == 0) {
		char number[12];
		snprintf(number, sizeof(number), "%d", fd);
		lock(fd, F_SETLK, F_WRLCK, 0, 0);
		execl(argv[0], argv[0], number, NULL);
		_exit(2);
	}
	waitpid(pid, &status, 0);
	ok(status == 0, "a process has its locks after execve");
	ok(unlink(NAME) == 0, "nothing is left");
	directories();
	return tap_finish();
}
