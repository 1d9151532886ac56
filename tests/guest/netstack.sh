#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots tests/guest/netstack-test, whose results are in the log.  Runs in the build directory.

log=tests/guest/netstack.log
./capos run --timeout 120 --log "$log" -- tests/guest/netstack-test </dev/null
status=$?
sed -n 's/^netstack-test: \(ok\|not ok\|#\|1\.\.\)/\1/p' "$log"
grep -q '^netstack-test: 1\.\.' "$log" || { cat "$log"; exit 1; }
exit $status
