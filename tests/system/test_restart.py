# SPDX-License-Identifier: MIT
"""Services that end while a Unix program uses them: it goes on, or gets an error; it never hangs."""

import re
import subprocess
import time

import pytest
from machine import SOURCE

CONSOLE = """(name = "console-process", process = "virtio-console"),"""
NETWORK = """(name = "driver-process", process = "virtio-net"),
    (name = "netstack-process", process = "netstack"),"""


def system_whose_program_holds(manifest, processes):
    """The standard system, whose program may kill services; without pseudo-terminals, for a program holds so many."""
    text = (SOURCE / "manifests/default.txt").read_text()
    text = re.sub(r'\n *\(name = "terminals", service.*', "", text)
    return manifest(text.replace("  program = [", f"  program = [ {processes}", 1))


@pytest.fixture
def killable(manifest):
    return system_whose_program_holds(manifest, NETWORK)


@pytest.fixture
def killable_console(manifest):
    return system_whose_program_holds(manifest, CONSOLE)


@pytest.mark.parametrize("attempt", range(3))
def test_output_goes_on_when_the_console_driver_ends(capos, guest_program, killable_console, attempt):
    """More than once: a driver that ends awake and one that ends asleep are noticed in different ways."""
    run = capos(guest_program("restart", native=True), "console", options=killable_console)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.decode().splitlines()
    # Some may come twice, or be cut where the driver ended; none is missing.
    numbers = [int(m.group(1)) for m in (re.fullmatch(r"line (\d+)", line) for line in lines) if m]
    assert set(numbers) == set(range(2000))


def test_output_of_a_program_that_sleeps_arrives_when_the_console_driver_ends(background, guest_program,
                                                                             killable_console):
    begin = time.monotonic()
    process = background(guest_program("restart", native=True), "asleep", options=killable_console,
                         stdin=subprocess.DEVNULL)
    last = b"line %06d ...............................\n" % int(process.stderr.readline())
    time.sleep(3)
    while (line := process.stdout.readline()) not in (last, b""):
        pass
    assert line == last
    assert time.monotonic() - begin < 50, "not by the program's end"


def test_a_read_ends_with_an_error_when_netstack_ends(capos, guest_program, killable, tcp_peer):
    peer = tcp_peer(lambda connection: connection.recv(1))
    run = capos(guest_program("restart", native=True), "socket", peer.port, options=killable)
    assert run.stdout.decode() == "read: -1\nerrno: Connection reset by peer\n", run.stderr
    assert run.returncode == 0


@pytest.mark.parametrize("process", ["netstack-process", "driver-process"])
def test_connections_are_made_after_the_end_of(capos, guest_program, killable, tcp_peer, process):
    def echo(connection):
        line = connection.recv(100)
        connection.sendall(line)
        return line

    peer = tcp_peer(echo, connections=2)
    run = capos(guest_program("restart", native=True), "fetch", process, peer.port, options=killable)
    assert run.stdout == b"hello\n" * 2, run.stderr
    assert peer.result() == b"hello\n"


@pytest.mark.parametrize("process", ["netstack-process", "driver-process"])
def test_names_are_looked_up_after_the_end_of(tap_network, guest_program, killable, process):
    """The address and the name server come by DHCP, once more."""
    tap_network.start_dnsmasq()
    run = tap_network.capos(guest_program("restart", native=True), "names", process, "known.test", options=killable)
    assert run.stdout == b"192.168.77.1\n" * 2, run.stderr


def test_a_connection_may_be_made_to_a_granted_port_alone_after_netstack_ends(capos, guest_program, killable, tcp_peer):
    """The grants are the same as before."""
    peer = tcp_peer(lambda connection: connection.sendall(connection.recv(100)), connections=1)
    other = tcp_peer(lambda connection: None)
    options = [*killable, "--allow", f"connect=10.0.2.2:{other.port}"]
    run = capos(guest_program("restart", native=True), "fetch", "netstack-process", peer.port, options=options)
    assert run.stdout == b"Permission denied\n" * 2, run.stderr
    assert not peer.accepted


def test_with_memory_full_a_write_ends_with_no_space_and_the_service_goes_on(capos, guest_program, tmp_path):
    log = tmp_path / "log"
    run = capos(guest_program("hog", native=True), options=["--log", log])
    assert run.stdout.decode() == "before: ok\nfull: No space left on device\nfiles: ok\nafter: ok\n", run.stderr
    assert "service files has ended" not in log.read_text()


def test_a_volume_is_there_again_when_its_driver_ends(capos, guest_program, manifest, tmp_path):
    """What was open is gone, with an error; names lead to the host's files as before."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/f").write_text("text")
    options = system_whose_program_holds(manifest, """(name = "volume-process", process = "volume1"),""")
    run = capos(guest_program("restart", native=True), "volume", "/mnt/f",
                options=[*options, "-v", f"{tmp_path}/volume:/mnt"])
    assert run.stdout.decode() == "before: text\nopen: I/O error\nagain: text\nwritten: 3\n", run.stderr
    assert (tmp_path / "volume/f").read_text() == "newt"
