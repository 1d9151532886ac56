# SPDX-License-Identifier: MIT

include $(srcdir)/tests/guest/kernel.mk
