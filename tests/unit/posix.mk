# SPDX-License-Identifier: MIT
# The pure parts of libcapos-posix, and the overlay's string functions.

UNIT_TESTS += tests/unit/test-posix-fd
tests_unit_test_posix_fd_SOURCES = tests/unit/test_posix_fd.c libcapos-posix/src/core/fd.c libcapos-posix/src/core/alloc.c
tests_unit_test_posix_fd_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/libcapos-posix/src
tests_unit_test_posix_fd_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_posix_fd_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-posix-signal
tests_unit_test_posix_signal_SOURCES = tests/unit/test_posix_signal.c \
	libcapos-posix/src/signal/signal_state.c libcapos-posix/src/core/errno.c
tests_unit_test_posix_signal_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/libcapos-posix/src
tests_unit_test_posix_signal_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_posix_signal_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-posix-string
tests_unit_test_posix_string_SOURCES = tests/unit/test_posix_string.c tests/unit/posix_string.S
tests_unit_test_posix_string_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_posix_string_CCASFLAGS = -I$(srcdir)
tests_unit_test_posix_string_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_posix_string_LDADD = $(UNIT_LIBS)
