# SPDX-License-Identifier: MIT
# netstack from a native client's side, in the standard system.

check_PROGRAMS += tests/guest/netstack-test
EXTRA_DIST += tests/guest/netstack.sh
TESTS += tests/guest/netstack.sh
CLEANFILES += tests/guest/netstack.log
tests_guest_netstack_test_SOURCES = tests/guest/netstack_test.c tests/guest/tap.c tests/guest/tap.h
tests_guest_netstack_test_CPPFLAGS = $(NATIVE_CPPFLAGS)
tests_guest_netstack_test_CFLAGS = $(NATIVE_CFLAGS)
tests_guest_netstack_test_LDFLAGS = $(NATIVE_LINK_FLAGS)
tests_guest_netstack_test_LDADD = $(NATIVE_LIBS)
