# SPDX-License-Identifier: MIT
# The virtio drivers from their clients' side.  Boots with the manifest beside it, which gives the program the
# Nic that netstack holds otherwise; nothing listens to the network but QEMU's own.

check_PROGRAMS += tests/guest/drivers
EXTRA_DIST += tests/guest/drivers.txt
tests_guest_drivers_SOURCES = tests/guest/drivers.c
tests_guest_drivers_CPPFLAGS = $(NATIVE_CPPFLAGS)
tests_guest_drivers_CFLAGS = $(NATIVE_CFLAGS)
tests_guest_drivers_LDFLAGS = $(NATIVE_LINK_FLAGS)
tests_guest_drivers_LDADD = $(NATIVE_LIBS)
