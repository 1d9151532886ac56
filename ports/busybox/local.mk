# SPDX-License-Identifier: MIT
# BusyBox: bin/busybox and a link for each applet.

EXTRA_DIST += ports/busybox/build ports/busybox/config

work/busybox/image.entries: work/busybox/.unpacked $(SYSROOT)/.stamp ports/busybox/build ports/busybox/config
	$(say_port)$(PORT_ENV) MAKE='$(MAKE)' $(SHELL) $(srcdir)/ports/busybox/build

IMAGE_DEPENDS += work/busybox/image.entries
IMAGE_ENTRIES += `cat work/busybox/image.entries`
