# SPDX-License-Identifier: MIT
# The kernel's memory code on the host, with a fake architecture under it.

KERNEL_MEMORY_SOURCES = tests/unit/kernel_fake.c tests/unit/kernel_fake.h \
	kernel/tree.c kernel/work.c kernel/memory/account.c kernel/memory/page.c kernel/memory/slab.c kernel/memory/bytes.c kernel/memory/frames.c kernel/memory/range.c kernel/memory/remap.c kernel/memory/reach.c kernel/memory/slice.c kernel/memory/memobj.c kernel/memory/space.c
KERNEL_UNIT_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/kernel -DARCH_DIRECT_MAP=fake_direct_map \
	-include $(srcdir)/tests/unit/kernel_fake.h

UNIT_TESTS += tests/unit/test_account
tests_unit_test_account_SOURCES = tests/unit/test_account.c $(KERNEL_MEMORY_SOURCES)
tests_unit_test_account_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_account_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_account_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_page
tests_unit_test_page_SOURCES = tests/unit/test_page.c $(KERNEL_MEMORY_SOURCES)
tests_unit_test_page_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_page_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_page_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_memobj
tests_unit_test_memobj_SOURCES = tests/unit/test_memobj.c $(KERNEL_MEMORY_SOURCES)
tests_unit_test_memobj_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_memobj_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_memobj_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_space
tests_unit_test_space_SOURCES = tests/unit/test_space.c $(KERNEL_MEMORY_SOURCES)
tests_unit_test_space_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_space_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_space_LDADD = $(UNIT_LIBS)

# Compiles kernel/lib.c as part of itself, under other names.
UNIT_TESTS += tests/unit/test_lib
tests_unit_test_lib_SOURCES = tests/unit/test_lib.c libcapos/format.c
tests_unit_test_lib_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/kernel
tests_unit_test_lib_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_lib_LDADD = $(UNIT_LIBS)
