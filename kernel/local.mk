# SPDX-License-Identifier: MIT
# The kernel: one ELF file, started by PVH.

noinst_PROGRAMS += kernel/capos.elf

# Memory, architecture.
kernel_capos_elf_SOURCES = \
	kernel/kernel.h kernel/lib.c \
	kernel/page.c kernel/page.h \
	kernel/slab.c kernel/slab.h \
	kernel/memobj.c kernel/memobj.h \
	kernel/space.c kernel/space.h \
	kernel/arch/x86_64/acpi.c \
	kernel/arch/x86_64/apic.c \
	kernel/arch/x86_64/arch.h \
	kernel/arch/x86_64/boot.c \
	kernel/arch/x86_64/clock.c \
	kernel/arch/x86_64/cpu.c \
	kernel/arch/x86_64/entry.S \
	kernel/arch/x86_64/machine.c \
	kernel/arch/x86_64/memory.c \
	kernel/arch/x86_64/offsets.h \
	kernel/arch/x86_64/pci.c \
	kernel/arch/x86_64/start.S \
	kernel/arch/x86_64/table.c \
	kernel/arch/x86_64/thread.c \
	kernel/arch/x86_64/trap.c \
	kernel/arch/x86_64/x86.h

# Capabilities, rings, processes, devices.
kernel_capos_elf_SOURCES += \
	kernel/cap.c kernel/cap.h \
	kernel/chacha20.c \
	kernel/cpu.h \
	kernel/device.c kernel/device.h \
	kernel/elf.c \
	kernel/endpoint.c kernel/endpoint.h \
	kernel/entropy.c kernel/entropy.h \
	kernel/event.c kernel/event.h \
	kernel/exec.c \
	kernel/fork.c \
	kernel/futex.c kernel/futex.h \
	kernel/kcall.c kernel/kcall.h \
	kernel/list.h \
	kernel/log.c \
	kernel/main.c \
	kernel/op.c \
	kernel/pci.c kernel/pci.h \
	kernel/process.c kernel/process.h \
	kernel/processcall.c \
	kernel/ring.c kernel/ring.h \
	kernel/sched.c \
	kernel/spawner.c \
	kernel/status.c \
	kernel/submit.c kernel/submit.h \
	kernel/thread.c kernel/thread.h \
	kernel/timeout.c kernel/timer.h \
	kernel/timerobj.c \
	kernel/transfer.c kernel/transfer.h

# The messages of the objects that the kernel serves.
kernel_capos_elf_SOURCES += libcapos/msg.c
nodist_kernel_capos_elf_SOURCES = gen/schema/kernel.c

KERNEL_LINK_SCRIPT = kernel/arch/x86_64/kernel.ld
EXTRA_DIST += $(KERNEL_LINK_SCRIPT)
EXTRA_kernel_capos_elf_DEPENDENCIES = $(KERNEL_LINK_SCRIPT)

kernel_capos_elf_CPPFLAGS = $(KERNEL_CPPFLAGS)
kernel_capos_elf_CFLAGS = $(KERNEL_CFLAGS)
kernel_capos_elf_CCASFLAGS = $(KERNEL_CCASFLAGS)
kernel_capos_elf_LDFLAGS = $(KERNEL_LINK_FLAGS) -Wl,-T,$(srcdir)/$(KERNEL_LINK_SCRIPT)
kernel_capos_elf_LDADD = $(KERNEL_LIBS)
