# SPDX-License-Identifier: MIT
"""Services that end while a Unix program uses them: it goes on, or gets an error; it never hangs."""

import re

import pytest
from machine import SOURCE

PROCESSES = """(name = "console-process", process = "virtio-console"),
    (name = "netstack-process", process = "netstack"),"""


@pytest.fixture
def killable(manifest):
    """The standard system, whose program may kill services."""
    text = (SOURCE / "manifests/default.txt").read_text()
    return manifest(text.replace("  program = [", f"  program = [ {PROCESSES}", 1))


def test_output_goes_on_when_the_console_driver_ends(capos, guest_program, killable):
    run = capos(guest_program("restart", native=True), "console", options=killable)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.decode().splitlines()
    # Some may come twice, or be cut where the driver ended; none is missing.
    numbers = [int(m.group(1)) for m in (re.fullmatch(r"line (\d+)", line) for line in lines) if m]
    assert set(numbers) == set(range(2000))


def test_a_read_ends_with_an_error_when_netstack_ends(capos, guest_program, killable, tcp_peer):
    peer = tcp_peer(lambda connection: connection.recv(1))
    run = capos(guest_program("restart", native=True), "socket", peer.port, options=killable)
    assert run.stdout.decode() == "read: -1\nerrno: Connection reset by peer\n", run.stderr
    assert run.returncode == 0


def test_with_memory_full_a_write_ends_with_no_space_and_the_service_goes_on(capos, guest_program, tmp_path):
    log = tmp_path / "log"
    run = capos(guest_program("hog", native=True), options=["--log", log])
    assert run.stdout.decode() == "before: ok\nfull: No space left on device\nfiles: ok\nafter: ok\n", run.stderr
    assert "service files has ended" not in log.read_text()
