/* SPDX-License-Identifier: MIT */
/*
 * Users and groups: who may become whom, and what a process that is not user 0 may do with files,
 * other processes and System V objects.  Started by user 0; each part runs in a child of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define PLACE "/tmp/posix_users.d"
#define USER  4242
#define OTHER 4343
#define GROUP 5252
#define EXTRA 6262

/* The call fails with this error. */
#define refused(call, error) (errno = 0, (call) == -1 && errno == (error))

/* What a child has counted goes on in its parent. */
static struct {
	int count, failed;
} * counted;

static _Noreturn void leave(void)
{
	counted->count = tap_count;
	counted->failed = tap_failed;
	fflush(stdout);
	_exit(0);
}

static void go_on_after(pid_t child)
{
	int status;

	waitpid(child, &status, 0);
	tap_count = counted->count;
	tap_failed = counted->failed;
	if (status)
		ok(false, "a part ends by itself");
}

static void run(void (*part)(void))
{
	pid_t child = fork();

	if (!child) {
		part();
		leave();
	}
	go_on_after(child);
}

static bool become(uid_t user, gid_t group)
{
	const gid_t groups[] = {EXTRA};

	return !setgroups(1, groups) && !setgid(group) && !setuid(user);
}

/* ---- Who is who ---- */

static bool users_are(uid_t real, uid_t effective, uid_t saved)
{
	uid_t r, e, s;

	return !getresuid(&r, &e, &s) && r == real && e == effective && s == saved &&
	       getuid() == real && geteuid() == effective;
}

static void leaving_user_0(void)
{
	ok(users_are(0, 0, 0), "the program is user 0's");
	ok(!seteuid(USER) && users_are(0, USER, 0), "seteuid keeps the others");
	ok(refused(setuid(OTHER), EPERM), "one that is not 0 becomes nobody else");
	ok(refused(setgroups(0, NULL), EPERM), "nor changes its groups");
	ok(refused(setgid(GROUP), EPERM), "nor its group");
	ok(!seteuid(0) && users_are(0, 0, 0), "it returns to the one that it saved");
	ok(!setreuid(USER, OTHER) && users_are(USER, OTHER, OTHER),
	   "setreuid saves the effective one");
	ok(!setreuid(OTHER, USER) && users_are(OTHER, USER, USER), "and exchanges the two");
	ok(refused(setreuid(0, -1), EPERM), "not for one that it has not got");
	ok(refused(setuid(0), EPERM), "there is no way back to user 0");
}

static void three_at_once(void)
{
	ok(!setresuid(1, 2, 3) && users_are(1, 2, 3), "setresuid sets three");
	ok(!setresuid(3, -1, 1) && users_are(3, 2, 1), "and moves them around");
	ok(refused(setresuid(-1, 4, -1), EPERM), "within what it has");
	ok(!setuid(1) && users_are(3, 1, 1), "setuid takes the saved one");
	ok(refused(setuid(2), EPERM), "and no other");
	ok(refused(setuid(-1), EINVAL), "-1 is no user");
}

static void groups_of_it(void)
{
	const gid_t wanted[] = {9, 7, 8};
	gid_t list[4] = {0};

	ok(!setgroups(3, wanted), "user 0 sets its groups");
	ok(getgroups(0, list) == 3 && getgroups(4, list) == 3, "they are counted and given");
	ok(list[0] == 7 && list[1] == 8 && list[2] == 9, "in order");
	ok(refused(getgroups(2, list), EINVAL), "too few places are an error");
	ok(!setresgid(1, 2, 3) && getgid() == 1 && getegid() == 2, "groups come in threes too");
	ok(!setuid(USER) && !setgid(3) && getegid() == 3, "setgid takes the saved one");
	ok(refused(setgid(4), EPERM), "and no other");
	ok(getgroups(4, list) == 3, "supplementary groups stay");
}

static void for_files_alone(void)
{
	int fd;

	ok(setfsuid(USER) == 0 && setfsuid(-1) == USER, "setfsuid answers the one before");
	fd = open(PLACE "/secret", O_RDONLY);
	ok(fd < 0 && errno == EACCES, "and is what files go by");
	ok(geteuid() == 0 && setfsuid(0) == USER && setfsuid(-1) == 0, "it returns");
	ok(!seteuid(USER) && setfsuid(-1) == USER, "seteuid sets it too");
}

/* ---- Threads and exec ---- */

static pthread_barrier_t barrier;

static void *sees(void *out)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	*(bool *)out = getuid() == USER && open(PLACE "/secret", O_RDONLY) < 0;
	return NULL;
}

static void all_threads(void)
{
	bool changed = false;
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&thread, NULL, sees, &changed);
	pthread_barrier_wait(&barrier);
	ok(!setuid(USER), "a program of two threads leaves user 0");
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	ok(changed, "and so do both threads");
}

/* Where every user reaches it. */
#define PROGRAM PLACE "/program"

static bool copy_program(void)
{
	static char bytes[65536];
	int from = open("/proc/self/exe", O_RDONLY), to = open(PROGRAM, O_CREAT | O_WRONLY, 0755);
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		if (write(to, bytes, (size_t)n) != n)
			return false;
	close(from);
	return !close(to) && n == 0;
}

static void executing(void)
{
	int status;
	pid_t child;

	if (!copy_program())
		ok(false, "copy the program");
	child = fork();
	if (!child) {
		if (setresuid(USER, OTHER, 0))
			_exit(2);
		execl(PROGRAM, "program", "executed", (char *)NULL);
		_exit(3);
	}
	waitpid(child, &status, 0);
	ok(status == 0, "a program that is executed has its effective user saved");
}

/* ---- Files ---- */

static void make(const char *path, mode_t mode, uid_t user, gid_t group)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	if (fd < 0 || write(fd, "#!/bin/sh\n", 10) != 10 || fchown(fd, user, group) ||
	    fchmod(fd, mode))
		ok(false, "make a file");
	close(fd);
}

static void make_directory(const char *path, mode_t mode, uid_t user, gid_t group)
{
	if (mkdir(path, 0700) || chown(path, user, group) || chmod(path, mode))
		ok(false, "make a directory");
}

static void prepare(void)
{
	umask(0);
	make_directory(PLACE, 0755, 0, 0);
	make(PLACE "/secret", 0600, 0, 0);
	make(PLACE "/public", 0644, 0, 0);
	make(PLACE "/own", 0400, USER, 0);
	make(PLACE "/group", 0640, 0, GROUP);
	make(PLACE "/extra", 0060, 0, EXTRA);
	make(PLACE "/not-own", 0066, USER, 0);
	make(PLACE "/not-group", 0606, 0, GROUP);
	make(PLACE "/write", 0622, 0, 0);
	make(PLACE "/script", 0744, 0, 0);
	make_directory(PLACE "/closed", 0700, 0, 0);
	make(PLACE "/closed/file", 0666, 0, 0);
	make_directory(PLACE "/search", 0711, 0, 0);
	make(PLACE "/search/file", 0666, 0, 0);
	make_directory(PLACE "/read", 0744, 0, 0);
	make(PLACE "/read/file", 0666, 0, 0);
	make_directory(PLACE "/sticky", 01777, 0, 0);
	make(PLACE "/sticky/others", 0666, OTHER, 0);
	make(PLACE "/sticky/mine", 0666, USER, 0);
	make_directory(PLACE "/open", 0777, 0, 0);
	make_directory(PLACE "/open/others", 0755, OTHER, 0);
	make(PLACE "/open/file", 0600, OTHER, 0);
	make_directory(PLACE "/inherit", 02777, 0, EXTRA);
}

static int opened(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void opening(void)
{
	become(USER, GROUP);
	ok(opened(PLACE "/secret", O_RDONLY) == EACCES, "another's file is closed");
	ok(opened(PLACE "/public", O_RDONLY) == 0, "unless others may read it");
	ok(opened(PLACE "/public", O_WRONLY) == EACCES, "which is not to write it");
	ok(opened(PLACE "/public", O_RDONLY | O_TRUNC) == EACCES, "nor to truncate it");
	ok(opened(PLACE "/public", O_PATH) == 0, "to name a file takes nothing");
	ok(opened(PLACE "/secret", O_PATH) == 0, "whatever its mode");
	ok(opened(PLACE "/own", O_RDONLY) == 0, "an owner's bits count for the owner");
	ok(opened(PLACE "/own", O_WRONLY) == EACCES, "also against him");
	ok(opened(PLACE "/not-own", O_RDONLY) == EACCES, "others' bits do not help an owner");
	ok(opened(PLACE "/group", O_RDONLY) == 0, "the group's bits count");
	ok(opened(PLACE "/group", O_RDWR) == EACCES, "each of them");
	ok(opened(PLACE "/extra", O_RDWR) == 0, "a supplementary group's too");
	ok(opened(PLACE "/not-group", O_RDONLY) == EACCES, "others' bits do not help a group");
	ok(opened(PLACE "/write", O_WRONLY) == 0, "write without read");
	ok(opened(PLACE "/write", O_RDWR) == EACCES, "is not both");
	ok(refused(truncate(PLACE "/public", 0), EACCES), "truncate is a store");
	ok(!truncate(PLACE "/write", 3), "which may be allowed");
}

static void accessing(void)
{
	become(USER, GROUP);
	ok(refused(access(PLACE "/secret", R_OK), EACCES), "access says what open would");
	ok(!access(PLACE "/secret", F_OK), "a file is there for all who can reach it");
	ok(!access(PLACE "/group", R_OK) && refused(access(PLACE "/group", W_OK), EACCES),
	   "by group");
	ok(!access(PLACE "/extra", R_OK | W_OK), "by supplementary group");
	ok(refused(access(PLACE "/script", X_OK), EACCES), "a file to be executed by its owner");
	ok(refused(execl(PLACE "/script", "script", (char *)NULL), EACCES), "is by nobody else");
	ok(refused(access(PLACE "/closed/file", F_OK), EACCES),
	   "behind a closed directory nothing is");
}

static void access_by_real_user(void)
{
	if (setresuid(USER, 0, 0))
		ok(false, "setresuid");
	ok(refused(access(PLACE "/secret", R_OK), EACCES), "access asks for the real user");
	ok(!faccessat(AT_FDCWD, PLACE "/secret", R_OK, AT_EACCESS), "unless told otherwise");
	ok(refused(access(PLACE "/closed/file", F_OK), EACCES), "who may not search the path");
	ok(opened(PLACE "/secret", O_RDONLY) == 0, "files are still those of user 0");
	if (setresuid(0, USER, 0))
		ok(false, "setresuid");
	ok(!access(PLACE "/closed/file", F_OK), "and user 0 may");
	ok(refused(faccessat(AT_FDCWD, PLACE "/closed/file", F_OK, AT_EACCESS), EACCES),
	   "though not in effect");
	ok(opened(PLACE "/secret", O_RDONLY) == EACCES, "files are still the other's");
}

static void directories(void)
{
	struct stat st;
	char name[64];
	int fd;

	become(USER, GROUP);
	ok(refused(stat(PLACE "/closed/file", &st), EACCES),
	   "no path leads through a closed directory");
	ok(refused(stat(PLACE "/closed/none", &st), EACCES), "nor says what is not there");
	ok(refused(chdir(PLACE "/closed"), EACCES), "nobody enters it");
	ok(!stat(PLACE "/search/file", &st), "to search is enough for a path");
	ok(opened(PLACE "/search", O_RDONLY | O_DIRECTORY) == EACCES, "and not for a list");
	ok(opened(PLACE "/read", O_RDONLY | O_DIRECTORY) == 0, "to read is enough for a list");
	ok(refused(stat(PLACE "/read/file", &st), EACCES), "and not for a path");
	ok(refused(stat(PLACE "/read/.", &st), EACCES), "not even to itself");
	fd = open(PLACE "/read", O_RDONLY | O_DIRECTORY);
	ok(refused(fchdir(fd), EACCES), "nor to enter it by descriptor");
	ok(refused(fstatat(fd, "file", &st, 0), EACCES), "nor to start there");
	close(fd);
	ok(!chdir(PLACE "/search") && getcwd(name, sizeof(name)), "it enters what it may search");
	ok(refused(readlink(PLACE "/closed/none", name, sizeof(name)), EACCES),
	   "links are no way around");
}

/* A directory that was opened before the process left user 0. */
static void with_a_directory_of_user_0(void)
{
	int fd = open(PLACE "/closed", O_RDONLY | O_DIRECTORY), file;
	struct stat st;

	file = open(PLACE "/secret", O_RDWR);
	become(USER, GROUP);
	ok(refused(fstatat(fd, "file", &st, 0), EACCES),
	   "an open directory is searched by who the process is now");
	ok(refused(openat(fd, "file", O_RDONLY), EACCES), "so nothing is opened by it");
	ok(write(file, "x", 1) == 1, "an open file stays open");
	ok(refused(fchmod(file, 0666), EPERM), "and is nobody else's to change");
	ok(refused(fchown(file, USER, -1), EPERM), "nor to take");
	ok(!fstat(file, &st), "its attributes are told");
}

static void making(void)
{
	struct stat st;
	int fd;

	become(USER, GROUP);
	umask(022);
	ok(opened(PLACE "/new", O_CREAT | O_WRONLY) == EACCES,
	   "no file is made in another's directory");
	ok(refused(mkdir(PLACE "/new", 0777), EACCES), "nor a directory");
	ok(refused(symlink("x", PLACE "/new"), EACCES), "nor a link");
	ok(refused(mkfifo(PLACE "/new", 0666), EACCES), "nor a FIFO");
	ok(refused(link(PLACE "/public", PLACE "/new"), EACCES) || errno == EPERM, "nor a name");
	ok(opened(PLACE "/public", O_CREAT | O_RDONLY) == 0, "O_CREAT opens what is there");
	fd = open(PLACE "/open/new", O_CREAT | O_EXCL | O_RDWR, 0);
	ok(fd >= 0 && write(fd, "x", 1) == 1, "who makes a file has it open, whatever its mode");
	ok(!fstat(fd, &st) && st.st_uid == USER && st.st_gid == GROUP, "and owns it");
	close(fd);
	ok(opened(PLACE "/open/new", O_RDONLY) == EACCES, "the mode counts from then on");
	ok(!mkdir(PLACE "/open/newer", 0777) && !stat(PLACE "/open/newer", &st) &&
	           st.st_uid == USER && (st.st_mode & 07777) == 0755,
	   "a directory is owned too");
	ok(refused(mknod(PLACE "/open/device", S_IFCHR | 0666, 0x103), EPERM),
	   "devices are user 0's to make");
	ok(!mknod(PLACE "/open/pipe", S_IFIFO | 0666, 0), "FIFOs are everybody's");
	fd = open(PLACE "/open", O_TMPFILE | O_RDWR, 0600);
	ok(fd >= 0 && !fstat(fd, &st) && st.st_uid == USER, "files without a name are owned");
	close(fd);
	ok(opened(PLACE "/closed", O_TMPFILE | O_RDWR) == EACCES, "and made where names could be");
}

static void inheriting(void)
{
	struct stat st;

	become(USER, GROUP);
	umask(0);
	close(open(PLACE "/inherit/file", O_CREAT | O_WRONLY, 0644));
	ok(!stat(PLACE "/inherit/file", &st) && st.st_gid == EXTRA && st.st_uid == USER,
	   "to files");
	ok(!mkdir(PLACE "/inherit/below", 0755) && !stat(PLACE "/inherit/below", &st) &&
	           st.st_gid == EXTRA && (st.st_mode & 07777) == 02755,
	   "and to directories, which do the same");
}

static void removing(void)
{
	become(USER, GROUP);
	ok(refused(unlink(PLACE "/public"), EACCES), "no name goes from another's directory");
	ok(refused(rename(PLACE "/public", PLACE "/open/public"), EACCES), "nor leaves it");
	ok(!unlink(PLACE "/open/file"), "who may write a directory removes others' files");
	ok(refused(unlink(PLACE "/sticky/others"), EPERM), "unless it is sticky");
	ok(refused(syscall(SYS_renameat2, AT_FDCWD, PLACE "/sticky/mine", AT_FDCWD,
	                   PLACE "/sticky/others", 1 /* RENAME_NOREPLACE */),
	           EEXIST),
	   "what is not replaced is nobody's loss");
	ok(refused(rename(PLACE "/sticky/others", PLACE "/sticky/x"), EPERM),
	   "which keeps names too");
	ok(refused(rename(PLACE "/sticky/mine", PLACE "/sticky/others"), EPERM),
	   "and what would be replaced");
	ok(!rename(PLACE "/sticky/mine", PLACE "/sticky/still-mine"), "one's own may move");
	ok(!unlink(PLACE "/sticky/still-mine"), "and go");
	ok(!rename(PLACE "/open/others", PLACE "/open/renamed"), "another's directory is renamed");
	ok(refused(rename(PLACE "/open/renamed", PLACE "/sticky/renamed"), EACCES),
	   "but does not get another parent");
}

static void changing(void)
{
	const struct timespec old[2] = {{1, 0}, {2, 0}};
	struct stat st;

	become(USER, GROUP);
	ok(refused(chmod(PLACE "/public", 0666), EPERM), "a mode is its owner's to set");
	ok(!chmod(PLACE "/own", 0600) && opened(PLACE "/own", O_RDWR) == 0,
	   "who may give himself rights");
	ok(refused(chown(PLACE "/own", OTHER, -1), EPERM), "nobody gives files away");
	ok(refused(chown(PLACE "/public", USER, -1), EPERM), "or takes them");
	ok(!chown(PLACE "/own", -1, EXTRA), "an owner chooses among his groups");
	ok(refused(chown(PLACE "/own", -1, 1), EPERM), "alone");
	ok(!chown(PLACE "/public", -1, -1), "to change nothing is allowed");
	ok(!chmod(PLACE "/own", 02710) && !stat(PLACE "/own", &st) && st.st_mode & S_ISGID,
	   "set-group-ID for a group that it is in");
	ok(refused(utimensat(AT_FDCWD, PLACE "/write", old, 0), EPERM),
	   "times are the owner's to set");
	ok(!utimensat(AT_FDCWD, PLACE "/write", NULL, 0), "but to the present by who may write");
	ok(refused(utimensat(AT_FDCWD, PLACE "/public", NULL, 0), EACCES), "and no other");
	ok(!utimensat(AT_FDCWD, PLACE "/own", old, 0), "an owner sets any");
	ok(refused(chroot(PLACE), EPERM), "a root is user 0's to choose");
}

/* ---- Processes ---- */

static volatile sig_atomic_t sender = -1;

static void note(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	sender = (sig_atomic_t)info->si_uid;
}

/* A child of that user that waits for its end. */
static pid_t waiting_child(uid_t user)
{
	int ready[2];
	char byte;
	pid_t child;

	if (pipe(ready))
		return -1;
	child = fork();
	if (!child) {
		close(ready[0]);
		if (setuid(user))
			_exit(1);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	(void)!read(ready[0], &byte, 1);
	close(ready[0]);
	return child;
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void signalling(void)
{
	pid_t root = waiting_child(0), other = waiting_child(OTHER), own = waiting_child(USER);
	struct rlimit limit;
	cpu_set_t set;
	pid_t child = fork();

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (!child) {
		become(USER, GROUP);
		ok(refused(kill(root, 0), EPERM), "user 0's process is not to be signalled");
		ok(refused(kill(other, SIGTERM), EPERM), "nor another user's");
		ok(refused(sigqueue(other, SIGTERM, (union sigval){0}), EPERM), "queued or not");
		ok(refused(syscall(SYS_tgkill, root, root, 0), EPERM) &&
		           refused(syscall(SYS_tkill, other, SIGTERM), EPERM),
		   "nor its thread");
		ok(!kill(own, 0), "one's own is");
		ok(!syscall(SYS_tgkill, own, own, 0) && !syscall(SYS_tkill, own, SIGCHLD),
		   "and its thread");
		ok(refused(syscall(SYS_tgkill, own, other, 0), ESRCH), "which is not another's");
		ok(refused(sched_setaffinity(other, sizeof(set), &set), EPERM) &&
		           !sched_setaffinity(own, sizeof(set), &set),
		   "its processors are its user's to choose");
		ok(prctl(PR_GET_DUMPABLE) == 0, "what was another user's is not dumped");
		ok(refused(kill(1 << 21, 0), ESRCH), "none is no secret");
		ok(!kill(other, SIGCONT), "SIGCONT reaches the whole session");
		ok(refused(prlimit(other, RLIMIT_NOFILE, NULL, &limit), EPERM),
		   "nor are limits told");
		ok(refused(setpriority(PRIO_PROCESS, (id_t)other, 5), EPERM), "nor made to wait");
		ok(!setpriority(PRIO_PROCESS, (id_t)own, 5), "one's own may be");
		ok(refused(setpriority(PRIO_PROCESS, (id_t)own, 4), EACCES), "for good");
		ok(!setpriority(PRIO_USER, 0, 6) && getpriority(PRIO_USER, USER) == 6 &&
		           getpriority(PRIO_PROCESS, (id_t)own) == 6,
		   "all that are one's own");
		ok(getpriority(PRIO_USER, OTHER) == 0 &&
		           refused(setpriority(PRIO_USER, OTHER, 6), EPERM),
		   "and not all of another");
		ok(refused(getpriority(PRIO_USER, 77777), ESRCH), "whom nobody is");
		ok(refused(prlimit(root, RLIMIT_CORE, &(struct rlimit){0, 0}, NULL), EPERM),
		   "or set");
		ok(!prlimit(own, RLIMIT_NOFILE, NULL, &limit) || errno == EPERM,
		   "of one's own they may be");
		leave();
	}
	go_on_after(child);
	end(root), end(other), end(own);
}

static void groups_of_processes(void)
{
	pid_t first = waiting_child(OTHER), second = waiting_child(USER), child;
	int status;

	setpgid(first, first);
	setpgid(second, first);
	child = fork();
	if (!child) {
		become(USER, GROUP);
		ok(!kill(-first, SIGTERM), "a group is signalled if one of it may be");
		leave();
	}
	go_on_after(child);
	waitpid(second, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "and that one is");
	ok(waitpid(first, &status, WNOHANG) == 0, "and the other is not");
	child = fork();
	if (!child) {
		become(USER, GROUP);
		_exit(refused(kill(-first, SIGTERM), EPERM) ? 0 : 1);
	}
	waitpid(child, &status, 0);
	ok(status == 0, "a group of others alone is refused");
	child = fork();
	if (!child) {
		become(OTHER + 1, GROUP);
		_exit(kill(-1, SIGTERM) ? 1 : 0);
	}
	waitpid(child, &status, 0);
	ok(status == 0 && waitpid(first, &status, WNOHANG) == 0, "of all none need be its own");
	end(first);
}

static void senders(void)
{
	struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
	pid_t parent = getpid(), child;

	sigaction(SIGUSR1, &action, NULL);
	child = fork();
	if (!child) {
		if (setresuid(USER, 0, 0))
			_exit(1);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	while (waitpid(child, NULL, 0) < 0)
		;
	ok(sender == USER, "a signal says its sender's real user");
	sigaction(SIGCHLD, &action, NULL);
	sender = -1;
	child = fork();
	if (!child)
		_exit(setuid(OTHER));
	while (waitpid(child, NULL, 0) < 0)
		;
	ok(sender == OTHER, "and SIGCHLD the child's");
}

/* ---- Shared objects ---- */

static void system_v(void)
{
	int segment = shmget(IPC_PRIVATE, 4096, 0600), set = semget(IPC_PRIVATE, 1, 0644);
	int queue = msgget(IPC_PRIVATE, 0622), open = shmget(IPC_PRIVATE, 4096, 0666);
	struct sembuf up = {0, 1, 0}, zero = {0, 0, IPC_NOWAIT};
	struct shmid_ds ds;
	struct {
		long type;
		char text[8];
	} message = {1, "x"};
	pid_t child = fork();

	if (!child) {
		become(USER, GROUP);
		ok(shmat(segment, NULL, 0) == (void *)-1 && errno == EACCES, "a closed segment");
		ok(refused(shmctl(segment, IPC_STAT, &ds), EACCES), "tells nothing");
		ok(shmat(open, NULL, 0) != (void *)-1, "an open one");
		ok(refused(shmctl(open, IPC_RMID, NULL), EPERM), "is its owner's to remove");
		ok(semctl(set, 0, GETVAL) == 0, "semaphores that may be read");
		ok(!semop(set, &zero, 1), "may be waited for");
		ok(refused(semop(set, &up, 1), EACCES), "and not altered");
		ok(refused(semctl(set, 0, SETVAL, 1), EACCES), "nor set");
		ok(!msgsnd(queue, &message, 1, 0), "a queue that may be written");
		ok(refused(msgrcv(queue, &message, 8, 0, IPC_NOWAIT), EACCES), "is not read");
		leave();
	}
	go_on_after(child);
	shmctl(segment, IPC_RMID, NULL), shmctl(open, IPC_RMID, NULL);
	semctl(set, 0, IPC_RMID), msgctl(queue, IPC_RMID, NULL);
}

static void by_name(void)
{
	struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
	pid_t child;

	umask(0);
	close(shm_open("/posix_users", O_CREAT | O_RDWR, 0600));
	sem_close(sem_open("/posix_users", O_CREAT, 0600, 1));
	mq_close(mq_open("/posix_users", O_CREAT | O_RDWR, 0600, &attributes));
	child = fork();
	if (!child) {
		become(USER, GROUP);
		ok(refused(shm_open("/posix_users", O_RDWR, 0), EACCES),
		   "named memory is protected");
		ok(sem_open("/posix_users", 0) == SEM_FAILED && errno == EACCES, "a semaphore is");
		ok(refused(mq_open("/posix_users", O_RDONLY), EACCES), "a queue is");
		attributes = (struct mq_attr){.mq_maxmsg = 11, .mq_msgsize = 8};
		ok(refused(mq_open("/posix_users2", O_CREAT | O_RDWR, 0600, &attributes), EINVAL),
		   "longer ones are for user 0");
		ok(refused(shm_unlink("/posix_users"), EPERM) || errno == EACCES,
		   "their names stay");
		leave();
	}
	go_on_after(child);
	shm_unlink("/posix_users"), sem_unlink("/posix_users"), mq_unlink("/posix_users");
}

/* ---- The signal of a parent's end ---- */

static int death_signal(void)
{
	int wanted = -1;

	prctl(PR_GET_PDEATHSIG, &wanted);
	return wanted;
}

/* Who becomes another user, for files alone too, must ask again. */
static void signal_of_another_user(void)
{
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	setfsuid(0);
	ok(death_signal() == SIGUSR1, "PR_SET_PDEATHSIG stays with the user");
	setfsuid(USER);
	ok(!death_signal(), "it goes with the user for files");
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	setfsgid(GROUP);
	ok(!death_signal(), "and with the group");
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	ok(!setreuid(USER, (uid_t)-1) && !death_signal(),
	   "setreuid makes the user for files the effective one again");
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	ok(!setreuid(OTHER, (uid_t)-1) && death_signal() == SIGUSR1, "the real one is no matter");
	ok(!seteuid(USER) && !death_signal(), "the effective one is");
}

static volatile sig_atomic_t deaths;

static void count_death(int signal)
{
	(void)signal;
	deaths++;
}

static _Noreturn void survive(int ready, pid_t parent)
{
	char byte;

	signal(SIGUSR1, count_death);
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	(void)!write(ready, "", 1);
	while (getppid() == parent)
		usleep(1000);
	usleep(50000);
	byte = (char)deaths;
	(void)!write(ready, &byte, 1);
	_exit(0);
}

/* The parent has become a user that may not signal its child. */
static void signal_without_permission(void)
{
	int ready[2];
	char byte;
	pid_t middle;

	ok(!pipe(ready), "a child of a child of user 0");
	middle = fork();
	if (!middle) {
		const pid_t parent = getpid();

		if (!fork())
			survive(ready[1], parent);
		_exit(read(ready[0], &byte, 1) != 1 || setuid(USER));
	}
	waitpid(middle, NULL, 0);
	ok(read(ready[0], &byte, 1) == 1 && !byte, "gets no signal from who may send it none");
}

int main(int argc, char **argv)
{
	static void (*const parts[])(void) = {leaving_user_0,
	                                      three_at_once,
	                                      groups_of_it,
	                                      for_files_alone,
	                                      all_threads,
	                                      executing,
	                                      opening,
	                                      accessing,
	                                      access_by_real_user,
	                                      directories,
	                                      with_a_directory_of_user_0,
	                                      making,
	                                      inheriting,
	                                      removing,
	                                      changing,
	                                      signalling,
	                                      groups_of_processes,
	                                      senders,
	                                      system_v,
	                                      by_name,
	                                      signal_of_another_user,
	                                      signal_without_permission};

	(void)argv;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2)
		return users_are(USER, OTHER, OTHER) ? 0 : 1;
	counted = mmap(NULL, sizeof(*counted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	               -1, 0);
	prepare();
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		run(parts[i]);
	(void)!system("rm -rf " PLACE);
	return tap_finish();
}
