# SPDX-License-Identifier: MIT
# Read by musl's Makefile (at the end of config.mak, written by ports/musl/build): our own part of libc.
#
# All our objects become one, capos.o, in which every symbol but __capos_* is local: a program's own names can
# neither replace ours nor collide with them.  TOP_SRCDIR, TOP_BUILDDIR and CAPOS_WARNINGS come from the caller.

include $(TOP_SRCDIR)/libcapos-posix/sources.mk

CAPOS_SOURCES = $(POSIX_C) $(POSIX_LIBCAPOS)
CAPOS_GENERATED = schema/kernel.c schema/manifest.c schema/network.c schema/process.c schema/service.c \
	schema/status.c schema/terminal.c
CAPOS_OBJECTS = $(patsubst %,obj/capos/%.o,$(basename $(CAPOS_SOURCES) $(CAPOS_GENERATED)))
# The names of all of Linux's system calls, for the log.
NM ?= nm
CAPOS_NAMES = obj/capos/include/syscall_names.h
# See configure.ac.
CAPOS_STRING := $(shell $(CC) -mstringop-strategy=libcall -Werror -E -x c /dev/null >/dev/null 2>&1 && \
	echo -mstringop-strategy=libcall)
CAPOS_CFLAGS = -std=gnu11 -ffreestanding -nostdinc -O2 -fvisibility=hidden -fno-stack-protector -fno-common \
	-fno-strict-aliasing -fno-asynchronous-unwind-tables -fcf-protection=none -ffunction-sections -fdata-sections \
	-Wall -Wextra $(CAPOS_WARNINGS) $(CAPOS_STRING) -MMD -MP -Iobj/capos/include \
	-I$(TOP_SRCDIR)/libcapos-posix/src -I$(TOP_SRCDIR)/kernel/abi -I$(TOP_SRCDIR)/libcapos/include -I$(TOP_BUILDDIR)/gen/include \
	-isystem arch/$(ARCH) -isystem arch/generic -isystem obj/include -isystem include \
	-isystem $(shell $(CC) -print-file-name=include)

# Where the compiler makes position-independent executables by default, musl's configure has set AOBJS to $(LOBJS).
LOBJS += obj/capos/capos.lo
ifeq ($(filter %.lo,$(AOBJS)),)
AOBJS += obj/capos/capos.o
endif

$(CAPOS_NAMES): obj/include/bits/syscall.h
	@mkdir -p $(@D)
	sed -n 's/^#define __NR_\([a-z0-9_]*\)[[:space:]].*/SYSCALL_NAME(\1)/p' $< >$@
obj/capos/libcapos-posix/src/core/absent.o obj/capos/libcapos-posix/src/core/absent.lo: $(CAPOS_NAMES)

# What was built with other flags, or for another list of files, is built again.
obj/capos/%.o: $(TOP_SRCDIR)/%.c $(TOP_SRCDIR)/libcapos-posix/musl.mk obj/include/bits/alltypes.h obj/include/bits/syscall.h
	@mkdir -p $(@D)
	$(CC) $(CAPOS_CFLAGS) -c -o $@ $<
obj/capos/%.lo: $(TOP_SRCDIR)/%.c $(TOP_SRCDIR)/libcapos-posix/musl.mk obj/include/bits/alltypes.h obj/include/bits/syscall.h
	@mkdir -p $(@D)
	$(CC) $(CAPOS_CFLAGS) -fPIC -c -o $@ $<
obj/capos/schema/%.o: $(TOP_BUILDDIR)/gen/schema/%.c $(TOP_SRCDIR)/libcapos-posix/musl.mk obj/include/bits/alltypes.h
	@mkdir -p $(@D)
	$(CC) $(CAPOS_CFLAGS) -c -o $@ $<
obj/capos/schema/%.lo: $(TOP_BUILDDIR)/gen/schema/%.c $(TOP_SRCDIR)/libcapos-posix/musl.mk obj/include/bits/alltypes.h
	@mkdir -p $(@D)
	$(CC) $(CAPOS_CFLAGS) -fPIC -c -o $@ $<
obj/capos/%.o: $(TOP_SRCDIR)/%.S
	@mkdir -p $(@D)
	$(CC) -c -o $@ $<
obj/capos/%.lo: $(TOP_SRCDIR)/%.S
	@mkdir -p $(@D)
	$(CC) -c -o $@ $<

# What none of our entries leads to is left out: of the schemas' code a program uses a third.
make_capos = $(CC) -r -nostdlib -Wl,--gc-sections \
	$$($(NM) -g --defined-only $(1) | sed -n 's/.* \(__capos_[A-Za-z0-9_]*\)$$/-Wl,-u,\1/p') -o $@.tmp $(1) && \
	$(OBJCOPY) --wildcard --keep-global-symbol='__capos_*' $@.tmp $@ && rm -f $@.tmp
obj/capos/capos.o: $(CAPOS_OBJECTS) $(TOP_SRCDIR)/libcapos-posix/sources.mk
	$(call make_capos,$(CAPOS_OBJECTS))
obj/capos/capos.lo: $(CAPOS_OBJECTS:.o=.lo) $(TOP_SRCDIR)/libcapos-posix/sources.mk
	$(call make_capos,$(CAPOS_OBJECTS:.o=.lo))

# The C library's locks are of the same kind as our own.
obj/src/thread/__lock.o obj/src/thread/__lock.lo: $(TOP_SRCDIR)/libcapos-posix/src/core/fair.h
obj/src/thread/__lock.o obj/src/thread/__lock.lo: CFLAGS_ALL += -I$(TOP_SRCDIR)/libcapos-posix/src

# It reads the clock page in line.
CLOCK = obj/src/time/clock_gettime.o obj/src/time/clock_gettime.lo
$(CLOCK): $(TOP_SRCDIR)/libcapos/clock_read.h
$(CLOCK): CFLAGS_ALL += -I$(TOP_SRCDIR)/libcapos -I$(TOP_SRCDIR)/libcapos/include -I$(TOP_SRCDIR)/kernel/abi

# Native programs link these too, and have no thread pointer, behind which a protected function finds its guard.
NATIVE_PURE = $(patsubst src/%.c,obj/src/%.lo,$(wildcard src/string/*.c src/errno/*.c)) \
	$(patsubst %,obj/src/%.lo,internal/intscan internal/shgetc stdio/__toread stdio/__uflow stdlib/strtol)
$(NATIVE_PURE) $(NATIVE_PURE:.lo=.o): CFLAGS_ALL += -fno-stack-protector

-include $(wildcard obj/capos/*/*.d obj/capos/*/*/*.d obj/capos/*/*/*/*.d)
