/* SPDX-License-Identifier: MIT */
/*
 * The world of processes: orphans, groups, sessions, stopping and going on, signals between
 * processes, scripts and long argument lists, /proc, limits.  Answers as Linux does, run there as
 * root.  Started with an argument it is what execve made of it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

static const char *self;
static char *none[] = {NULL};

/* What children tell each other and the parent. */
static struct shared {
	volatile int ready, number, parent, group, session, count;
	volatile int values[8];
} * shared;

static void settle(volatile int *what, int value)
{
	for (int i = 0; i < 5000 && *what != value; i++)
		usleep(2000);
}

static int end_of(pid_t child)
{
	int status;
	pid_t waited;

	do {
		waited = waitpid(child, &status, 0);
	} while (waited == -1 && errno == EINTR);
	return waited == child ? status : -1;
}

static bool exits(pid_t child, int code)
{
	int status = end_of(child);

	return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

static bool is_killed(pid_t child, int signal)
{
	int status = end_of(child);

	return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

static pid_t sleeper(void)
{
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	return child;
}

/* ---- Families ---- */

static void orphans(void)
{
	pid_t middle, here = getpid();

	ok(here > 1 && getppid() >= 1, "a process has a number above 1 and a parent");
	memset((void *)shared, 0, sizeof(*shared));
	middle = fork();
	if (!middle) {
		if (!fork()) {
			shared->parent = getppid();
			shared->ready = 1;
			settle(&shared->ready, 2);
			for (int i = 0; i < 5000 && getppid() == shared->parent; i++)
				usleep(2000);
			shared->parent = getppid();
			shared->ready = 3;
			_exit(0);
		}
		settle(&shared->ready, 1);
		_exit(0);
	}
	ok(exits(middle, 0) && shared->parent == middle, "a grandchild's parent is the child");
	shared->ready = 2;
	settle(&shared->ready, 3);
	ok(shared->parent != middle && shared->parent != here && shared->parent >= 1,
	   "an orphan has another parent, which is not its grandparent");
	fails(waitpid(-1, NULL, 0), ECHILD, "and its grandparent does not wait for it");
}

/* ---- The end of a parent ---- */

static volatile sig_atomic_t death_from, death_code;

static void on_death(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	death_from = info->si_pid;
	death_code = info->si_code;
}

/* What a child asks for, and its own child does not have; then its parent ends. */
static void survivor(void)
{
	struct sigaction action = {.sa_sigaction = on_death, .sa_flags = SA_SIGINFO};
	int wanted = -1;
	pid_t child;

	sigaction(SIGUSR1, &action, NULL);
	shared->parent = getppid();
	shared->values[0] = prctl(PR_SET_PDEATHSIG, SIGUSR1);
	prctl(PR_GET_PDEATHSIG, &wanted);
	shared->values[1] = wanted;
	child = fork();
	if (!child) {
		prctl(PR_GET_PDEATHSIG, &wanted);
		_exit(wanted);
	}
	shared->values[2] = exits(child, 0);
	shared->ready = 1;
	for (int i = 0; i < 5000 && !death_from; i++)
		usleep(2000);
	shared->values[3] = death_from == shared->parent && death_code == SI_USER;
	shared->values[4] = getppid() != shared->parent;
	shared->ready = 2;
	_exit(0);
}

static void parents_death(void)
{
	int wanted = -1;
	pid_t middle;

	ok(prctl(PR_GET_PDEATHSIG, &wanted) == 0 && wanted == 0,
	   "no signal comes at a parent's end unless it was asked for");
	fails(prctl(PR_SET_PDEATHSIG, 65), EINVAL, "PR_SET_PDEATHSIG of no signal");
	fails(prctl(PR_SET_PDEATHSIG, -1), EINVAL, "PR_SET_PDEATHSIG of a negative number");
	memset((void *)shared, 0, sizeof(*shared));
	middle = fork();
	if (!middle) {
		if (!fork())
			survivor();
		settle(&shared->ready, 1);
		_exit(0);
	}
	ok(exits(middle, 0) && shared->values[0] == 0 && shared->values[1] == SIGUSR1,
	   "PR_SET_PDEATHSIG is kept");
	ok(shared->values[2], "a child does not inherit it");
	settle(&shared->ready, 2);
	ok(shared->values[3], "the signal comes from the parent that ended");
	ok(shared->values[4], "and finds another parent");
}

/* The signal is kept by execve, and ends the program that it made. */
static void parents_death_after_exec(void)
{
	char *const arguments[] = {(char *)self, "death", NULL};
	int fds[2];
	char byte = 0;
	pid_t middle;

	if (pipe(fds))
		return;
	middle = fork();
	if (!middle) {
		if (!fork()) {
			dup2(fds[1], 1);
			close(fds[0]);
			close(fds[1]);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			execv(self, arguments);
			_exit(1);
		}
		close(fds[1]);
		_exit(read(fds[0], &byte, 1) == 1 ? byte : 0);
	}
	close(fds[1]);
	ok(exits(middle, SIGKILL), "execve keeps PR_SET_PDEATHSIG");
	ok(read(fds[0], &byte, 1) == 0, "SIGKILL at the parent's end ends the program");
	close(fds[0]);
}

static void depth(void)
{
	pid_t child = fork(), victim;
	int status = 0;

	for (int i = 0; !child && i < 70; i++) {
		child = fork();
		if (child > 0)
			_exit(waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : 98);
		if (child < 0)
			_exit(99);
	}
	if (!child) {
		victim = sleeper();
		_exit(kill(victim, SIGKILL) == 0 && is_killed(victim, SIGKILL) ? 61 : 97);
	}
	ok(exits(child, 61), "fork in fork, seventy deep");
}

/* kill by relatives that are neither parent nor child. */
static void relatives(void)
{
	pid_t victim = sleeper(), killer = fork();

	if (!killer)
		_exit(kill(victim, SIGTERM) ? errno : 0);
	ok(exits(killer, 0), "a sibling signals");
	ok(is_killed(victim, SIGTERM), "and the signal arrives");
	fails(kill(victim, 0), ESRCH, "what was waited for is gone");
	victim = fork();
	if (!victim)
		_exit(0);
	usleep(100000);
	ok(kill(victim, SIGTERM) == 0, "what has ended and was not waited for takes signals");
	ok(exits(victim, 0), "which change nothing");
}

/* ---- Groups and sessions ---- */

static void groups(void)
{
	pid_t a = sleeper(), b = sleeper(), c;

	ok(getpgid(a) == getpgrp() && getsid(a) == getsid(0),
	   "children are in their parent's group");
	ok(setpgid(a, a) == 0 && setpgid(b, a) == 0, "a group is made and joined");
	ok(getpgid(a) == a && getpgid(b) == a && getpgid(0) == getpgrp(), "by these two");
	fails(setpgid(a, 1 << 21), EPERM, "a group that does not exist");
	fails(setpgid(1 << 21, 0), ESRCH, "a process that does not exist");
	fails(setpgid(0, -1), EINVAL, "a negative group");
	fails(kill(-(1 << 21), 0), ESRCH, "kill of a group without members");
	ok(waitpid(-a, NULL, WNOHANG) == 0, "a group is waited for");
	ok(kill(-a, SIGTERM) == 0, "a group is signalled");
	ok(is_killed(a, SIGTERM) && is_killed(b, SIGTERM), "all of it");
	fails(waitpid(-a, NULL, WNOHANG), ECHILD, "then none of it is left");
	memset((void *)shared, 0, sizeof(*shared));
	c = fork();
	if (!c) {
		shared->session = setsid();
		shared->group = getpgrp();
		shared->number = getsid(0);
		_exit(setsid() == -1 && errno == EPERM ? 0 : 1);
	}
	ok(exits(c, 0), "setsid fails for the leader of a group");
	ok(shared->session == c && shared->group == c && shared->number == c,
	   "setsid makes a session and a group");
	c = fork();
	if (!c) {
		setsid();
		for (;;)
			pause();
	}
	for (int i = 0; i < 500 && getsid(c) != c; i++)
		usleep(2000);
	fails(setpgid(c, c), EPERM, "a session's leader keeps its group");
	kill(c, SIGKILL);
	ok(is_killed(c, SIGKILL), "SIGKILL");
}

/* ---- Stopping and going on ---- */

static volatile sig_atomic_t seen;
static siginfo_t last;

static void note(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	seen++;
	last = *info;
}

static void handle(int signal, int flags)
{
	struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};

	seen = 0;
	memset(&last, 0, sizeof(last));
	sigaction(signal, &action, NULL);
}

static void stops(void)
{
	pid_t child = sleeper();
	siginfo_t info;
	int status;

	handle(SIGCHLD, SA_RESTART);
	ok(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child &&
	           WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP,
	   "SIGSTOP stops a blocked process");
	ok(seen == 1 && last.si_code == CLD_STOPPED && last.si_pid == child &&
	           last.si_status == SIGSTOP,
	   "SIGCHLD says so");
	ok(waitpid(child, &status, WUNTRACED | WNOHANG) == 0, "once");
	ok(kill(child, SIGTERM) == 0 && waitpid(child, &status, WNOHANG) == 0,
	   "a stopped process takes no signals");
	ok(kill(child, SIGCONT) == 0, "SIGCONT");
	ok(is_killed(child, SIGTERM), "it takes them when it goes on");
	child = fork();
	if (!child)
		for (;;)
			;
	ok(kill(child, SIGSTOP) == 0 && waitid(P_PID, (id_t)child, &info, WSTOPPED) == 0 &&
	           info.si_code == CLD_STOPPED && info.si_status == SIGSTOP,
	   "a computing process stops");
	kill(child, SIGCONT);
	ok(waitid(P_PID, (id_t)child, &info, WCONTINUED) == 0 && info.si_code == CLD_CONTINUED &&
	           info.si_status == SIGCONT && info.si_pid == child,
	   "and goes on");
	kill(child, SIGSTOP);
	ok(waitpid(child, &status, WUNTRACED) == child && kill(child, SIGKILL) == 0 &&
	           is_killed(child, SIGKILL),
	   "SIGKILL ends a stopped process");
	handle(SIGCHLD, SA_RESTART | SA_NOCLDSTOP);
	child = sleeper();
	kill(child, SIGSTOP);
	ok(waitpid(child, &status, WUNTRACED) == child && seen == 0,
	   "SA_NOCLDSTOP: no SIGCHLD for a stop");
	kill(child, SIGKILL);
	ok(is_killed(child, SIGKILL) && seen == 1, "but for an end");
	signal(SIGCHLD, SIG_DFL);
}

/* A stop and SIGCONT during a sleep do not end it. */
static void stopped_sleep(void)
{
	struct timespec t = {.tv_nsec = 400000000};
	pid_t child = fork();

	if (!child)
		_exit(nanosleep(&t, NULL) ? 1 : 0);
	usleep(100000);
	kill(child, SIGSTOP);
	usleep(50000);
	kill(child, SIGCONT);
	ok(exits(child, 0), "a sleep goes on after a stop");
	child = fork();
	if (!child) {
		signal(SIGCHLD, SIG_IGN);
		if (!fork())
			_exit(0);
		_exit(wait(NULL) == -1 && errno == ECHILD ? 0 : 1);
	}
	ok(exits(child, 0), "with SIGCHLD ignored no child is left to wait for");
}

static void *count_up(void *unused)
{
	for (;;)
		shared->count++;
	return unused;
}

static bool is_counting(void)
{
	int before = shared->count;

	usleep(300000);
	return shared->count != before;
}

static void stopped_threads(void)
{
	pid_t child = fork();
	pthread_t thread;

	if (!child) {
		pthread_create(&thread, NULL, count_up, NULL);
		for (;;)
			pause();
	}
	for (int i = 0; i < 100 && !is_counting(); i++)
		;
	ok(kill(child, SIGSTOP) == 0 && waitpid(child, NULL, WUNTRACED) == child,
	   "a process with threads stops");
	usleep(100000);
	ok(!is_counting(), "all of them");
	kill(child, SIGCONT);
	usleep(100000);
	ok(is_counting(), "and go on");
	kill(child, SIGKILL);
	end_of(child);
}

/* ---- Signals between processes ---- */

static void queued(void)
{
	union sigval value;
	pid_t child;
	sigset_t set;
	siginfo_t info;
	int wrong = 0;

	handle(SIGUSR1, 0);
	child = fork();
	if (!child) {
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	ok(exits(child, 0) && seen == 1 && last.si_pid == child && last.si_code == SI_USER &&
	           last.si_uid == 0,
	   "a handler is told who sent the signal");
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	child = fork();
	if (!child) {
		for (int i = 1; i <= 5; i++) {
			value.sival_int = i;
			if (sigqueue(getppid(), SIGRTMIN, value))
				_exit(1);
		}
		_exit(0);
	}
	ok(exits(child, 0), "sigqueue to another process");
	for (int i = 1; i <= 5; i++)
		wrong += sigwaitinfo(&set, &info) != SIGRTMIN || info.si_value.sival_int != i ||
		         info.si_pid != child || info.si_code != SI_QUEUE;
	ok(wrong == 0, "five queued signals arrive in order, with value and sender");
	signal(SIGUSR1, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- execve ---- */

static void make_file(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0755);

	if (write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static pid_t run(const char *path, char **args)
{
	pid_t child = fork();

	if (child)
		return child;
	execve(path, args, none);
	_exit(100 + errno);
}

static void scripts(void)
{
	char line[4200], *args[] = {"name", "7", NULL}, *no_args[] = {NULL};

	make_file("/tmp/script", "#!/bin/sh\nexit $1\n");
	ok(exits(run("/tmp/script", args), 7), "a script runs with its arguments");
	ok(exits(run("/tmp/script", no_args), 0), "and without any, its own path apart");
	snprintf(line, sizeof(line), "#! %s  script an argument \t\n", self);
	make_file("/tmp/script2", line);
	ok(exits(run("/tmp/script2", args), 55), "blanks, and one argument with blanks in it");
	snprintf(line, sizeof(line), "#!/tmp/script 9");
	make_file("/tmp/script2", line);
	ok(exits(run("/tmp/script2", args), 9), "a script interprets a script");
	make_file("/tmp/script2", "#!/tmp/script2\n");
	ok(exits(run("/tmp/script2", args), 100 + ELOOP), "but not for ever");
	make_file("/tmp/script2", "#!\n");
	ok(exits(run("/tmp/script2", args), 100 + ENOEXEC), "a line without an interpreter");
	make_file("/tmp/script2", "#!/no/such/interpreter\n");
	ok(exits(run("/tmp/script2", args), 100 + ENOENT), "an interpreter that does not exist");
	ok(exits(run("/proc/self/exe", (char *[]){"x", "plain", NULL}), 56),
	   "/proc/self/exe is executed");
	unlink("/tmp/script");
	unlink("/tmp/script2");
}

static void long_lists(void)
{
	enum { STRINGS = 15, LENGTH = 128 * 1024 - 1 };
	char **args = calloc(STRINGS + 8, sizeof(*args)), *text = malloc(LENGTH + 2);
	int n = 0;

	memset(text, 'x', LENGTH);
	text[LENGTH] = 0;
	args[n++] = "x";
	args[n++] = "count";
	while (n < STRINGS + 2)
		args[n++] = text;
	ok(exits(run(self, args), 57), "1.9 MB of arguments");
	text[LENGTH] = 'x';
	text[LENGTH + 1] = 0;
	ok(exits(run(self, args), 100 + E2BIG), "a string of more than 128 KiB");
	text[LENGTH] = 0;
	while (n < STRINGS + 6)
		args[n++] = text;
	ok(exits(run(self, args), 100 + E2BIG), "more than 2 MiB");
	free(args);
	free(text);
}

static int executed(int argc, char **argv)
{
	if (!strcmp(argv[1], "script an argument"))
		return argc == 4 && !strcmp(argv[0], self) && !strcmp(argv[2], "/tmp/script2") &&
		                       !strcmp(argv[3], "7")
		               ? 55
		               : 1;
	if (!strcmp(argv[1], "death")) {
		int wanted = 0;

		prctl(PR_GET_PDEATHSIG, &wanted);
		if (write(1, &(char){(char)wanted}, 1) == 1)
			sleep(20);
		return 1;
	}
	if (!strcmp(argv[1], "plain"))
		return argc == 2 && !strcmp(argv[0], "x") ? 56 : 1;
	if (!strcmp(argv[1], "count")) {
		for (int i = 2; i < argc; i++)
			if (strlen(argv[i]) != 128 * 1024 - 1)
				return 1;
		return argc == 17 ? 57 : 1;
	}
	return 2;
}

/* ---- /proc ---- */

static bool read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

static bool is_listed(pid_t pid)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	while (directory && (entry = readdir(directory)))
		found |= atoi(entry->d_name) == pid;
	if (directory)
		closedir(directory);
	return found;
}

static void proc(void)
{
	char path[64], text[8192], name[32], state;
	int number, parent, group, session;
	unsigned long total = 0, unused = 0;
	double one, two;
	pid_t child = sleeper();
	struct sysinfo info;
	struct stat st;

	ok(is_listed(getpid()) && is_listed(child), "/proc lists processes");
	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	ok(read_file(path, text, sizeof(text)) &&
	           sscanf(text, "%d (%31[^)]) %c %d %d %d", &number, name, &state, &parent, &group,
	                  &session) == 6,
	   "stat is as Linux has it");
	ok(number == child && parent == getpid() && group == getpgrp() && session == getsid(0),
	   "number, parent, group, session");
	kill(child, SIGSTOP);
	waitpid(child, NULL, WUNTRACED);
	ok(read_file(path, text, sizeof(text)) && strstr(text, ") T "), "a stopped one is T");
	kill(child, SIGKILL);
	waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT);
	ok(read_file(path, text, sizeof(text)) && strstr(text, ") Z "), "an ended one is Z");
	end_of(child);
	ok(!is_listed(child) && open(path, O_RDONLY) == -1 && errno == ENOENT,
	   "one that was waited for is gone");
	prctl(PR_SET_NAME, "renamed");
	ok(read_file("/proc/self/comm", text, sizeof(text)) && !strcmp(text, "renamed\n"),
	   "comm is what prctl made it");
	ok(read_file("/proc/self/cmdline", text, sizeof(text)) && strstr(text, "posix_processes"),
	   "cmdline");
	ok(readlink("/proc/self", text, sizeof(text)) > 0 && atoi(text) == getpid(),
	   "/proc/self is a link to one's own");
	memset(text, 0, sizeof(text));
	ok(readlink("/proc/self/exe", text, sizeof(text) - 1) > 0 && text[0] == '/' &&
	           strstr(text, "posix_processes"),
	   "exe is the file that runs");
	ok(stat("/proc/self/status", &st) == 0 && S_ISREG(st.st_mode) &&
	           stat("/proc/self/fd", &st) == 0 && S_ISDIR(st.st_mode),
	   "stat of files below /proc");
	ok(read_file("/proc/self/status", text, sizeof(text)) && strstr(text, "\nPPid:\t"),
	   "status");
	ok(read_file("/proc/uptime", text, sizeof(text)) &&
	           sscanf(text, "%lf %lf", &one, &two) == 2 && one > 0,
	   "uptime");
	ok(read_file("/proc/loadavg", text, sizeof(text)) &&
	           sscanf(text, "%lf %lf", &one, &two) == 2 && strchr(text, '/'),
	   "loadavg");
	ok(read_file("/proc/meminfo", text, sizeof(text)) &&
	           sscanf(text, "MemTotal: %lu kB MemFree: %lu kB", &total, &unused) == 2 &&
	           total > unused && unused > 0,
	   "meminfo");
	ok(read_file("/proc/stat", text, sizeof(text)) && !strncmp(text, "cpu  ", 5) &&
	           strstr(text, "\nbtime "),
	   "/proc/stat");
	ok(read_file("/proc/mounts", text, sizeof(text)) && strstr(text, " / "), "mounts");
	ok(read_file("/etc/mtab", text, sizeof(text)) && strstr(text, " / "), "where df looks");
	ok(sysinfo(&info) == 0 && info.procs >= 1 && info.freeram > 0 &&
	           info.freeram < info.totalram,
	   "sysinfo");
}

/* ---- Limits ---- */

static int with_limit(int resource, rlim_t soft, rlim_t hard, int (*action)(void))
{
	struct rlimit limit = {soft, hard};
	pid_t child = fork();

	if (!child)
		_exit(setrlimit(resource, &limit) ? 99 : action());
	return end_of(child);
}

static int open_many(void)
{
	int n = 0, fd = 0;

	while (n < 100 && (fd = dup(1)) >= 0)
		n++;
	return errno == EMFILE && n < 20 ? 0 : n;
}

static int fork_many(void)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	return child == -1 && errno == EAGAIN ? 0 : 1;
}

static int map_much(void)
{
	void *p = mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED && errno == ENOMEM ? 0 : 1;
}

static int compute(void)
{
	for (volatile bool on = true; on;)
		;
	return 0;
}

static int raise_again(void)
{
	struct rlimit limit = {20, 30};

	return setrlimit(RLIMIT_NOFILE, &limit) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	                       limit.rlim_cur == 20 && limit.rlim_max == 30
	               ? 0
	               : 1;
}

static int write_much(void)
{
	static char block[8192];
	int fd = open("/tmp/limited", O_CREAT | O_TRUNC | O_WRONLY, 0644);
	ssize_t n = write(fd, block, sizeof(block));

	signal(SIGXFSZ, SIG_IGN);
	if (n != 4096 || write(fd, block, 1) != -1 || errno != EFBIG)
		return 1;
	if (posix_fallocate(fd, 0, 4097) != EFBIG || posix_fallocate(fd, 0, 4096))
		return 2;
	return ftruncate(fd, 4097) == -1 && errno == EFBIG ? 0 : 3;
}

/* Only getting longer is. */
static int shorten(void)
{
	int fd = open("/tmp/limited", O_CREAT | O_TRUNC | O_RDWR, 0644);
	struct rlimit limit = {100, RLIM_INFINITY};

	return ftruncate(fd, 4096) || setrlimit(RLIMIT_FSIZE, &limit) || ftruncate(fd, 200) ||
	       posix_fallocate(fd, 0, 200);
}

static void limits(void)
{
	struct rlimit limit;
	pid_t child;

	ok(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= 1024, "a limit is told");
	ok(with_limit(RLIMIT_NOFILE, 16, 30, open_many) == 0, "RLIMIT_NOFILE is kept");
	ok(with_limit(RLIMIT_NOFILE, 16, 30, raise_again) == 0, "and raised to the hard limit");
	ok(with_limit(RLIMIT_AS, 48 << 20, RLIM_INFINITY, map_much) == 0, "RLIMIT_AS");
	child = with_limit(RLIMIT_CPU, 1, 3, compute);
	ok(WIFSIGNALED(child) && WTERMSIG(child) == SIGXCPU, "RLIMIT_CPU ends by SIGXCPU");
	ok(with_limit(RLIMIT_FSIZE, 4096, RLIM_INFINITY, write_much) == 0, "RLIMIT_FSIZE");
	ok(with_limit(RLIMIT_FSIZE, 4096, RLIM_INFINITY, shorten) == 0,
	   "a file above it may get shorter");
	unlink("/tmp/limited");
	child = sleeper();
	limit = (struct rlimit){10, 20};
	ok(prlimit(child, RLIMIT_CORE, NULL, &limit) == 0, "another's limit is read");
	kill(child, SIGKILL);
	end_of(child);
}

/* Of Linux these hold for users that are not root. */
static void limits_here(void)
{
	ok(with_limit(RLIMIT_NPROC, 2, 2, fork_many) == 0, "RLIMIT_NPROC");
	struct rlimit limit = {10, 20};

	ok(setrlimit(RLIMIT_CORE, &limit) == -1 && errno == EPERM, "a hard limit is not raised");
}

/* ---- The rest ---- */

static void identity(void)
{
	cpu_set_t set;
	struct tms times_;

	ok(setgroups(0, NULL) == 0, "setgroups of none");
	ok(setresuid(0, 0, 0) == 0 && setresgid(0, (gid_t)-1, 0) == 0, "ids stay as they are");
	CPU_ZERO(&set);
	ok(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_ISSET(0, &set), "sched_getaffinity");
	fails(sched_getaffinity(4000000, sizeof(set), &set), ESRCH, "of no process: ESRCH");
	fails(syscall(SYS_sched_getaffinity, -1, sizeof(set), &set), ESRCH,
	      "of a negative one: ESRCH");
	fails(syscall(SYS_sched_setaffinity, -1, sizeof(set), &set), ESRCH, "to set it: ESRCH");
	fails(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &(int){0}), EINVAL,
	      "a real-time policy without a priority: EINVAL");
	fails(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &(int){100}), EINVAL,
	      "with one that is none: EINVAL");
	ok(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER | SCHED_RESET_ON_FORK, &(int){0}) == 0,
	   "SCHED_RESET_ON_FORK");
	fails(getgroups(-1, NULL), EINVAL, "getgroups of less than none: EINVAL");
	errno = 0;
	ok(getpriority(PRIO_PROCESS, 0) == 0 && errno == 0, "getpriority");
	ok(times(&times_) != (clock_t)-1 && times_.tms_cutime > 0, "times counts children");
}

static void a_thousand(void)
{
	static pid_t children[1000];
	int fds[2], made = 0, ended = 0;
	char byte;

	if (pipe(fds))
		return;
	for (int i = 0; i < 1000; i++) {
		pid_t child = fork();

		if (!child) {
			close(fds[1]);
			_exit(read(fds[0], &byte, 1) == 0 ? i & 127 : 1);
		}
		if (child < 0)
			break;
		children[made++] = child;
	}
	close(fds[1]);
	for (int i = 0; i < made; i++)
		ended += exits(children[i], i & 127);
	ok(made == 1000 && ended == 1000, "a thousand processes at a time");
	close(fds[0]);
}

/* Programs that hold keys end when they cannot ask for it. */
static void dumpable(void)
{
	int status = -1;
	pid_t child;

	ok(prctl(PR_GET_DUMPABLE) == 1 && prctl(PR_SET_DUMPABLE, 0) == 0 &&
	           prctl(PR_GET_DUMPABLE) == 0,
	   "PR_SET_DUMPABLE");
	fails(prctl(PR_SET_DUMPABLE, 7), EINVAL, "to an unknown value");
	child = fork();
	if (!child)
		_exit(prctl(PR_GET_DUMPABLE));
	waitpid(child, &status, 0);
	ok(status == 0, "a child has it");
	prctl(PR_SET_DUMPABLE, 1);
}

/* An orphan's orphan: its exit status says whose child it became. */
static void reaped_child(pid_t reaper)
{
	siginfo_t ended;

	if (fork())
		_exit(0);
	if (fork() == 0)
		_exit(5); /* it has ended when it is passed on */
	for (int i = 0; i < 5000 && getppid() != reaper; i++)
		usleep(1000);
	waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT);
	_exit(getppid() == reaper ? 7 : 1);
}

static void subreaper(void)
{
	pid_t self_number = getpid(), middle;
	int on = 7, status, statuses = 0, n = 0;

	ok(prctl(PR_GET_CHILD_SUBREAPER, &on) == 0 && on == 0, "a process reaps no orphans");
	ok(prctl(PR_SET_CHILD_SUBREAPER, 2) == 0 && prctl(PR_GET_CHILD_SUBREAPER, &on) == 0 &&
	           on == 1,
	   "unless it asks for them");
	middle = fork();
	if (!middle) {
		prctl(PR_GET_CHILD_SUBREAPER, &on);
		_exit(on);
	}
	ok(exits(middle, 0), "a child does not inherit it");
	middle = fork();
	if (!middle)
		reaped_child(self_number);
	while (wait(&status) > 0) {
		n++;
		statuses += WEXITSTATUS(status);
	}
	ok(n == 3 && statuses == 12, "it waits for the children of its children");
	ok(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0 && prctl(PR_GET_CHILD_SUBREAPER, &on) == 0 &&
	           on == 0,
	   "until it wants them no more");
	fails(prctl(PR_GET_CHILD_SUBREAPER, 1), EFAULT, "PR_GET_CHILD_SUBREAPER to nowhere");
}

static void timer_slack(void)
{
	int status = -1;
	pid_t child;

	ok(prctl(PR_GET_TIMERSLACK) == 50000, "the timer slack is 50 microseconds");
	ok(prctl(PR_SET_TIMERSLACK, 1234) == 0 && prctl(PR_GET_TIMERSLACK) == 1234,
	   "PR_SET_TIMERSLACK");
	child = fork();
	if (!child) {
		int kept = prctl(PR_GET_TIMERSLACK) == 1234;

		prctl(PR_SET_TIMERSLACK, 99);
		prctl(PR_SET_TIMERSLACK, 0);
		_exit(kept && prctl(PR_GET_TIMERSLACK) == 1234 ? 3 : 0);
	}
	waitpid(child, &status, 0);
	ok(WEXITSTATUS(status) == 3, "a child begins with its parent's, and goes back to it");
	ok(prctl(PR_SET_TIMERSLACK, 0) == 0 && prctl(PR_GET_TIMERSLACK) == 50000,
	   "0 is what it was first");
}

struct capability_header {
	unsigned version;
	int pid;
};

#define VERSION_3 0x20080522

/* In a child: on Linux it gives up what it may have. */
static int lacks_capabilities(void)
{
	struct capability_header h = {.version = VERSION_3};
	unsigned sets[6] = {0}, got[6] = {1, 1, 1, 1, 1, 1};

	if (syscall(SYS_capset, &h, sets) || syscall(SYS_capget, &h, got))
		return 1;
	if (memcmp(sets, got, sizeof(got)))
		return 2;
	sets[1] = 1;
	errno = 0;
	if (syscall(SYS_capset, &h, sets) != -1 || errno != EPERM)
		return 3;
	h.pid = getppid();
	sets[1] = 0;
	errno = 0;
	return syscall(SYS_capset, &h, sets) == -1 && errno == EPERM ? 0 : 4;
}

static void capabilities(void)
{
	struct capability_header h = {.version = 1};
	unsigned sets[6];
	pid_t child;

	fails(syscall(SYS_capget, &h, sets), EINVAL, "capget of an unknown version");
	ok(h.version == VERSION_3, "says which one is right");
	h.version = 1;
	ok(syscall(SYS_capget, &h, NULL) == 0 && h.version == VERSION_3, "or was asked for that");
	ok(syscall(SYS_capget, &h, sets) == 0, "capget");
	h.pid = 4000000;
	fails(syscall(SYS_capget, &h, sets), ESRCH, "of no process");
	h.pid = -1;
	fails(syscall(SYS_capget, &h, sets), EINVAL, "of a negative number");
	child = fork();
	if (!child)
		_exit(lacks_capabilities());
	ok(exits(child, 0), "who has no capabilities gets none by capset");
	fails(prctl(PR_CAPBSET_READ, 99), EINVAL, "PR_CAPBSET_READ of no capability");
	ok(prctl(PR_CAPBSET_READ, 0) >= 0, "of one");
	ok(prctl(PR_GET_KEEPCAPS) == 0 && prctl(PR_SET_KEEPCAPS, 1) == 0 &&
	           prctl(PR_GET_KEEPCAPS) == 1 && prctl(PR_SET_KEEPCAPS, 0) == 0,
	   "PR_SET_KEEPCAPS");
	fails(prctl(PR_SET_KEEPCAPS, 2), EINVAL, "to an unknown value");
}

/* A shell may be late with the group of a command that has ended already. */
static void group_of_ended(void)
{
	siginfo_t info;
	pid_t child = fork();

	if (!child)
		_exit(0);
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	ok(!setpgid(child, child) && getpgid(child) == child,
	   "a child that ended has a group until it is waited for");
	waitpid(child, NULL, 0);
	fails(setpgid(child, child), ESRCH, "and then no more");
	fails(setpgid(-1, 0), EINVAL, "a negative number would be the group's");
}

int main(int argc, char **argv)
{
	static char path[4096];

	self = argv[0];
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) > 0)
		self = path;
	if (argc > 1 && strcmp(argv[1], "linux"))
		return executed(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	orphans();
	parents_death();
	parents_death_after_exec();
	depth();
	relatives();
	groups();
	stops();
	stopped_sleep();
	stopped_threads();
	queued();
	scripts();
	long_lists();
	proc();
	limits();
	if (argc == 1)
		limits_here();
	identity();
	dumpable();
	subreaper();
	timer_slack();
	capabilities();
	a_thousand();
	group_of_ended();
	return tap_finish();
}
