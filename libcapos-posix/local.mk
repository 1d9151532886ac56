# SPDX-License-Identifier: MIT
# The overlay over musl: every file that goes into the sysroot (ports/musl/build copies and compiles them).

MUSL_OVERLAY =
