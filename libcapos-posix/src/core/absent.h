/* SPDX-License-Identifier: MIT */
/*
 * What Linux has and this library has not.  Every refusal for that reason goes through here: it is
 * counted, and named in the log the first time that the process meets it.  absent.inc lists all of
 * it; what is not listed there is unknown to Linux too and is refused without a word.
 */
#ifndef POSIX_ABSENT_H
#define POSIX_ABSENT_H

/* SUBJECT(identifier, what precedes the name in the log) */
#define ABSENT_SUBJECTS(SUBJECT)                     \
	SUBJECT(FCNTL, "fcntl")                      \
	SUBJECT(SETFL, "fcntl F_SETFL")              \
	SUBJECT(IOCTL, "ioctl")                      \
	SUBJECT(IOCTL_FILE, "ioctl of a file")       \
	SUBJECT(IOCTL_SOCKET, "ioctl of a socket")   \
	SUBJECT(OPEN, "open")                        \
	SUBJECT(PIPE, "pipe2")                       \
	SUBJECT(MEMFD, "memfd_create")               \
	SUBJECT(FALLOCATE, "fallocate")              \
	SUBJECT(PREADV2, "preadv2")                  \
	SUBJECT(PWRITEV2, "pwritev2")                \
	SUBJECT(CLOSE_RANGE, "close_range")          \
	SUBJECT(RENAMEAT2, "renameat2")              \
	SUBJECT(MMAP, "mmap")                        \
	SUBJECT(MPROTECT, "mprotect")                \
	SUBJECT(MREMAP, "mremap")                    \
	SUBJECT(MADVISE, "madvise")                  \
	SUBJECT(CLONE, "clone")                      \
	SUBJECT(FUTEX, "futex")                      \
	SUBJECT(PRCTL, "prctl")                      \
	SUBJECT(ARCH_PRCTL, "arch_prctl")            \
	SUBJECT(WAITID, "waitid")                    \
	SUBJECT(CLOCK, "clock")                      \
	SUBJECT(FAMILY, "socket")                    \
	SUBJECT(TYPE, "socket AF_INET")              \
	SUBJECT(PROTOCOL, "socket AF_INET")          \
	SUBJECT(SOCKET_OPTION, "socket option")      \
	SUBJECT(IP_OPTION, "socket option")          \
	SUBJECT(TCP_OPTION, "socket option")         \
	SUBJECT(UDP_OPTION, "socket option")         \
	SUBJECT(RAW_OPTION, "socket option")         \
	SUBJECT(SEND, "send")                        \
	SUBJECT(SEND_DATAGRAM, "send of a datagram") \
	SUBJECT(RECEIVE, "recv")                     \
	SUBJECT(OTHER, "")

enum absent_subject {
#define SUBJECT(identifier, text) ABSENT_##identifier,
	ABSENT_SUBJECTS(SUBJECT)
#undef SUBJECT
};

/* The numbers of ABSENT_OTHER. */
enum absent_other {
	ABSENT_SHARED_CODE,
	ABSENT_LONGER_FILE,
	ABSENT_LONG_PIPE,
	ABSENT_LOCK_OF_KIND,
	ABSENT_DISCARD_OF_FILE,
	ABSENT_WRITABLE_CODE,
	ABSENT_EXIT_SIGNAL,
	ABSENT_THREAD_APART,
	ABSENT_ROBUST_LIST_OF_OTHER,
	ABSENT_CONTROL_DATA,
	ABSENT_LOCAL_NAME,
	ABSENT_LOCAL_STREAM,
	ABSENT_RAW_PROTOCOL,
	ABSENT_TCP_DISCONNECT,
	ABSENT_OPTION_OF_KIND,
	ABSENT_SIGNAL_STACK_AUTODISARM,
	ABSENT_CLOCK_OF_OTHER,
	ABSENT_WATCH,
	ABSENT_PROC_FILES,
	ABSENT_HUGE_SEGMENT,
	ABSENT_SEGMENT_CODE,
	ABSENT_DEADLINE,
	ABSENT_UTILIZATION,
};

/* -errno of what has no number. */
long absent(enum absent_other what);
/* -errno of that number of the subject, or otherwise when Linux does not know it either. */
long absent_option(enum absent_subject subject, unsigned long number, long otherwise);
/* -errno when a flag that is listed has all its bits in flags; 0: none has. */
long absent_flags(enum absent_subject subject, unsigned long flags);
/* -ENOSYS, for a system call that syscalls.h does not list. */
long absent_call(long number);

#endif
