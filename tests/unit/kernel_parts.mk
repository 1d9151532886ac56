# SPDX-License-Identifier: MIT
# Parts of the kernel core on the host: the image loader, PCI, the queue of deadlines, ChaCha20.

UNIT_TESTS += tests/unit/test_elf
tests_unit_test_elf_SOURCES = tests/unit/test_elf.c $(KERNEL_UNIT_CORE) $(KERNEL_MEMORY_SOURCES)
nodist_tests_unit_test_elf_SOURCES = gen/schema/kernel.c
tests_unit_test_elf_CPPFLAGS = $(KERNEL_UNIT_CPPFLAGS)
tests_unit_test_elf_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_elf_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_pci
tests_unit_test_pci_SOURCES = tests/unit/test_pci.c kernel/device/pci.c
tests_unit_test_pci_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/kernel
tests_unit_test_pci_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_pci_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_timeout
tests_unit_test_timeout_SOURCES = tests/unit/test_timeout.c kernel/process/timeout.c kernel/tree.c kernel/work.c kernel/chacha20.c
tests_unit_test_timeout_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/kernel
tests_unit_test_timeout_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_timeout_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_tree
tests_unit_test_tree_SOURCES = tests/unit/test_tree.c kernel/tree.c
tests_unit_test_tree_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(srcdir)/kernel
tests_unit_test_tree_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_tree_LDADD = $(UNIT_LIBS)
