/* SPDX-License-Identifier: MIT */
/*
 * Bad pointers in system calls: for every call of the library's table each pointer is replaced by
 * addresses that cannot be read, or written, and the call fails with EFAULT and the program goes
 * on.  With a good pointer the same call does not.  Linux says the same.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/syscalls.h"
#include "posix_tap.h"

/* Old names of musl's functions, which are system calls' too. */
#undef getdents64
#undef pread64
#undef prlimit64
#undef pwrite64

#define PAGE 4096

enum direction {
	IN,
	OUT,
	STRING,
	PART_IN, /* what comes before a bad page may be moved */
	PART_OUT,
};

struct pointer {
	const char *name;
	long number;
	int which; /* which argument is the pointer */
	enum direction direction;
	size_t size; /* of what it points to */
	long arguments[6];
	void (*prepare)(void); /* before each call */
};

static char *good, *boundary, *none, *constant, *unmapped;
static int file, directory, pipe_in, pipe_out, udp, listener, event_timer, peer;
static bool loopback;
static uint32_t capability_header[2] = {0x20080522}; /* version 3, of the caller */
static timer_t timer;
static mqd_t queue;

static char *pages(size_t n, int protection)
{
	return mmap(NULL, n * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long call(const struct pointer *p, const void *pointer)
{
	long a[6];

	memcpy(a, p->arguments, sizeof(a));
	a[p->which] = (long)pointer;
	errno = 0;
	if (p->prepare)
		p->prepare();
	return syscall(p->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- What calls need to get as far as the pointer ---- */

static void wait_for_end(pid_t child)
{
	siginfo_t info;

	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
}

static void child_ends(void)
{
	pid_t child;

	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	child = fork();
	if (child == 0)
		_exit(0);
	wait_for_end(child);
}

static void signal_waits(void)
{
	raise(SIGUSR1);
}

static void fill_pipe(void)
{
	char bytes[64] = "";
	int left = 0;

	ioctl(pipe_in, FIONREAD, &left);
	if (left < 64 && write(pipe_out, bytes, sizeof(bytes)) < 0)
		_exit(96);
}

static void rewind_file(void)
{
	lseek(file, 0, SEEK_SET);
}

static void rewind_directory(void)
{
	lseek(directory, 0, SEEK_SET);
}

static void datagram_waits(void)
{
	char byte;

	while (recv(udp, &byte, 1, MSG_DONTWAIT) >= 0)
		;
	if (send(udp, "datagram", 8, 0) != 8)
		_exit(95);
	poll(&(struct pollfd){.fd = udp, .events = POLLIN}, 1, 2000);
}

static void connection_waits(void)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
		close(fd);
	getsockname(listener, (struct sockaddr *)&address, &length);
	if (peer >= 0)
		close(peer);
	peer = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(peer, (struct sockaddr *)&address, length))
		_exit(94);
	poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 2000);
}

static void no_handler(int signal)
{
	(void)signal;
}

static void open_loopback(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	udp = socket(AF_INET, SOCK_DGRAM, 0);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	loopback = bind(udp, (struct sockaddr *)&address, length) == 0 &&
	           getsockname(udp, (struct sockaddr *)&address, &length) == 0 &&
	           connect(udp, (struct sockaddr *)&address, length) == 0;
	address.sin_port = 0;
	loopback = loopback && bind(listener, (struct sockaddr *)&address, length) == 0 &&
	           listen(listener, 8) == 0;
}

static void open_all(void)
{
	struct sigevent silent = {.sigev_notify = SIGEV_NONE};
	int fds[2];
	sigset_t set;

	good = pages(1, PROT_READ | PROT_WRITE);
	boundary = pages(2, PROT_READ | PROT_WRITE);
	mprotect(boundary + PAGE, PAGE,
	         PROT_NONE); /* where nothing is mapped later something may be */
	none = pages(1, PROT_NONE);
	constant = pages(1, PROT_READ);
	unmapped = (char *)PAGE; /* nothing is ever mapped so low */
	mkdir("/tmp/pointers", 0700);
	file = open("/tmp/pointers/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (int i = 0; i < 256; i++) {
		if (write(file, "0123456789abcdef", 16) != 16)
			_exit(97);
	}
	close(open("/tmp/pointers/kept", O_RDWR | O_CREAT, 0600));
	symlink("file", "/tmp/pointers/link");
	directory = open("/tmp/pointers", O_RDONLY | O_DIRECTORY);
	if (file < 0 || directory < 0 || pipe(fds))
		_exit(98);
	pipe_in = fds[0];
	pipe_out = fds[1];
	mq_unlink("/pointers");
	queue = mq_open("/pointers", O_RDWR | O_CREAT | O_NONBLOCK, 0600,
	                &(struct mq_attr){.mq_maxmsg = 4, .mq_msgsize = 16});
	event_timer = timerfd_create(CLOCK_MONOTONIC, 0);
	timer_create(CLOCK_MONOTONIC, &silent, &timer);
	peer = -1;
	open_loopback();
	signal(SIGUSR1, no_handler);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* ---- One pointer ---- */

static bool part_is_fine(const struct pointer *p, const char *pointer, long result)
{
	return (p->direction == PART_IN || p->direction == PART_OUT) &&
	       pointer == boundary + PAGE - p->size / 2 && result == (long)p->size / 2;
}

/* Prints what is wrong. */
static bool fails_with_efault(const struct pointer *p, const char *kind, const void *pointer)
{
	long result = call(p, pointer);

	if ((result == -1 && errno == EFAULT) || part_is_fine(p, pointer, result))
		return true;
	printf("# %s, argument %d, %s: %ld, errno %d\n", p->name, p->which + 1, kind, result,
	       result == -1 ? errno : 0);
	return false;
}

/* In a process of its own: it may well succeed. */
static bool gets_past(const struct pointer *p)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		long result = call(p, good);

		_exit(result == -1 && errno == EFAULT   ? 1
		      : result == -1 && errno == ENOSYS ? 2
		                                        : 0);
	}
	waitpid(child, &status, 0);
	if (status == 0)
		return true;
	printf("# %s, argument %d, a good pointer: status 0x%x\n", p->name, p->which + 1, status);
	return false;
}

static bool tested[512];

static bool check(const struct pointer *p)
{
	bool writes = p->direction == OUT || p->direction == PART_OUT;
	size_t half = p->size / 2 ? p->size / 2 : 0;
	bool fine = true;

	tested[p->number] = true;
	if (p->direction == STRING)
		memset(boundary, 'a', PAGE);
	fine &= fails_with_efault(p, "not mapped", unmapped);
	fine &= fails_with_efault(p, "PROT_NONE", none);
	fine &= fails_with_efault(p, "of the kernel", (void *)0xffff800000001000);
	fine &= fails_with_efault(p, "not canonical", (void *)0x8000000000001000);
	if (writes)
		fine &= fails_with_efault(p, "read-only", constant);
	if (p->direction == STRING)
		fine &= fails_with_efault(p, "not ended", boundary + PAGE - 10);
	else if (half)
		fine &= fails_with_efault(p, "into nothing", boundary + PAGE - half);
	memset(boundary, 0, PAGE);
	return gets_past(p) && fine;
}

#define CALL_WITH(prepare, which, direction, size, name, ...)                      \
	{                                                                          \
#name, SYS_##name, which, direction, size, {__VA_ARGS__ }, prepare \
	}
#define CALL(which, direction, size, name, ...) \
	CALL_WITH(NULL, which, direction, size, name, __VA_ARGS__)

/* Where a pointer stands that is replaced. */
#define HERE 0

static bool check_list(const struct pointer *list, size_t n, const char *what)
{
	bool fine = true;

	for (size_t i = 0; i < n; i++) {
		memset(good, 0, PAGE);
		if (list[i].direction == STRING)
			strcpy(good, "/tmp/pointers/file");
		fine &= check(&list[i]);
	}
	ok(fine, what);
	return fine;
}
#define CHECK(list, what) check_list(list, sizeof(list) / sizeof((list)[0]), what)

#define TIME sizeof(struct timespec)

static void transfers(void)
{
	const struct pointer list[] = {
	        CALL_WITH(rewind_file, 1, PART_OUT, 64, read, file, HERE, 64),
	        CALL_WITH(fill_pipe, 1, PART_OUT, 64, read, pipe_in, HERE, 64),
	        CALL(1, PART_IN, 64, write, file, HERE, 64),
	        CALL(1, PART_IN, 64, write, pipe_out, HERE, 64),
	        CALL_WITH(rewind_file, 1, IN, 16, readv, file, HERE, 1),
	        CALL(1, IN, 16, writev, file, HERE, 1),
	        CALL(1, PART_OUT, 64, pread64, file, HERE, 64, 0),
	        CALL(1, PART_IN, 64, pwrite64, file, HERE, 64, 0),
	        CALL(1, IN, 16, preadv, file, HERE, 1, 0),
	        CALL(1, IN, 16, pwritev, file, HERE, 1, 0),
	        CALL_WITH(fill_pipe, 2, OUT, 4, ioctl, pipe_in, FIONREAD, HERE),
	        CALL(2, IN, 4, ioctl, pipe_in, FIONBIO, HERE),
	        CALL(0, OUT, 8, pipe, HERE),
	        CALL(0, OUT, 8, pipe2, HERE, 0),
	        CALL(3, OUT, 8, socketpair, AF_UNIX, SOCK_STREAM, 0, HERE),
	        CALL(2, IN, 8, sendfile, pipe_out, file, HERE, 16),
	        CALL(1, IN, 16, preadv2, file, HERE, 1, 0, 0, 0),
	        CALL(1, IN, 16, pwritev2, file, HERE, 1, 0, 0, 0),
	        CALL(1, IN, 8, splice, file, HERE, pipe_out, 0, 16, 0),
	        CALL_WITH(fill_pipe, 3, IN, 8, splice, pipe_in, 0, file, HERE, 16, 0),
	        CALL(1, IN, 16, vmsplice, pipe_out, HERE, 1, 0),
	        CALL(1, IN, 8, copy_file_range, file, HERE, file, 0, 0, 0),
	        CALL(3, IN, 8, copy_file_range, file, 0, file, HERE, 0, 0),
	        CALL(0, IN, 8, poll, HERE, 1, 0),
	        CALL(0, IN, 8, ppoll, HERE, 1, (long)&(struct timespec){0, 0}, 0, 8),
	        CALL(2, IN, TIME, ppoll, 0, 0, HERE, 0, 8),
	        CALL_WITH(signal_waits, 3, IN, 8, ppoll, 0, 0, (long)&(struct timespec){0, 0}, HERE,
	                  8),
	        CALL(1, IN, 8, select, 1, HERE, 0, 0, (long)&(struct timeval){0, 0}),
	        CALL(2, IN, 8, select, 1, 0, HERE, 0, (long)&(struct timeval){0, 0}),
	        CALL(3, IN, 8, select, 1, 0, 0, HERE, (long)&(struct timeval){0, 0}),
	        CALL(4, IN, 16, select, 0, 0, 0, 0, HERE),
	        CALL(1, IN, 8, pselect6, 1, HERE, 0, 0, (long)&(struct timespec){0, 0}, 0),
	        CALL(4, IN, TIME, pselect6, 0, 0, 0, 0, HERE, 0),
	        CALL(5, IN, 16, pselect6, 0, 0, 0, 0, (long)&(struct timespec){0, 0}, HERE),
	};

	CHECK(list, "reading, writing, waiting");
}

static void sockets(void)
{
	static struct sockaddr_in any = {.sin_family = AF_INET};
	static socklen_t room = sizeof(any);
	int fresh = socket(AF_INET, SOCK_DGRAM, 0);
	const struct pointer list[] = {
	        CALL(1, IN, 16, connect, fresh, HERE, 16),
	        CALL(1, IN, 16, bind, fresh, HERE, 16),
	        CALL(4, IN, 16, sendto, fresh, (long)"x", 1, 0, HERE, 16),
	        CALL(1, IN, sizeof(struct msghdr), sendmsg, fresh, HERE, 0),
	        CALL(1, IN, sizeof(struct msghdr), recvmsg, fresh, HERE, MSG_DONTWAIT),
	        CALL(1, IN, sizeof(struct mmsghdr), sendmmsg, fresh, HERE, 1, 0),
	        CALL(1, IN, sizeof(struct mmsghdr), recvmmsg, fresh, HERE, 1, MSG_DONTWAIT, 0),
	        CALL(4, IN, TIME, recvmmsg, fresh, (long)good, 1, MSG_DONTWAIT, HERE),
	        CALL(1, OUT, 16, getsockname, fresh, HERE, (long)&room),
	        CALL(2, IN, 4, getsockname, fresh, (long)&any, HERE),
	        CALL(3, OUT, 4, getsockopt, fresh, SOL_SOCKET, SO_TYPE, HERE, (long)&room),
	        CALL(4, IN, 4, getsockopt, fresh, SOL_SOCKET, SO_TYPE, (long)&any, HERE),
	        CALL(3, IN, 16, setsockopt, fresh, SOL_SOCKET, SO_RCVTIMEO, HERE, 16),
	        CALL(2, IN, sizeof(struct ifconf), ioctl, fresh, SIOCGIFCONF, HERE),
	        CALL(2, IN, sizeof(struct ifreq), ioctl, fresh, SIOCGIFFLAGS, HERE),
	        CALL(2, OUT, 4, ioctl, fresh, FIONREAD, HERE),
	};
	const struct pointer connected[] = {
	        CALL(1, IN, 8, sendto, udp, HERE, 8, 0, 0, 0),
	        CALL_WITH(datagram_waits, 1, OUT, 8, recvfrom, udp, HERE, 8, 0, 0, 0),
	        CALL_WITH(datagram_waits, 4, OUT, 16, recvfrom, udp, (long)good, 8, 0, HERE,
	                  (long)&room),
	        CALL_WITH(datagram_waits, 5, IN, 4, recvfrom, udp, (long)good, 8, 0, (long)&any,
	                  HERE),
	        CALL(1, OUT, 16, getpeername, udp, HERE, (long)&room),
	        CALL(2, IN, 4, getpeername, udp, (long)&any, HERE),
	        CALL_WITH(connection_waits, 1, OUT, 16, accept, listener, HERE, (long)&room),
	        CALL_WITH(connection_waits, 2, IN, 4, accept, listener, (long)&any, HERE),
	        CALL_WITH(connection_waits, 1, OUT, 16, accept4, listener, HERE, (long)&room, 0),
	        CALL_WITH(connection_waits, 2, IN, 4, accept4, listener, (long)&any, HERE, 0),
	};

	CHECK(list, "sockets");
	if (loopback)
		CHECK(connected, "sockets that are connected");
	else
		ok(false, "sockets that are connected: this machine has no loopback");
	close(fresh);
}

static void paths(void)
{
	const struct pointer list[] = {
	        CALL(0, STRING, 0, open, HERE, O_RDONLY, 0),
	        CALL(1, STRING, 0, openat, AT_FDCWD, HERE, O_RDONLY, 0),
	        CALL(0, STRING, 0, creat, HERE, 0600),
	        CALL(0, STRING, 0, stat, HERE, (long)good + 2048),
	        CALL(0, STRING, 0, lstat, HERE, (long)good + 2048),
	        CALL(1, STRING, 0, newfstatat, AT_FDCWD, HERE, (long)good + 2048, 0),
	        CALL(1, STRING, 0, statx, AT_FDCWD, HERE, 0, STATX_BASIC_STATS, (long)good + 2048),
	        CALL(0, STRING, 0, access, HERE, 0),
	        CALL(1, STRING, 0, faccessat, AT_FDCWD, HERE, 0),
	        CALL(1, STRING, 0, faccessat2, AT_FDCWD, HERE, 0, 0),
	        CALL(0, STRING, 0, mkdir, HERE, 0700),
	        CALL(1, STRING, 0, mkdirat, AT_FDCWD, HERE, 0700),
	        CALL(0, STRING, 0, mknod, HERE, S_IFIFO | 0600, 0),
	        CALL(1, STRING, 0, mknodat, AT_FDCWD, HERE, S_IFIFO | 0600, 0),
	        CALL(0, STRING, 0, rmdir, HERE),
	        CALL(0, STRING, 0, rename, HERE, (long)good),
	        CALL(1, STRING, 0, rename, (long)good, HERE),
	        CALL(1, STRING, 0, renameat, AT_FDCWD, HERE, AT_FDCWD, (long)good),
	        CALL(3, STRING, 0, renameat, AT_FDCWD, (long)good, AT_FDCWD, HERE),
	        CALL(1, STRING, 0, renameat2, AT_FDCWD, HERE, AT_FDCWD, (long)good, 0),
	        CALL(3, STRING, 0, renameat2, AT_FDCWD, (long)good, AT_FDCWD, HERE, 0),
	        CALL(0, STRING, 0, link, HERE, (long)good),
	        CALL(1, STRING, 0, link, (long)"/tmp/pointers/kept", HERE),
	        CALL(1, STRING, 0, linkat, AT_FDCWD, HERE, AT_FDCWD, (long)good, 0),
	        CALL(3, STRING, 0, linkat, AT_FDCWD, (long)"/tmp/pointers/kept", AT_FDCWD, HERE, 0),
	        CALL(0, STRING, 0, symlink, HERE, (long)good),
	        CALL(1, STRING, 0, symlink, (long)good, HERE),
	        CALL(0, STRING, 0, symlinkat, HERE, AT_FDCWD, (long)good),
	        CALL(2, STRING, 0, symlinkat, (long)good, AT_FDCWD, HERE),
	        CALL(0, STRING, 0, readlink, HERE, (long)good + 2048, 100),
	        CALL(1, OUT, 4, readlink, (long)"/tmp/pointers/link", HERE, 100),
	        CALL(1, STRING, 0, readlinkat, AT_FDCWD, HERE, (long)good + 2048, 100),
	        CALL(2, OUT, 4, readlinkat, AT_FDCWD, (long)"/tmp/pointers/link", HERE, 100),
	        CALL(0, STRING, 0, chmod, HERE, 0600),
	        CALL(1, STRING, 0, fchmodat, AT_FDCWD, HERE, 0600),
	        CALL(1, STRING, 0, fchmodat2, AT_FDCWD, HERE, 0600, 0),
	        CALL(0, STRING, 0, chown, HERE, -1, -1),
	        CALL(0, STRING, 0, lchown, HERE, -1, -1),
	        CALL(1, STRING, 0, fchownat, AT_FDCWD, HERE, -1, -1, 0),
	        CALL(1, STRING, 0, utimensat, AT_FDCWD, HERE, 0, 0),
	        CALL(2, IN, 2 * TIME, utimensat, AT_FDCWD, (long)"/tmp/pointers/kept", HERE, 0),
	        CALL(0, STRING, 0, chdir, HERE),
	        CALL(0, STRING, 0, chroot, HERE),
	        CALL(0, STRING, 0, truncate, HERE, 4096),
	        CALL(0, STRING, 0, statfs, HERE, (long)good + 2048),
	        CALL(0, STRING, 0, memfd_create, HERE, 0),
	        CALL(0, STRING, 0, unlink, HERE),
	        CALL(1, STRING, 0, unlinkat, AT_FDCWD, HERE, 0),
	        CALL(0, STRING, 0, execve, HERE, 0, 0),
	        CALL(1, STRING, 0, execveat, AT_FDCWD, HERE, 0, 0, 0),
	};

	CHECK(list, "paths");
}

static void answers(void)
{
	static const char path[] = "/tmp/pointers/kept";
	const struct pointer list[] = {
	        CALL(1, OUT, sizeof(struct stat), stat, (long)path, HERE),
	        CALL(1, OUT, sizeof(struct stat), lstat, (long)path, HERE),
	        CALL(1, OUT, sizeof(struct stat), fstat, file, HERE),
	        CALL(1, OUT, sizeof(struct stat), fstat, pipe_in, HERE),
	        CALL(1, OUT, sizeof(struct stat), fstat, udp, HERE),
	        CALL(2, OUT, sizeof(struct stat), newfstatat, AT_FDCWD, (long)path, HERE, 0),
	        CALL(4, OUT, 256, statx, AT_FDCWD, (long)path, 0, STATX_BASIC_STATS, HERE),
	        CALL_WITH(rewind_directory, 1, OUT, 24, getdents64, directory, HERE, 1000),
	        CALL(0, OUT, 2, getcwd, HERE, 1000),
	        CALL(1, OUT, sizeof(struct statfs), statfs, (long)path, HERE),
	        CALL(1, OUT, sizeof(struct statfs), fstatfs, file, HERE),
	        CALL(0, OUT, 4, getresuid, HERE, (long)good + 8, (long)good + 16),
	        CALL(1, OUT, 4, getresuid, (long)good + 8, HERE, (long)good + 16),
	        CALL(2, OUT, 4, getresuid, (long)good + 8, (long)good + 16, HERE),
	        CALL(0, OUT, 4, getresgid, HERE, (long)good + 8, (long)good + 16),
	        CALL(1, OUT, 4, getresgid, (long)good + 8, HERE, (long)good + 16),
	        CALL(2, OUT, 4, getresgid, (long)good + 8, (long)good + 16, HERE),
	        CALL(0, OUT, sizeof(struct utsname), uname, HERE),
	        CALL(1, OUT, sizeof(struct rlimit), getrlimit, RLIMIT_NOFILE, HERE),
	        CALL(2, IN, sizeof(struct rlimit), prlimit64, 0, RLIMIT_NOFILE, HERE, 0),
	        CALL(3, OUT, sizeof(struct rlimit), prlimit64, 0, RLIMIT_NOFILE, 0, HERE),
	        CALL(1, OUT, 144, getrusage, RUSAGE_SELF, HERE),
	        CALL(1, OUT, 144, getrusage, RUSAGE_CHILDREN, HERE),
	        CALL(0, OUT, 112, sysinfo, HERE),
	        CALL(0, OUT, sizeof(struct tms), times, HERE),
	        CALL(0, PART_OUT, 64, getrandom, HERE, 64, 0),
	        CALL(1, OUT, 8, arch_prctl, 0x1003 /* ARCH_GET_FS */, HERE),
	        CALL(1, OUT, 4, prctl, PR_GET_PDEATHSIG, HERE, 0, 0, 0),
	        CALL(1, OUT, 4, prctl, PR_GET_CHILD_SUBREAPER, HERE, 0, 0, 0),
	        CALL(0, OUT, 8, capget, HERE, (long)good + 2048),
	        CALL(1, OUT, 24, capget, (long)capability_header, HERE),
	        CALL(0, OUT, 8, capset, HERE, (long)good + 2048),
	        CALL(1, IN, 24, capset, (long)capability_header, HERE),
	        CALL(1, OUT, 16, prctl, PR_GET_NAME, HERE, 0, 0, 0),
	        CALL(1, STRING, 0, prctl, PR_SET_NAME, HERE, 0, 0, 0),
	        CALL_WITH(child_ends, 1, OUT, 4, wait4, -1, HERE, 0, 0),
	        CALL_WITH(child_ends, 3, OUT, 144, wait4, -1, 0, 0, HERE),
	        CALL_WITH(child_ends, 2, OUT, 24, waitid, P_ALL, 0, HERE, WEXITED, 0),
	        CALL_WITH(child_ends, 4, OUT, 144, waitid, P_ALL, 0, 0, WEXITED, HERE),
	        CALL(0, OUT, 4, getcpu, HERE, 0, 0),
	        CALL(1, OUT, 4, getcpu, 0, HERE, 0),
	        CALL(2, OUT, 8, sched_getaffinity, 0, 8, HERE),
	        CALL(2, IN, 1, sched_setaffinity, 0, 8, HERE),
	        CALL(1, OUT, 4, sched_getparam, 0, HERE),
	        CALL(1, OUT, 48, sched_getattr, 0, HERE, 48, 0),
	        CALL(1, IN, 48, sched_setattr, 0, HERE, 0),
	        CALL(1, OUT, TIME, sched_rr_get_interval, 0, HERE),
	        CALL(2, OUT, 1, mincore, (long)good & -4096L, 1, HERE),
	        CALL(1, IN, 4, sched_setparam, 0, HERE),
	        CALL(2, IN, 4, sched_setscheduler, 0, 0, HERE),
	        CALL(1, IN, 4, setgroups, 1, HERE),
	        CALL(1, IN, sizeof(struct rlimit), setrlimit, RLIMIT_CORE, HERE),
	        CALL(2, IN, sizeof(struct flock), fcntl, file, F_GETLK, HERE),
	        CALL(2, IN, sizeof(struct flock), fcntl, file, F_SETLK, HERE),
	        CALL(1, OUT, 8, get_robust_list, 0, HERE, (long)good + 2048),
	        CALL(2, OUT, 8, get_robust_list, 0, (long)good + 2048, HERE),
	        {"futex", SYS_futex, 0, IN, 0 /* aligned */, {HERE, 128, 1}, NULL},
	        {"futex", SYS_futex, 3, IN, TIME, {(long)good + 2048, 128, 0, HERE}, NULL},
	        {"futex", SYS_futex, 4, OUT, 0, {(long)good + 2048, 5 | 128, 1, 1, HERE}, NULL},
	};

	CHECK(list, "answers, children, the rest");
}

static void message_waits(void)
{
	static const char message[16];

	while (mq_receive(queue, (char *)good + 2048, 16, NULL) >= 0)
		;
	if (mq_send(queue, message, sizeof(message), 0))
		_exit(93);
}

static void queue_is_empty(void)
{
	while (mq_receive(queue, (char *)good + 2048, 16, NULL) >= 0)
		;
}

static void queues(void)
{
	const struct pointer list[] = {
	        CALL(0, STRING, 0, mq_open, HERE, O_RDWR, 0, 0),
	        CALL(3, IN, 64, mq_open, (long)"pointers2", O_RDWR | O_CREAT, 0600, HERE),
	        CALL(0, STRING, 0, mq_unlink, HERE),
	        CALL_WITH(queue_is_empty, 1, IN, 16, mq_timedsend, queue, HERE, 16, 0, 0),
	        CALL(4, IN, TIME, mq_timedsend, queue, (long)good + 2048, 16, 0, HERE),
	        CALL_WITH(message_waits, 1, OUT, 16, mq_timedreceive, queue, HERE, 16, 0, 0),
	        CALL_WITH(message_waits, 3, OUT, 4, mq_timedreceive, queue, (long)good + 2048, 16,
	                  HERE, 0),
	        CALL_WITH(message_waits, 4, IN, TIME, mq_timedreceive, queue, (long)good + 2048, 16,
	                  0, HERE),
	        CALL(1, IN, 64, mq_notify, queue, HERE),
	        CALL(1, IN, 64, mq_getsetattr, queue, HERE, 0),
	        CALL(2, OUT, 64, mq_getsetattr, queue, 0, HERE),
	};

	CHECK(list, "message queues");
}

static void times_and_signals(void)
{
	int watcher = inotify_init();
	const struct itimerval off = {{0, 0}, {0, 0}};
	const struct itimerspec none_set = {{0, 0}, {0, 0}};
	const struct timespec moment = {0, 1};
	int list_of_ready = epoll_create1(0), counter = eventfd(1, 0);
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	epoll_ctl(list_of_ready, EPOLL_CTL_ADD, counter, &(struct epoll_event){.events = EPOLLIN});
	const struct pointer list[] = {
	        CALL(1, OUT, TIME, clock_gettime, CLOCK_MONOTONIC, HERE),
	        CALL(1, OUT, TIME, clock_gettime, CLOCK_PROCESS_CPUTIME_ID, HERE),
	        CALL(1, OUT, TIME, clock_getres, CLOCK_MONOTONIC, HERE),
	        CALL(1, IN, TIME, clock_settime, CLOCK_REALTIME, HERE),
	        CALL(0, OUT, 16, gettimeofday, HERE, 0),
	        CALL(1, OUT, 8, gettimeofday, 0, HERE),
	        CALL(0, OUT, 8, time, HERE),
	        CALL(2, IN, TIME, clock_nanosleep, CLOCK_MONOTONIC, 0, HERE, 0),
	        CALL(0, IN, TIME, nanosleep, HERE, 0),
	        CALL(1, IN, 32, setitimer, ITIMER_REAL, HERE, 0),
	        CALL(2, OUT, 32, setitimer, ITIMER_REAL, (long)&off, HERE),
	        CALL(1, OUT, 32, getitimer, ITIMER_REAL, HERE),
	        CALL(1, IN, 64, timer_create, CLOCK_MONOTONIC, HERE, (long)good + 2048),
	        CALL(2, OUT, 4, timer_create, CLOCK_MONOTONIC, 0, HERE),
	        CALL(2, IN, 32, timer_settime, (long)timer, 0, HERE, 0),
	        CALL(3, OUT, 32, timer_settime, (long)timer, 0, (long)&none_set, HERE),
	        CALL(1, OUT, 32, timer_gettime, (long)timer, HERE),
	        CALL(2, IN, 32, timerfd_settime, event_timer, 0, HERE, 0),
	        CALL(3, OUT, 32, timerfd_settime, event_timer, 0, (long)&none_set, HERE),
	        CALL(1, OUT, 32, timerfd_gettime, event_timer, HERE),
	        CALL(1, IN, 32, rt_sigaction, SIGUSR2, HERE, 0, 8),
	        CALL(2, OUT, 32, rt_sigaction, SIGUSR2, 0, HERE, 8),
	        CALL(1, IN, 8, rt_sigprocmask, SIG_BLOCK, HERE, 0, 8),
	        CALL(2, OUT, 8, rt_sigprocmask, SIG_BLOCK, 0, HERE, 8),
	        CALL(0, OUT, 8, rt_sigpending, HERE, 8),
	        CALL_WITH(signal_waits, 0, IN, 8, rt_sigsuspend, HERE, 8),
	        CALL(0, IN, 8, rt_sigtimedwait, HERE, 0, (long)&moment, 8),
	        CALL_WITH(signal_waits, 1, OUT, 128, rt_sigtimedwait, (long)&one, HERE,
	                  (long)&moment, 8),
	        CALL(2, IN, TIME, rt_sigtimedwait, (long)&one, 0, HERE, 8),
	        CALL(2, IN, 48, rt_sigqueueinfo, getpid(), 0, HERE),
	        CALL(3, IN, 48, rt_tgsigqueueinfo, getpid(), getpid(), 0, HERE),
	        CALL(1, IN, 8, signalfd, -1, HERE, 8),
	        CALL(1, IN, 8, signalfd4, -1, HERE, 8, 0),
	        CALL(1, STRING, 0, inotify_add_watch, watcher, HERE, 1),
	        CALL(3, IN, 12, epoll_ctl, list_of_ready, EPOLL_CTL_ADD, event_timer, HERE),
	        CALL(1, OUT, 12, epoll_wait, list_of_ready, HERE, 1, 0),
	        CALL(1, OUT, 12, epoll_pwait, list_of_ready, HERE, 1, 0, 0, 0),
	        CALL(4, IN, 8, epoll_pwait, list_of_ready, (long)good, 1, 0, HERE, 8),
	        CALL(1, OUT, 12, epoll_pwait2, list_of_ready, HERE, 1, (long)&moment, 0, 0),
	        CALL(3, IN, TIME, epoll_pwait2, list_of_ready, (long)good, 1, HERE, 0, 0),
	        CALL(4, IN, 8, epoll_pwait2, list_of_ready, (long)good, 1, (long)&moment, HERE, 8),
	        CALL(0, IN, 24, sigaltstack, HERE, 0),
	        CALL(1, OUT, 24, sigaltstack, 0, HERE),
	};

	CHECK(list, "times and signals");
	close(watcher);
	close(counter);
	close(list_of_ready);
}

/* ---- Pointers behind pointers ---- */

static bool efault(long result, const char *name)
{
	if (result == -1 && errno == EFAULT)
		return true;
	printf("# %s: %ld, errno %d\n", name, result, errno);
	return false;
}

static void behind(void)
{
	char *const bad[] = {unmapped, none, (char *)0xffff800000001000,
	                     (char *)0x8000000000001000};
	struct sockaddr_in here = {.sin_family = AF_INET};
	bool fine = true;

	for (int i = 0; i < 4; i++) {
		struct iovec vector = {bad[i], 64};
		struct iovec byte = {good, 8};
		struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
		struct msghdr vectorless = {.msg_iov = (struct iovec *)bad[i], .msg_iovlen = 1};
		struct msghdr named = {.msg_iov = &byte,
		                       .msg_iovlen = 1,
		                       .msg_name = bad[i],
		                       .msg_namelen = sizeof(here)};
		char *const list[] = {"x", bad[i], NULL};
		const uint64_t mask[2] = {(uint64_t)bad[i], 8};

		fill_pipe();
		fine &= efault(readv(pipe_in, &vector, 1), "readv");
		fine &= efault(writev(pipe_out, &vector, 1), "writev");
		fine &= efault(preadv(file, &vector, 1, 0), "preadv");
		fine &= efault(pwritev(file, &vector, 1, 0), "pwritev");
		fine &= efault(sendmsg(udp, &vectorless, 0), "sendmsg: vector");
		fine &= efault(recvmsg(udp, &vectorless, MSG_DONTWAIT), "recvmsg: vector");
		fine &= efault(sendmsg(udp, &named, 0), "sendmsg: name");
		if (loopback) {
			fine &= efault(sendmsg(udp, &message, 0), "sendmsg: data");
			datagram_waits();
			fine &= efault(recvmsg(udp, &message, 0), "recvmsg: data");
			datagram_waits();
			fine &= efault(recvmsg(udp, &named, 0), "recvmsg: name");
		}
		fine &= efault(execve("/bin/sh", list, NULL), "execve: an argument");
		fine &= efault(execve("/bin/sh", NULL, list), "execve: the environment");
		fine &= efault(syscall(SYS_execveat, AT_FDCWD, "/bin/sh", list, NULL, 0),
		               "execveat: an argument");
		fine &= efault(syscall(SYS_pselect6, 0, 0, 0, 0, &(struct timespec){0, 0}, mask),
		               "pselect6: mask");
	}
	ok(fine, "pointers behind pointers");
}

/* ---- System V ---- */

static int system_queue;

static void system_v_message_waits(void)
{
	const struct {
		long type;
		char text[8];
	} message = {.type = 1};

	syscall(SYS_msgrcv, system_queue, good, 8, 0, IPC_NOWAIT);
	syscall(SYS_msgsnd, system_queue, &message, 8, 0);
}

static void system_v(void)
{
	int segment = shmget(IPC_PRIVATE, PAGE, 0600), set = semget(IPC_PRIVATE, 4, 0600);

	system_queue = msgget(IPC_PRIVATE, 0600);
	const struct pointer list[] = {
	        CALL(2, OUT, sizeof(struct shmid_ds), shmctl, segment, IPC_STAT, HERE),
	        CALL(2, OUT, sizeof(struct shminfo), shmctl, segment, IPC_INFO, HERE),
	        CALL(2, OUT, sizeof(struct shm_info), shmctl, segment, SHM_INFO, HERE),
	        CALL(2, IN, 48, shmctl, segment, IPC_SET, HERE),
	        CALL(1, IN, sizeof(struct sembuf), semop, set, HERE, 1),
	        CALL(1, IN, sizeof(struct sembuf), semtimedop, set, HERE, 1, 0),
	        CALL(3, IN, TIME, semtimedop, set, (long)good, 1, HERE),
	        CALL(3, OUT, 8, semctl, set, 0, GETALL, HERE),
	        CALL(3, IN, 8, semctl, set, 0, SETALL, HERE),
	        CALL(3, OUT, sizeof(struct semid_ds), semctl, set, 0, IPC_STAT, HERE),
	        CALL(3, OUT, sizeof(struct seminfo), semctl, set, 0, SEM_INFO, HERE),
	        CALL(3, IN, 48, semctl, set, 0, IPC_SET, HERE),
	        CALL(1, IN, 8, msgsnd, system_queue, HERE, 8, 0),
	        CALL(2, OUT, sizeof(struct msqid_ds), msgctl, system_queue, IPC_STAT, HERE),
	        CALL(2, OUT, sizeof(struct msginfo), msgctl, system_queue, MSG_INFO, HERE),
	        CALL_WITH(system_v_message_waits, 1, OUT, 16, msgrcv, system_queue, HERE, 8, 0,
	                  IPC_NOWAIT),
	        /* The last one: with a good pointer it leaves no room in the queue. */
	        CALL(2, IN, 48, msgctl, system_queue, IPC_SET, HERE),
	};

	CHECK(list, "System V");
	shmctl(segment, IPC_RMID, NULL);
	semctl(set, 0, IPC_RMID);
	msgctl(system_queue, IPC_RMID, NULL);
}

/* ---- That none is left out ---- */

/* Those without pointers, or whose pointers are only remembered, or not looked at. */
static const char without[] =
        " fadvise64 fallocate flock getpriority sched_get_priority_max sched_get_priority_min "
        "sched_getscheduler "
        "setfsgid setfsuid setregid setresgid setresuid setreuid setpriority "
        "inotify_init inotify_init1 inotify_rm_watch epoll_create epoll_create1 "
        "alarm arch_prctl brk clone close close_range dup dup2 dup3 eventfd eventfd2 exit "
        "exit_group fchdir "
        "fchmod fchown fdatasync fork fsync ftruncate getegid geteuid getgid getgroups "
        "getpgid getpgrp getpid getppid getsid gettid getuid kill listen lseek madvise "
        "membarrier mlock mlock2 mlockall mmap munlock munlockall mprotect mremap msync munmap "
        "pause sched_yield set_robust_list set_tid_address setgid "
        "setpgid setsid setuid semget shmat shmdt shmget msgget shutdown socket sync syncfs "
        "sync_file_range syslog readahead tee timer_delete "
        "timer_getoverrun timerfd_create "
        "tgkill tkill umask vfork vfork_from mq_notice resolve ";

static void all_of_the_table(void)
{
	static const struct {
		const char *name;
		long number;
	} table[] = {
#define ENTRY(name, arguments, restart, subject) {" " #name " ", SYS_##name},
	        POSIX_SYSCALLS(ENTRY)
#undef ENTRY
	};
	bool fine = true;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].number < 512 && tested[table[i].number])
			continue;
		if (strstr(without, table[i].name))
			continue;
		printf("# not tested:%s\n", table[i].name);
		fine = false;
	}
	ok(fine, "each call of the table is tested, or has no pointer");
}

/* The library's own call. */
static void resolver(void)
{
	bool fine = true;

	for (int i = 0; i < 2; i++) {
		fine &= syscall(SYS_resolve, i ? none : unmapped, 40, good, 500) == -1;
		fine &= errno == EFAULT || errno == ENOSYS; /* on Linux it is none */
	}
	ok(fine, "the resolver's question");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_all();
	transfers();
	sockets();
	paths();
	answers();
	queues();
	times_and_signals();
	behind();
	system_v();
	resolver();
	all_of_the_table();
	return tap_finish();
}
