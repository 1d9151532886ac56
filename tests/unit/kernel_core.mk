# SPDX-License-Identifier: MIT
# The rest of the kernel on the host: single files, and all of it above a fake architecture.

UNIT_TESTS += tests/unit/test_captable
tests_unit_test_captable_SOURCES = tests/unit/test_captable.c kernel/process/cap.c $(KERNEL_MEMORY_SOURCES)
tests_unit_test_captable_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_captable_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_captable_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_ring
tests_unit_test_ring_SOURCES = tests/unit/test_ring.c kernel/ring.c
tests_unit_test_ring_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/kernel
tests_unit_test_ring_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ring_LDADD = $(UNIT_LIBS)

KERNEL_UNIT_CORE = tests/unit/core_fake.c tests/unit/core_fake.h kernel/object/account.c kernel/kinds.c kernel/process/cap.c kernel/chacha20.c kernel/entropy.c kernel/object/code.c kernel/object/labeller.c \
	kernel/device/device.c kernel/process/elf.c kernel/object/call.c kernel/object/endpoint.c kernel/object/entropy.c kernel/object/event.c kernel/process/exec.c kernel/process/fork.c \
	kernel/process/futex.c kernel/object/kcall.c kernel/object/log.c kernel/process/log.c kernel/logbuffer.c kernel/process/op.c kernel/device/pci.c kernel/process/process.c kernel/process/robust.c \
	kernel/object/bytes.c kernel/object/memory.c kernel/object/processcall.c kernel/ring.c kernel/process/sched.c kernel/process/spawn.c kernel/object/slicejob.c kernel/object/spawner.c kernel/object/status.c \
	kernel/submit.c kernel/process/thread.c kernel/process/timeout.c kernel/object/timerobj.c kernel/object/transfer.c \
	libcapos/format.c libcapos/msg.c libcapos/text.c
KERNEL_UNIT_CORE += kernel/process/shortage.c

UNIT_TESTS += tests/unit/test_endpoint
tests_unit_test_endpoint_SOURCES = tests/unit/test_endpoint.c $(KERNEL_UNIT_CORE) \
	$(KERNEL_MEMORY_SOURCES)
nodist_tests_unit_test_endpoint_SOURCES = gen/schema/kernel.c
tests_unit_test_endpoint_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_endpoint_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_endpoint_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_pieces
tests_unit_test_pieces_SOURCES = tests/unit/test_pieces.c $(KERNEL_UNIT_CORE) $(KERNEL_MEMORY_SOURCES)
nodist_tests_unit_test_pieces_SOURCES = gen/schema/kernel.c
tests_unit_test_pieces_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_pieces_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_pieces_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_fork
tests_unit_test_fork_SOURCES = tests/unit/test_fork.c $(KERNEL_UNIT_CORE) $(KERNEL_MEMORY_SOURCES)
nodist_tests_unit_test_fork_SOURCES = gen/schema/kernel.c
tests_unit_test_fork_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_fork_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_fork_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_kcall
tests_unit_test_kcall_SOURCES = tests/unit/test_kcall.c $(KERNEL_UNIT_CORE) $(KERNEL_MEMORY_SOURCES)
nodist_tests_unit_test_kcall_SOURCES = gen/schema/kernel.c
tests_unit_test_kcall_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_kcall_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_kcall_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_sched
tests_unit_test_sched_SOURCES = tests/unit/test_sched.c $(KERNEL_UNIT_CORE) $(KERNEL_MEMORY_SOURCES)
nodist_tests_unit_test_sched_SOURCES = gen/schema/kernel.c
tests_unit_test_sched_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_sched_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sched_LDADD = $(UNIT_LIBS)
