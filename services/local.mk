# SPDX-License-Identifier: MIT
# One directory is one server process.

include $(srcdir)/services/init/local.mk
include $(srcdir)/services/files/local.mk
include $(srcdir)/services/process/local.mk
include $(srcdir)/services/terminal/local.mk
