# SPDX-License-Identifier: MIT
# The process service's pure part.

UNIT_TESTS += tests/unit/test-process-world
tests_unit_test_process_world_SOURCES = tests/unit/test_process_world.c $(PROCESS_PURE)
tests_unit_test_process_world_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_process_world_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_process_world_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-process-sysv
tests_unit_test_process_sysv_SOURCES = tests/unit/test_process_sysv.c $(PROCESS_PURE)
tests_unit_test_process_sysv_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_process_sysv_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_process_sysv_LDADD = $(UNIT_LIBS)
