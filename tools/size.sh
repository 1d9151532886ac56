#!/bin/sh
# SPDX-License-Identifier: MIT
# Counts the kernel: size.sh SOURCE-DIRECTORY BUILD-DIRECTORY.  Lines of source as they stand, comments included; what
# is over its aim is said.  The ABI's headers are shared with programs and counted apart, as is what is linked in from
# elsewhere.

src=$1
build=$2

lines()
{
	cat "$@" | wc -l
}

# line WHAT LINES [AIM]
line()
{
	over=
	if [ -n "$3" ] && [ "$2" -gt "$3" ]; then
		over=", $(($2 - $3)) over"
	fi
	printf '%-34s %6d%s\n' "$1" "$2" "${3:+  (aim $3$over)}"
}

build=$(cd "$build" && pwd)
cd "$src" || exit 1
arch=$(find kernel/arch -name '*.[chS]' -o -path 'kernel/arch/*' -name '*.ld' | sort)
core=$(find kernel -name '*.[chS]' ! -path 'kernel/arch/*' ! -path 'kernel/abi/*' | sort)
for room in object memory process device; do
	line "kernel/$room" "$(lines $(find kernel/$room -name '*.[ch]'))"
done
line "kernel/ (ring, dispatch, start)" "$(lines kernel/*.[ch])"
line "core" "$(lines $core)" 6000
line "arch" "$(lines $arch)" 2400
line "ABI" "$(lines kernel/abi/capos/*.h)"
for file in $(sed -n '/^kernel_capos_elf_SOURCES/,/[^\\]$/p' kernel/local.mk | grep -o 'libcapos/[a-z0-9_/]*\.c'); do
	line "linked in: $file" "$(lines "$file")"
done
line "linked in: gen/schema/kernel.c" "$(lines "$build/gen/schema/kernel.c")"
if [ -f "$build/kernel/capos.elf" ]; then
	size "$build/kernel/capos.elf"
fi
