# SPDX-License-Identifier: MIT
# `make bench`: capOS beside Linux in the same emulator.  Not part of `make check`: nothing here is asserted.

EXTRA_DIST += bench/bench.py bench/capos.py bench/linux.py bench/linux-guest bench/server.py
BENCH_RUNS = 5

bench: all
	$(MKDIR_P) bench
	$(srcdir)/bench/linux-guest bench/linux $(PORT_DISTFILES) $(srcdir)/ports/busybox/config
	$(PYTHON) $(srcdir)/bench/bench.py --capos ./capos --linux bench/linux --qemu $(QEMU) \
		--runs $(BENCH_RUNS) --json bench/result.json

CLEAN_TARGETS += clean-bench
clean-bench:
	rm -rf bench/linux bench/result.json

.PHONY: bench
