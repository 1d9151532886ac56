# SPDX-License-Identifier: MIT
# The terminal service.

TERMINAL_PURE = services/terminal/ldisc.c services/terminal/ldisc.h

noinst_PROGRAMS += services/terminal/terminal
IMAGE_SBIN += services/terminal/terminal
services_terminal_terminal_SOURCES = services/terminal/console.c services/terminal/pty.c \
	services/terminal/service.c services/terminal/session.c \
	services/terminal/terminal.c services/terminal/terminal.h $(TERMINAL_PURE)
services_terminal_terminal_CPPFLAGS = $(NATIVE_CPPFLAGS) -I$(srcdir)
services_terminal_terminal_CFLAGS = $(NATIVE_CFLAGS)
services_terminal_terminal_LDFLAGS = $(NATIVE_LINK_FLAGS)
services_terminal_terminal_LDADD = $(NATIVE_LIBS)
