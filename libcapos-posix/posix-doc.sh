#!/bin/sh
# SPDX-License-Identifier: MIT
# posix-doc.sh SRCDIR SYSCALL.H: doc/posix.md on standard output, from syscalls.h, absent.h, absent.inc and musl's list
# of system calls.
set -e
src=$1/libcapos-posix/src/core
calls=$2

cat <<'END'
<!-- SPDX-License-Identifier: MIT -->
# Linux's system calls

Made from the dispatcher's table and from the table of refusals by `make
posix-doc`; a test compares. *Done*: as Linux 6.12 has it, within the process's
rights. *Partial*: the options that are named fail with the errno that the
second table gives. *Absent*: ENOSYS. The log says once in each process what it
asked for and did not get: `posix: not implemented: fcntl F_SETLEASE: EINVAL`.
What Linux does not know either is refused without a line.

END
sed -n 's/^#define __NR_\([a-z0-9_]*\)[[:space:]].*/\1/p' "$calls" | sort -u |
	awk -f "$1/libcapos-posix/posix-doc.awk" - "$src/syscalls.h" "$src/absent.h" "$src/absent.inc"
