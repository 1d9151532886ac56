#!/bin/sh
# SPDX-License-Identifier: MIT
# Files and sockets of POSIX programs, each in a machine; the sockets' peer runs here.  Runs in the build directory.

: "${srcdir:=.}"
log=tests/guest/sockets.log
peer=tests/guest/sockets.peer
failed=0

run()
{
	name=$1
	shift
	echo "# $name"
	if ./capos run --timeout 120 --log "$log" "$@" </dev/null; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		cat "$log"
		failed=1
	fi
}

run posix_files -- tests/guest/posix_files

mkfifo "$peer.$$"
"${PYTHON:-python3}" "$srcdir/tests/guest/posix_peer.py" >"$peer.$$" &
pid=$!
read -r control free <"$peer.$$"
rm -f "$peer.$$"
run posix_sockets --forward "tcp:$free:7777" -- tests/guest/posix_sockets 10.0.2.2 "$control" "$free"
kill "$pid" 2>/dev/null
wait "$pid" 2>/dev/null

exit $failed
