# SPDX-License-Identifier: MIT
# Programs of the host: the schema compiler's C back end, the host command, the boot archive's writer.

include $(srcdir)/tools/capnpc-capos/local.mk

# What `capos` and mkarchive share with the unit tests.
CAPOS_ARCHIVE_SOURCES = tools/capos/archive_writer.c tools/capos/archive_writer.h \
	libcapos/archive.c libcapos/include/capos/archive_reader.h

noinst_PROGRAMS += tools/mkarchive/mkarchive
tools_mkarchive_mkarchive_SOURCES = tools/mkarchive/main.c $(CAPOS_ARCHIVE_SOURCES)

bin_PROGRAMS += capos
capos_SOURCES = \
	tools/capos/capos.h \
	tools/capos/grant.c tools/capos/grant.h \
	tools/capos/image.c tools/capos/image.h \
	tools/capos/log.c tools/capos/log.h \
	tools/capos/machine.c tools/capos/machine.h \
	tools/capos/main.c \
	tools/capos/options.c tools/capos/options.h \
	tools/capos/pump.c tools/capos/pump.h \
	tools/capos/request.c tools/capos/request.h \
	tools/capos/sdk.c tools/capos/sdk.h \
	tools/capos/session.c tools/capos/session.h \
	libcapos/msg.c \
	$(CAPOS_ARCHIVE_SOURCES)
nodist_capos_SOURCES = gen/schema/manifest.c gen/schema/network.c
capos_CPPFLAGS = -I. $(AM_CPPFLAGS)
