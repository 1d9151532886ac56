# SPDX-License-Identifier: MIT
# The pure parts of init.

UNIT_TESTS += tests/unit/test-init
tests_unit_test_init_SOURCES = tests/unit/test_init.c libcapos/archive.c libcapos/format.c libcapos/msg.c \
	services/init/manifest.c services/init/plan.c services/init/plan.h
nodist_tests_unit_test_init_SOURCES = gen/schema/kernel.c gen/schema/manifest.c gen/schema/network.c \
	gen/schema/service.c
tests_unit_test_init_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_init_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_init_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-init-lookup
tests_unit_test_init_lookup_SOURCES = tests/unit/test_init_lookup.c libcapos/archive.c \
	services/init/lookup.c services/init/lookup.h
tests_unit_test_init_lookup_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_init_lookup_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_init_lookup_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-init-restart
tests_unit_test_init_restart_SOURCES = tests/unit/test_init_restart.c services/init/restart.c \
	services/init/restart.h
tests_unit_test_init_restart_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_init_restart_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_init_restart_LDADD = $(UNIT_LIBS)
