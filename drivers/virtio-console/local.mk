# SPDX-License-Identifier: MIT
# The virtio console driver: serves the program's stdin, stdout, stderr and the control stream.

noinst_PROGRAMS += drivers/virtio-console/virtio-console
IMAGE_SBIN += drivers/virtio-console/virtio-console
drivers_virtio_console_virtio_console_SOURCES = \
	drivers/virtio-console/service.c \
	drivers/virtio-console/console.c \
	drivers/virtio-console/console.h \
	drivers/virtio-console/control.c \
	drivers/virtio-console/stream.c \
	$(VIRTIO_SOURCES)
drivers_virtio_console_virtio_console_CPPFLAGS = $(NATIVE_CPPFLAGS) -I$(srcdir)
drivers_virtio_console_virtio_console_CFLAGS = $(NATIVE_CFLAGS)
drivers_virtio_console_virtio_console_LDFLAGS = $(NATIVE_LINK_FLAGS)
drivers_virtio_console_virtio_console_LDADD = $(NATIVE_LIBS)
