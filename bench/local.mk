# SPDX-License-Identifier: MIT
# `make bench`: capOS beside Linux in the same emulator.  Not part of `make check`: nothing here is asserted.

EXTRA_DIST += bench/bench.py bench/capos.py bench/linux.py bench/linux-guest bench/posix.c bench/server.py
BENCH_RUNS = 5

# Rows whose name contains this; "program": those of bench/posix.c; empty: all.
BENCH_ONLY =

# bench/posix is one file on both systems, and what it executes the same source with the C library of each.
BENCH_CFLAGS = -std=gnu11 -O2 $(WARNINGS)
bench: all
	$(MKDIR_P) bench
	$(srcdir)/bench/linux-guest bench/linux $(PORT_DISTFILES) $(srcdir)/ports/busybox/config
	bench/linux/musl/bin/musl-gcc $(BENCH_CFLAGS) -o bench/posix $(srcdir)/bench/posix.c
	bench/linux/musl/bin/musl-gcc $(BENCH_CFLAGS) -static -o bench/linux/posix-static $(srcdir)/bench/posix.c
	$(SYSROOT)/bin/x86_64-capos-linux-musl-gcc $(BENCH_CFLAGS) -o bench/posix-static $(srcdir)/bench/posix.c
	$(PYTHON) $(srcdir)/bench/bench.py --capos ./capos --linux bench/linux --qemu $(QEMU) \
		--program bench/posix --static bench/posix-static \
		--runs $(BENCH_RUNS) $(if $(BENCH_ONLY),--only "$(BENCH_ONLY)") --json bench/result.json

CLEAN_TARGETS += clean-bench
clean-bench:
	rm -rf bench/linux bench/posix bench/posix-static bench/result.json

.PHONY: bench

# `make bench-latency`: how long the kernel keeps interrupts off.  BENCH_MEMORY: of the machine, in MiB.  BENCH_CLOCK:
# by default the emulated time is counted in instructions, 2 ns each (the emulator needs 1 to 2 for one), so that the
# host's other work is not measured; empty: real time.
LATENCY_BINARIES = bench/latency bench/latency_load
EXTRA_PROGRAMS += $(LATENCY_BINARIES)
CLEANFILES += bench/latency.image $(LATENCY_BINARIES)
BENCH_MEMORY = 256
BENCH_CLOCK = -icount shift=1,sleep=off

bench_latency_SOURCES = bench/latency.c
bench_latency_CPPFLAGS = $(NATIVE_CPPFLAGS)
bench_latency_CFLAGS = $(NATIVE_CFLAGS)
bench_latency_LDFLAGS = $(NATIVE_LINK_FLAGS)
bench_latency_LDADD = $(NATIVE_LIBS)

bench_latency_load_SOURCES = bench/latency_load.c
bench_latency_load_CPPFLAGS = $(NATIVE_CPPFLAGS)
bench_latency_load_CFLAGS = $(NATIVE_CFLAGS)
bench_latency_load_LDFLAGS = $(NATIVE_LINK_FLAGS)
bench_latency_load_LDADD = $(NATIVE_LIBS)

bench/latency.image: tools/mkarchive/mkarchive kernel/capos.elf $(LATENCY_BINARIES)
	$(say_image)tools/mkarchive/mkarchive $@.new \
		file:sbin/init:0755:bench/latency \
		file:sbin/latency_load:0755:bench/latency_load && mv -f $@.new $@

bench-latency: bench/latency.image
	$(QEMU) -machine q35 -cpu max -accel tcg -m $(BENCH_MEMORY) -display none -no-reboot -nodefaults -no-user-config \
		-kernel kernel/capos.elf -initrd bench/latency.image -serial stdio $(BENCH_CLOCK) | sed -n 's/^init: //p'

.PHONY: bench-latency
