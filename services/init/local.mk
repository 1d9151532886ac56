# SPDX-License-Identifier: MIT
# init: reads the manifest and starts everything else.

noinst_PROGRAMS += services/init/init
IMAGE_SBIN += services/init/init
services_init_init_SOURCES = services/init/boot.c services/init/call.c services/init/control.c \
	services/init/end.c services/init/init.h services/init/inventory.c \
	services/init/lookup.c services/init/lookup.h services/init/main.c services/init/manifest.c \
	services/init/names.c services/init/output.c services/init/plan.c services/init/plan.h services/init/program.c \
	services/init/restart.c services/init/restart.h services/init/service.c services/init/session.c \
	services/init/spawn.c services/init/stream.c services/init/stream.h services/init/terminal.c
services_init_init_CPPFLAGS = $(NATIVE_CPPFLAGS)
services_init_init_CFLAGS = $(NATIVE_CFLAGS)
services_init_init_LDFLAGS = $(NATIVE_LINK_FLAGS)
services_init_init_LDADD = $(NATIVE_LIBS)
