# SPDX-License-Identifier: MIT
"""Real peers on this host: HTTP, nginx, scripted TCP connections; and what a capture of frames shows.

Each peer ends by close(), which raises what went wrong in it.
"""

import http.server
import os
import shutil
import socket
import subprocess
import threading
import time

import pytest
from machine import HOST

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def find_tool(name, package):
    """A program that the test cannot do without."""
    path = shutil.which(name, path=PATH)
    if path is None:
        pytest.skip(f"needs {name} (package {package})")
    return path


def wait_for(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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


class TcpPeer:
    """Takes one connection (or `connections`, one after another) and does with each what `handle` does."""

    def __init__(self, handle, listener=None, connections=1):
        self.listener = listener or socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(60)
        self.port = self.listener.getsockname()[1]
        self.results = []
        self.failure = None
        self.accepted = 0
        self.thread = threading.Thread(target=self._serve, args=(handle, connections), daemon=True)
        self.thread.start()

    def _serve(self, handle, connections):
        try:
            for _ in range(connections):
                connection, _ = self.listener.accept()
                self.accepted += 1
                with connection:
                    connection.settimeout(60)
                    self.results.append(handle(connection))
        except BaseException as error:  # raised again by result() and close()
            self.failure = error

    def result(self, seconds=60):
        """What handling the connections gave."""
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the peer's connection has not ended"
        if self.failure is not None:
            raise self.failure
        return self.results[-1]

    def url(self, path="/"):
        return f"http://{HOST}:{self.port}{path}"

    def close(self):
        self.listener.close()


def read_all(connection):
    """Everything up to the end, and which end that was: b"..." and "FIN" or "RST"."""
    data = bytearray()
    while True:
        try:
            chunk = connection.recv(1 << 16)
        except ConnectionResetError:
            return bytes(data), "RST"
        if not chunk:
            return bytes(data), "FIN"
        data += chunk


class Nginx:
    """nginx on the loopback address, serving a directory."""

    def __init__(self, directory):
        self.directory = directory
        self.root = directory / "www"
        self.root.mkdir()
        self.port = free_port()
        self.log = directory / "access.log"
        configuration = directory / "nginx.conf"
        configuration.write_text(f"""
            daemon off; master_process off; user root; worker_processes 1;
            pid {directory}/nginx.pid; error_log {directory}/error.log;
            events {{ worker_connections 64; }}
            http {{
                access_log {self.log}; sendfile on; default_type application/octet-stream;
                client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
                fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
                server {{ listen 127.0.0.1:{self.port}; root {self.root}; }}
            }}""")
        self.process = subprocess.Popen(
            [find_tool("nginx", "nginx-light"), "-p", directory, "-e", directory / "error.log", "-c", configuration],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(self._listens, "nginx")
        except BaseException:
            self.close()
            raise

    def _listens(self):
        assert self.process.poll() is None, (self.directory / "error.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, path="/"):
        return f"http://{HOST}:{self.port}{path}"

    def requests(self):
        return len(self.log.read_text().splitlines())

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)


def sent_by_guest(pcap, mac=None):
    """The frames of a capture that a guest sent, but for getting an address: DHCP, and ARP about its own."""
    from scapy.all import ARP, BOOTP, Ether, rdpcap  # takes a second

    frames = []
    for frame in rdpcap(str(pcap)):
        if frame[Ether].src != (mac or "52:54:00:12:34:56"):
            continue
        if frame.haslayer(BOOTP) or frame.haslayer(ARP) and frame[ARP].psrc == frame[ARP].pdst:
            continue
        frames.append(frame)
    return frames
