#!/bin/sh
# SPDX-License-Identifier: MIT
# absent.sh SRCDIR SYSCALL.H: doc/absent.md on standard output, from absent.inc, syscalls.h and musl's list of system
# calls.
set -e
src=$1/libcapos-posix/src/core
calls=$2

cat <<'END'
<!-- SPDX-License-Identifier: MIT -->
# What is absent

Made from the code by `make absent-doc`; a test compares. What a program asks
for that stands here fails with the errno beside it, and the log says so once in
each process: `posix: not implemented: fcntl F_SETLK: EINVAL`. What Linux does
not know either is refused without a line.

## System calls (ENOSYS)

END
sed -n 's/^[[:space:]]*SYSCALL(\([a-z0-9_]*\),.*/\1/p' "$src/syscalls.h" | sort >absent.$$
sed -n 's/^#define __NR_\([a-z0-9_]*\)[[:space:]].*/\1/p' "$calls" | sort | comm -23 - absent.$$ | tr '\n' ' ' |
	fold -s -w 80 | sed 's/ *$//'
rm -f absent.$$
printf '\n\n## Options of calls that exist\n\n| call | option | errno |\n|---|---|---|\n'
awk '
FNR == NR {
	if (match($0, /SUBJECT\([A-Z0-9_]+, "[^"]*"\)/)) {
		split(substr($0, RSTART, RLENGTH), part, "\"")
		name = part[1]
		gsub(/SUBJECT\(|, /, "", name)
		text[name] = part[2]
	}
	next
}
/^ABSENT\(/ {
	split($0, part, "\"")
	subject = part[1]
	gsub(/ABSENT\(|,.*/, "", subject)
	error = part[3]
	gsub(/[, )]/, "", error)
	printf "| %s | %s | %s |\n", text[subject], part[2], error == "0" ? "" : error
}' "$src/absent.h" "$src/absent.inc"
