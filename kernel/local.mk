# SPDX-License-Identifier: MIT
# The kernel: one ELF file, started by PVH.

noinst_PROGRAMS += kernel/capos.elf

# Memory, architecture.
kernel_capos_elf_SOURCES = \
	kernel/kernel.h kernel/lib.c kernel/object_header.h \
	kernel/memory/account.c kernel/memory/account.h \
	kernel/memory/page.c kernel/memory/page.h \
	kernel/memory/slab.c kernel/memory/slab.h \
	kernel/memory/bytes.c \
	kernel/memory/frames.c kernel/memory/frames.h \
	kernel/memory/mapping.h \
	kernel/memory/range.c \
	kernel/memory/remap.c \
	kernel/memory/reach.c \
	kernel/memory/slice.c \
	kernel/memory/memobj.c kernel/memory/memobj.h \
	kernel/memory/space.c kernel/memory/space.h \
	kernel/arch/x86_64/acpi.c \
	kernel/arch/x86_64/apic.c \
	kernel/arch.h kernel/arch/x86_64/registers.h \
	kernel/arch/x86_64/boot.c \
	kernel/arch/x86_64/clock.c \
	kernel/arch/x86_64/cpu.c \
	kernel/arch/x86_64/entry.S \
	kernel/arch/x86_64/machine.c \
	kernel/arch/x86_64/memory.c \
	kernel/arch/x86_64/offsets.h \
	kernel/arch/x86_64/pci.c \
	kernel/arch/x86_64/protection.c \
	kernel/arch/x86_64/relocate.c \
	kernel/arch/x86_64/start.S \
	kernel/arch/x86_64/table.c \
	kernel/arch/x86_64/thread.c \
	kernel/arch/x86_64/trap.c \
	kernel/arch/x86_64/x86.h

# Capabilities, rings, processes, devices.
kernel_capos_elf_SOURCES += \
	kernel/object/account.c \
	kernel/process/cap.c kernel/process/cap.h \
	kernel/chacha20.c \
	kernel/object/code.c \
	kernel/object/labeller.c \
	kernel/cpu.h \
	kernel/device/device.c kernel/device/device.h \
	kernel/process/elf.c \
	kernel/kinds.c \
	kernel/object/bytes.c kernel/object/bytes.h \
	kernel/object/call.c kernel/object/call.h \
	kernel/object/endpoint.c kernel/object/endpoint.h \
	kernel/entropy.c kernel/entropy.h \
	kernel/object/entropy.c \
	kernel/object/event.c kernel/object/event.h \
	kernel/process/exec.c \
	kernel/fault.h \
	kernel/process/fault.c \
	kernel/process/fork.c \
	kernel/process/futex.c kernel/process/futex.h \
	kernel/process/robust.c kernel/process/robust.h \
	kernel/object/kcall.c kernel/object/kcall.h \
	kernel/list.h \
	kernel/logbuffer.c kernel/logbuffer.h kernel/share.h \
	kernel/object/log.c \
	kernel/main.c \
	kernel/process/log.c kernel/process/log.h \
	kernel/process/op.c \
	kernel/device/pci.c kernel/device/pci.h \
	kernel/process/process.c kernel/process/process.h \
	kernel/object/memory.c kernel/object/processcall.c \
	kernel/ring.c kernel/ring.h \
	kernel/process/sched.c \
	kernel/process/shortage.c kernel/process/shortage.h \
	kernel/process/spawn.c \
	kernel/object/slicejob.c \
	kernel/object/spawner.c \
	kernel/object/status.c \
	kernel/submit.c \
	kernel/tree.c kernel/tree.h \
	kernel/work.c kernel/work.h \
	kernel/process/thread.c kernel/process/thread.h \
	kernel/process/timeout.c kernel/process/timeout.h \
	kernel/object/timer.h \
	kernel/object/timerobj.c \
	kernel/object/transfer.c kernel/object/transfer.h

# The messages of the objects that the kernel serves, and text that processes choose.
kernel_capos_elf_SOURCES += libcapos/format.c libcapos/msg.c libcapos/text.c
nodist_kernel_capos_elf_SOURCES = gen/schema/kernel.c

KERNEL_LINK_SCRIPT = kernel/arch/x86_64/kernel.ld
EXTRA_DIST += $(KERNEL_LINK_SCRIPT)
EXTRA_kernel_capos_elf_DEPENDENCIES = $(KERNEL_LINK_SCRIPT)

kernel_capos_elf_CPPFLAGS = $(KERNEL_CPPFLAGS)
kernel_capos_elf_CFLAGS = $(KERNEL_CFLAGS)
kernel_capos_elf_CCASFLAGS = $(KERNEL_CCASFLAGS)
kernel_capos_elf_LDFLAGS = $(KERNEL_LINK_FLAGS) -Wl,-T,$(srcdir)/$(KERNEL_LINK_SCRIPT)
kernel_capos_elf_LDADD = $(KERNEL_LIBS)
