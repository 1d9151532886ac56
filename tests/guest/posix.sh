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

for name in databases fds fork hardening memory signals time; do
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
# A thousand starts take their time where other work goes on.
echo "# posix_layout"
./capos run --timeout 1800 --log "$log" -- tests/guest/posix_layout </dev/null
check "posix_layout" 0 $?
zones=/usr/share/zoneinfo
echo "# posix_databases with time zones of this machine (package tzdata)"
machine --file $zones/Europe/Berlin:$zones/Europe/Berlin --file $zones/America/New_York:$zones/America/New_York \
	-- tests/guest/posix_databases zones
check "posix_databases zones" 0 $?
echo "# posix_denied"
machine --allow none -- tests/guest/posix_denied
check "posix_denied" 0 $?

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
