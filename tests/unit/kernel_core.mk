# SPDX-License-Identifier: MIT
# The rest of the kernel on the host: single files, and all of it above a fake architecture.

UNIT_TESTS += tests/unit/test_captable
tests_unit_test_captable_SOURCES = tests/unit/test_captable.c kernel/cap.c $(KERNEL_MEMORY_SOURCES)
tests_unit_test_captable_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_captable_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_captable_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_ring
tests_unit_test_ring_SOURCES = tests/unit/test_ring.c kernel/ring.c
tests_unit_test_ring_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/kernel
tests_unit_test_ring_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ring_LDADD = $(UNIT_LIBS)

KERNEL_UNIT_CORE = tests/unit/core_fake.c tests/unit/core_fake.h kernel/cap.c kernel/chacha20.c \
	kernel/device.c kernel/elf.c kernel/endpoint.c kernel/entropy.c kernel/event.c kernel/exec.c kernel/fork.c \
	kernel/futex.c kernel/kcall.c kernel/log.c kernel/op.c kernel/pci.c kernel/process.c \
	kernel/processcall.c kernel/ring.c kernel/sched.c kernel/spawner.c kernel/status.c \
	kernel/submit.c kernel/thread.c kernel/timeout.c kernel/timerobj.c kernel/transfer.c \
	libcapos/msg.c

UNIT_TESTS += tests/unit/test_endpoint
tests_unit_test_endpoint_SOURCES = tests/unit/test_endpoint.c $(KERNEL_UNIT_CORE) \
	$(KERNEL_MEMORY_SOURCES)
nodist_tests_unit_test_endpoint_SOURCES = gen/schema/kernel.c
tests_unit_test_endpoint_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_endpoint_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_endpoint_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_fork
tests_unit_test_fork_SOURCES = tests/unit/test_fork.c $(KERNEL_UNIT_CORE) $(KERNEL_MEMORY_SOURCES)
nodist_tests_unit_test_fork_SOURCES = gen/schema/kernel.c
tests_unit_test_fork_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_fork_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_fork_LDADD = $(UNIT_LIBS)
