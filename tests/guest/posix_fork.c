/* SPDX-License-Identifier: MIT */
/*
 * fork, execve and wait: what a child has of its parent's and what not, what crosses execve, how
 * ends are reported.  Started with an argument it is what execve made of it, and says by its exit
 * status which check failed first.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

extern char **environ;
static char *self;
static volatile sig_atomic_t seen;

static void count(int signal)
{
	(void)signal;
	seen++;
}

static void handle(int signal, void (*handler)(int))
{
	const struct sigaction action = {.sa_handler = handler};

	sigaction(signal, &action, NULL);
	seen = 0;
}

/* The child's exit status, or -1 when a signal ended it. */
static int status_of(pid_t child)
{
	pid_t waited;
	int status;

	do {
		waited = waitpid(child, &status, 0);
	} while (waited == -1 && errno == EINTR);
	if (waited != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

#define CHECK(number, condition)       \
	do {                           \
		if (!(condition))      \
			_exit(number); \
	} while (0)

static void identity_and_memory(void)
{
	static int value = 1;
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int *heap = malloc(sizeof(*heap)), on_stack = 1;
	pid_t parent = getpid(), child;

	*shared = *private = *heap = 1;
	child = fork();
	if (!child) {
		CHECK(1, getpid() != parent && getppid() == parent);
		CHECK(2,
		      value == 1 && *shared == 1 && *private == 1 && *heap == 1 && on_stack == 1);
		CHECK(3, getpgrp() == getpgid(parent) || getpgid(parent) == -1);
		value = *shared = *private = *heap = on_stack = 2;
		_exit(0);
	}
	ok(child > 0 && child != parent, "fork answers the child's number");
	ok(status_of(child) == 0, "the child is another process with a copy of the memory");
	ok(value == 1 && *private == 1 && *heap == 1 && on_stack == 1, "its stores are its own");
	ok(*shared == 2, "but for shared memory");
	munmap(shared, 4096);
	munmap(private, 4096);
	free(heap);
}

static void ends(void)
{
	struct rusage usage;
	siginfo_t info;
	int status;
	pid_t child = fork();

	fails(waitpid(1 << 29, NULL, 0), ECHILD, "a process that is no child cannot be waited for");
	if (!child)
		_exit(42);
	ok(wait4(child, &status, 0, &usage) == child && WIFEXITED(status) &&
	           WEXITSTATUS(status) == 42,
	   "an exit status is reported");
	fails(waitpid(child, NULL, 0), ECHILD, "once");
	fails(wait(NULL), ECHILD, "without children there is nothing to wait for");
	child = fork();
	if (!child)
		for (;;)
			pause();
	ok(waitpid(child, &status, WNOHANG) == 0, "WNOHANG does not wait");
	ok(kill(child, SIGTERM) == 0 && waitpid(-1, &status, 0) == child && WIFSIGNALED(status) &&
	           WTERMSIG(status) == SIGTERM,
	   "a signal ends a blocked child");
	child = fork();
	if (!child) {
		signal(SIGTERM, SIG_IGN);
		for (;;)
			;
	}
	ok(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child &&
	           WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	   "SIGKILL ends a computing child");
	fails(kill(child, 0), ESRCH, "who was waited for is gone");
	child = fork();
	if (!child) {
		volatile uintptr_t nowhere = 8;
		*(volatile int *)nowhere = 1;
	}
	ok(waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
	           WTERMSIG(status) == SIGSEGV,
	   "a fault is reported as SIGSEGV");
	child = fork();
	if (!child)
		_exit(5);
	ok(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == child &&
	           info.si_code == CLD_EXITED && info.si_status == 5,
	   "waitid tells of an end");
	ok(status_of(child) == 5, "WNOWAIT leaves it to be waited for");
}

static void reap(int signal)
{
	int status;

	(void)signal;
	while (waitpid(-1, &status, WNOHANG) > 0)
		seen++;
}

static siginfo_t child_info;

static void note_child(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	seen++;
	child_info = *info;
}

static bool names(const siginfo_t *info, pid_t child, int code, int status)
{
	return info->si_signo == SIGCHLD && info->si_pid == child && info->si_code == code &&
	       info->si_status == status;
}

static void sigchld_names_the_child(void)
{
	struct sigaction action = {.sa_sigaction = note_child, .sa_flags = SA_SIGINFO};
	sigset_t set, old;
	siginfo_t info;
	pid_t child;

	seen = 0;
	sigaction(SIGCHLD, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	child = fork();
	if (!child)
		_exit(7);
	sigsuspend(&old);
	ok(names(&child_info, child, CLD_EXITED, 7), "SIGCHLD names the child and its status");
	waitpid(child, NULL, 0);
	child = fork();
	if (!child) {
		raise(SIGTERM);
		_exit(1);
	}
	ok(sigwaitinfo(&set, &info) == SIGCHLD && names(&info, child, CLD_KILLED, SIGTERM),
	   "and the signal that killed it");
	waitpid(child, NULL, 0);
	child = fork();
	if (!child)
		_exit(3);
	waitpid(child, NULL, 0);
	seen = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	ok(seen == 1 && names(&child_info, child, CLD_EXITED, 3),
	   "also when the child was waited for first");
	raise(SIGCHLD);
	ok(child_info.si_code == SI_TKILL && child_info.si_pid == getpid(),
	   "one that was raised names the process itself");
	handle(SIGCHLD, SIG_DFL);
}

static void signals(void)
{
	struct itimerval soon = {.it_value.tv_usec = 50000};
	sigset_t set, old;
	pid_t child;

	handle(SIGCHLD, reap);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	child = fork();
	if (!child)
		_exit(0);
	sigsuspend(&old);
	sigprocmask(SIG_SETMASK, &old, NULL);
	ok(seen == 1, "SIGCHLD's handler can wait for the child");
	handle(SIGCHLD, SIG_DFL);

	handle(SIGALRM, count);
	child = fork();
	if (!child)
		for (;;)
			pause();
	setitimer(ITIMER_REAL, &soon, NULL);
	fails(waitpid(child, NULL, 0), EINTR, "a handler interrupts wait");
	ok(seen == 1, "and ran");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);

	handle(SIGUSR1, count);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR2);
	setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_sec = 100}, NULL);
	child = fork();
	if (!child) {
		struct itimerval left;
		sigset_t now;

		sigpending(&now);
		CHECK(1, !sigismember(&now, SIGUSR2));
		sigprocmask(SIG_SETMASK, NULL, &now);
		CHECK(2, sigismember(&now, SIGUSR2));
		getitimer(ITIMER_REAL, &left);
		CHECK(3, !left.it_value.tv_sec && !left.it_value.tv_usec);
		seen = 0;
		raise(SIGUSR1);
		CHECK(4, seen == 1);
		CHECK(5, kill(getppid(), SIGUSR1) == 0);
		_exit(0);
	}
	ok(status_of(child) == 0,
	   "handlers and mask are inherited, pending signals and timers are not");
	ok(seen == 1, "a child may signal its parent");
	setitimer(ITIMER_REAL, &(struct itimerval){{0}, {0}}, NULL);
	handle(SIGUSR2, count);
	sigprocmask(SIG_SETMASK, &old, NULL);

	handle(SIGCHLD, SIG_IGN);
	child = fork();
	if (!child)
		_exit(0);
	fails(waitpid(child, NULL, 0), ECHILD, "with SIGCHLD ignored no child is left to wait for");
	handle(SIGCHLD, SIG_DFL);
}

/* Signals to those that fork left in sight: ancestors, and their children that were there. */
static void relatives(void)
{
	pid_t sibling, killer;
	int status = 0;

	sibling = fork();
	if (!sibling) {
		pause();
		_exit(1);
	}
	killer = fork();
	if (!killer) /* as a shell's watchdog: (sleep 1; kill $pid) & */
		_exit(kill(sibling, 0) == 0 && kill(sibling, SIGTERM) == 0 ? 0 : 1);
	ok(status_of(killer) == 0, "an older sibling can be signalled");
	ok(waitpid(sibling, &status, 0) == sibling && WIFSIGNALED(status) &&
	           WTERMSIG(status) == SIGTERM,
	   "and ends by it");
	killer = fork();
	if (!killer)
		_exit(kill(sibling, 0) == -1 && errno == ESRCH ? 0 : 1);
	ok(status_of(killer) == 0, "one that has ended is ESRCH");
	sibling = fork();
	if (!sibling) { /* as timeout: a grandchild watches, its parent has left */
		pid_t watched = getpid();

		if (!fork()) {
			if (!fork()) {
				usleep(100000);
				_exit(kill(watched, SIGKILL) ? 1 : 0);
			}
			_exit(0);
		}
		for (;;)
			pause();
	}
	ok(waitpid(sibling, &status, 0) == sibling && WIFSIGNALED(status) &&
	           WTERMSIG(status) == SIGKILL,
	   "a grandchild can kill its grandparent");
}

static void descriptors(void)
{
	const char path[] = "/tmp/posix_fork";
	char text[8] = "";
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	pid_t child;

	child = fork();
	if (!child) {
		CHECK(1, write(fd, "one", 3) == 3);
		_exit(close(fd));
	}
	ok(status_of(child) == 0 && lseek(fd, 0, SEEK_CUR) == 3, "an offset is shared");
	ok(write(fd, "two", 3) == 3 && pread(fd, text, 7, 0) == 6 && !strcmp(text, "onetwo"),
	   "so writers do not overwrite each other");
	child = fork();
	if (!child) {
		close(fd);
		_exit(0);
	}
	ok(status_of(child) == 0 && write(fd, "x", 1) == 1, "what a child closes stays open here");
	close(fd);
	unlink(path);
}

static void pipes(void)
{
	static char buffer[300000];
	struct pollfd poll_fd;
	int fds[2], back[2];
	size_t total = 0;
	ssize_t got;
	pid_t child, other;

	ok(pipe(fds) == 0 && pipe(back) == 0, "pipes");
	child = fork();
	if (!child) {
		close(fds[0]);
		for (size_t i = 0; i < sizeof(buffer); i++)
			buffer[i] = (char)(i % 251);
		CHECK(1, write(fds[1], buffer, sizeof(buffer)) == (ssize_t)sizeof(buffer));
		_exit(0);
	}
	close(fds[1]);
	while ((got = read(fds[0], buffer + total, sizeof(buffer) - total)) > 0)
		total += (size_t)got;
	int wrong = 0;
	for (size_t i = 0; i < sizeof(buffer); i++)
		wrong += buffer[i] != (char)(i % 251);
	ok(got == 0 && total == sizeof(buffer) && !wrong,
	   "more than a pipe holds goes through it, then comes its end");
	ok(status_of(child) == 0, "the writer saw it all go");
	close(fds[0]);

	pipe(fds);
	child = fork();
	if (!child) {
		close(fds[0]);
		for (;;)
			pause();
	}
	other = fork();
	if (!other) {
		close(fds[1]);
		got = read(fds[0], buffer, 1); /* until the other child is dead */
		_exit(got == 0 ? 0 : 1);
	}
	close(fds[1]);
	poll_fd = (struct pollfd){.fd = fds[0], .events = POLLIN};
	ok(poll(&poll_fd, 1, 20) == 0, "a pipe whose writer lives has not ended");
	kill(child, SIGKILL);
	ok(poll(&poll_fd, 1, 5000) == 1 && poll_fd.revents == POLLHUP,
	   "a writer that is killed ends it");
	waitpid(child, NULL, 0);
	ok(status_of(other) == 0, "for every reader");
	close(fds[0]);

	handle(SIGPIPE, SIG_IGN);
	pipe(fds);
	child = fork();
	if (!child) {
		close(fds[1]);
		CHECK(1, read(fds[0], buffer, 2) == 2);
		_exit(0);
	}
	close(fds[0]);
	ok(write(fds[1], "ab", 2) == 2 && status_of(child) == 0, "the reader reads and ends");
	fails(write(fds[1], "c", 1), EPIPE, "then writing fails");
	close(fds[1]);
	close(back[0]);
	close(back[1]);
	handle(SIGPIPE, SIG_DFL);
}

/* Writers and a second reader die at any moment, the pipe's lock in hand or not. */
/* What a shell makes of `program 2>&1 | reader`, when the program has a child that ends first. */
static void end_of_a_child_with_two_descriptors_leaves_the_writer(void)
{
	pid_t writer, child;
	int ends[2];
	char text[2];

	ok(pipe(ends) == 0, "a pipe");
	writer = fork();
	if (!writer) {
		close(ends[0]);
		dup(ends[1]);
		child = fork();
		if (!child)
			_exit(0);
		status_of(child);
		usleep(20000); /* the reader sleeps */
		_exit(write(ends[1], "ok", 2) == 2 ? 5 : 6);
	}
	close(ends[1]);
	ok(read(ends[0], text, sizeof(text)) == 2, "the reader waits for what the parent writes");
	ok(status_of(writer) == 5, "and the parent can write");
	close(ends[0]);
}

static void killed_at_work(void)
{
	static char buffer[8192];
	int wrong = 0, stuck = 0;

	for (int round = 0; round < 60; round++) {
		int fds[2];
		pid_t writer, reader;
		ssize_t got;

		pipe(fds);
		writer = fork();
		if (!writer) {
			memset(buffer, 'a', sizeof(buffer));
			for (;;)
				if (write(fds[1], buffer, 1 + (size_t)round * 97 % sizeof(buffer)) <
				    0)
					_exit(1);
		}
		reader = fork();
		if (!reader)
			for (;;)
				if (read(fds[0], buffer, sizeof(buffer)) <= 0)
					_exit(0);
		close(fds[1]);
		for (int i = 0; i < round; i++)
			wrong += read(fds[0], buffer, sizeof(buffer)) <= 0 || buffer[0] != 'a';
		kill(round % 2 ? writer : reader, SIGKILL);
		kill(round % 2 ? reader : writer, SIGKILL);
		alarm(10);
		while ((got = read(fds[0], buffer, sizeof(buffer))) > 0)
			wrong += buffer[0] != 'a' || buffer[got - 1] != 'a';
		stuck += got != 0;
		alarm(0);
		waitpid(writer, NULL, 0);
		waitpid(reader, NULL, 0);
		close(fds[0]);
	}
	ok(!wrong && !stuck, "a process killed at a pipe harms no other");
}

/* ---- execve ---- */

#define KEPT_FD   20
#define CLOSED_FD 21
#define PIPE_FD   22

/* What became of execve: descriptors, signals, arguments. */
static int after_exec(int argc, char **argv)
{
	struct sigaction action;
	char text[8] = "";
	sigset_t mask;

	CHECK(1, argc == 4 && !strcmp(argv[2], "two words") && !strcmp(argv[3], ""));
	CHECK(2, getenv("KEY") && !strcmp(getenv("KEY"), "value") && !environ[1]);
	CHECK(3, read(KEPT_FD, text, 3) == 3 && !strcmp(text, "def"));
	CHECK(4, read(CLOSED_FD, text, 1) == -1 && errno == EBADF);
	CHECK(5, fcntl(KEPT_FD, F_GETFD) == 0 && (fcntl(KEPT_FD, F_GETFL) & O_ACCMODE) == O_RDWR);
	sigaction(SIGUSR1, NULL, &action);
	CHECK(6, action.sa_handler == SIG_DFL);
	sigaction(SIGUSR2, NULL, &action);
	CHECK(7, action.sa_handler == SIG_IGN);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	CHECK(8, sigismember(&mask, SIGHUP));
	sigpending(&mask);
	CHECK(9, sigismember(&mask, SIGHUP));
	CHECK(10, write(PIPE_FD, "pipe", 4) == 4);
	CHECK(11, write(1, "# written after execve\n", 23) == 23);
	CHECK(12, getppid() == atoi(argv[1] + 1));
	return 0;
}

static void prepare_and_exec(char *pid_text)
{
	char *args[] = {"posix_fork", pid_text, "two words", "", NULL};
	char *env[] = {"KEY=value", NULL};
	sigset_t set;
	int fd = open("/tmp/posix_exec", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(50, write(fd, "abcdef", 6) == 6 && lseek(fd, 3, SEEK_SET) == 3);
	CHECK(51, dup2(fd, KEPT_FD) == KEPT_FD && dup3(fd, CLOSED_FD, O_CLOEXEC) == CLOSED_FD);
	close(fd);
	handle(SIGUSR1, count);
	handle(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGHUP);
	execve(self, args, env);
	_exit(60);
}

static void make_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	if (write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

/* An image of a dynamic program, as far as execve reads it. */
static void make_dynamic(const char *path, const char *interpreter)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr segment;
		char interpreter[64];
	} image = {.header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
	                      .e_type = ET_DYN,
	                      .e_machine = EM_X86_64,
	                      .e_version = EV_CURRENT,
	                      .e_phoff = sizeof(Elf64_Ehdr),
	                      .e_ehsize = sizeof(Elf64_Ehdr),
	                      .e_phentsize = sizeof(Elf64_Phdr),
	                      .e_phnum = 1},
	           .segment = {.p_type = PT_INTERP,
	                       .p_offset = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
	                       .p_filesz = strlen(interpreter) + 1}};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);

	strcpy(image.interpreter, interpreter);
	ok(write(fd, &image, sizeof(image)) == sizeof(image), "a dynamic program is made");
	close(fd);
}

static void executes(void)
{
	char pid_text[16], text[8] = "", *none[] = {NULL}, *one[] = {"x", NULL};
	static char large[400000];
	char *too_much[] = {"x", large, NULL};
	pid_t child;
	int fds[2];

	snprintf(pid_text, sizeof(pid_text), "e%d", (int)getpid());
	pipe(fds);
	fflush(stdout);
	child = fork();
	if (!child) {
		dup2(fds[1], PIPE_FD);
		prepare_and_exec(pid_text);
	}
	close(fds[1]);
	ok(status_of(child) == 0, "arguments, environment, descriptors and signals cross execve");
	ok(read(fds[0], text, 7) == 4 && !strcmp(text, "pipe"), "a pipe works across it");
	ok(read(fds[0], text, 1) == 0, "and ends when its last writer does");
	close(fds[0]);
	unlink("/tmp/posix_exec");

	fails(execve("/tmp/nothing", one, none), ENOENT, "a program that is not there");
	fails(execve("/tmp", one, none), EACCES, "a directory is not executed");
	make_file("/tmp/plain", "text", 0644);
	fails(execve("/tmp/plain", one, none), EACCES, "nor a file without permission");
	make_file("/tmp/script", "not a program", 0755);
	fails(execve("/tmp/script", one, none), ENOEXEC, "nor what is no program");
	close(open("/tmp/script", O_WRONLY | O_TRUNC));
	fails(execve("/tmp/script", one, none), ENOEXEC, "nor an empty file");
	memset(large, '#', 100); /* longer than the header that is looked for */
	make_file("/tmp/script", large, 0755);
	make_dynamic("/tmp/dynamic", "/lib/no-such-loader.so");
	fails(execve("/tmp/dynamic", one, none), ENOENT, "an interpreter that does not exist");
	make_dynamic("/tmp/dynamic", "/tmp/script");
	fails(execve("/tmp/dynamic", one, none), ELIBBAD, "one that is no program");
	memset(large, 'x', sizeof(large) - 1);
	fails(execve(self, too_much, none), E2BIG, "an argument that is too long");
	unlink("/tmp/plain");
	unlink("/tmp/script");
	unlink("/tmp/dynamic");
}

#define BY_DESCRIPTOR 200 /* the exit status of what the calls below execute */

/* The exit status of what a child executes; errno if it cannot. */
static int executed_at(int fd, const char *path, int flags)
{
	char *args[] = {"posix_fork", "by descriptor", NULL}, *env[] = {NULL};
	pid_t child = fork();

	if (!child) {
		syscall(SYS_execveat, fd, path, args, env, flags);
		_exit(errno);
	}
	return status_of(child);
}

static int executed(const char *path)
{
	char *args[] = {"posix_fork", "by descriptor", NULL}, *env[] = {NULL};
	pid_t child = fork();

	if (!child) {
		execve(path, args, env);
		_exit(errno);
	}
	return status_of(child);
}

static void copy(int from, int to)
{
	static char bytes[65536];
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0) {
		if (write(to, bytes, (size_t)n) != n)
			perror("copy");
	}
}

static void executes_a_descriptor(void)
{
	char path[64];
	int fd = open(self, O_RDONLY | O_CLOEXEC), kept = open(self, O_RDONLY);
	int memory = memfd_create("program", 0);

	ok(executed_at(fd, "", AT_EMPTY_PATH) == BY_DESCRIPTOR, "a descriptor is executed");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ok(executed(path) == BY_DESCRIPTOR, "and under its name in /proc");
	snprintf(path, sizeof(path), "/dev/fd/%d", kept);
	ok(executed(path) == BY_DESCRIPTOR, "and in /dev");
	copy(fd, memory);
	ok(executed_at(memory, "", AT_EMPTY_PATH) == BY_DESCRIPTOR, "and one without a name");
	close(fd);
	fd = open(self, O_PATH | O_CLOEXEC);
	ok(executed_at(fd, "", AT_EMPTY_PATH) == BY_DESCRIPTOR, "and one that is a path only");
	ok(executed(path) == BY_DESCRIPTOR, "and again");
	close(fd);
	close(kept);
	close(memory);
	make_file("/tmp/script", "#!/bin/sh\nexit 199\n", 0755);
	fd = open("/tmp/script", O_RDONLY | O_CLOEXEC);
	kept = open("/tmp/script", O_RDONLY);
	ok(executed_at(kept, "", AT_EMPTY_PATH) == 199, "a script's descriptor is executed");
	ok(executed_at(fd, "", AT_EMPTY_PATH) == ENOENT, "not one that is closed then");
	ok(executed_at(-1, "/tmp/script", 0) == 199, "a path from the root");
	close(fd);
	close(kept);
	fd = open("/tmp", O_RDONLY | O_DIRECTORY);
	ok(executed_at(fd, "script", 0) == 199, "a path from a directory");
	ok(executed_at(fd, "", AT_EMPTY_PATH) == EACCES, "which is not executed");
	ok(executed_at(fd, "", 0) == ENOENT, "an empty path");
	ok(executed_at(fd, "script", AT_EACCESS) == EINVAL, "an unknown flag");
	symlink("script", "/tmp/script-link");
	ok(executed_at(fd, "script-link", 0) == 199, "a symbolic link");
	ok(executed_at(fd, "script-link", AT_SYMLINK_NOFOLLOW) == ELOOP, "not followed");
	chmod("/tmp/script", 0644);
	ok(executed_at(fd, "script", 0) == EACCES, "a file without permission");
	close(fd);
	fd = open("/tmp/script", O_RDONLY);
	ok(executed_at(fd, "", AT_EMPTY_PATH) == EACCES, "nor is its descriptor executed");
	chmod("/tmp/script", 0755);
	close(open("/tmp/script", O_WRONLY | O_TRUNC));
	ok(executed_at(fd, "", AT_EMPTY_PATH) == ENOEXEC, "nor is an empty file's");
	close(fd);
	ok(executed_at(fd, "", AT_EMPTY_PATH) == EBADF, "no descriptor");
	ok(executed("/proc/self/fd/999") == ENOENT, "none in /proc");
	unlink("/tmp/script");
	unlink("/tmp/script-link");
}

static void library_calls(void)
{
	char *args[] = {"sh", "-c", "exit 9", NULL}, text[32] = "";
	FILE *stream;
	pid_t child = vfork();

	if (!child)
		_exit(3);
	ok(status_of(child) == 3, "vfork");
	ok(posix_spawn(&child, "/bin/sh", NULL, NULL, args, environ) == 0 && status_of(child) == 9,
	   "posix_spawn");
	ok(posix_spawn(&child, "/tmp/nothing", NULL, NULL, args, environ) == ENOENT,
	   "posix_spawn of what is not there");
	ok(WEXITSTATUS(system("exit 4")) == 4, "system");
	stream = popen("echo from a shell | cat", "r");
	ok(stream && fgets(text, sizeof(text), stream) && !strcmp(text, "from a shell\n") &&
	           pclose(stream) == 0,
	   "popen of a pipeline");
}

static void many(void)
{
	pid_t children[40];
	int wrong = 0;

	for (int i = 0; i < 200; i++) {
		pid_t child = fork();

		if (!child)
			_exit(i % 100);
		wrong += status_of(child) != i % 100;
	}
	ok(!wrong, "two hundred children one after another");
	for (int i = 0; i < 40; i++) {
		children[i] = fork();
		if (!children[i]) {
			usleep(20000);
			_exit(i);
		}
	}
	for (int i = 39; i >= 0; i--)
		wrong += status_of(children[i]) != i;
	ok(!wrong, "forty at once");
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return BY_DESCRIPTOR;
	if (argc > 1)
		return after_exec(argc, argv);
	self = realpath(argv[0], NULL);
	if (!self)
		self = argv[0];
	setvbuf(stdout, NULL, _IONBF, 0); /* what is buffered would be written by children too */
	identity_and_memory();
	ends();
	sigchld_names_the_child();
	signals();
	relatives();
	descriptors();
	pipes();
	end_of_a_child_with_two_descriptors_leaves_the_writer();
	killed_at_work();
	executes();
	executes_a_descriptor();
	library_calls();
	many();
	return tap_finish();
}
