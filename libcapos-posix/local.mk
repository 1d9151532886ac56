# SPDX-License-Identifier: MIT
# The overlay over musl: every file that goes into the sysroot (ports/musl/build copies and compiles them).

include $(srcdir)/libcapos-posix/sources.mk

POSIX_OVERLAY_FILES = $(POSIX_OVERLAY:%=libcapos-posix/overlay/%)

TARGET_TOOLS = tools/target/binutils tools/target/cross.meson tools/target/find_object.c tools/target/gcc \
	tools/target/gcc.specs tools/target/pkg-config tools/target/toolchain.cmake

POSIX_FILES = libcapos-posix/sources.mk libcapos-posix/musl.mk $(POSIX_H) $(POSIX_C) \
	$(POSIX_OVERLAY_FILES) $(TARGET_TOOLS)

# $(SYSROOT)/.stamp depends on these; musl.mk then compiles what really changed.
MUSL_OVERLAY = $(POSIX_FILES) $(POSIX_LIBCAPOS) $(POSIX_INTERFACES) ports/musl/build

EXTRA_DIST += $(POSIX_FILES) ports/musl/build
