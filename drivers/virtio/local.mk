# SPDX-License-Identifier: MIT
# What the virtio drivers share; compiled into each of them.

VIRTIO_SOURCES = \
	drivers/virtio/device.c \
	drivers/virtio/device.h \
	drivers/virtio/driver.c \
	drivers/virtio/driver.h \
	drivers/virtio/pci.c \
	drivers/virtio/pci.h \
	drivers/virtio/virtqueue.c \
	drivers/virtio/virtqueue.h
