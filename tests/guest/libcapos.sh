#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots tests/guest/libcapos-test, whose results are in the log.  Runs in the
# build directory.

image=tests/guest/libcapos.image
log=tests/guest/libcapos.log

machine()
{
	./capos run --image "$image" --net none --timeout 180 --log "$log" -- "$@" </dev/null
}

machine libcapos-test
status=$?
sed -n 's/^libcapos-test: \(ok\|not ok\|#\|1\.\.\)/\1/p' "$log"
grep -q '^libcapos-test: 1\.\.' "$log" || { cat "$log"; exit 1; }
exit $status
