# SPDX-License-Identifier: MIT
# The Open POSIX Test Suite's tests of interfaces in the guest, compared with the same files on Linux with musl.

TESTS += tests/suites/posixtestsuite/test_posix.py
EXTRA_DIST += ports/posixtestsuite/recipe tests/suites/posixtestsuite/test_posix.py tests/suites/posixtestsuite/pts.py \
	tests/suites/posixtestsuite/runner.c tests/suites/posixtestsuite/build tests/suites/posixtestsuite/on-linux \
	tests/suites/posixtestsuite/linux.txt tests/suites/posixtestsuite/named.txt

PTS = tests/suites/posixtestsuite/programs
check_DATA += $(PTS)/.stamp
work/posixtestsuite/.unpacked: $(srcdir)/ports/posixtestsuite/recipe
	$(say_port)$(PORT_ENV) $(SHELL) $(srcdir)/ports/unpack posixtestsuite
# Dynamic programs: they are small, and what they find changes with libc.so, without being linked again.
$(PTS)/.stamp: work/posixtestsuite/.unpacked $(srcdir)/tests/suites/posixtestsuite/build \
		$(srcdir)/tests/suites/posixtestsuite/runner.c | $(SYSROOT)/.stamp
	$(say_port)rm -rf $(PTS)
	$(AM_V_at)$(SHELL) $(srcdir)/tests/suites/posixtestsuite/build work/posixtestsuite $(PTS) \
		'$(abs_builddir)/$(SYSROOT)/bin/x86_64-capos-linux-musl-gcc' `nproc`
	$(AM_V_at)$(POSIX_TEST_CC) -dynamic -o $(PTS)/runner $(srcdir)/tests/suites/posixtestsuite/runner.c
	$(AM_V_at)touch $@

# With musl's dynamic linker (package musl): makes linux.txt again, from the files that run in the guest.
posix-suite-on-linux: $(PTS)/.stamp
	$(PYTHON) $(srcdir)/tests/suites/posixtestsuite/on-linux --source $(srcdir) --build .
.PHONY: posix-suite-on-linux
CLEAN_TARGETS += clean-posixtestsuite
clean-posixtestsuite:
	rm -rf $(PTS)
