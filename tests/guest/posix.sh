#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots a machine for each POSIX guest test, and for what only the host sees: exit statuses and signals.  Runs in the
# build directory.

log=tests/guest/posix.log
failed=0

machine()
{
	./capos run --timeout 180 --log "$log" "$@" </dev/null
}

# check NAME EXPECTED STATUS
check()
{
	if [ "$2" = "$3" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1: $3 instead of $2"
		cat "$log"
		failed=1
	fi
}

for name in \
	ahead \
	cancel \
	contents \
	databases \
	devices \
	empty \
	epoll \
	eventfds \
	fair \
	faults \
	fds \
	fifo \
	nodes \
	fork \
	hardening \
	inotify \
	links \
	locks \
	mapped \
	maps \
	memory \
	modes \
	mqueue \
	nameless \
	partly \
	places \
	pointers \
	priority \
	scheduling \
	proc \
	processes \
	ptys \
	queued \
	remembered \
	remap \
	reopen \
	resident \
	signals \
	socketpair \
	splice \
	stack \
	stress \
	sysv \
	threads \
	time \
	timers \
	unix \
	vfork \
	users \
	wakes \
	windows
do
	echo "# posix_$name"
	machine -- "tests/guest/posix_$name"
	check "posix_$name" 0 $?
	case $name in
	fork)
		grep -q "posix: execve of /tmp/dynamic: its interpreter /lib/no-such-loader.so does not exist" "$log"
		check "a missing interpreter is named" 0 $?
		;;
	esac
done
for name in border process_fuzz queue_fuzz service_fuzz shared_fuzz terminal_fuzz; do
	echo "# $name"
	machine -- "tests/guest/$name"
	check "$name" 0 $?
done
echo "# border in a volume"
rm -rf tests/guest/border.volume && mkdir tests/guest/border.volume
machine -v tests/guest/border.volume:/volume -- tests/guest/border /volume
check "border in a volume" 0 $?
rm -rf tests/guest/border.volume
echo "# service_fuzz many"
./capos run --timeout 900 --log "$log" -- tests/guest/service_fuzz many </dev/null
check "service_fuzz many" 0 $?
# A thousand starts take their time where other work goes on.
echo "# posix_layout"
./capos run --timeout 1800 --log "$log" -- tests/guest/posix_layout </dev/null
check "posix_layout" 0 $?
# The image's place is drawn once for a machine: in 40 machines each of its 31 bits (12 to 42) is 0 and 1 at times, both
# where init starts the program and where a shell does.
echo "# posix_layout image"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40; do
	./capos run --net none --timeout 60 --file tests/guest/posix_layout:/bin/layout -- \
		busybox sh -c 'layout image; layout image' </dev/null
done >$log.places
"${PYTHON:-python3}" - $log.places <<'END'
import sys

lines = [int(line, 16) for line in open(sys.argv[1])]
first, second = lines[::2], lines[1::2]
assert len(first) == 40 and first == second, "40 machines, one place in each"
chance = [bit for bit in range(48) if 0 < sum(place >> bit & 1 for place in first) < len(first)]
print("# bits of the place by chance:", len(chance))
sys.exit(len(chance) < 28)
END
check "posix_layout image" 0 $?
zones=/usr/share/zoneinfo
echo "# posix_databases with time zones of this machine (package tzdata)"
machine --file $zones/Europe/Berlin:$zones/Europe/Berlin --file $zones/America/New_York:$zones/America/New_York \
	-- tests/guest/posix_databases zones
check "posix_databases zones" 0 $?
echo "# posix_denied"
machine --allow none -- tests/guest/posix_denied
check "posix_denied" 0 $?

echo "# ipcs and ipcrm"
machine --file tests/guest/posix_sysv:/bin/sysv -- sh -c 'sysv make && [ $(ipcs | grep -c ^0x43415057) = 3 ] &&
	ipcrm -M 0x43415057 -S 0x43415057 -Q 0x43415057 && [ $(ipcs | grep -c ^0x43415057) = 0 ]'
check "ipcs lists System V objects and ipcrm removes them" 0 $?

machine -- sh -c 'exit 7'
check "an exit status" 7 $?
machine -- sh -c 'kill -TERM $$; sleep 5'
check "a signal's default action" 143 $?

machine -- timeout 1 sleep 30
check "timeout ends what it runs" 143 $?

# Ctrl-C: capos run passes SIGINT on.
interrupted()
{
	timeout --preserve-status -s INT 2 ./capos run --timeout 180 --log "$log" -- "$@" </dev/null
}
interrupted sh -c 'while :; do :; done'
check "SIGINT ends a computing loop" 130 $?
interrupted sleep 30
check "SIGINT ends a blocked call" 130 $?

exit $failed
