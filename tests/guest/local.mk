# SPDX-License-Identifier: MIT

include $(srcdir)/tests/guest/kernel.mk
include $(srcdir)/tests/guest/drivers.mk
include $(srcdir)/tests/guest/libcapos.mk
