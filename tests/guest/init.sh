#!/bin/sh
# SPDX-License-Identifier: MIT
# What init must refuse, each in a machine of its own: the host's output names what is wrong, and the exit status says
# whose fault it is.  Runs in the build directory.

: "${srcdir:=.}"
work=tests/guest/init.work
number=0
failed=0

rm -rf $work && mkdir -p $work || exit 1

# image FILE MANIFEST [ENTRY...]: the standard services but sbin/files, with another manifest.
image()
{
	file=$1 manifest=$2
	shift 2
	capnp encode --no-standard-import --flat "$srcdir/schema/manifest.capnp" Manifest <"$manifest" >$work/manifest &&
		tools/mkarchive/mkarchive $work/"$file" file:etc/manifest:0644:$work/manifest \
			file:sbin/init:0755:image/sbin/init \
			file:sbin/virtio-console:0755:image/sbin/virtio-console \
			file:sbin/virtio-net:0755:image/sbin/virtio-net \
			file:sbin/netstack:0755:image/sbin/netstack \
			file:sbin/process:0755:image/sbin/process \
			file:sbin/terminal:0755:image/sbin/terminal "$@"
}

# refused WHAT STATUS TEXT OPTION...: `capos run OPTION...` ends with that status and says that.
refused()
{
	what=$1 status=$2 text=$3
	shift 3
	number=$((number + 1))
	./capos run --timeout 180 --log $work/log "$@" </dev/null >$work/out 2>&1
	got=$?
	if [ $got = "$status" ] && grep -qF "$text" $work/out; then
		echo "ok $number - $what"
	else
		echo "not ok $number - $what: status $got"
		sed 's/^/# /' $work/out $work/log
		failed=1
	fi
}

base=$srcdir/manifests/default.txt
files=file:sbin/files:0755:image/sbin/files

image whole "$base" $files
refused "a program that is not there" 127 "nothing-of-this-name: not found" \
	--image $work/whole -- nothing-of-this-name
refused "a file that is no program" 126 "/etc/manifest: permission denied" \
	--image $work/whole -- /etc/manifest
image text "$base" $files file:bin/text:0755:"$base"
refused "a text that calls itself a program" 126 "not an executable" --image $work/text -- text
image dynamic "$base" $files file:bin/dynamic:0755:"$(command -v env)"
refused "a program of another system, whose interpreter is missing" 127 \
	"interpreter /lib64/ld-linux-x86-64.so.2 is not in the image" --image $work/dynamic -- dynamic
image binary "$base"
refused "a manifest with a missing binary" 125 "sbin/files is not in the boot archive" \
	--image $work/binary -- true
sed 's/kernel = "entropy"/kernel = "everything"/' "$base" >$work/grant.txt
image grant $work/grant.txt $files
refused "a manifest with an unknown grant" 125 "no capability named everything" \
	--image $work/grant -- true
sed 's/virtio-net\.nic/virtio-net.wifi/' "$base" >$work/export.txt
image export $work/export.txt $files
refused "a manifest with an unknown export" 125 "virtio-net exports no wifi" \
	--image $work/export -- true
sed 's/name = "files"/name = "netstack"/' "$base" >$work/twice.txt
image twice $work/twice.txt $files
refused "a manifest that names a service twice" 125 "two services named netstack" \
	--image $work/twice -- true
# A service that finds too little memory at its start would not find more at the next.
for service in virtio-console virtio-net netstack files; do
	for pages in 40 100; do
		sed "s|\\(name = \"$service\", path = [^ ]*\\),|\\1, memoryLimitPages = $pages,|" "$base" >$work/short.txt
		image short $work/short.txt $files
		refused "$service with $pages pages, which are too few" 125 "no memory for $service" \
			--image $work/short -- true
	done
done
echo "a mark of its own" >$work/mark
image corrupt "$base" $files file:bin/marked:0755:$work/mark
at=$(grep -abo "a mark of its own" $work/corrupt | head -n 1 | cut -d: -f1)
printf X | dd of=$work/corrupt bs=1 seek="$at" conv=notrunc 2>/dev/null
refused "a program that is corrupt in the image" 125 "a file in it is damaged" \
	--image $work/corrupt -- marked
printf X | dd of=$work/corrupt bs=1 seek=400 conv=notrunc 2>/dev/null
refused "an image with a corrupt table" 125 "checksum" --image $work/corrupt -- marked
echo "1..$number"
rm -rf $work
exit $failed
