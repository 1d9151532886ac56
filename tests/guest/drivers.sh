#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots tests/guest/drivers: frames and hostile clients inside the guest, and bytes through the console in bulk, to
# their end, and into a pipe that closes.  Runs in the build directory.

image=tests/guest/drivers.image
failed=0

machine()
{
	./capos run --image $image --timeout 120 --log tests/guest/drivers.log -- drivers "$@"
}

expect() # WHAT GOT WANTED
{
	if [ "$2" = "$3" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1: '$2', not '$3'"
		failed=1
	fi
}

if ! machine nic </dev/null; then
	cat tests/guest/drivers.log
	failed=1
fi
# The program's pattern, 64 KiB, 320 times.
expect "20 MiB of output arrive as they were written" \
	"$(machine output 20971520 </dev/null | cksum)" "2405877534 20971520"
expect "10 MB of input arrive, then their end" \
	"$(yes | head -c 10000000 | machine input)" "10000000 655000000"
expect "no input is its end" "$(machine input </dev/null)" "0 0"
# Ends soon, though nothing reads: the program gets an error.
machine output 1000000000 </dev/null | head -c 100000 | cksum >/dev/null
expect "output that nothing reads any more does not hang" $? 0
exit $failed
