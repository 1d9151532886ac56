# SPDX-License-Identifier: MIT
"""UDP datagrams of every size, both ways, against Linux's own fragmentation and in orders that it never sends."""

import random
import socket
import time

import pytest
from peers import wait_for
from scapy.all import IP, UDP, Ether, Raw, fragment

GUEST = "192.168.77.60"
PORT = 7000
MAX = 65507
CONTENT = random.Random(5).randbytes(MAX + 251)
GRACE = 10  # seconds that a datagram may take on a busy host before it counts as lost


def content(size):
    return CONTENT[size % 251:size % 251 + size]


@pytest.fixture
def echo(tap_network, guest_program):
    """A machine that sends datagrams back, and a socket that talks to it."""
    machine = tap_network.start_capos(guest_program("udp_echo"), PORT,
                                      options=["--address", f"{GUEST}/24", "--timeout", "400"])
    with tap_network.udp() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        peer.connect((GUEST, PORT))
        peer.settimeout(1)
        wait_for(lambda: answers(machine, peer), "the guest's echo server", 60)
        yield peer, tap_network
        peer.send(b"")
        assert machine.wait(timeout=30) == 0


def answers(machine, peer):
    assert machine.poll() is None, machine.stderr.read()
    try:
        peer.send(b"up?")
        return peer.recv(100) == b"up?"
    except (TimeoutError, ConnectionError):
        return False


def drain(peer):
    """What came late."""
    peer.settimeout(0.2)
    try:
        while True:
            peer.recv(MAX)
    except TimeoutError:
        peer.settimeout(GRACE)


def test_datagrams_of_every_size(echo):
    """Those of 1473, 1474, 1477 and 2953 bytes never arrived: their last fragment is shorter than a UDP header."""
    peer, _ = echo
    drain(peer)
    lost = []
    for size in range(1, 9001):
        peer.send(content(size))
        try:
            assert peer.recv(MAX) == content(size), f"{size} bytes came back as others"
        except TimeoutError:
            lost.append(size)
            assert len(lost) < 5, f"lost: {lost}"
    assert not lost


def test_large_datagrams(echo):
    peer, _ = echo
    drain(peer)
    generator = random.Random(6)
    for size in [MAX, *(generator.randrange(9001, MAX) for _ in range(60))]:
        peer.send(content(size))
        assert peer.recv(MAX) == content(size), f"{size} bytes"


def test_fragments_in_any_order(echo):
    """Backwards and shuffled, which Linux does not send."""
    peer, network = echo
    generator = random.Random(7)
    mac = network.run("ip", "neigh", "show", GUEST).stdout.decode().split("lladdr ")[1].split()[0]
    own = network.run("cat", f"/sys/class/net/{network.interface}/address").stdout.decode().strip()
    drain(peer)
    with network.frames() as frames:
        sizes = [1473, 1474, 1477, 1480, 1481, 2953, 2961, *(generator.randrange(1473, 40000) for _ in range(30))]
        for number, size in enumerate(sizes):
            pieces = fragment(IP(src=network.ADDRESS, dst=GUEST, id=number + 1) / UDP(
                sport=peer.getsockname()[1], dport=PORT) / Raw(content(size)), 1480)
            pieces.reverse()
            if number % 2:
                generator.shuffle(pieces)
            for piece in pieces:
                frames.send(bytes(Ether(src=own, dst=mac) / piece))
            assert peer.recv(MAX) == content(size), f"{size} bytes in {len(pieces)} fragments"
            time.sleep(0.01)
