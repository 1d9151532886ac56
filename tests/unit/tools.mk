# SPDX-License-Identifier: MIT
# The host command's pure parts.

UNIT_TESTS += tests/unit/test-capos-grant
tests_unit_test_capos_grant_SOURCES = tests/unit/test_capos_grant.c tools/capos/grant.c
tests_unit_test_capos_grant_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_capos_grant_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_capos_grant_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-capos-archive
tests_unit_test_capos_archive_SOURCES = tests/unit/test_capos_archive.c $(CAPOS_ARCHIVE_SOURCES)
tests_unit_test_capos_archive_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_capos_archive_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_capos_archive_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-capos-request
tests_unit_test_capos_request_SOURCES = tests/unit/test_capos_request.c tools/capos/request.c tools/capos/terminal.c \
	tools/capos/address.c tools/capos/grant.c libcapos/msg.c
nodist_tests_unit_test_capos_request_SOURCES = gen/schema/manifest.c gen/schema/network.c
tests_unit_test_capos_request_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_capos_request_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_capos_request_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-capos-pump
tests_unit_test_capos_pump_SOURCES = tests/unit/test_capos_pump.c tools/capos/pump.c \
	tools/capos/log.c tools/capos/clean.c libcapos/text.c
tests_unit_test_capos_pump_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_capos_pump_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_capos_pump_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-capos-receive
tests_unit_test_capos_receive_SOURCES = tests/unit/test_capos_receive.c tools/capos/receive.c
tests_unit_test_capos_receive_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_capos_receive_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_capos_receive_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-capos-clean
tests_unit_test_capos_clean_SOURCES = tests/unit/test_capos_clean.c tools/capos/clean.c libcapos/text.c
tests_unit_test_capos_clean_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_capos_clean_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_capos_clean_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-capos-values
tests_unit_test_capos_values_SOURCES = tests/unit/test_capos_values.c tools/capos/address.c tools/capos/complain.c \
	tools/capos/clean.c tools/capos/environment.c tools/capos/pcap.c libcapos/text.c
tests_unit_test_capos_values_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_capos_values_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_capos_values_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-capos-usernet
tests_unit_test_capos_usernet_SOURCES = tests/unit/test_capos_usernet.c tools/capos/usernet.c
tests_unit_test_capos_usernet_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_capos_usernet_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_capos_usernet_LDADD = $(UNIT_LIBS)
