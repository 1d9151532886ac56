# SPDX-License-Identifier: MIT
# Unit tests: pure files of every part, compiled for the host with the sanitizers, driven by cmocka.
#
#     UNIT_TESTS += tests/unit/test-queue
#     tests_unit_test_queue_SOURCES = tests/unit/test-queue.c libcapos/queue.c
#     tests_unit_test_queue_CPPFLAGS = $(UNIT_CPPFLAGS)
#     tests_unit_test_queue_CFLAGS = $(UNIT_CFLAGS)
#     tests_unit_test_queue_LDADD = $(UNIT_LIBS)

UNIT_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)
UNIT_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -g -O1 -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all -pthread
UNIT_LIBS = $(CMOCKA_LIBS)
UNIT_TESTS =

include $(srcdir)/tests/unit/drivers.mk
include $(srcdir)/tests/unit/files.mk
include $(srcdir)/tests/unit/init.mk
include $(srcdir)/tests/unit/kernel_memory.mk
include $(srcdir)/tests/unit/kernel_core.mk
include $(srcdir)/tests/unit/kernel_parts.mk
include $(srcdir)/tests/unit/libcapos.mk
include $(srcdir)/tests/unit/netstack.mk
include $(srcdir)/tests/unit/posix.mk
include $(srcdir)/tests/unit/process.mk
include $(srcdir)/tests/unit/terminal.mk
include $(srcdir)/tests/unit/schema.mk
include $(srcdir)/tests/unit/tools.mk

# Said at once, not by the compiler at the end of a long build.
if !HAVE_CMOCKA
cmocka_missing = the tests need cmocka, which configure did not find: install it (Debian: libcmocka-dev) and \
	configure again; ./bootstrap check does both
cmocka_checked := $(if $(filter check check-am check-unit distcheck,$(MAKECMDGOALS)),$(error $(cmocka_missing)))
endif

check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
