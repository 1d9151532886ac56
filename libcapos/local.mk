# SPDX-License-Identifier: MIT
# libcapos.a: what every native program links, with the code generated from schema/.

# Also compiled into musl's libc: no file of these needs crt0, thread-local storage or errno.
LIBCAPOS_C = libcapos/arch/x86_64/syscall.c libcapos/cap.c libcapos/channel.c libcapos/error.c \
	libcapos/format.c libcapos/identity.c libcapos/image.c libcapos/log.c libcapos/msg.c libcapos/nicqueue.c libcapos/object.c \
	libcapos/queue.c libcapos/self.c libcapos/start.c libcapos/time.c
LIBCAPOS_INCLUDES = libcapos/arch/x86_64/cycles.h libcapos/clock_read.h libcapos/ring.h libcapos/include/capos/archive_reader.h \
	libcapos/include/capos/cap.h libcapos/include/capos/channel.h \
	libcapos/include/capos/format.h libcapos/include/capos/identity.h libcapos/include/capos/log.h libcapos/include/capos/msg.h \
	libcapos/include/capos/nicqueue.h libcapos/include/capos/object.h libcapos/include/capos/output.h libcapos/include/capos/queue.h libcapos/include/capos/terminal.h \
	libcapos/include/capos/server.h libcapos/include/capos/start.h \
	libcapos/include/capos/text.h

noinst_LIBRARIES += libcapos/libcapos.a
libcapos_libcapos_a_SOURCES = $(LIBCAPOS_C) $(LIBCAPOS_INCLUDES) libcapos/archive.c \
	libcapos/ownimage.c \
	libcapos/commit.c libcapos/expect.c libcapos/server.c libcapos/server_held.c libcapos/server_held.h libcapos/text.c libcapos/arch/x86_64/crt0.S
nodist_libcapos_libcapos_a_SOURCES = $(GENERATED_SOURCES)
libcapos_libcapos_a_CPPFLAGS = $(NATIVE_CPPFLAGS)
libcapos_libcapos_a_CFLAGS = $(NATIVE_CFLAGS)
libcapos_libcapos_a_CCASFLAGS = $(NATIVE_CCASFLAGS)
