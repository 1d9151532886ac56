# SPDX-License-Identifier: MIT
# `make bench`: capOS beside Linux in the same emulator.  Not part of `make check`: nothing here is asserted.

EXTRA_DIST += bench/bench.py bench/capos.py bench/linux.py bench/linux-guest bench/server.py
BENCH_RUNS = 5

bench: all
	$(srcdir)/bench/linux-guest bench/linux $(DISTFILES) $(BUSYBOX_CONFIG)
	$(PYTHON) $(srcdir)/bench/bench.py --capos $(CAPOS_COMMAND) --linux bench/linux --qemu $(QEMU) \
		--runs $(BENCH_RUNS) --json bench/result.json

CLEAN_TARGETS += clean-bench
clean-bench:
	rm -rf bench/linux bench/result.json

.PHONY: bench
