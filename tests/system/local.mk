# SPDX-License-Identifier: MIT
# Whole machines, from outside, by pytest.  SYSTEM_TESTS: the files of tests; each is one test of `make check`, so
# that they run side by side.

SYSTEM_TESTS = tests/system/test_bootstrap.py tests/system/test_run.py tests/system/test_written.py \
	tests/system/test_data.py tests/system/test_hostdata.py \
	tests/system/test_readme.py tests/system/test_sdk.py \
	tests/system/test_network.py tests/system/test_processes.py tests/system/test_terminal.py \
	tests/system/test_files.py tests/system/test_volume.py tests/system/test_busybox.py tests/system/test_rights.py tests/system/test_transfer.py \
	tests/system/test_names.py tests/system/test_frames.py tests/system/test_limits.py \
	tests/system/test_differential.py tests/system/test_loss.py tests/system/test_restart.py tests/system/test_datagrams.py tests/system/test_listeners.py
EXTRA_DIST += tests/system/conftest.py tests/system/console.py tests/system/machine.py tests/system/peers.py \
	tests/system/tapnet.py tests/system/lossy.py tests/system/attempt.c tests/system/restart.c tests/system/mapper.c tests/system/hog.c tests/system/many.c tests/system/authority.c tests/system/crash.c tests/system/ends.c tests/system/shortage.c tests/system/greet.c tests/system/udp_echo.c tests/system/tcp_echo.c tests/system/network_hog.c \
	tests/system/pytest.sh $(SYSTEM_TESTS)

TEST_EXTENSIONS = .py
PY_LOG_COMPILER = $(SHELL) $(srcdir)/tests/system/pytest.sh
TESTS += $(SYSTEM_TESTS)
