#!/bin/sh
# SPDX-License-Identifier: MIT
# Dynamic programs and libraries run under the rule that memory is data or code.  Runs in the build directory.

log=tests/guest/dynamic.log
./capos run --timeout 120 --log "$log" --file sysroot/lib/libc.so:/lib/ld-musl-x86_64.so.1 \
	--file tests/guest/dynamic_library.so:/lib/dynamic_library.so \
	-- tests/guest/dynamic /lib/dynamic_library.so </dev/null || { cat "$log"; exit 1; }
