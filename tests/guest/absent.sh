#!/bin/sh
# SPDX-License-Identifier: MIT
# What is not implemented says so: a sweep over Linux's system calls and their options, whose refusals must all have
# their line in the log; and doc/posix.md says the same as the code.  Runs in the build directory.

: "${srcdir:=.}"
log=tests/guest/absent.log
out=tests/guest/absent.out
failed=0

for part in calls options; do
	if timeout 120 ./capos run --timeout 100 --log "$log" -- tests/guest/posix_absent "$part" </dev/null >"$out"; then
		echo "ok - sweep of $part"
	else
		echo "not ok - sweep of $part"
		failed=1
	fi
	grep -v '^named' "$out"
	sed -n 's/^named //p' "$out" | sort -u >"$out.names"
	missing=0
	while read -r name; do
		grep -qF "$name" "$log" || { echo "# not in the log: $name"; missing=1; }
	done <"$out.names"
	if [ "$missing" = 0 ] && [ -s "$out.names" ]; then
		echo "ok - each of $(wc -l <"$out.names") absent $part is named in the log"
	else
		echo "not ok - each absent one of the $part is named in the log"
		failed=1
	fi
	twice=$(sed -n 's/.*posix: not implemented: \(.*\) (number.*/\1/p' "$log" | sort | uniq -d)
	if [ -z "$twice" ]; then
		echo "ok - once"
	else
		echo "not ok - once: $twice"
		failed=1
	fi
done

if sh "$srcdir/libcapos-posix/posix-doc.sh" "$srcdir" sysroot/include/bits/syscall.h | diff -u "$srcdir/doc/posix.md" -; then
	echo "ok - doc/posix.md is what the code says"
else
	echo "not ok - doc/posix.md is what the code says (make posix-doc)"
	failed=1
fi
rm -f "$out" "$out.names"
exit $failed
