# SPDX-License-Identifier: MIT
# What the virtio drivers share; compiled into each of them.

VIRTIO_DEVICE_SOURCES = \
	drivers/virtio/device.c \
	drivers/virtio/device.h \
	drivers/virtio/pci.c \
	drivers/virtio/pci.h \
	drivers/virtio/virtqueue.c \
	drivers/virtio/virtqueue.h
VIRTIO_SOURCES = \
	drivers/virtio/driver.c \
	drivers/virtio/driver.h \
	$(VIRTIO_DEVICE_SOURCES)
