# SPDX-License-Identifier: MIT
# Test suites of others, run in the guest and compared with the same on Linux.

include $(srcdir)/tests/suites/busybox/local.mk
include $(srcdir)/tests/suites/posixtestsuite/local.mk
