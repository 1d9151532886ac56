# SPDX-License-Identifier: MIT
# Programs that test from inside the guest and print TAP.

include $(srcdir)/tests/guest/kernel.mk
include $(srcdir)/tests/guest/drivers.mk
include $(srcdir)/tests/guest/init.mk
include $(srcdir)/tests/guest/libcapos.mk
include $(srcdir)/tests/guest/netstack.mk
include $(srcdir)/tests/guest/posix.mk
include $(srcdir)/tests/guest/restart.mk
include $(srcdir)/tests/guest/sockets.mk

# Manifest's text to its message, for the tests that boot their own system.
GUEST_MANIFESTS = tests/guest/drivers.manifest tests/guest/libcapos.manifest
$(GUEST_MANIFESTS): %.manifest: %.txt $(SCHEMAS)
	$(say_gen)$(ENCODE_MANIFEST) <$< >$@.new && mv -f $@.new $@
