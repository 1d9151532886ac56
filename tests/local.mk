# SPDX-License-Identifier: MIT
# Unit tests on the host, programs in the guest, whole machines.  `make check` runs all, each as one test of
# Automake's driver; what each found is in its log beside it.

AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)'; export srcdir; \
	CAPOS='$(abs_builddir)/capos'; export CAPOS; \
	CAPOS_BUILDDIR='$(abs_builddir)'; export CAPOS_BUILDDIR; \
	CAPOS_SRCDIR='$(abs_srcdir)'; export CAPOS_SRCDIR; \
	CAPNP='$(CAPNP)'; export CAPNP; \
	PYTHON='$(PYTHON)'; export PYTHON;

include $(srcdir)/tests/unit/local.mk
include $(srcdir)/tests/guest/local.mk
include $(srcdir)/tests/system/local.mk

TESTS += tests/lint
EXTRA_DIST += tests/lint tests/bare.py

# Those that need no guest.
check-unit: $(UNIT_TESTS)
	$(MAKE) check TESTS='$(UNIT_TESTS)'

# ./bootstrap on bare systems, in all orders of its commands: hours.  BARE: its options, for instance
# BARE='--suites bookworm --orders demo,check'.
check-bare:
	$(PYTHON) $(srcdir)/tests/bare.py --source $(srcdir) --distfiles $(PORT_DISTFILES) $(BARE)
CLEAN_TARGETS += clean-bare
clean-bare:
	rm -rf bare
.PHONY: check-unit check-bare clean-bare
