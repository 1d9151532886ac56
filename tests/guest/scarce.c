/* SPDX-License-Identifier: MIT */
/*
 * A program whose memory is used up but for a few pages makes every kind of call: each succeeds or
 * fails with an error that says so, or the process ends for lack of memory.  Nobody else notices,
 * and afterwards everything works and the kernel has no more objects than before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <capos/cap.h>

#include "abuse.h"
#include "posix_tap.h"

#define PAGE      4096
#define HELD_MAX  8192
#define FAILED    100 /* exit statuses from here on: the operation's number */
#define PATIENCE  30
#define SETTLE_US 300000 /* until what ended is gone */
#define SLACK     2      /* that a service may keep in reserve */

static cap_t held[HELD_MAX];
static int nheld;
static cap_t account;
extern char **environ;

static void take(uint64_t size)
{
	while (nheld < HELD_MAX && !cap_account_create_memory(account, size, &held[nheld]))
		nheld++;
}

static void give(int pages)
{
	while (pages-- > 0 && nheld > 0)
		cap_release(held[--nheld]);
}

/* Whether that is what a program may be told when memory is short. */
static bool well(long result)
{
	return result >= 0 || errno == ENOMEM || errno == EAGAIN || errno == ENOBUFS ||
	       errno == ENOSPC || errno == ENFILE || errno == EMFILE;
}

static void *nothing(void *argument)
{
	return argument;
}

static bool op_fork(void)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	return well(child) && (child < 0 || waitpid(child, NULL, 0) == child);
}

static bool op_spawn(void)
{
	char *const arguments[] = {"true", NULL};
	pid_t child;
	int status, result = posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ);

	errno = result;
	return result ? well(-1) : waitpid(child, &status, 0) == child;
}

static bool op_exec(void)
{
	pid_t child = vfork();

	if (!child) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(well(-1) ? 0 : 77);
	}
	int status = 0;
	return well(child) && (child < 0 || (waitpid(child, &status, 0) == child &&
	                                     (!WIFEXITED(status) || !WEXITSTATUS(status))));
}

static bool op_thread(void)
{
	pthread_t thread;
	int result = pthread_create(&thread, NULL, nothing, NULL);

	errno = result;
	return result ? well(-1) : !pthread_join(thread, NULL);
}

static bool op_mmap(void)
{
	char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *q;

	if (p == MAP_FAILED)
		return well(-1);
	q = mremap(p, 16 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	if (q == MAP_FAILED ? !well(-1) : munmap(q, 64 * PAGE) && !well(-1))
		return false;
	p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED
	               ? well(-1)
	               : well(mprotect(p + PAGE, PAGE, PROT_READ)) && well(munmap(p, 16 * PAGE));
}

static bool op_open(void)
{
	static char bytes[3 * PAGE];
	int fd = open("/tmp/scarce", O_RDWR | O_CREAT | O_TRUNC, 0600);
	bool fine = well(fd);
	void *p;

	if (fd < 0)
		return fine;
	fine &= well(write(fd, bytes, sizeof(bytes)));
	fine &= well(pread(fd, bytes, sizeof(bytes), 0));
	fine &= well(ftruncate(fd, 100));
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	fine &= p != MAP_FAILED || well(-1);
	fine &= well(flock(fd, LOCK_EX));
	fine &= well(fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK}));
	fine &= !close(fd);
	return fine & (!unlink("/tmp/scarce") || well(-1));
}

static bool op_names(void)
{
	bool fine = well(mkdir("/tmp/scarce.d", 0700)) || errno == EEXIST;

	fine &= well(symlink("/tmp", "/tmp/scarce.d/link")) || errno == EEXIST || errno == ENOENT;
	fine &= well(mkfifo("/tmp/scarce.d/fifo", 0600)) || errno == EEXIST || errno == ENOENT;
	fine &= well(rename("/tmp/scarce.d/link", "/tmp/scarce.d/other")) || errno == ENOENT;
	unlink("/tmp/scarce.d/other");
	unlink("/tmp/scarce.d/link");
	unlink("/tmp/scarce.d/fifo");
	return fine & (well(rmdir("/tmp/scarce.d")) || errno == ENOENT || errno == ENOTEMPTY);
}

static bool op_pipe(void)
{
	char bytes[100] = "";
	int ends[2];

	if (pipe(ends))
		return well(-1);
	bool fine = well(write(ends[1], bytes, sizeof(bytes))) &&
	            well(read(ends[0], bytes, sizeof(bytes)));
	return fine & !close(ends[0]) & !close(ends[1]);
}

static bool op_sockets(void)
{
	int pair[2], tcp = socket(AF_INET, SOCK_STREAM, 0);
	bool fine = well(tcp);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);

	fine &= well(udp);
	if (tcp >= 0)
		close(tcp);
	if (udp >= 0)
		close(udp);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return fine & well(-1);
	fine &= well(send(pair[0], "x", 1, MSG_DONTWAIT));
	close(pair[0]);
	close(pair[1]);
	return fine;
}

static bool op_pty(void)
{
	int slave, master = posix_openpt(O_RDWR | O_NOCTTY);
	bool fine = well(master);
	const char *name;

	if (master < 0)
		return fine;
	fine &= well(unlockpt(master));
	name = ptsname(master);
	slave = name ? open(name, O_RDWR | O_NOCTTY) : -1;
	fine &= well(slave) || errno == EIO;
	if (slave >= 0)
		fine &= well(write(slave, "x\n", 2)) & !close(slave);
	return fine & !close(master);
}

static bool op_events(void)
{
	struct itimerspec soon = {.it_value.tv_nsec = 1};
	int e = eventfd(0, EFD_NONBLOCK), t = timerfd_create(CLOCK_MONOTONIC, 0);
	int i = inotify_init();
	bool fine = true;

	for (int n = 0; n < 3; n++)
		fine &= (int[]){e, t, i}[n] >= 0 || well(-1);
	if (t >= 0)
		fine &= well(timerfd_settime(t, 0, &soon, NULL));
	if (i >= 0)
		fine &= well(inotify_add_watch(i, "/tmp", IN_ALL_EVENTS));
	for (int n = 0; n < 3; n++)
		if ((int[]){e, t, i}[n] >= 0)
			close((int[]){e, t, i}[n]);
	return fine;
}

static bool op_signals(void)
{
	timer_t timer;
	struct sigevent none = {.sigev_notify = SIGEV_NONE};
	bool fine = well(kill(getpid(), 0));

	if (timer_create(CLOCK_MONOTONIC, &none, &timer))
		return fine & well(-1);
	return fine & !timer_delete(timer);
}

static const struct {
	const char *name;
	bool (*run)(void);
} operations[] = {{"fork", op_fork},      {"posix_spawn", op_spawn}, {"execve", op_exec},
                  {"threads", op_thread}, {"memory", op_mmap},       {"files", op_open},
                  {"names", op_names},    {"pipes", op_pipe},        {"sockets", op_sockets},
                  {"terminals", op_pty},  {"events", op_events},     {"signals", op_signals}};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static unsigned long ended, failed;

/* Once when there is memory, so that what it touches is there; then with less and less. */
static _Noreturn void worker(unsigned i, int pages)
{
	alarm(PATIENCE);
	if (!operations[i].run())
		_exit(FAILED + errno);
	if (pages < 0)
		_exit(0);
	take(1 << 20);
	take(1 << 16);
	take(PAGE);
	give(pages);
	for (int n = 0; n < 3; n++) {
		errno = 0;
		if (!operations[i].run())
			_exit(FAILED + errno);
	}
	_exit(0);
}

static void try_one(unsigned i, int pages)
{
	int status = 0;
	pid_t child = fork();

	/* What the one before had may still be its child's. */
	for (int n = 0; child < 0 && well(-1) && n < 100; n++) {
		usleep(20000);
		child = fork();
	}
	if (!child)
		worker(i, pages);
	if (child < 0 || waitpid(child, &status, 0) != child)
		failed++;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && pages >= 0) {
		ended++;
	} else if (status) {
		printf("# %s with %d pages: status %x (%s)\n", operations[i].name, pages, status,
		       strerror(WEXITSTATUS(status) - FAILED));
		failed++;
	}
}

static const int some[] = {0, 1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90, 130, 200};

static void all_operations(bool scarce)
{
	for (unsigned n = 0; n < (scarce ? sizeof(some) / sizeof(some[0]) : 1); n++)
		for (unsigned i = 0; i < OPERATIONS; i++)
			try_one(i, scarce ? some[n] : -1);
}

int main(int argc, char **argv)
{
	unsigned long objects = 0, pages;

	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	abuse_begin(argv);
	ok(!cap_account(&account), "an account");
	/* Twice, so that what appears on first use is there. */
	for (int round = 0; round < 2; round++) {
		objects = kernel_objects(&pages);
		all_operations(false);
		ok(!failed, "all works");
		all_operations(true);
		ok(!failed, "with hardly any memory each works or says that there is none");
		all_operations(false);
		ok(!failed, "all works again");
		usleep(SETTLE_US);
		printf("# %lu processes ended; %lu objects, then %lu\n", ended, objects,
		       kernel_objects(&pages));
	}
	ok(kernel_objects(&pages) <= objects + SLACK, "the kernel has no more objects than before");
	return tap_finish();
}
