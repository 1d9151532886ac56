# SPDX-License-Identifier: MIT
# The pure parts of libcapos.

UNIT_TESTS += tests/unit/test-queue
tests_unit_test_queue_SOURCES = tests/unit/test_queue.c libcapos/queue.c libcapos/nicqueue.c
tests_unit_test_queue_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_queue_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_queue_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-channel
tests_unit_test_channel_SOURCES = tests/unit/test_channel.c libcapos/channel.c libcapos/queue.c
tests_unit_test_channel_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_channel_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_channel_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-start
tests_unit_test_start_SOURCES = tests/unit/test_start.c libcapos/image.c libcapos/msg.c libcapos/start.c
nodist_tests_unit_test_start_SOURCES = gen/schema/manifest.c gen/schema/network.c
tests_unit_test_start_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_start_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_start_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-format
tests_unit_test_format_SOURCES = tests/unit/test_format.c libcapos/error.c libcapos/format.c
tests_unit_test_format_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_format_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_format_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-text
tests_unit_test_text_SOURCES = tests/unit/test_text.c libcapos/text.c
tests_unit_test_text_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_text_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_text_LDADD = $(UNIT_LIBS)
