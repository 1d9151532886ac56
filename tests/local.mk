# SPDX-License-Identifier: MIT
# Unit tests on the host, programs in the guest, whole machines.

include $(srcdir)/tests/unit/local.mk
include $(srcdir)/tests/guest/local.mk
include $(srcdir)/tests/system/local.mk
