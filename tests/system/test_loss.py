# SPDX-License-Identifier: MIT
"""TCP and names over a cable that loses, doubles and reorders frames: everything arrives, and arrives right."""

import hashlib
import random

import pytest
from conftest import TcpPeer
from lossy import LossyNetwork
from peers import read_all
from tapnet import make_tap_network

SIZE = 3_000_000
OPTIONS = ["--address", "192.168.77.60/24,dns=192.168.77.1"]


@pytest.fixture(params=[1, 2])
def network(tmp_path, request):
    made = make_tap_network(tmp_path, lambda directory: LossyNetwork(directory, request.param))
    yield made
    made.close()
    assert made.lost > 0, "the cable was too good"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_download(network):
    body = random.Random(1).randbytes(SIZE)
    peer = TcpPeer(lambda connection: connection.sendall(body), listener=network.server())
    run = network.capos("busybox", "nc", network.ADDRESS, peer.port, options=OPTIONS)
    peer.close()
    assert run.returncode == 0, run.stderr
    assert (len(run.stdout), sha256(run.stdout)) == (len(body), sha256(body))


def test_upload(network):
    body = random.Random(2).randbytes(SIZE // 3)  # lwIP as a sender waits for a timeout at many a loss
    peer = TcpPeer(read_all, listener=network.server())
    run = network.capos("busybox", "nc", network.ADDRESS, peer.port, options=OPTIONS, stdin=body)
    assert run.returncode == 0, run.stderr
    data, end = peer.result()
    peer.close()
    assert (end, len(data), sha256(data)) == ("FIN", len(body), sha256(body))


def test_many_connections(network):
    """The first and last segments of connections are lost as well."""
    count = 40
    peer = TcpPeer(lambda connection: connection.sendall(b"hello\n"), listener=network.server(), connections=count)
    script = f"i=0; while [ $i -lt {count} ]; do busybox nc {network.ADDRESS} {peer.port} || exit 1; i=$((i+1)); done"
    run = network.capos("busybox", "sh", "-c", script, options=OPTIONS)
    peer.close()
    assert run.returncode == 0, run.stderr
    assert run.stdout == b"hello\n" * count
