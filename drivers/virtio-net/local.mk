# SPDX-License-Identifier: MIT
# The virtio network driver: serves Nic.

noinst_PROGRAMS += drivers/virtio-net/virtio-net
IMAGE_SBIN += drivers/virtio-net/virtio-net
drivers_virtio_net_virtio_net_SOURCES = \
	drivers/virtio-net/service.c \
	drivers/virtio-net/net.c \
	drivers/virtio-net/net.h \
	$(VIRTIO_SOURCES)
drivers_virtio_net_virtio_net_CPPFLAGS = $(NATIVE_CPPFLAGS) -I$(srcdir)
drivers_virtio_net_virtio_net_CFLAGS = $(NATIVE_CFLAGS)
drivers_virtio_net_virtio_net_LDFLAGS = $(NATIVE_LINK_FLAGS)
drivers_virtio_net_virtio_net_LDADD = $(NATIVE_LIBS)
