# SPDX-License-Identifier: MIT
# Foreign sources.  ports/NAME/recipe says what and where; work/NAME/ is where it is unpacked and built.
# A port that is more than unpacked has a script ports/NAME/build, run in an environment of PORT_ENV.

EXTRA_DIST += ports/fetch ports/unpack ports/README \
	ports/musl/recipe ports/lwip/recipe ports/busybox/recipe \
	ports/libstdcxx/build ports/libstdcxx-12/recipe ports/libstdcxx-14/recipe

SYSROOT = sysroot
PORT_ENV = TOP_SRCDIR='$(abs_top_srcdir)' TOP_BUILDDIR='$(abs_builddir)' \
	SYSROOT='$(abs_builddir)/$(SYSROOT)' DISTFILES='$(PORT_DISTFILES)' CC='$(CC)' AR='$(AR)' \
	RANLIB='$(RANLIB)' STRIP='$(STRIP)' HOSTCC='$(CC)' HOST_CFLAGS='$(HOST_CFLAGS)' V='$(V)'

say_port = $(say_port_@AM_V@)
say_port_ = $(say_port_@AM_DEFAULT_V@)
say_port_0 = @echo "  PORT    " $@;

BUILT_SOURCES += work/lwip/.unpacked $(SYSROOT)/.stamp

work/musl/.unpacked: $(srcdir)/ports/musl/recipe
	$(say_port)$(PORT_ENV) $(SHELL) $(srcdir)/ports/unpack musl
work/lwip/.unpacked: $(srcdir)/ports/lwip/recipe
	$(say_port)$(PORT_ENV) $(SHELL) $(srcdir)/ports/unpack lwip
work/busybox/.unpacked: $(srcdir)/ports/busybox/recipe
	$(say_port)$(PORT_ENV) $(SHELL) $(srcdir)/ports/unpack busybox

# musl with our overlay: the sysroot's headers, libc.a, libc.so and the compiler wrapper.
# MUSL_OVERLAY: every file that goes into it (libcapos-posix/local.mk).
$(SYSROOT)/.stamp: work/musl/.unpacked gen/.stamp $(MUSL_OVERLAY)
	$(say_port)$(PORT_ENV) MAKE='$(MAKE)' $(SHELL) $(srcdir)/ports/musl/build
	$(AM_V_at)touch $@
$(SYSROOT)/lib/libc.a: $(SYSROOT)/.stamp
	@test -f $@

include $(srcdir)/ports/busybox/local.mk

# The C++ library, which takes minutes and most do without.
cxx: $(SYSROOT)/.stamp
	$(say_port)$(PORT_ENV) MAKE='$(MAKE)' $(SHELL) $(srcdir)/ports/libstdcxx/build
.PHONY: cxx

# The parts of a build, by name.
fetch: work/musl/.unpacked work/lwip/.unpacked work/busybox/.unpacked
toolchain: gen/.stamp $(SYSROOT)/.stamp
busybox: work/busybox/image.entries
.PHONY: fetch toolchain busybox

CLEAN_TARGETS += clean-ports
clean-ports:
	rm -rf work $(SYSROOT)
DISTCLEAN_TARGETS += distclean-ports
distclean-ports:
	rm -rf distfiles
