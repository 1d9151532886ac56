#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots the kernel with its own test in init's place and shows that one's results.  Runs in the build directory.

log=tests/guest/kernel.log
rm -f $log
timeout 120 "${QEMU:-qemu-system-x86_64}" -machine q35 -cpu max -accel tcg -m 64 -display none \
	-no-reboot -nodefaults -no-user-config -kernel kernel/capos.elf -initrd tests/guest/kernel.image \
	-serial file:$log
status=$?
sed -n 's/^init: \(ok\|not ok\|1\.\.\|#\)/\1/p' $log
if [ $status -ne 0 ]; then
	echo "the machine ended with status $status"
	exit 1
fi
# A name and a text that a process made up: neither passes for the kernel's, and nothing in it moves a cursor.
line=$(printf 'PANIC__all_is_lost__kernel: ?[2Jgone?.??.\303\274')
if ! grep -qxF "$line" $log || grep -q "^PANIC: \|$(printf '\033')" $log; then
	echo "the log shows what a process wrote without cleaning it: see $log"
	exit 1
fi
if grep -q '^init: not ok' $log || ! grep -q '^init: 1\.\.' $log; then
	echo "see $log"
	exit 1
fi
