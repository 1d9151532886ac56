# SPDX-License-Identifier: MIT
# Programs of the host: the schema compiler's C back end, the host command, the boot archive's writer.

include $(srcdir)/tools/capnpc-capos/local.mk

# What `capos` and mkarchive share with the unit tests.
CAPOS_ARCHIVE_SOURCES = tools/capos/archive_writer.c tools/capos/archive_writer.h \
	libcapos/archive.c libcapos/include/capos/archive_reader.h

noinst_PROGRAMS += tools/mkarchive/mkarchive
tools_mkarchive_mkarchive_SOURCES = tools/mkarchive/main.c $(CAPOS_ARCHIVE_SOURCES)
