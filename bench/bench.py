#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""capOS beside a Linux guest: the same emulator, the same BusyBox, the same peer, run in turn.

Prints a table of medians and ratios, and writes the same, with every single run, as JSON."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from capos import CaposGuest  # noqa: E402
from linux import LinuxGuest  # noqa: E402
from server import Server, parse_ping  # noqa: E402

HOST = "10.0.2.2"
BULK = 100 << 20
FETCHES = 100
IDLE_SECONDS = 10
TIMEOUT = 120


def finish(process, timeout=TIMEOUT):
    """Waits for a guest that ends by itself: its output."""
    try:
        out, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        stop(process)
        raise RuntimeError("the guest did not end in %d s" % timeout) from None
    return out.decode(errors="replace")


def stop(process):
    process.terminate()
    try:
        process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def url(server, size):
    return "http://%s:%d/%d" % (HOST, server.http_port, size)


def fetched(server, guest, command, count, files=None, memory=256):
    """Runs a command that makes `count` transfers; (seconds from start to the first request, transfers)."""
    server.clear()
    prepared = guest.prepare(command, files)
    begin = time.monotonic()
    process = guest.start(prepared, memory)
    transfers = server.wait(count, TIMEOUT)
    stop_after = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < stop_after:
        time.sleep(0.05)
    if process.poll() is None:
        stop(process)
    process.communicate()
    if transfers is None:
        raise RuntimeError("%s: %s made no %d transfers" % (guest.name, command[0], count))
    return transfers[0].start - begin, transfers


def boot(server, guest):
    return fetched(server, guest, ["wget", "-q", "-O", "/dev/null", url(server, 1)], 1)[0]


def ping(server, guest):
    out = finish(guest.start(guest.prepare(["ping", "-c", "12", HOST])))
    times = parse_ping(out)
    if len(times) < 11:
        raise RuntimeError("%s: ping printed %r" % (guest.name, out))
    return statistics.median(times)


def download(server, guest):
    _, transfers = fetched(server, guest, ["wget", "-q", "-O", "/dev/null", url(server, BULK)], 1)
    return transfers[0].bytes / 1e6 / transfers[0].seconds


def upload(server, guest, file):
    command = ["ftpput", "-P", str(server.ftp_port), HOST, "x", "/upload"]
    _, transfers = fetched(server, guest, command, 1, {"/upload": file}, memory=512)
    if transfers[0].bytes != BULK:
        raise RuntimeError("%s: %d bytes came" % (guest.name, transfers[0].bytes))
    return transfers[0].bytes / 1e6 / transfers[0].seconds


def sequence(server, guest):
    urls = [url(server, 3)] * FETCHES
    _, transfers = fetched(server, guest, ["wget", "-q", "-O", "/dev/null", *urls], FETCHES)
    return transfers[-1].end - transfers[0].start


def works_in(server, guest, memory):
    server.clear()
    process = guest.start(guest.prepare(["wget", "-q", "-O", "/dev/null", url(server, 1)]), memory)
    deadline = time.monotonic() + 15
    works = False
    while not works and time.monotonic() < deadline and process.poll() is None:
        works = server.wait(1, 0.5) is not None
    works = works or server.wait(1, 0.5) is not None
    stop(process)
    return works


def smallest_memory(server, guest):
    """MiB, by bisection."""
    low, high = 1, 256
    while high - low > 1:
        middle = (low + high) // 2
        if works_in(server, guest, middle):
            high = middle
        else:
            low = middle
    return high


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle(server, guest):
    """Host CPU milliseconds in ten seconds of a guest that sleeps, from eight seconds after its start."""
    process = guest.start(guest.prepare(["sleep", "60"]))
    try:
        time.sleep(8)
        pid = guest.emulator(process)
        before = cpu_seconds(pid)
        time.sleep(IDLE_SECONDS)
        return (cpu_seconds(pid) - before) * 1000
    finally:
        stop(process)


# name, unit, True when more is better, runs (None: as asked for), measure
def rows(upload_file):
    return [
        ("boot to the first byte fetched", "s", False, None, boot),
        ("ping round trip", "ms", False, None, ping),
        ("wget of 100 MiB", "MB/s", True, None, download),
        ("upload of 100 MiB", "MB/s", True, None, lambda s, g: upload(s, g, upload_file)),
        ("100 fetches one after another", "s", False, None, sequence),
        ("smallest memory the fetch works in", "MiB", False, 1, smallest_memory),
        ("size of everything booted", "MB", False, 1, lambda s, g: g.size() / 1e6),
        ("host CPU of 10 s idle", "ms", False, 1, idle),
    ]


# Of bench/posix.c: its name, the table's, and how much of its unit is one of the table's.
PROGRAM_ROWS = [
    ("fork", "fork, exit and wait", "us", 1e3),
    ("exec-static", "fork and exec of a static program", "us", 1e3),
    ("exec-dynamic", "fork and exec of a dynamic program", "us", 1e3),
    ("pipe-round-trip", "pipe round trip", "us", 1e3),
    ("pipe-64KiB", "64 KiB through a pipe", "us", 1e3),
    ("thread", "thread made and joined", "us", 1e3),
    ("futex-round-trip", "futex hand-over, there and back", "us", 1e3),
    ("clock_gettime", "clock_gettime", "us", 1e3),
    ("read-1B", "read of 1 byte", "us", 1e3),
    ("write-1B", "write of 1 byte", "us", 1e3),
    ("read-4KiB", "read of 4 KiB", "us", 1e3),
    ("write-4KiB", "write of 4 KiB", "us", 1e3),
    ("read-64KiB", "read of 64 KiB", "us", 1e3),
    ("write-64KiB", "write of 64 KiB", "us", 1e3),
    ("shell-1000", "a shell's loop of 1000 true", "s", 1e9),
    ("tar-2000", "tar of 2,000 files", "s", 1e9),
    ("gzip-20MB", "gzip of 20 MB", "s", 1e9),
]


def program(guest, file):
    """All that bench/posix.c measures, in one boot: nanoseconds by its names."""
    files = {"/bin/static": guest.static_program}
    out = finish(guest.start(guest.prepare_program(file, ["/bin/static"], files)))
    found = dict(line.split()[1:] for line in out.splitlines() if line.startswith("bench "))
    missing = {name for name, *_ in PROGRAM_ROWS} - found.keys()
    if missing:
        raise RuntimeError("%s: no %s in %r" % (guest.name, missing, out))
    return {name: float(ns) for name, ns in found.items()}


def measure_program(guests, file, runs):
    """The guests in turn, so that what else the host does meets both."""
    values = {guest.name: [] for guest in guests}
    for _ in range(runs):
        for guest in guests:
            values[guest.name].append(program(guest, file))
    for key, name, unit, scale in PROGRAM_ROWS:
        row = {g: [run[key] / scale for run in v] for g, v in values.items()}
        yield {"name": name, "unit": unit, "more_is_better": False, "runs": row,
               "median": {g: statistics.median(v) for g, v in row.items()}}


def measure(server, guests, row, runs):
    name, unit, more, fixed, function = row
    values = {guest.name: [] for guest in guests}
    for _ in range(fixed or runs):
        for guest in guests:
            values[guest.name].append(function(server, guest))
    return {"name": name, "unit": unit, "more_is_better": more, "runs": values,
            "median": {g: statistics.median(v) for g, v in values.items()}}


def ratio(result):
    """How many times better capOS is, above 1 when it is."""
    capos, linux = result["median"]["capOS"], result["median"]["Linux"]
    if result["more_is_better"]:
        capos, linux = linux, capos
    return linux / capos if capos else float("inf")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--capos", required=True)
    parser.add_argument("--linux", required=True, help="directory made by bench/linux-guest")
    parser.add_argument("--program", required=True, help="bench/posix.c, linked dynamically")
    parser.add_argument("--static", required=True, help="the same for capOS, linked statically")
    parser.add_argument("--qemu", default="qemu-system-x86_64")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", help="rows whose name contains this; program: those of bench/posix.c")
    parser.add_argument("--json", help="file to write")
    arguments = parser.parse_args()
    guests = [CaposGuest(arguments.capos, arguments.static), LinuxGuest(arguments.linux, arguments.qemu)]
    results = []

    def add(result):
        results.append(result)
        print("%-36s %10.3f %10.3f %6s  %.2fx" % (result["name"], result["median"]["capOS"],
                                                 result["median"]["Linux"], result["unit"], ratio(result)),
              flush=True)

    print("%-36s %10s %10s %6s  %s" % ("", "capOS", "Linux", "", "capOS better by"))
    if arguments.only in (None, "program"):
        for result in measure_program(guests, arguments.program, arguments.runs):
            add(result)
    with Server() as server, tempfile.NamedTemporaryFile() as upload_file:
        upload_file.truncate(BULK)
        for row in rows(upload_file.name):
            if not arguments.only or arguments.only in row[0]:
                add(measure(server, guests, row, arguments.runs))
    if arguments.json:
        with open(arguments.json, "w") as f:
            json.dump(results, f, indent=1)


if __name__ == "__main__":
    main()
