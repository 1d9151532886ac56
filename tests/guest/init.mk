# SPDX-License-Identifier: MIT
# What init must refuse.

TESTS += tests/guest/init.sh
EXTRA_DIST += tests/guest/init.sh
