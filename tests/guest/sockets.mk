# SPDX-License-Identifier: MIT
# Files and sockets of POSIX programs in the guest.

SOCKETS_TESTS = tests/guest/posix_files tests/guest/posix_sockets
check_DATA += $(SOCKETS_TESTS)
CLEANFILES += $(SOCKETS_TESTS) tests/guest/sockets.log
EXTRA_DIST += tests/guest/sockets.sh tests/guest/posix_peer.py $(SOCKETS_TESTS:=.c)
TESTS += tests/guest/sockets.sh
