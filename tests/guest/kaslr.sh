#!/bin/sh
# SPDX-License-Identifier: MIT
# Where the kernel is loaded: it panics for want of a boot archive, says where it was, and no two boots of any machine agree.
# Runs in the build directory.

failed=0
seen=

for machine in q35 q35 pc pc microvm microvm; do
	text=$(timeout 60 "${QEMU:-qemu-system-x86_64}" -machine $machine -cpu max -accel tcg -m 64 -display none \
		-no-reboot -nodefaults -no-user-config -kernel kernel/capos.elf -serial stdio 2>&1 </dev/null)
	place=$(printf '%s\n' "$text" | sed -n 's/.*offset of the image \(0x[0-9a-f]*\), direct map at \(0x[0-9a-f]*\);.*/\1 \2/p')
	case "$place" in
	'')
		echo "not ok - $machine: no place in"
		printf '%s\n' "$text" | sed 's/^/# /'
		failed=1
		continue
		;;
	esac
	for part in $place; do
		case " $seen " in
		*" $part "*)
			echo "not ok - $machine: $part again"
			failed=1
			;;
		esac
		seen="$seen $part"
	done
	echo "ok - $machine: image and direct map at $place"
	case "$text" in
	*"no boot archive"*"called from 0xffffffff801"*) echo "ok - its calls are named as they were linked" ;;
	*)
		echo "not ok - calls"
		printf '%s\n' "$text" | sed 's/^/# /'
		failed=1
		;;
	esac
done
exit $failed
