# SPDX-License-Identifier: MIT
"""What the tests of whole machines share: running `capos`, and real peers for it on this host.

Every test ends by itself: each run has a time limit, each peer ends with the test that asked for it.
"""

import os
import subprocess

import pytest
from machine import BUILD, HOST, LIMIT, SOURCE, Capos  # noqa: F401 (for the tests)
from peers import HttpServer, Nginx, TcpPeer, free_port  # noqa: F401
from tapnet import make_tap_network


@pytest.fixture(scope="session")
def capos():
    return Capos()


@pytest.fixture
def background(capos):
    """Starts runs that end with the test."""
    started = []

    def start(*program, **arguments):
        process = capos.start(*program, **arguments)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=20)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass


@pytest.fixture
def manifest(tmp_path):
    """Compiles a Manifest's text; the option that puts it in place of the image's."""

    def compile_(text):
        encoded = subprocess.run(
            [os.environ.get("CAPNP", "capnp"), "encode", "--no-standard-import", "--flat",
             SOURCE / "schema/manifest.capnp", "Manifest"],
            input=text.encode(), capture_output=True, check=True, timeout=30,
        ).stdout
        path = tmp_path / "manifest"
        path.write_bytes(encoded)
        return ["--file", f"{path}:/etc/manifest"]

    return compile_


@pytest.fixture
def http_server():
    server = HttpServer()
    yield server
    server.close()


@pytest.fixture
def nginx(tmp_path):
    directory = tmp_path / "nginx"
    directory.mkdir()
    server = Nginx(directory)
    yield server
    server.close()


@pytest.fixture
def tcp_peer():
    """Makes peers that end with the test."""
    made = []

    def make(handle, **arguments):
        made.append(TcpPeer(handle, **arguments))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def tap_network(tmp_path):
    network = make_tap_network(tmp_path)
    yield network
    network.close()


@pytest.fixture(scope="session")
def guest_program(tmp_path_factory):
    """Compiles a program of this directory for the guest; its path.  native: it makes calls of its own."""
    directory = tmp_path_factory.mktemp("programs")
    compiler = BUILD / "sysroot/bin/x86_64-capos-linux-musl-gcc"
    headers = ["-I", SOURCE / "kernel/abi", "-I", SOURCE / "libcapos/include", "-I", BUILD / "gen/include"]

    def compile_(name, native=False):
        path = directory / name
        if not path.exists():
            subprocess.run([compiler, "-O2", "-Wall", "-Werror", *(headers if native else []),
                            SOURCE / f"tests/system/{name}.c", "-o", path,
                            *([BUILD / "libcapos/libcapos.a"] if native else [])], check=True, timeout=60)
        return path

    return compile_
