# SPDX-License-Identifier: MIT
# Files and sockets of POSIX programs in the guest.

SOCKETS_TESTS = tests/guest/posix_files tests/guest/posix_sockets
check_DATA += $(SOCKETS_TESTS)
CLEANFILES += $(SOCKETS_TESTS) tests/guest/sockets.log
EXTRA_DIST += tests/guest/sockets.sh tests/guest/posix_peer.py tests/guest/posix_files.c \
	tests/guest/posix_sockets.c
TESTS += tests/guest/sockets.sh

tests/guest/posix_files: tests/guest/posix_files.c $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -o $@ $(srcdir)/tests/guest/posix_files.c
tests/guest/posix_sockets: tests/guest/posix_sockets.c $(POSIX_TEST_DEPENDS)
	$(AM_V_CCLD)$(POSIX_TEST_CC) -o $@ $(srcdir)/tests/guest/posix_sockets.c
