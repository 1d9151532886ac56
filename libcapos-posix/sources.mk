# SPDX-License-Identifier: MIT
# What libc is made of besides musl, for the top-level make (dependencies, distribution) and for musl.mk (compiling).
# Paths are relative to the top of the source tree.

POSIX_H = \
	libcapos-posix/src/core/absent.h \
	libcapos-posix/src/core/arch.h \
	libcapos-posix/src/core/carried.h \
	libcapos-posix/src/core/chan.h \
	libcapos-posix/src/core/core.h \
	libcapos-posix/src/core/ends.h \
	libcapos-posix/src/core/family.h \
	libcapos-posix/src/core/fair.h \
	libcapos-posix/src/core/fd.h \
	libcapos-posix/src/core/lock.h \
	libcapos-posix/src/core/description.h \
	libcapos-posix/src/core/pages.h \
	libcapos-posix/src/core/self.h \
	libcapos-posix/src/core/syscalls.h \
	libcapos-posix/src/core/threads.h \
	libcapos-posix/src/core/user.h \
	libcapos-posix/src/core/vector.h \
	libcapos-posix/src/core/wait.h \
	libcapos-posix/src/core/window.h \
	libcapos-posix/src/entry/entry.h \
	libcapos-posix/src/file/ahead.h \
	libcapos-posix/src/file/contents.h \
	libcapos-posix/src/file/file.h \
	libcapos-posix/src/file/pipe.h \
	libcapos-posix/src/file/mqueue.h \
	libcapos-posix/src/file/made.h \
	libcapos-posix/src/file/remembered.h \
	libcapos-posix/src/file/volume.h \
	libcapos-posix/src/memory/locked.h \
	libcapos-posix/src/memory/memory.h \
	libcapos-posix/src/memory/pieces.h \
	libcapos-posix/src/memory/shared.h \
	libcapos-posix/src/poll/poll.h \
	libcapos-posix/src/process/children.h \
	libcapos-posix/src/process/exec_state.h \
	libcapos-posix/src/process/proc.h \
	libcapos-posix/src/process/report.h \
	libcapos-posix/src/process/process.h \
	libcapos-posix/src/process/script.h \
	libcapos-posix/src/process/vfork.h \
	libcapos-posix/src/process/sysv.h \
	libcapos-posix/src/process/world.h \
	libcapos-posix/src/signal/internal.h \
	libcapos-posix/src/signal/signal.h \
	libcapos-posix/src/signal/signal_state.h \
	libcapos-posix/src/socket/dnspacket.h \
	libcapos-posix/src/socket/icmp.h \
	libcapos-posix/src/socket/internal.h \
	libcapos-posix/src/socket/local.h \
	libcapos-posix/src/socket/local_name.h \
	libcapos-posix/src/socket/socket.h \
	libcapos-posix/src/terminal/terminal.h \
	libcapos-posix/src/terminal/tty.h \
	libcapos-posix/src/thread/thread.h \
	libcapos-posix/src/time/internal.h \
	libcapos-posix/src/time/time.h \
	libcapos-posix/src/core/absent.inc

POSIX_C = \
	libcapos-posix/arch/x86_64/entry.S \
	libcapos-posix/arch/x86_64/user.S \
	libcapos-posix/src/core/absent.c \
	libcapos-posix/src/core/alloc.c \
	libcapos-posix/src/core/chan.c \
	libcapos-posix/src/core/deadline.c \
	libcapos-posix/src/core/errno.c \
	libcapos-posix/src/core/family.c \
	libcapos-posix/src/core/fd.c \
	libcapos-posix/src/core/io.c \
	libcapos-posix/src/core/lock.c \
	libcapos-posix/src/core/description.c \
	libcapos-posix/src/core/pages.c \
	libcapos-posix/src/core/self.c \
	libcapos-posix/src/core/threads.c \
	libcapos-posix/src/core/user.c \
	libcapos-posix/src/core/vector.c \
	libcapos-posix/src/core/wait.c \
	libcapos-posix/src/core/window.c \
	libcapos-posix/src/entry/dispatch.c \
	libcapos-posix/src/entry/start.c \
	libcapos-posix/src/file/ahead.c \
	libcapos-posix/src/file/contents.c \
	libcapos-posix/src/file/dir.c \
	libcapos-posix/src/file/file.c \
	libcapos-posix/src/file/file_device.c \
	libcapos-posix/src/file/file_open.c \
	libcapos-posix/src/file/lock.c \
	libcapos-posix/src/file/made.c \
	libcapos-posix/src/file/path.c \
	libcapos-posix/src/file/path_attributes.c \
	libcapos-posix/src/file/path_names.c \
	libcapos-posix/src/file/path_resolve.c \
	libcapos-posix/src/file/volume.c \
	libcapos-posix/src/file/pipe.c \
	libcapos-posix/src/file/pipe_open.c \
	libcapos-posix/src/file/inotify.c \
	libcapos-posix/src/file/mqueue.c \
	libcapos-posix/src/file/mqueue_notice.c \
	libcapos-posix/src/file/mqueue_open.c \
	libcapos-posix/src/file/range.c \
	libcapos-posix/src/file/remembered.c \
	libcapos-posix/src/file/splice.c \
	libcapos-posix/src/file/stat.c \
	libcapos-posix/src/memory/locked.c \
	libcapos-posix/src/memory/memory.c \
	libcapos-posix/src/memory/pieces.c \
	libcapos-posix/src/memory/relro.c \
	libcapos-posix/src/memory/resident.c \
	libcapos-posix/src/memory/stack.c \
	libcapos-posix/src/memory/shared.c \
	libcapos-posix/src/poll/epoll.c \
	libcapos-posix/src/poll/eventfd.c \
	libcapos-posix/src/poll/poll.c \
	libcapos-posix/src/process/exec.c \
	libcapos-posix/src/process/exec_state.c \
	libcapos-posix/src/process/fork.c \
	libcapos-posix/src/process/group.c \
	libcapos-posix/src/process/limits.c \
	libcapos-posix/src/process/proc.c \
	libcapos-posix/src/process/proc_files.c \
	libcapos-posix/src/process/proc_net.c \
	libcapos-posix/src/process/report.c \
	libcapos-posix/src/process/prctl.c \
	libcapos-posix/src/process/priority.c \
	libcapos-posix/src/process/process.c \
	libcapos-posix/src/process/users.c \
	libcapos-posix/src/process/script.c \
	libcapos-posix/src/process/session.c \
	libcapos-posix/src/process/sysv.c \
	libcapos-posix/src/process/sysv_proc.c \
	libcapos-posix/src/process/sysv_queue.c \
	libcapos-posix/src/process/sysv_segment.c \
	libcapos-posix/src/process/sysv_set.c \
	libcapos-posix/src/process/vfork.c \
	libcapos-posix/src/process/wait.c \
	libcapos-posix/src/process/world.c \
	libcapos-posix/src/signal/context.c \
	libcapos-posix/src/signal/fault.c \
	libcapos-posix/src/signal/signal.c \
	libcapos-posix/src/signal/pending.c \
	libcapos-posix/src/signal/signal_calls.c \
	libcapos-posix/src/signal/signal_state.c \
	libcapos-posix/src/signal/signal_threads.c \
	libcapos-posix/src/signal/signal_wait.c \
	libcapos-posix/src/signal/signalfd.c \
	libcapos-posix/src/socket/dnspacket.c \
	libcapos-posix/src/socket/icmp.c \
	libcapos-posix/src/socket/inet_address.c \
	libcapos-posix/src/socket/inet_interface.c \
	libcapos-posix/src/socket/resolver.c \
	libcapos-posix/src/socket/local.c \
	libcapos-posix/src/socket/local_move.c \
	libcapos-posix/src/socket/local_name.c \
	libcapos-posix/src/socket/local_name_move.c \
	libcapos-posix/src/socket/local_option.c \
	libcapos-posix/src/socket/socket.c \
	libcapos-posix/src/socket/socket_call.c \
	libcapos-posix/src/socket/socket_datagram.c \
	libcapos-posix/src/socket/socket_message.c \
	libcapos-posix/src/socket/socket_open.c \
	libcapos-posix/src/socket/socket_option.c \
	libcapos-posix/src/socket/socket_tcp.c \
	libcapos-posix/src/terminal/denied.c \
	libcapos-posix/src/terminal/stream.c \
	libcapos-posix/src/terminal/tty.c \
	libcapos-posix/src/terminal/tty_file.c \
	libcapos-posix/src/terminal/tty_ioctl.c \
	libcapos-posix/src/terminal/tty_open.c \
	libcapos-posix/src/thread/futex.c \
	libcapos-posix/src/thread/thread.c \
	libcapos-posix/src/time/clock.c \
	libcapos-posix/src/time/itimer.c \
	libcapos-posix/src/time/posix_timer.c \
	libcapos-posix/src/time/timerfd.c \
	libcapos-posix/src/time/timers.c

# The parts of libcapos that a POSIX program needs.
POSIX_LIBCAPOS = \
	libcapos/arch/x86_64/syscall.c \
	libcapos/cap.c \
	libcapos/channel.c \
	libcapos/error.c \
	libcapos/format.c \
	libcapos/identity.c \
	libcapos/image.c \
	libcapos/log.c \
	libcapos/msg.c \
	libcapos/object.c \
	libcapos/queue.c \
	libcapos/self.c \
	libcapos/start.c \
	libcapos/time.c

# Headers that they all include.
POSIX_INTERFACES = \
	kernel/abi/capos/abi.h \
	kernel/abi/capos/clock.h \
	kernel/abi/capos/elf.h \
	kernel/abi/capos/layout.h \
	libcapos/include/capos/cap.h \
	libcapos/include/capos/channel.h \
	libcapos/include/capos/format.h \
	libcapos/include/capos/log.h \
	libcapos/include/capos/msg.h \
	libcapos/include/capos/object.h \
	libcapos/include/capos/queue.h \
	libcapos/include/capos/start.h \
	libcapos/include/capos/terminal.h

# Files that replace or join musl's, under libcapos-posix/overlay/.
POSIX_OVERLAY = \
	arch/x86_64/syscall_arch.h \
	src/env/capos_auxv.c \
	src/mq/mq_notify.c \
	src/network/res_msend.c \
	src/process/vfork.c \
	src/signal/x86_64/restore.s \
	src/string/x86_64/memcmp.s \
	src/string/x86_64/memcpy.s \
	src/string/x86_64/memmove.s \
	src/string/x86_64/memset.s \
	src/thread/__lock.c \
	src/thread/lock_ptc.c \
	src/time/__map_file.c \
	src/time/clock_gettime.c \
	src/thread/x86_64/__set_thread_area.s \
	src/thread/x86_64/__unmapself.s \
	src/thread/x86_64/clone.s \
	src/thread/x86_64/syscall_cp.s

# musl's files that go: the generic one beside each is right.
POSIX_OVERLAY_REMOVED = src/process/x86_64/vfork.s
