# SPDX-License-Identifier: MIT
# BusyBox's own tests in the guest, compared with the results of the same BusyBox on Linux with musl.

TESTS += tests/suites/busybox/test_busybox.py
EXTRA_DIST += tests/suites/busybox/test_busybox.py tests/suites/busybox/suite.py tests/suites/busybox/run \
	tests/suites/busybox/on-linux tests/suites/busybox/linux.txt tests/suites/busybox/named.txt

# As root, with musl-gcc (package musl-tools): makes linux.txt again, for a new BusyBox or another configuration.
busybox-suite-on-linux: work/busybox/image.entries
	$(PYTHON) $(srcdir)/tests/suites/busybox/on-linux --source $(srcdir) --build .
.PHONY: busybox-suite-on-linux
