# SPDX-License-Identifier: MIT

EXTRA_DIST += README.md doc/posix.md doc/abi.md doc/architecture.md doc/developing.md doc/kernel.md doc/porting.md doc/running.md
