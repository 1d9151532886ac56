# SPDX-License-Identifier: MIT
# The virtio 9p driver: serves Directory and File of a host's directory.  It is put into an image only when there is a
# volume: small machines have no memory to spare.

noinst_PROGRAMS += drivers/virtio-9p/virtio-9p
VOLUME_SOURCES = \
	drivers/virtio-9p/allocate.c \
	drivers/virtio-9p/allowed.c \
	drivers/virtio-9p/locks.c \
	drivers/virtio-9p/nameless.c \
	drivers/virtio-9p/nodes.c \
	drivers/virtio-9p/p9.c \
	drivers/virtio-9p/p9.h \
	drivers/virtio-9p/places.c \
	drivers/virtio-9p/places.h \
	drivers/virtio-9p/shares.c \
	drivers/virtio-9p/sums.c \
	drivers/virtio-9p/trail.c \
	drivers/virtio-9p/trail.h \
	drivers/virtio-9p/unnamed.c \
	drivers/virtio-9p/volume.c \
	drivers/virtio-9p/volume.h \
	drivers/virtio-9p/volume_inside.h \
	drivers/virtio-9p/volume_names.c \
	drivers/virtio-9p/walk.c \
	drivers/virtio-9p/walk.h \
	drivers/virtio-9p/watched.c \
	services/files/access.c \
	services/files/access.h \
	services/files/locks.c \
	services/files/locks.h \
	services/files/pages.h \
	services/files/slab.c \
	services/files/watch.c \
	services/files/watch.h
drivers_virtio_9p_virtio_9p_SOURCES = \
	drivers/virtio-9p/service.c \
	services/files/locking.c \
	services/files/locking.h \
	services/files/owners.c \
	services/files/owners.h \
	services/files/watcher_calls.c \
	services/files/watcher_calls.h \
	$(VOLUME_SOURCES) \
	$(VIRTIO_DEVICE_SOURCES)
drivers_virtio_9p_virtio_9p_CPPFLAGS = $(NATIVE_CPPFLAGS) -I$(srcdir)
drivers_virtio_9p_virtio_9p_CFLAGS = $(NATIVE_CFLAGS)
drivers_virtio_9p_virtio_9p_LDFLAGS = $(NATIVE_LINK_FLAGS)
drivers_virtio_9p_virtio_9p_LDADD = $(NATIVE_LIBS)
