# SPDX-License-Identifier: MIT
# What libc is made of besides musl, for the top-level make (dependencies, distribution) and for musl.mk (compiling).
# Paths are relative to the top of the source tree.

POSIX_H = \
	libcapos-posix/src/carried.h \
	libcapos-posix/src/chan.h \
	libcapos-posix/src/children.h \
	libcapos-posix/src/dnspacket.h \
	libcapos-posix/src/exec_state.h \
	libcapos-posix/src/family.h \
	libcapos-posix/src/fd.h \
	libcapos-posix/src/files.h \
	libcapos-posix/src/icmp.h \
	libcapos-posix/src/internal.h \
	libcapos-posix/src/objects.h \
	libcapos-posix/src/pages.h \
	libcapos-posix/src/posix.h \
	libcapos-posix/src/signal_calls.h \
	libcapos-posix/src/signal_state.h \
	libcapos-posix/src/socket.h \
	libcapos-posix/src/syscalls.h

POSIX_C = \
	libcapos-posix/arch/x86_64/entry.S \
	libcapos-posix/src/alloc.c \
	libcapos-posix/src/chan.c \
	libcapos-posix/src/children.c \
	libcapos-posix/src/clock.c \
	libcapos-posix/src/dir.c \
	libcapos-posix/src/dispatch.c \
	libcapos-posix/src/dnspacket.c \
	libcapos-posix/src/errno.c \
	libcapos-posix/src/exec.c \
	libcapos-posix/src/exec_state.c \
	libcapos-posix/src/family.c \
	libcapos-posix/src/fd.c \
	libcapos-posix/src/file.c \
	libcapos-posix/src/file_device.c \
	libcapos-posix/src/file_open.c \
	libcapos-posix/src/fork.c \
	libcapos-posix/src/futex.c \
	libcapos-posix/src/icmp.c \
	libcapos-posix/src/inet_address.c \
	libcapos-posix/src/inet_interface.c \
	libcapos-posix/src/io.c \
	libcapos-posix/src/itimer.c \
	libcapos-posix/src/memory.c \
	libcapos-posix/src/objects.c \
	libcapos-posix/src/path.c \
	libcapos-posix/src/path_names.c \
	libcapos-posix/src/path_stat.c \
	libcapos-posix/src/pipe.c \
	libcapos-posix/src/poll.c \
	libcapos-posix/src/process.c \
	libcapos-posix/src/resolver.c \
	libcapos-posix/src/signal.c \
	libcapos-posix/src/signal_calls.c \
	libcapos-posix/src/signal_state.c \
	libcapos-posix/src/socket.c \
	libcapos-posix/src/socket_datagram.c \
	libcapos-posix/src/socket_message.c \
	libcapos-posix/src/socket_option.c \
	libcapos-posix/src/socket_tcp.c \
	libcapos-posix/src/start.c \
	libcapos-posix/src/stream.c \
	libcapos-posix/src/wait.c

# The parts of libcapos that a POSIX program needs.
POSIX_LIBCAPOS = \
	libcapos/arch/x86_64/syscall.c \
	libcapos/cap.c \
	libcapos/channel.c \
	libcapos/error.c \
	libcapos/format.c \
	libcapos/image.c \
	libcapos/log.c \
	libcapos/msg.c \
	libcapos/queue.c \
	libcapos/self.c \
	libcapos/start.c \
	libcapos/time.c

# Headers that they all include.
POSIX_INTERFACES = \
	kernel/abi/capos/abi.h \
	kernel/abi/capos/clock.h \
	libcapos/include/capos/cap.h \
	libcapos/include/capos/channel.h \
	libcapos/include/capos/log.h \
	libcapos/include/capos/msg.h \
	libcapos/include/capos/queue.h \
	libcapos/include/capos/start.h

# Files that replace or join musl's, under libcapos-posix/overlay/.
POSIX_OVERLAY = \
	arch/x86_64/syscall_arch.h \
	src/env/capos_auxv.c \
	src/network/res_msend.c \
	src/signal/x86_64/restore.s \
	src/string/x86_64/memcmp.s \
	src/string/x86_64/memcpy.s \
	src/string/x86_64/memmove.s \
	src/string/x86_64/memset.s \
	src/thread/x86_64/__set_thread_area.s \
	src/thread/x86_64/__unmapself.s \
	src/thread/x86_64/clone.s \
	src/thread/x86_64/syscall_cp.s

# musl's files that go: the generic one beside each is right.
POSIX_OVERLAY_REMOVED = src/process/x86_64/vfork.s
