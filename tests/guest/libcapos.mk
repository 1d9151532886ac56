# SPDX-License-Identifier: MIT
# libcapos on the real kernel.

check_PROGRAMS += tests/guest/libcapos-test
check_DATA += tests/guest/libcapos.image
EXTRA_DIST += tests/guest/libcapos.txt tests/guest/libcapos.sh
TESTS += tests/guest/libcapos.sh
CLEANFILES += tests/guest/libcapos.image tests/guest/libcapos.manifest tests/guest/libcapos.log
tests_guest_libcapos_test_SOURCES = tests/guest/libcapos_test.c tests/guest/tap.c tests/guest/tap.h
tests_guest_libcapos_test_CPPFLAGS = $(NATIVE_CPPFLAGS)
tests_guest_libcapos_test_CFLAGS = $(NATIVE_CFLAGS)
tests_guest_libcapos_test_LDFLAGS = $(NATIVE_LINK_FLAGS)
tests_guest_libcapos_test_LDADD = $(NATIVE_LIBS)

tests/guest/libcapos.image: tools/mkarchive/mkarchive tests/guest/libcapos-test tests/guest/libcapos.manifest \
		image/sbin/.stamp image/kernel
	$(say_image)tools/mkarchive/mkarchive $@.new \
		file:etc/manifest:0644:tests/guest/libcapos.manifest \
		file:sbin/init:0755:image/sbin/init \
		file:sbin/virtio-console:0755:image/sbin/virtio-console \
		file:bin/libcapos-test:0755:tests/guest/libcapos-test && mv -f $@.new $@
