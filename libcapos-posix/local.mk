# SPDX-License-Identifier: MIT
# The overlay over musl: every file that goes into the sysroot (ports/musl/build copies and compiles them).

include $(srcdir)/libcapos-posix/sources.mk

POSIX_OVERLAY_FILES = $(POSIX_OVERLAY:%=libcapos-posix/overlay/%)

TARGET_TOOLS = \
	tools/target/gcc.specs \
	tools/target/x86_64-capos-linux-musl-ar \
	tools/target/x86_64-capos-linux-musl-as \
	tools/target/x86_64-capos-linux-musl-cc \
	tools/target/x86_64-capos-linux-musl-gcc \
	tools/target/x86_64-capos-linux-musl-ld \
	tools/target/x86_64-capos-linux-musl-nm \
	tools/target/x86_64-capos-linux-musl-objcopy \
	tools/target/x86_64-capos-linux-musl-objdump \
	tools/target/x86_64-capos-linux-musl-pkg-config \
	tools/target/x86_64-capos-linux-musl-ranlib \
	tools/target/x86_64-capos-linux-musl-readelf \
	tools/target/x86_64-capos-linux-musl-size \
	tools/target/x86_64-capos-linux-musl-strip

POSIX_FILES = libcapos-posix/sources.mk libcapos-posix/musl.mk $(POSIX_H) $(POSIX_C) \
	$(POSIX_OVERLAY_FILES) $(TARGET_TOOLS)

# $(SYSROOT)/.stamp depends on these; musl.mk then compiles what really changed.
MUSL_OVERLAY = $(POSIX_FILES) $(POSIX_LIBCAPOS) $(POSIX_INTERFACES) ports/musl/build

EXTRA_DIST += $(POSIX_FILES) ports/musl/build
