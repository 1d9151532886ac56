/* SPDX-License-Identifier: MIT */
/*
 * The table of Linux system calls that programs may make: everything that is not a line here
 * returns ENOSYS.  The dispatcher, the prototypes and the documentation are made from it, so that
 * they cannot disagree.
 *
 * SYSCALL(name, arguments, restart, subject)
 *
 * name: SYS_name is its number; sys_name(), with so many parameters of type long, implements it and
 * returns a result >= 0 or -errno.
 *
 * restart: RESTART when the call is made again, instead of EINTR, after a handler with
 * SA_RESTART, as signal(7) lists them; ONCE when EINTR is always returned.
 *
 * subject: which source files have it.
 */
#ifndef POSIX_SYSCALLS_H
#define POSIX_SYSCALLS_H

/* Of our own, far from Linux's numbers: the resolver's, made by overlay/src/network/res_msend.c. */
#define SYS_resolve 0x43415000l
/* vfork with where its caller's frame is, made by overlay/src/process/vfork.c. */
#define SYS_vfork_from 0x43415001l
/* mq_notify with SIGEV_THREAD; a descriptor, of which one byte is read when a message has come, and
 * none when the notice was taken back. */
#define SYS_mq_notice 0x43415002l

/* A line that is longer than the others leaves them as they are. */
/* clang-format off */
#define POSIX_SYSCALLS(SYSCALL)                    \
	/* io.c, fd.c, pipe.c */                   \
	SYSCALL(read, 3, RESTART, io)              \
	SYSCALL(write, 3, RESTART, io)             \
	SYSCALL(readv, 3, RESTART, io)             \
	SYSCALL(writev, 3, RESTART, io)            \
	SYSCALL(pread64, 4, RESTART, io)           \
	SYSCALL(pwrite64, 4, RESTART, io)          \
	SYSCALL(preadv, 4, RESTART, io)            \
	SYSCALL(pwritev, 4, RESTART, io)           \
	SYSCALL(preadv2, 6, RESTART, io)           \
	SYSCALL(pwritev2, 6, RESTART, io)          \
	SYSCALL(ioctl, 3, RESTART, io)             \
	SYSCALL(close, 1, ONCE, io)                \
	SYSCALL(close_range, 3, ONCE, io)          \
	SYSCALL(dup, 1, ONCE, io)                  \
	SYSCALL(dup2, 2, ONCE, io)                 \
	SYSCALL(dup3, 3, ONCE, io)                 \
	SYSCALL(fcntl, 3, RESTART, io)             \
	SYSCALL(pipe, 1, ONCE, io)                 \
	SYSCALL(pipe2, 2, ONCE, io)                \
	/* socket*.c, poll.c */                    \
	SYSCALL(socket, 3, ONCE, sockets)          \
	SYSCALL(socketpair, 4, ONCE, sockets)      \
	SYSCALL(connect, 3, RESTART, sockets)      \
	SYSCALL(accept, 3, RESTART, sockets)       \
	SYSCALL(accept4, 4, RESTART, sockets)      \
	SYSCALL(bind, 3, ONCE, sockets)            \
	SYSCALL(listen, 2, ONCE, sockets)          \
	SYSCALL(sendto, 6, RESTART, sockets)       \
	SYSCALL(recvfrom, 6, RESTART, sockets)     \
	SYSCALL(sendmsg, 3, RESTART, sockets)      \
	SYSCALL(recvmsg, 3, RESTART, sockets)      \
	SYSCALL(sendmmsg, 4, RESTART, sockets)     \
	SYSCALL(recvmmsg, 5, RESTART, sockets)     \
	SYSCALL(shutdown, 2, ONCE, sockets)        \
	SYSCALL(getsockname, 3, ONCE, sockets)     \
	SYSCALL(getpeername, 3, ONCE, sockets)     \
	SYSCALL(getsockopt, 5, ONCE, sockets)      \
	SYSCALL(setsockopt, 5, ONCE, sockets)      \
	SYSCALL(poll, 3, ONCE, poll)               \
	SYSCALL(ppoll, 5, ONCE, poll)              \
	SYSCALL(select, 5, ONCE, poll)             \
	SYSCALL(pselect6, 6, ONCE, poll)           \
	SYSCALL(epoll_create, 1, ONCE, poll)       \
	SYSCALL(epoll_create1, 1, ONCE, poll)      \
	SYSCALL(epoll_ctl, 4, ONCE, poll)          \
	SYSCALL(epoll_wait, 4, ONCE, poll)         \
	SYSCALL(epoll_pwait, 6, ONCE, poll)        \
	SYSCALL(epoll_pwait2, 6, ONCE, poll)       \
	SYSCALL(inotify_init, 0, ONCE, poll)       \
	SYSCALL(inotify_init1, 1, ONCE, poll)      \
	SYSCALL(inotify_add_watch, 3, ONCE, poll)  \
	SYSCALL(inotify_rm_watch, 2, ONCE, poll)   \
	SYSCALL(eventfd, 1, ONCE, poll)            \
	SYSCALL(eventfd2, 2, ONCE, poll)           \
	/* resolver.c */                           \
	SYSCALL(resolve, 4, RESTART, sockets)      \
	/* file*.c, path*.c, dir*.c */             \
	SYSCALL(open, 3, RESTART, files)           \
	SYSCALL(openat, 4, RESTART, files)         \
	SYSCALL(mknod, 3, ONCE, files)             \
	SYSCALL(mknodat, 4, ONCE, files)           \
	SYSCALL(creat, 2, RESTART, files)          \
	SYSCALL(stat, 2, ONCE, files)              \
	SYSCALL(lstat, 2, ONCE, files)             \
	SYSCALL(fstat, 2, ONCE, files)             \
	SYSCALL(newfstatat, 4, ONCE, files)        \
	SYSCALL(statx, 5, ONCE, files)             \
	SYSCALL(access, 2, ONCE, files)            \
	SYSCALL(faccessat, 3, ONCE, files)         \
	SYSCALL(faccessat2, 4, ONCE, files)        \
	SYSCALL(mkdir, 2, ONCE, files)             \
	SYSCALL(mkdirat, 3, ONCE, files)           \
	SYSCALL(rmdir, 1, ONCE, files)             \
	SYSCALL(unlink, 1, ONCE, files)            \
	SYSCALL(unlinkat, 3, ONCE, files)          \
	SYSCALL(rename, 2, ONCE, files)            \
	SYSCALL(renameat, 4, ONCE, files)          \
	SYSCALL(renameat2, 5, ONCE, files)         \
	SYSCALL(link, 2, ONCE, files)              \
	SYSCALL(linkat, 5, ONCE, files)            \
	SYSCALL(symlink, 2, ONCE, files)           \
	SYSCALL(symlinkat, 3, ONCE, files)         \
	SYSCALL(readlink, 3, ONCE, files)          \
	SYSCALL(readlinkat, 4, ONCE, files)        \
	SYSCALL(chmod, 2, ONCE, files)             \
	SYSCALL(fchmod, 2, ONCE, files)            \
	SYSCALL(fchmodat, 3, ONCE, files)          \
	SYSCALL(fchmodat2, 4, ONCE, files)         \
	SYSCALL(chown, 3, ONCE, files)             \
	SYSCALL(lchown, 3, ONCE, files)            \
	SYSCALL(fchown, 3, ONCE, files)            \
	SYSCALL(fchownat, 5, ONCE, files)          \
	SYSCALL(utimensat, 4, ONCE, files)         \
	SYSCALL(getdents64, 3, ONCE, files)        \
	SYSCALL(getcwd, 2, ONCE, files)            \
	SYSCALL(chdir, 1, ONCE, files)             \
	SYSCALL(fchdir, 1, ONCE, files)            \
	SYSCALL(chroot, 1, ONCE, files)            \
	SYSCALL(lseek, 3, ONCE, files)             \
	SYSCALL(truncate, 2, ONCE, files)          \
	SYSCALL(ftruncate, 2, ONCE, files)         \
	SYSCALL(statfs, 2, ONCE, files)            \
	SYSCALL(fstatfs, 2, ONCE, files)           \
	SYSCALL(fsync, 1, ONCE, files)             \
	SYSCALL(fdatasync, 1, ONCE, files)         \
	SYSCALL(sync, 0, ONCE, files)              \
	SYSCALL(syncfs, 1, ONCE, files)            \
	SYSCALL(sync_file_range, 4, ONCE, files)   \
	SYSCALL(readahead, 3, ONCE, files)         \
	SYSCALL(splice, 6, RESTART, files)         \
	SYSCALL(tee, 4, RESTART, files)            \
	SYSCALL(vmsplice, 4, RESTART, files)       \
	SYSCALL(umask, 1, ONCE, files)             \
	SYSCALL(sendfile, 4, RESTART, files)       \
	SYSCALL(flock, 2, RESTART, files)          \
	SYSCALL(fallocate, 4, ONCE, files)         \
	SYSCALL(fadvise64, 4, ONCE, files)         \
	SYSCALL(copy_file_range, 6, ONCE, files)   \
	/* memory.c */                             \
	SYSCALL(mmap, 6, ONCE, memory)             \
	SYSCALL(munmap, 2, ONCE, memory)           \
	SYSCALL(mprotect, 3, ONCE, memory)         \
	SYSCALL(mremap, 5, ONCE, memory)           \
	SYSCALL(madvise, 3, ONCE, memory)          \
	SYSCALL(membarrier, 3, ONCE, memory)       \
	SYSCALL(mincore, 3, ONCE, memory)          \
	SYSCALL(mlock, 2, ONCE, memory)            \
	SYSCALL(mlock2, 3, ONCE, memory)           \
	SYSCALL(mlockall, 1, ONCE, memory)         \
	SYSCALL(munlock, 2, ONCE, memory)          \
	SYSCALL(munlockall, 0, ONCE, memory)       \
	SYSCALL(msync, 3, RESTART, memory)         \
	/* mqueue*.c */                            \
	SYSCALL(mq_open, 4, ONCE, files)           \
	SYSCALL(mq_unlink, 1, ONCE, files)         \
	SYSCALL(mq_timedsend, 5, RESTART, files)   \
	SYSCALL(mq_timedreceive, 5, RESTART, files) \
	SYSCALL(mq_notify, 2, ONCE, files)         \
	SYSCALL(mq_notice, 1, ONCE, files)         \
	SYSCALL(mq_getsetattr, 3, ONCE, files)     \
	SYSCALL(memfd_create, 2, ONCE, memory)     \
	SYSCALL(brk, 1, ONCE, memory)              \
	/* clock.c, itimer.c */                    \
	SYSCALL(clock_gettime, 2, ONCE, time)      \
	SYSCALL(clock_getres, 2, ONCE, time)       \
	SYSCALL(gettimeofday, 2, ONCE, time)       \
	SYSCALL(time, 1, ONCE, time)               \
	SYSCALL(clock_nanosleep, 4, ONCE, time)    \
	SYSCALL(nanosleep, 2, ONCE, time)          \
	SYSCALL(setitimer, 3, ONCE, time)          \
	SYSCALL(getitimer, 2, ONCE, time)          \
	SYSCALL(alarm, 1, ONCE, time)              \
	SYSCALL(timer_create, 3, ONCE, time)       \
	SYSCALL(timer_settime, 4, ONCE, time)      \
	SYSCALL(timer_gettime, 2, ONCE, time)      \
	SYSCALL(timer_getoverrun, 1, ONCE, time)   \
	SYSCALL(timer_delete, 1, ONCE, time)       \
	SYSCALL(clock_settime, 2, ONCE, time)      \
	SYSCALL(timerfd_create, 2, ONCE, time)     \
	SYSCALL(timerfd_settime, 4, ONCE, time)    \
	SYSCALL(timerfd_gettime, 2, ONCE, time)    \
	SYSCALL(times, 1, ONCE, time)              \
	/* signal_calls.c */                       \
	SYSCALL(rt_sigaction, 4, ONCE, signals)    \
	SYSCALL(rt_sigprocmask, 4, ONCE, signals)  \
	SYSCALL(rt_sigpending, 2, ONCE, signals)   \
	SYSCALL(rt_sigsuspend, 2, ONCE, signals)   \
	SYSCALL(rt_sigtimedwait, 4, ONCE, signals) \
	SYSCALL(rt_sigqueueinfo, 3, ONCE, signals) \
	SYSCALL(rt_tgsigqueueinfo, 4, ONCE, signals) \
	SYSCALL(signalfd, 3, ONCE, signals)        \
	SYSCALL(signalfd4, 4, ONCE, signals)       \
	SYSCALL(sigaltstack, 2, ONCE, signals)     \
	SYSCALL(kill, 2, ONCE, signals)            \
	SYSCALL(tkill, 2, ONCE, signals)           \
	SYSCALL(tgkill, 3, ONCE, signals)          \
	SYSCALL(pause, 0, ONCE, signals)           \
	/* process.c */                            \
	SYSCALL(exit_group, 1, ONCE, process)      \
	SYSCALL(getpid, 0, ONCE, process)          \
	SYSCALL(getppid, 0, ONCE, process)         \
	SYSCALL(getpgrp, 0, ONCE, process)         \
	SYSCALL(getpgid, 1, ONCE, process)         \
	SYSCALL(getsid, 1, ONCE, process)          \
	SYSCALL(setpgid, 2, ONCE, process)         \
	SYSCALL(setsid, 0, ONCE, process)          \
	SYSCALL(getuid, 0, ONCE, process)          \
	SYSCALL(geteuid, 0, ONCE, process)         \
	SYSCALL(getgid, 0, ONCE, process)          \
	SYSCALL(getegid, 0, ONCE, process)         \
	SYSCALL(getresuid, 3, ONCE, process)       \
	SYSCALL(getresgid, 3, ONCE, process)       \
	SYSCALL(getgroups, 2, ONCE, process)       \
	SYSCALL(setuid, 1, ONCE, process)          \
	SYSCALL(setgid, 1, ONCE, process)          \
	SYSCALL(uname, 1, ONCE, process)           \
	SYSCALL(getrlimit, 2, ONCE, process)       \
	SYSCALL(prlimit64, 4, ONCE, process)       \
	SYSCALL(setrlimit, 2, ONCE, process)       \
	SYSCALL(getpriority, 2, ONCE, process)     \
	SYSCALL(setpriority, 3, ONCE, process)     \
	SYSCALL(sched_getaffinity, 3, ONCE, process) \
	SYSCALL(sched_setaffinity, 3, ONCE, process) \
	SYSCALL(getcpu, 2, ONCE, process)          \
	SYSCALL(sched_getscheduler, 1, ONCE, process) \
	SYSCALL(sched_getparam, 2, ONCE, process)  \
	SYSCALL(sched_setscheduler, 3, ONCE, process) \
	SYSCALL(sched_setparam, 2, ONCE, process)  \
	SYSCALL(sched_setattr, 3, ONCE, process)   \
	SYSCALL(sched_getattr, 4, ONCE, process)   \
	SYSCALL(sched_get_priority_max, 1, ONCE, process) \
	SYSCALL(sched_get_priority_min, 1, ONCE, process) \
	SYSCALL(sched_rr_get_interval, 2, ONCE, process) \
	SYSCALL(setreuid, 2, ONCE, process)        \
	SYSCALL(setregid, 2, ONCE, process)        \
	SYSCALL(setresuid, 3, ONCE, process)       \
	SYSCALL(setresgid, 3, ONCE, process)       \
	SYSCALL(setfsuid, 1, ONCE, process)        \
	SYSCALL(setfsgid, 1, ONCE, process)        \
	SYSCALL(setgroups, 2, ONCE, process)       \
	SYSCALL(getrusage, 2, ONCE, process)       \
	SYSCALL(sysinfo, 1, ONCE, process)         \
	SYSCALL(syslog, 3, ONCE, process)          \
	SYSCALL(getrandom, 3, ONCE, process)       \
	SYSCALL(arch_prctl, 2, ONCE, process)      \
	SYSCALL(prctl, 5, ONCE, process)           \
	SYSCALL(capget, 2, ONCE, process)          \
	SYSCALL(capset, 2, ONCE, process)          \
	SYSCALL(sched_yield, 0, ONCE, process)     \
	/* fork.c, exec.c, children.c */           \
	SYSCALL(fork, 0, ONCE, process)            \
	SYSCALL(vfork, 0, ONCE, process)           \
	SYSCALL(vfork_from, 1, ONCE, process)      \
	SYSCALL(clone, 5, ONCE, process)           \
	SYSCALL(execve, 3, ONCE, process)          \
	SYSCALL(execveat, 5, ONCE, process)        \
	SYSCALL(wait4, 4, RESTART, process)        \
	SYSCALL(waitid, 5, RESTART, process)       \
	/* sysv*.c */                              \
	SYSCALL(shmget, 3, ONCE, process)          \
	SYSCALL(shmat, 3, ONCE, process)           \
	SYSCALL(shmdt, 1, ONCE, process)           \
	SYSCALL(shmctl, 3, ONCE, process)          \
	SYSCALL(semget, 3, ONCE, process)          \
	SYSCALL(semop, 3, ONCE, process)           \
	SYSCALL(semtimedop, 4, ONCE, process)      \
	SYSCALL(semctl, 4, ONCE, process)          \
	SYSCALL(msgget, 2, ONCE, process)          \
	SYSCALL(msgsnd, 4, ONCE, process)          \
	SYSCALL(msgrcv, 5, ONCE, process)          \
	SYSCALL(msgctl, 3, ONCE, process)          \
	/* thread.c, futex.c */                    \
	SYSCALL(exit, 1, ONCE, threads)            \
	SYSCALL(gettid, 0, ONCE, threads)          \
	SYSCALL(set_tid_address, 1, ONCE, threads) \
	SYSCALL(set_robust_list, 2, ONCE, threads) \
	SYSCALL(get_robust_list, 3, ONCE, threads) \
	SYSCALL(futex, 6, RESTART, threads)
/* clang-format on */

#define POSIX_LONGS_0 void
#define POSIX_LONGS_1 long
#define POSIX_LONGS_2 long, long
#define POSIX_LONGS_3 long, long, long
#define POSIX_LONGS_4 long, long, long, long
#define POSIX_LONGS_5 long, long, long, long, long
#define POSIX_LONGS_6 long, long, long, long, long, long

#define POSIX_DECLARE(name, arguments, restart, subject) long sys_##name(POSIX_LONGS_##arguments);
POSIX_SYSCALLS(POSIX_DECLARE)
#undef POSIX_DECLARE

#endif
