# SPDX-License-Identifier: MIT
"""What the tests of whole machines share: running `capos`, and real peers for it on this host.

Every test ends by itself: each run has a time limit, each peer ends with the test that asked for it.
"""

import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("CAPOS_BUILDDIR", "build")).resolve()
SOURCE = Path(os.environ.get("CAPOS_SRCDIR", Path(__file__).parent.parent.parent)).resolve()
CAPOS = os.environ.get("CAPOS", str(BUILD / "capos"))
# The limit on one machine, in seconds: many times what it takes here, under software emulation on a busy host.
LIMIT = 120
HOST = "10.0.2.2"  # this host, as QEMU's user network shows it to the guest


class Capos:
    """The host command."""

    command = CAPOS

    def argv(self, *program, options=(), command="run"):
        tail = ["--", *map(str, program)] if program else []
        return [self.command, command, "--timeout", str(LIMIT), *map(str, options), *tail]

    def __call__(self, *program, options=(), stdin=b"", command="run", env=None, limit=LIMIT):
        """Runs to the end; stdout and stderr are bytes."""
        return subprocess.run(
            self.argv(*program, options=options, command=command),
            input=stdin, capture_output=True, timeout=limit + 20, env={**os.environ, **(env or {})},
            check=False,
        )

    def raw(self, *arguments, env=None):
        """Runs with exactly these arguments."""
        return subprocess.run(
            [self.command, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
            timeout=LIMIT + 20, env={**os.environ, **(env or {})}, check=False,
        )

    def start(self, *program, options=(), env=None, **popen):
        """Starts and returns the process; use as a context manager through `background`."""
        popen = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen}
        return subprocess.Popen(self.argv(*program, options=options), env={**os.environ, **(env or {})}, **popen)


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


class HttpServer:
    """An HTTP server on the loopback address; `files` are what it serves, by path."""

    def __init__(self):
        self.files = {}
        self.requests = []
        self.connections = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                outer.connections += 1
                super().setup()

            def do_GET(self):
                outer.requests.append(self.path)
                body = outer.files.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a peer that goes away is part of the tests

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path="/"):
        return f"http://{HOST}:{self.port}{path}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def http_server():
    server = HttpServer()
    yield server
    server.close()


class TapNetwork:
    """A network namespace with a tap device, dnsmasq for DHCP and DNS, and whatever else a test starts in it."""

    ADDRESS = "192.168.77.1"
    POOL = ("192.168.77.50", "192.168.77.99")  # each machine has a MAC address, and so a lease, of its own
    NAMES = {"known.test": "192.168.77.1", "other.test": "192.168.77.9"}

    def __init__(self, directory):
        self.name = f"capos-{os.getpid()}"
        self.interface = "tap0"
        self.directory = directory
        self.processes = []
        self._ip("netns", "add", self.name)
        try:
            self.run("ip", "link", "set", "lo", "up")
            self.run("ip", "tuntap", "add", self.interface, "mode", "tap")
            self.run("ip", "addr", "add", f"{self.ADDRESS}/24", "dev", self.interface)
            self.run("ip", "link", "set", self.interface, "up")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _ip(*arguments):
        subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=20)

    def prefix(self, *command):
        return ["ip", "netns", "exec", self.name, *map(str, command)]

    def run(self, *command):
        return subprocess.run(self.prefix(*command), check=True, capture_output=True, timeout=60)

    def start(self, *command, **popen):
        process = subprocess.Popen(self.prefix(*command), stdin=subprocess.DEVNULL, **popen)
        self.processes.append(process)
        return process

    def start_dnsmasq(self):
        dnsmasq = shutil.which("dnsmasq", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        names = [f"--host-record={name},{address}" for name, address in self.NAMES.items()]
        self.log = self.directory / "dnsmasq.log"
        self.start(
            dnsmasq, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--local=/test/",
            "--user=root",
            f"--interface={self.interface}", "--bind-interfaces", "--except-interface=lo",
            f"--dhcp-range={','.join(self.POOL)},255.255.255.0,1h", "--dhcp-authoritative", "--no-ping",
            f"--dhcp-leasefile={self.directory}/leases", f"--pid-file={self.directory}/dnsmasq.pid",
            "--log-queries", "--log-dhcp", f"--log-facility={self.log}", *names,
        )
        self.wait_for(lambda: self.log.exists() and "started" in self.log.read_text())

    def start_http(self, directory, port=80):
        self.start(sys.executable, "-m", "http.server", "--bind", self.ADDRESS, "--directory", directory, port,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for(lambda: self.listens(port))

    def listens(self, port):
        return f":{port} " in self.run("ss", "-ltn").stdout.decode()

    @staticmethod
    def wait_for(condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "a peer did not start"
            time.sleep(0.05)

    def capos(self, *program, options=(), stdin=b""):
        argv = Capos().argv(*program, options=["--net", f"tap:{self.interface}", *options])
        return subprocess.run(self.prefix(*argv), input=stdin, capture_output=True, timeout=LIMIT + 20, check=False)

    def close(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, timeout=20, check=False)


@pytest.fixture
def tap_network(tmp_path):
    missing = [tool for tool in ("ip", "dnsmasq")
               if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None]
    if os.geteuid() != 0:
        pytest.skip("a network namespace with a tap device needs root")
    if missing or not os.path.exists("/dev/net/tun"):
        pytest.skip(f"needs /dev/net/tun and {' '.join(missing)}")
    try:
        network = TapNetwork(tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine makes no network namespace: {error.stderr.decode().strip()}")
    yield network
    network.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
