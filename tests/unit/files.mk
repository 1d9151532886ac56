# SPDX-License-Identifier: MIT
# The files service's pure part and the boot archive's reader.

UNIT_TESTS += tests/unit/test-files-access
tests_unit_test_files_access_SOURCES = tests/unit/test_files_access.c services/files/access.c services/files/access.h
tests_unit_test_files_access_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_files_access_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_files_access_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-files-data
tests_unit_test_files_data_SOURCES = tests/unit/test_files_data.c tests/unit/files_source.h \
	tests/unit/files_contents.c services/files/contents.h \
	services/files/data.c services/files/slab.c services/files/data.h services/files/pages.h
tests_unit_test_files_data_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_files_data_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_files_data_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-files-locks
tests_unit_test_files_locks_SOURCES = tests/unit/test_files_locks.c tests/unit/files_source.h \
	services/files/locks.c services/files/locks.h services/files/slab.c services/files/pages.h
tests_unit_test_files_locks_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_files_locks_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_files_locks_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-files-owners
tests_unit_test_files_owners_SOURCES = tests/unit/test_files_owners.c services/files/owners.c services/files/owners.h
tests_unit_test_files_owners_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_files_owners_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_files_owners_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-files-tree
tests_unit_test_files_tree_SOURCES = tests/unit/test_files_tree.c tests/unit/files_source.h \
	tests/unit/files_contents.c \
	libcapos/archive.c $(FILES_PURE)
tests_unit_test_files_tree_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_files_tree_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_files_tree_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-files-watch
tests_unit_test_files_watch_SOURCES = tests/unit/test_files_watch.c tests/unit/files_source.h \
	services/files/watch.c services/files/watch.h services/files/slab.c services/files/pages.h
tests_unit_test_files_watch_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_files_watch_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_files_watch_LDADD = $(UNIT_LIBS)

# The packets that libcapos-posix builds and reads: DNS messages, ICMP echo.
UNIT_TESTS += tests/unit/test-dnspacket
tests_unit_test_dnspacket_SOURCES = tests/unit/test_dnspacket.c libcapos-posix/src/socket/dnspacket.c \
	libcapos-posix/src/socket/dnspacket.h libcapos-posix/src/socket/icmp.c libcapos-posix/src/socket/icmp.h
tests_unit_test_dnspacket_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/libcapos-posix/src
tests_unit_test_dnspacket_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_dnspacket_LDADD = $(UNIT_LIBS)
