# SPDX-License-Identifier: MIT
# The process service.

PROCESS_PURE = services/process/group.c services/process/limits.c services/process/load.c \
	services/process/notices.c services/process/priority.c services/process/signals.c \
	services/process/sysv.c services/process/sysv.h services/process/sysv_queue.c services/process/sysv_set.c \
	services/process/sysv_access.c services/process/users.c services/process/wait.c services/process/world.c services/process/world.h \
	services/files/slab.c services/files/pages.h

noinst_PROGRAMS += services/process/process
IMAGE_SBIN += services/process/process
services_process_process_SOURCES = services/process/birth.c services/process/effects.c services/process/ends.c \
	services/process/ipc.c \
	services/process/report.c \
	services/process/member.c services/process/process.h services/process/service.c services/process/terminal.c \
	services/files/store.c services/files/store.h $(PROCESS_PURE)
services_process_process_CPPFLAGS = $(NATIVE_CPPFLAGS) -I$(srcdir)
services_process_process_CFLAGS = $(NATIVE_CFLAGS)
services_process_process_LDFLAGS = $(NATIVE_LINK_FLAGS)
services_process_process_LDADD = $(NATIVE_LIBS)
