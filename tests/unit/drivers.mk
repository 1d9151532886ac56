# SPDX-License-Identifier: MIT
# The virtio drivers' pure parts, against fake devices.

UNIT_TESTS += tests/unit/test-virtqueue
tests_unit_test_virtqueue_SOURCES = tests/unit/test_virtqueue.c tests/unit/virtio_fake.h \
	drivers/virtio/virtqueue.c drivers/virtio/virtqueue.h
tests_unit_test_virtqueue_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_virtqueue_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_virtqueue_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-virtio-pci
tests_unit_test_virtio_pci_SOURCES = tests/unit/test_virtio_pci.c \
	drivers/virtio/pci.c drivers/virtio/pci.h
tests_unit_test_virtio_pci_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_virtio_pci_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_virtio_pci_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-virtio-net
tests_unit_test_virtio_net_SOURCES = tests/unit/test_virtio_net.c tests/unit/virtio_fake.h \
	drivers/virtio-net/net.c drivers/virtio-net/net.h \
	drivers/virtio/virtqueue.c drivers/virtio/virtqueue.h \
	libcapos/queue.c libcapos/nicqueue.c
tests_unit_test_virtio_net_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_virtio_net_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_virtio_net_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-virtio-console
tests_unit_test_virtio_console_SOURCES = tests/unit/test_virtio_console.c tests/unit/virtio_fake.h \
	drivers/virtio-console/console.c drivers/virtio-console/control.c \
	drivers/virtio-console/stream.c drivers/virtio-console/console.h \
	drivers/virtio/virtqueue.c drivers/virtio/virtqueue.h \
	libcapos/queue.c libcapos/channel.c
tests_unit_test_virtio_console_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_virtio_console_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_virtio_console_LDADD = $(UNIT_LIBS)

VOLUME_TEST_SOURCES = tests/unit/volume_server.c tests/unit/volume_server.h $(VOLUME_SOURCES)
UNIT_TESTS += tests/unit/test-volume tests/unit/test-volume-hostile
tests_unit_test_volume_SOURCES = tests/unit/test_volume.c $(VOLUME_TEST_SOURCES)
tests_unit_test_volume_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_volume_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_volume_LDADD = $(UNIT_LIBS)

tests_unit_test_volume_hostile_SOURCES = tests/unit/test_volume_hostile.c $(VOLUME_TEST_SOURCES)
tests_unit_test_volume_hostile_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_volume_hostile_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_volume_hostile_LDADD = $(UNIT_LIBS)
