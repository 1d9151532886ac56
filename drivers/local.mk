# SPDX-License-Identifier: MIT
# One directory is one driver process; virtio/ is shared by them.

include $(srcdir)/drivers/virtio/local.mk
include $(srcdir)/drivers/virtio-9p/local.mk
include $(srcdir)/drivers/virtio-net/local.mk
include $(srcdir)/drivers/virtio-console/local.mk
