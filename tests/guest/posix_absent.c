/* SPDX-License-Identifier: MIT */
/*
 * A sweep over Linux's system calls and their options: each works, fails as it does on Linux, or is
 * absent and named in the log.  What is to be in the log is written here as "named NAME"; the shell
 * script looks for it, since a program cannot read the log.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/syscalls.h"
#include "posix_tap.h"

enum group {
	socket_group,
	in_group,
	tcp_group,
	udp_group,
	sockios_group,
	prctl_group,
	arch_prctl_group,
	futex_group,
	mman_common_group,
	sched_group,
	fcntl_group,
};

static const struct option {
	enum group group;
	const char *name;
	long number;
} options[] = {
#define OPTION(group, name, number) {group##_group, name, (long)(number)},
#include "posix_absent_options.h" /* made by posix_absent.awk */
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

static int files[4]; /* a regular file, sockets: TCP, UDP, raw */
enum { REGULAR, TCP, UDP, RAW };

/* A process may write so much to the log and no more in a second (kernel/object/log.c), and the log
 * goes out at the serial line's pace: 100 bytes each time is well below both. */
#define LOG_PACE_US 10000

static unsigned works, as_linux, named;

/* What Linux refuses in the same way: values of another kind than the number that is passed, or an
 * option that is only read. */
static const struct {
	const char *name;
	int error;
} legitimate[] = {
        {"SO_TYPE", ENOPROTOOPT},
        {"SO_ERROR", ENOPROTOOPT},
        {"SO_PROTOCOL", ENOPROTOOPT},
        {"SO_DOMAIN", ENOPROTOOPT},
        {"SO_ACCEPTCONN", ENOPROTOOPT},
        {"SO_LINGER", EINVAL},
        {"SO_RCVTIMEO", EINVAL},
        {"SO_SNDTIMEO", EINVAL},
        {"SIOCGIFINDEX", ENODEV}, /* the name is empty */
        {"SIOCGIFNAME", ENODEV},
        {"SIOCGIFFLAGS", ENODEV},
        {"SIOCGIFADDR", ENODEV},
        {"SIOCGIFBRDADDR", ENODEV},
        {"SIOCGIFNETMASK", ENODEV},
        {"SIOCGIFMTU", ENODEV},
        {"SIOCGIFHWADDR", ENODEV},
        {"SIOCSIFFLAGS", EPERM}, /* without CAP_NET_ADMIN */
        {"SIOCSIFADDR", EPERM},
        {"SIOCSIFBRDADDR", EPERM},
        {"SIOCSIFNETMASK", EPERM},
        {"SIOCSIFMTU", EPERM},
        {"SIOCSIFHWADDR", EPERM},
        {"SIOCSIFNAME", EPERM},
        {"PR_SET_NO_NEW_PRIVS", EINVAL}, /* of 0 */
        {"FUTEX_WAIT", EAGAIN},
        {"FUTEX_REQUEUE", EFAULT}, /* to no word */
        {"FUTEX_WAKE_OP", EFAULT},
        {"CLONE_THREAD", EINVAL},      /* without common memory */
        {"FUTEX_WAIT_BITSET", EINVAL}, /* of no bits */
        {"FUTEX_WAKE_BITSET", EINVAL},
        {"FUTEX_CMP_REQUEUE", EFAULT}, /* to no word */
        {"F_GETPIPE_SZ", EBADF},       /* of a file */
        {"F_SETPIPE_SZ", EBADF},
        {"F_GETLK", EFAULT}, /* at a number */
        {"F_SETLK", EFAULT},
        {"F_SETLKW", EFAULT},
        {"F_OFD_GETLK", EFAULT},
        {"F_OFD_SETLK", EFAULT},
        {"F_OFD_SETLKW", EFAULT},
        {"F_DUPFD", EINVAL}, /* to -1 */
        {"F_DUPFD_CLOEXEC", EINVAL},
};

/* Sorts one answer: result as a system call has it, expected the errno of what is absent. */
static void judge(const char *name, long result, int expected)
{
	int error = result < 0 ? errno : 0;

	if (!error) {
		works++;
		return;
	}
	for (size_t i = 0; i < sizeof(legitimate) / sizeof(legitimate[0]); i++) {
		if (!strcmp(legitimate[i].name, name) && legitimate[i].error == error) {
			as_linux++;
			return;
		}
	}
	named++;
	usleep(LOG_PACE_US);
	printf("named %s: \n", name);
	if (error == expected)
		return;
	tap_failed++;
	printf("not ok %d - %s: errno %d instead of %d\n", ++tap_count, name, error, expected);
}

/* ---- Whole system calls ---- */

static void system_calls(void)
{
	static const struct {
		const char *name;
		long number;
	} all[] = {
#define SYSCALL_NAME(name) {#name, SYS_##name},
#include "posix_absent_calls.h" /* made from musl's list of numbers */
	};
	static bool present[1024];
	unsigned absent = 0;

#define PRESENT(name, arguments, restart, subject) \
	if (SYS_##name < 1024)                     \
		present[SYS_##name] = true;
	POSIX_SYSCALLS(PRESENT)
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (present[all[i].number])
			continue;
		errno = 0;
		if (syscall(all[i].number, 0, 0, 0, 0, 0, 0) == -1 && errno == ENOSYS) {
			printf("named system call %s (%ld): ENOSYS\n", all[i].name, all[i].number);
			absent++;
			usleep(LOG_PACE_US);
		} else {
			ok(false, all[i].name);
		}
	}
	printf("# %u of %zu system calls are absent\n", absent, sizeof(all) / sizeof(all[0]));
	ok(absent > 100, "absent system calls are ENOSYS");
	fails(syscall(1000), ENOSYS, "a number that no call has is ENOSYS");
}

/* ---- Options ---- */

static void socket_option(const char *name, int fd, int level, int option)
{
	char value[256] = {1};
	socklen_t length = sizeof(value);

	judge(name, setsockopt(fd, level, option, value, sizeof(int)), ENOPROTOOPT);
	judge(name, getsockopt(fd, level, option, value, &length), ENOPROTOOPT);
}

static void one_option(const struct option *o)
{
	static uint32_t word = 1;
	char request[256] = "";
	int number = (int)o->number;

	switch (o->group) {
	case socket_group:
		socket_option(o->name, files[TCP], SOL_SOCKET, number);
		break;
	case in_group:
		socket_option(o->name, files[UDP], IPPROTO_IP, number);
		break;
	case tcp_group:
		socket_option(o->name, files[TCP], IPPROTO_TCP, number);
		break;
	case udp_group:
		socket_option(o->name, files[UDP], IPPROTO_UDP, number);
		break;
	case sockios_group:
		judge(o->name, ioctl(files[UDP], number, request), ENOTTY);
		break;
	case prctl_group:
		judge(o->name,
		      prctl(number,
		            number == PR_SET_NAME || number == PR_GET_NAME ||
		                            number == PR_GET_PDEATHSIG ||
		                            number == PR_GET_CHILD_SUBREAPER
		                    ? (long)request
		                    : 0,
		            0, 0, 0),
		      EINVAL);
		break;
	case arch_prctl_group:
		if (number != 0x1002) /* ARCH_SET_FS of anything else ends the program */
			judge(o->name, syscall(SYS_arch_prctl, number, request), EINVAL);
		break;
	case futex_group:
		judge(o->name, syscall(SYS_futex, &word, number, 0, NULL, NULL, 0), ENOSYS);
		break;
	case mman_common_group: {
		void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		judge(o->name, madvise(page, 4096, number), EINVAL);
		munmap(page, 4096);
		break;
	}
	case sched_group:
		if (o->number != CLONE_VFORK && o->number != 0x800000 /* CLONE_UNTRACED */)
			judge(o->name, syscall(SYS_clone, o->number | SIGCHLD, 0, 0, 0, 0), ENOSYS);
		break;
	case fcntl_group:
		judge(o->name,
		      fcntl(files[REGULAR], number,
		            number == F_SETFL || number == F_SETFD ? 0 : -1),
		      EINVAL);
		break;
	}
}

/* ---- Flags, and what has no number ---- */

static void memory(void)
{
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, anonymous, -1, 0);
	static const struct {
		const char *name;
		int flag, error;
	} flags[] = {{"mmap MAP_32BIT", MAP_32BIT, ENOMEM},
	             {"mmap MAP_GROWSDOWN", MAP_GROWSDOWN, EINVAL},
	             {"mmap MAP_HUGETLB", MAP_HUGETLB, ENOMEM},
	             {"MAP_DENYWRITE", MAP_DENYWRITE, 0},
	             {"MAP_EXECUTABLE", MAP_EXECUTABLE, 0},
	             {"MAP_LOCKED", MAP_LOCKED, 0},
	             {"MAP_NORESERVE", MAP_NORESERVE, 0},
	             {"MAP_POPULATE", MAP_POPULATE, 0},
	             {"MAP_NONBLOCK", MAP_NONBLOCK, 0},
	             {"MAP_STACK", MAP_STACK, 0}};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		judge(flags[i].name,
		      (long)mmap(NULL, 4096, PROT_READ, anonymous | flags[i].flag, -1, 0),
		      flags[i].error);
	judge("mmap MAP_SHARED of a file with PROT_EXEC",
	      (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, files[REGULAR], 0), EACCES);
	ok(mmap(NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE, files[REGULAR], 0) != MAP_FAILED,
	   "MAP_SHARED_VALIDATE of a file");
	ok(ftruncate(files[REGULAR], 4096) == 0 && pwrite(files[REGULAR], "x", 1, 0) == 1,
	   "a file has contents");
	char *own = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, files[REGULAR], 0);
	judge("mremap that makes a private mapping of a file longer",
	      (long)mremap(own, 4096, 8192, MREMAP_MAYMOVE), EINVAL);
	judge("memfd_create MFD_HUGETLB", memfd_create("x", MFD_HUGETLB), EINVAL);
	judge("mmap and mprotect with PROT_WRITE and PROT_EXEC",
	      (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, anonymous, -1, 0), EACCES);
	judge("mprotect PROT_GROWSDOWN", mprotect(page, 4096, PROT_READ | PROT_GROWSDOWN), EINVAL);
	judge("mprotect PROT_GROWSUP", mprotect(page, 4096, PROT_READ | PROT_GROWSUP), EINVAL);
	ok(mprotect(page, 4096, PROT_READ | 8) == 0, "PROT_SEM is accepted");
	judge("mremap MREMAP_DONTUNMAP",
	      (long)mremap(page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL), EINVAL);
	fails(mremap(page, 4096, 4096, 64), EINVAL, "an unknown flag of mremap is EINVAL");
	fails(madvise(page, 4096, 77), EINVAL, "an unknown advice is EINVAL");
	if (ftruncate(files[REGULAR], 4096) || pwrite(files[REGULAR], "x", 1, 0) != 1)
		return;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, files[REGULAR], 0);
	judge("madvise MADV_DONTNEED of a private mapping of a file",
	      madvise(page, 4096, MADV_DONTNEED), EINVAL);
}

static void paths(void)
{
	int pair[2];

	for (int flag = 8; flag <= 64; flag *= 2) {
		static const char *const names[] = {"COLLAPSE", "ZERO", "INSERT", "UNSHARE"};
		char name[64];

		snprintf(name, sizeof(name), "fallocate FALLOC_FL_%s_RANGE",
		         names[__builtin_ctz((unsigned)flag) - 3]);
		judge(name, fallocate(files[REGULAR], flag, 0, 4096), EOPNOTSUPP);
	}
	judge("fcntl and flock: locks of what is no file, or fcntl's of a directory",
	      flock(files[TCP], LOCK_EX), EINVAL);
	judge("fcntl F_SETFL O_ASYNC", fcntl(files[TCP], F_SETFL, O_ASYNC), EINVAL);
	judge("pipe2 O_DIRECT", pipe2(pair, O_DIRECT), EINVAL);
	judge("pipe2 O_NOTIFICATION_PIPE", pipe2(pair, O_EXCL), EINVAL);
	fails(pipe2(pair, O_APPEND), EINVAL, "an unknown flag of pipe2 is EINVAL");
	if (!pipe(pair))
		judge("fcntl F_SETPIPE_SZ of more than 65536 bytes",
		      fcntl(pair[1], F_SETPIPE_SZ, 65537), EPERM);
	judge("renameat2 RENAME_WHITEOUT",
	      syscall(SYS_renameat2, AT_FDCWD, "/tmp/absent", AT_FDCWD, "/tmp/y", 4), EINVAL);
	judge("the files of /proc and /sys", open("/proc/self/maps", O_RDONLY), ENOENT);
	judge("ioctl FIOASYNC", ioctl(files[REGULAR], FIOASYNC, &pair), ENOTTY);
	judge("ioctl of a file FS_IOC_GETFLAGS", ioctl(files[REGULAR], (int)0x80086601u, pair),
	      ENOTTY);
	fails(ioctl(files[REGULAR], 0x8921, pair), ENOTTY, "a socket's ioctl of a file is ENOTTY");
	fails(ioctl(files[TCP], TIOCGWINSZ, pair), ENOTTY,
	      "a terminal's ioctl of a socket is ENOTTY");
}

static void processes(void)
{
	stack_t stack = {.ss_sp = &stack, .ss_size = 65536, .ss_flags = (int)SS_AUTODISARM};
	struct timespec t = {.tv_nsec = 1};
	siginfo_t info;

	judge("waitid P_PIDFD", waitid(P_PIDFD, 1, &info, WEXITED), EINVAL);
	judge("clone with another exit signal than SIGCHLD", syscall(SYS_clone, 0, 0, 0, 0, 0),
	      ENOSYS);
	judge("sigaltstack SS_AUTODISARM", sigaltstack(&stack, NULL), EINVAL);
	judge("clock CLOCK_REALTIME_ALARM", clock_gettime(CLOCK_REALTIME_ALARM, &t), EINVAL);
	judge("clock CLOCK_BOOTTIME_ALARM", clock_gettime(CLOCK_BOOTTIME_ALARM, &t), EINVAL);
	judge("the processor clock of another process",
	      clock_gettime((clockid_t)(~1234u << 3 | 2), &t), EINVAL);
	ok(clock_gettime(CLOCK_TAI, &t) == 0, "CLOCK_TAI");
	t = (struct timespec){.tv_nsec = 1};
	ok(clock_nanosleep(CLOCK_MONOTONIC_COARSE, 0, &t, NULL) == EOPNOTSUPP,
	   "sleeping on a coarse clock is EOPNOTSUPP, as on Linux");
	fails(clock_gettime(77, &t), EINVAL, "an unknown clock is EINVAL");
}

static void sockets(void)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 0;
	struct iovec iov = {&byte, 1};
	struct sockaddr_in to = {
	        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x0a000202)};
	struct msghdr message = {.msg_iov = &iov,
	                         .msg_iovlen = 1,
	                         .msg_control = control,
	                         .msg_controllen = sizeof(control),
	                         .msg_name = &to,
	                         .msg_namelen = sizeof(to)};
	struct sockaddr *address = (struct sockaddr *)&to;

	for (int family = 1; family < 46; family++) {
		if (family != AF_INET &&
		    (socket(family, SOCK_STREAM, 0) != -1 || errno != EAFNOSUPPORT))
			ok(false, "a socket family is EAFNOSUPPORT");
	}
	judge("socket of AF_UNIX that is no datagram socket (socketpair has them)",
	      socket(AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
	judge("bind and connect of an AF_UNIX socket to an abstract name",
	      bind(socket(AF_UNIX, SOCK_DGRAM, 0), &(struct sockaddr){.sa_family = AF_UNIX},
	           sizeof(struct sockaddr)),
	      EOPNOTSUPP);
	puts("named socket AF_INET6: \nnamed socket AF_NETLINK: \n"
	     "named socket AF_PACKET: \nnamed socket AF_VSOCK: \nnamed socket AF_MCTP: ");
	fails(socket(AF_UNSPEC, SOCK_STREAM, 0), EAFNOSUPPORT, "AF_UNSPEC is EAFNOSUPPORT");
	fails(socket(46, SOCK_STREAM, 0), EAFNOSUPPORT, "an unknown family is EAFNOSUPPORT");
	judge("socket AF_INET SOCK_SEQPACKET", socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	judge("socket AF_INET SOCK_RDM", socket(AF_INET, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	judge("socket AF_INET SOCK_DCCP", socket(AF_INET, SOCK_DCCP, 0), ESOCKTNOSUPPORT);
	judge("socket AF_INET SOCK_PACKET", socket(AF_INET, SOCK_PACKET, 0), ESOCKTNOSUPPORT);
	fails(socket(AF_INET, 11, 0), EINVAL, "an unknown type is EINVAL");
	judge("socket AF_INET IPPROTO_SCTP", socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP),
	      EPROTONOSUPPORT);
	judge("socket AF_INET IPPROTO_MPTCP", socket(AF_INET, SOCK_STREAM, 262), EPROTONOSUPPORT);
	judge("socket AF_INET IPPROTO_UDPLITE", socket(AF_INET, SOCK_DGRAM, 136), EPROTONOSUPPORT);
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	judge("connect of a TCP socket to AF_UNSPEC", connect(fd, &nowhere, sizeof(nowhere)),
	      EAFNOSUPPORT);
	close(fd);
	judge("socket SOCK_RAW of another protocol than ICMP",
	      socket(AF_INET, SOCK_RAW, IPPROTO_RAW), EPROTONOSUPPORT);
	fails(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT,
	      "UDP as a stream is EPROTONOSUPPORT");
	judge("sendmsg with control data", sendmsg(files[UDP], &message, 0), EINVAL);
	judge("send MSG_OOB", sendto(files[TCP], &byte, 1, MSG_OOB, NULL, 0), EOPNOTSUPP);
	judge("send MSG_DONTROUTE",
	      sendto(files[UDP], &byte, 1, MSG_DONTROUTE, address, sizeof(to)), EOPNOTSUPP);
	judge("send MSG_FASTOPEN", sendto(files[TCP], &byte, 1, MSG_FASTOPEN, address, sizeof(to)),
	      EOPNOTSUPP);
	judge("send of a datagram MSG_MORE",
	      sendto(files[UDP], &byte, 1, MSG_MORE, address, sizeof(to)), EOPNOTSUPP);
	judge("send of a datagram MSG_PROBE",
	      sendto(files[UDP], &byte, 1, 0x10, address, sizeof(to)), EOPNOTSUPP);
	ok(sendto(files[UDP], &byte, 1, MSG_CONFIRM | MSG_NOSIGNAL | MSG_EOR, address,
	          sizeof(to)) == 1,
	   "hints are taken");
	judge("recv MSG_OOB", recv(files[TCP], &byte, 1, MSG_OOB), EINVAL);
	fails(recv(files[UDP], &byte, 1, MSG_ERRQUEUE), EAGAIN, "an empty error queue is EAGAIN");
	judge("socket option ICMP_FILTER", setsockopt(files[RAW], 255, 1, &to, 4), ENOPROTOOPT);
	fails(setsockopt(files[TCP], 12345, 1, &to, 4), ENOPROTOOPT,
	      "an unknown level is ENOPROTOOPT");
	fails(setsockopt(files[UDP], IPPROTO_TCP, 1, &to, 4), ENOPROTOOPT,
	      "TCP's option of UDP is ENOPROTOOPT");
	fails(setsockopt(files[TCP], SOL_SOCKET, 1234, &to, 4), ENOPROTOOPT,
	      "an unknown option is ENOPROTOOPT");
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	files[REGULAR] = open("/tmp/absent", O_RDWR | O_CREAT, 0600);
	files[TCP] = socket(AF_INET, SOCK_STREAM, 0);
	files[UDP] = socket(AF_INET, SOCK_DGRAM, 0);
	files[RAW] = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	for (int i = 0; i < 4; i++)
		ok(files[i] > 2, "a descriptor to try on");
	if (argc > 1 && !strcmp(argv[1], "calls")) {
		system_calls();
		return tap_finish();
	}
	for (size_t i = 0; i < OPTIONS; i++)
		one_option(&options[i]);
	memory();
	paths();
	processes();
	sockets();
	printf("# %u work, %u fail as on Linux, %u are absent\n", works, as_linux, named);
	ok(works > 60 && named > 300, "most options were tried");
	return tap_finish();
}
