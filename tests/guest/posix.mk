# SPDX-License-Identifier: MIT
# POSIX programs in the guest, built by the compiler wrapper as any program is.

POSIX_TESTS = tests/guest/posix_denied tests/guest/posix_fds tests/guest/posix_fork tests/guest/posix_memory \
	tests/guest/posix_signals tests/guest/posix_time
check_DATA += $(POSIX_TESTS)
CLEANFILES += $(POSIX_TESTS) tests/guest/posix.log
EXTRA_DIST += tests/guest/libc.sh tests/guest/posix.sh tests/guest/posix_tap.h tests/guest/posix_denied.c tests/guest/posix_fds.c \
	tests/guest/posix_fork.c tests/guest/posix_memory.c tests/guest/posix_signals.c tests/guest/posix_time.c
TESTS += tests/guest/libc.sh tests/guest/posix.sh

POSIX_TEST_CC = $(SYSROOT)/bin/x86_64-capos-linux-musl-gcc -std=gnu11 -O2 $(WARNINGS)
POSIX_TEST_DEPENDS = tests/guest/posix_tap.h $(SYSROOT)/.stamp

tests/guest/posix_denied: tests/guest/posix_denied.c $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -o $@ $(srcdir)/tests/guest/posix_denied.c
tests/guest/posix_fds: tests/guest/posix_fds.c $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -o $@ $(srcdir)/tests/guest/posix_fds.c
tests/guest/posix_fork: tests/guest/posix_fork.c $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -o $@ $(srcdir)/tests/guest/posix_fork.c
tests/guest/posix_memory: tests/guest/posix_memory.c $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -o $@ $(srcdir)/tests/guest/posix_memory.c
tests/guest/posix_signals: tests/guest/posix_signals.c $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -o $@ $(srcdir)/tests/guest/posix_signals.c
tests/guest/posix_time: tests/guest/posix_time.c $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -o $@ $(srcdir)/tests/guest/posix_time.c
