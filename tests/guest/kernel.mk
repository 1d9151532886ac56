# SPDX-License-Identifier: MIT
# The kernel from inside: a test program in init's place, its children, and a hostile one.

KERNEL_TEST_BINARIES = tests/guest/kernel_test tests/guest/kernel_child tests/guest/ring_fuzz \
	tests/guest/kernel_fuzz
check_PROGRAMS += $(KERNEL_TEST_BINARIES)
check_DATA += tests/guest/kernel.image
EXTRA_DIST += tests/guest/kernel.sh tests/guest/kaslr.sh
TESTS += tests/guest/kernel.sh tests/guest/kaslr.sh
CLEANFILES += tests/guest/kernel.image tests/guest/kernel.log

tests_guest_kernel_test_SOURCES = tests/guest/kernel_test.c tests/guest/kernel_test.h \
	tests/guest/kernel_test_account.c tests/guest/kernel_test_code.c tests/guest/kernel_test_depth.c tests/guest/kernel_test_fork.c tests/guest/kernel_test_ipc.c tests/guest/kernel_test_label.c tests/guest/kernel_test_memory.c \
	tests/guest/kernel_test_process.c tests/guest/kernel_test_ring.c tests/guest/kernel_test_share.c \
	tests/guest/kernel_test_time.c tests/guest/tap.c tests/guest/tap.h
tests_guest_kernel_test_CPPFLAGS = $(NATIVE_CPPFLAGS)
tests_guest_kernel_test_CFLAGS = $(NATIVE_CFLAGS)
tests_guest_kernel_test_LDFLAGS = $(NATIVE_LINK_FLAGS)
tests_guest_kernel_test_LDADD = $(NATIVE_LIBS)

tests_guest_kernel_child_SOURCES = tests/guest/kernel_child.c
tests_guest_kernel_child_CPPFLAGS = $(NATIVE_CPPFLAGS)
tests_guest_kernel_child_CFLAGS = $(NATIVE_CFLAGS)
tests_guest_kernel_child_LDFLAGS = $(NATIVE_LINK_FLAGS)
tests_guest_kernel_child_LDADD = $(NATIVE_LIBS)

tests_guest_ring_fuzz_SOURCES = tests/guest/ring_fuzz.c
tests_guest_ring_fuzz_CPPFLAGS = $(NATIVE_CPPFLAGS)
tests_guest_ring_fuzz_CFLAGS = $(NATIVE_CFLAGS)
tests_guest_ring_fuzz_LDFLAGS = $(NATIVE_LINK_FLAGS)
tests_guest_ring_fuzz_LDADD = $(NATIVE_LIBS)

tests_guest_kernel_fuzz_SOURCES = tests/guest/kernel_fuzz.c
tests_guest_kernel_fuzz_CPPFLAGS = $(NATIVE_CPPFLAGS)
tests_guest_kernel_fuzz_CFLAGS = $(NATIVE_CFLAGS)
tests_guest_kernel_fuzz_LDFLAGS = $(NATIVE_LINK_FLAGS)
tests_guest_kernel_fuzz_LDADD = $(NATIVE_LIBS)

tests/guest/kernel.image: tools/mkarchive/mkarchive kernel/capos.elf $(KERNEL_TEST_BINARIES)
	$(say_image)tools/mkarchive/mkarchive $@.new \
		file:sbin/init:0755:tests/guest/kernel_test \
		file:sbin/kernel_child:0755:tests/guest/kernel_child \
		file:sbin/kernel_fuzz:0755:tests/guest/kernel_fuzz \
		file:sbin/ring_fuzz:0755:tests/guest/ring_fuzz && mv -f $@.new $@
