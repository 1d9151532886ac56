# SPDX-License-Identifier: MIT
# The files service.

FILES_PURE = services/files/access.c services/files/access.h services/files/data.c services/files/contents.h services/files/data.h services/files/handle.c \
	services/files/handle.h services/files/load.c services/files/load.h services/files/pages.h \
	services/files/locks.c services/files/locks.h services/files/path.c services/files/path.h services/files/slab.c services/files/tree.c \
	services/files/tree.h services/files/watch.c services/files/watch.h

noinst_PROGRAMS += services/files/files
IMAGE_SBIN += services/files/files
services_files_files_SOURCES = services/files/allowed.c services/files/directory.c services/files/file.c services/files/following.c \
	services/files/files.h services/files/service.c services/files/session.c \
	services/files/session.h services/files/contents.c services/files/check.c services/files/locking.c services/files/locking.h services/files/owners.c services/files/owners.h services/files/store.c \
	services/files/store.h services/files/watcher_calls.c services/files/watcher_calls.h services/files/watching.c services/files/watching.h $(FILES_PURE)
services_files_files_CPPFLAGS = $(NATIVE_CPPFLAGS)
services_files_files_CFLAGS = $(NATIVE_CFLAGS)
services_files_files_LDFLAGS = $(NATIVE_LINK_FLAGS)
services_files_files_LDADD = $(NATIVE_LIBS)
