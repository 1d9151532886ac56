#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots tests/guest/scarce in a small machine with the capability that it counts by.  Runs in the build directory.

: "${srcdir:=.}"
log=tests/guest/scarce.log

sed -e '/"stdin", service/d' -e '/"stderr", service/d' -e \
	's/^  program = \[/&(name = "status", kernel = "systemStatus"),/' \
	"$srcdir/manifests/default.txt" >tests/guest/scarce.txt
capnp encode --no-standard-import --flat "$srcdir/schema/manifest.capnp" Manifest <tests/guest/scarce.txt \
	>tests/guest/scarce.manifest || exit 1
./capos run --memory 32 --timeout 300 --log $log --file tests/guest/scarce.manifest:/etc/manifest -- \
	tests/guest/scarce </dev/null
status=$?
[ $status = 0 ] || cat $log
exit $status
