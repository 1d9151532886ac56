# SPDX-License-Identifier: MIT
# Services that end and are started again.

check_PROGRAMS += tests/guest/restart
EXTRA_DIST += tests/guest/restart.sh
TESTS += tests/guest/restart.sh
tests_guest_restart_SOURCES = tests/guest/restart.c tests/guest/tap.c tests/guest/tap.h
tests_guest_restart_CPPFLAGS = $(NATIVE_CPPFLAGS)
tests_guest_restart_CFLAGS = $(NATIVE_CFLAGS)
tests_guest_restart_LDFLAGS = $(NATIVE_LINK_FLAGS)
tests_guest_restart_LDADD = $(NATIVE_LIBS)
