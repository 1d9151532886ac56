# SPDX-License-Identifier: MIT
# The virtio drivers from their clients' side.  Boots with the manifest beside it, which gives the program the
# Nic that netstack holds otherwise; nothing listens to the network but QEMU's own.

check_PROGRAMS += tests/guest/drivers
check_DATA += tests/guest/drivers.image
EXTRA_DIST += tests/guest/drivers.txt tests/guest/drivers.sh
TESTS += tests/guest/drivers.sh
CLEANFILES += tests/guest/drivers.image tests/guest/drivers.manifest tests/guest/drivers.log
tests_guest_drivers_SOURCES = tests/guest/drivers.c
tests_guest_drivers_CPPFLAGS = $(NATIVE_CPPFLAGS)
tests_guest_drivers_CFLAGS = $(NATIVE_CFLAGS)
tests_guest_drivers_LDFLAGS = $(NATIVE_LINK_FLAGS)
tests_guest_drivers_LDADD = $(NATIVE_LIBS)

tests/guest/drivers.image: tools/mkarchive/mkarchive tests/guest/drivers tests/guest/drivers.manifest \
		image/sbin/.stamp image/kernel
	$(say_image)tools/mkarchive/mkarchive $@.new \
		file:etc/manifest:0644:tests/guest/drivers.manifest \
		file:sbin/init:0755:image/sbin/init \
		file:sbin/virtio-net:0755:image/sbin/virtio-net \
		file:sbin/virtio-console:0755:image/sbin/virtio-console \
		file:bin/drivers:0755:tests/guest/drivers && mv -f $@.new $@
