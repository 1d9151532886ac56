# SPDX-License-Identifier: MIT
# The message codec and the schema compiler's output.

UNIT_TESTS += tests/unit/test-msg
tests_unit_test_msg_SOURCES = tests/unit/test_msg.c libcapos/msg.c
nodist_tests_unit_test_msg_SOURCES = gen/schema/manifest.c gen/schema/network.c
tests_unit_test_msg_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_msg_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_msg_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/schema-copy
tests_unit_schema_copy_SOURCES = tests/unit/schema_copy.c libcapos/msg.c
nodist_tests_unit_schema_copy_SOURCES = gen/schema/manifest.c gen/schema/network.c

TESTS += tests/unit/schema-roundtrip
EXTRA_DIST += tests/unit/schema-roundtrip
