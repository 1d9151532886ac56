#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots tests/guest/abuse with the capabilities that it counts and kills by.  ABUSE_KILLS: how many processes it kills.
# Runs in the build directory.

: "${srcdir:=.}"
log=tests/guest/abuse.log

sed -e '/"stdin", service/d' -e '/"stderr", service/d' -e \
	's/^  program = \[/&(name = "status", kernel = "systemStatus"), (name = "processes-process", process = "process"),/' \
	"$srcdir/manifests/default.txt" >tests/guest/abuse.txt
capnp encode --no-standard-import --flat "$srcdir/schema/manifest.capnp" Manifest <tests/guest/abuse.txt \
	>tests/guest/abuse.manifest || exit 1
./capos run --timeout "${ABUSE_TIMEOUT:-400}" --log $log --file tests/guest/abuse.manifest:/etc/manifest -- \
	tests/guest/abuse "${ABUSE_KILLS:-300}" "${ABUSE_SEED:-1}" </dev/null
status=$?
[ $status = 0 ] || cat $log
exit $status
