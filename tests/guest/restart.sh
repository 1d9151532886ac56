#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots tests/guest/restart, which kills every service of the standard system in turn; then a service that crashes more
# often than its manifest allows, and one whose end is final at once.  Runs in the build directory.

: "${srcdir:=.}"
work=tests/guest/restart.work
log=$work/log
failed=0

rm -rf $work && mkdir -p $work || exit 1

# image FILE MANIFEST
image()
{
	capnp encode --no-standard-import --flat "$srcdir/schema/manifest.capnp" Manifest <"$2" >$work/manifest &&
		tools/mkarchive/mkarchive "$1" file:etc/manifest:0644:$work/manifest \
			file:sbin/init:0755:image/sbin/init \
			file:sbin/virtio-console:0755:image/sbin/virtio-console \
			file:sbin/virtio-net:0755:image/sbin/virtio-net \
			file:sbin/netstack:0755:image/sbin/netstack \
			file:sbin/files:0755:image/sbin/files \
			file:sbin/process:0755:image/sbin/process \
			file:sbin/terminal:0755:image/sbin/terminal \
			file:bin/restart:0755:tests/guest/restart \
			file:bin/posix_restart:0755:tests/guest/posix_restart
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

processes='(name = "console-process", process = "virtio-console"), (name = "driver-process", process = "virtio-net"), (name = "netstack-process", process = "netstack"), (name = "files-process", process = "files"), (name = "whole-network", service = "netstack.network"),'
sed -e '/"stderr", service/d' -e '/"terminals", service/d' -e '/^    (name = "entropy", kernel/d' -e "s/^  program = \[/  program = [ $processes/" "$srcdir/manifests/default.txt" >$work/every.txt
sed -i '/"world", service/d' $work/every.txt
image $work/every $work/every.txt
expect "stdout before and behind the console's end" \
	"$(./capos run --image $work/every --timeout 120 --log $log -- restart </dev/null; echo $?)" "before
behind
0"
sed -n 's/^restart: \(ok\|not ok\|#\|1\.\.\)/\1/p' $log
grep -q '^restart: 1\.\.' $log || { cat $log; failed=1; }

# A POSIX program, with a peer here that accepts connections and keeps silent, and sends datagrams back.
mkfifo "$work/port"
"${PYTHON:-python3}" -c '
import socket, threading
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(20)
datagrams = socket.socket(type=socket.SOCK_DGRAM)
datagrams.bind(listener.getsockname())
def echo():
    while True:
        datagrams.sendto(*datagrams.recvfrom(100))
threading.Thread(target=echo, daemon=True).start()
print(listener.getsockname()[1], flush=True)
kept = []
while True:
    kept.append(listener.accept())
' >"$work/port" &
peer=$!
read -r port <"$work/port"
processes='(name = "console-process", process = "virtio-console"), (name = "driver-process", process = "virtio-net"), (name = "netstack-process", process = "netstack"), (name = "files-process", process = "files"), (name = "processes-process", process = "process"),'
sed -e '/"stdin", service/d' -e '/"terminals", service/d' -e '/"stderr", service/d' -e '/^    (name = "entropy", kernel/d' \
	-e "s/^  program = \[/  program = [ $processes/" "$srcdir/manifests/default.txt" >$work/posix.txt
image $work/posix $work/posix.txt
./capos run --image $work/posix --timeout 200 --log $log -- posix_restart "$port" </dev/null >$work/out
expect "a POSIX program after the services' ends" $? 0
cat $work/out
kill "$peer"
wait "$peer" 2>/dev/null

# A service whose end is final.
sed -e '/"terminals", service/d' -e "s/^  program = \[/  program = [ (name = \"files-process\", process = \"files\"),/" \
	-e 's/path = "sbin\/files", restart = always/path = "sbin\/files", restart = never/' \
	"$srcdir/manifests/default.txt" >$work/never.txt
image $work/never $work/never.txt
./capos run --image $work/never --timeout 60 --log $log -- restart final </dev/null >/dev/null 2>&1
expect "calls of a service that is not started again fail" $? 0
sed -n 's/^restart: \(ok\|not ok\|#\|1\.\.\)/\1/p' $log

# A service that ends at once, since it lacks what it needs: given up after two more starts.
sed -e 's/path = "sbin\/files", restart = always/path = "sbin\/files", restart = limited, restartLimit = 2/' \
	-e 's/(name = "boot", kernel = "boot"),//' "$srcdir/manifests/default.txt" >$work/limited.txt
image $work/limited $work/limited.txt
./capos run --image $work/limited --timeout 60 --log $log -- restart final </dev/null >/dev/null 2>&1
expect "a service that cannot run is given up" "$(grep -c 'init: service files has ended' $log)" 3
expect "and the program is started without it" "$(grep -c '^restart: not ok 1 - a file is opened' $log)" 1

# Netstack with a capability that it has no use for.
sed -e 's/path = "sbin\/netstack", optional = true, restart = always/path = "sbin\/netstack", restart = never/' \
	-e 's/(name = "nic", service/(name = "clock", kernel = "timer"), (name = "nic", service/' \
	"$srcdir/manifests/default.txt" >$work/excess.txt
image $work/excess $work/excess.txt
./capos run --image $work/excess --timeout 60 --log $log -- restart final </dev/null >/dev/null 2>&1
expect "netstack refuses a capability that it was not written for" \
	"$(grep -c 'netstack: it was given a capability "clock", which it has no use for' $log)" 1
rm -rf $work
exit $failed
