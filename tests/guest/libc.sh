#!/bin/sh
# SPDX-License-Identifier: MIT
# The C library's edges: it enters the kernel in two places only, exports exactly what upstream's musl 1.2.5 exports,
# our part of it has no global names that a program's could collide with, and what native programs take from it has no
# stack guard, which would be behind a thread pointer.  Runs in the build directory.

lib=sysroot/lib
failed=0

# check NAME EXPECTED GOT
check()
{
	if [ "$2" = "$3" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1: $3 instead of $2"
		failed=1
	fi
}

calls=$(objdump -d --no-show-raw-insn "$lib/libc.so" | grep -c '[[:space:]]syscall[[:space:]]*$')
check "system call instructions: cap_enter and exit" 2 "$calls"

# Of the sorted names that an unchanged build of the pinned archive exports on x86-64.
upstream=bee186282a3948c8c76c0614faf7b56664d82af7be96603b57fb8f258d80a7f5
names=$(nm -D --defined-only "$lib/libc.so" | awk '{ print $3 }' | LC_ALL=C sort | sha256sum | cut -d ' ' -f 1)
check "exported names are upstream's" "$upstream" "$names"

foreign=$(nm --defined-only --extern-only "$lib/libc.a" 2>/dev/null |
	awk '/^capos\./ { ours = 1; next } /^[^ ]*:$/ { ours = 0 } ours && NF == 3 && $3 !~ /^__capos_/ { print $3 }' |
	tr '\n' ' ')
check "global names of our own" "" "$foreign"

for program in image/sbin/*; do
	uses=$(objdump -d --no-show-raw-insn "$program" | grep -c '%fs:0x28')
	check "$program has no guard behind a thread pointer" 0 "$uses"
done

exit $failed
