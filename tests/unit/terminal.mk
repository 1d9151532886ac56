# SPDX-License-Identifier: MIT
# The terminal service's pure part.

UNIT_TESTS += tests/unit/test-ldisc
tests_unit_test_ldisc_SOURCES = tests/unit/test_ldisc.c $(TERMINAL_PURE)
tests_unit_test_ldisc_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_ldisc_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ldisc_LDADD = $(UNIT_LIBS)
