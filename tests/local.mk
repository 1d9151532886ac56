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
include $(srcdir)/tests/suites/local.mk

# The same for Python; system tests say it each (system/pytest.sh), since the others run without.
if !HAVE_PYTEST
pytest_missing = this needs a Python 3 with pytest and scapy, which configure did not find: install it (Debian: \
	python3-pytest python3-scapy) and configure again; ./bootstrap check does both
pytest_checked := $(if $(filter bench check-bare check-cxx,$(MAKECMDGOALS)),$(error $(pytest_missing)))
endif

TESTS += tests/lint
EXTRA_DIST += tests/lint tests/bare.py

# Those that need no guest.
check-unit: $(UNIT_TESTS)
	$(MAKE) check TESTS='$(UNIT_TESTS)'

# C++: its library is built first, which takes minutes.
check-cxx: cxx capos
	$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/tests/system/pytest.sh $(srcdir)/tests/cxx/test_cxx.py
EXTRA_DIST += tests/cxx/test_cxx.py tests/cxx/program.cc tests/cxx/library.cc
.PHONY: check-cxx

# ./bootstrap on bare systems, in all orders of its commands: hours.  BARE: its options, for instance
# BARE='--suites bookworm --orders demo,check'.
check-bare:
	$(PYTHON) $(srcdir)/tests/bare.py --source $(srcdir) --distfiles $(PORT_DISTFILES) $(BARE)
CLEAN_TARGETS += clean-bare
clean-bare:
	rm -rf bare
.PHONY: check-unit check-bare clean-bare
