# SPDX-License-Identifier: MIT
"""A network of its own for a machine: a namespace with a tap device, and peers in it.

What a test starts or opens in it ends with it.
"""

import ctypes
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from machine import LIMIT, Capos
from peers import PATH, find_tool, wait_for

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
numbers = itertools.count()


class TapNetwork:
    """A network namespace with a tap device, dnsmasq for DHCP and DNS, and all else that a test starts in it."""

    ADDRESS = "192.168.77.1"
    POOL = ("192.168.77.50", "192.168.77.99")  # each machine has a MAC address, and so a lease, of its own
    NAMES = {"known.test": "192.168.77.1", "other.test": "192.168.77.9"}

    def __init__(self, directory):
        self.name = f"capos-{os.getpid()}-{next(numbers)}"
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
        dnsmasq = find_tool("dnsmasq", "dnsmasq-base")
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
        wait_for(lambda: self.log.exists() and "started" in self.log.read_text(), "dnsmasq")

    def start_http(self, directory, port=80):
        self.start(sys.executable, "-m", "http.server", "--bind", self.ADDRESS, "--directory", directory, port,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.listens(port), "the HTTP server")

    def listens(self, port):
        return f":{port} " in self.run("ss", "-ltn").stdout.decode()

    def capos(self, *program, options=(), stdin=b""):
        argv = Capos().argv(*program, options=["--net", f"tap:{self.interface}", *options])
        return subprocess.run(self.prefix(*argv), input=stdin, capture_output=True, timeout=LIMIT + 20, check=False)

    def start_capos(self, *program, options=()):
        """Starts a machine at the tap device; ends with the network."""
        argv = Capos().argv(*program, options=["--net", f"tap:{self.interface}", *options])
        process = subprocess.Popen(self.prefix(*argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.processes.append(process)
        return process

    def inside(self, make):
        """Calls make() in the namespace; the sockets that it opens stay there."""
        def enter(path):
            with open(path, "rb") as namespace:
                if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")

        with open("/proc/thread-self/ns/net", "rb") as home:
            enter(f"/run/netns/{self.name}")
            try:
                return make()
            finally:
                if libc.setns(home.fileno(), CLONE_NEWNET) != 0:
                    os._exit(1)  # nothing that follows would be where it thinks it is

    def server(self, port=0):
        return self.inside(lambda: socket.create_server((self.ADDRESS, port)))

    def udp(self, port=0):
        def make():
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode())
            made.bind(("", port))
            return made

        return self.inside(make)

    def frames(self):
        """A socket of whole frames at the tap device."""
        def make():
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
            made.bind((self.interface, 0))
            return made

        return self.inside(make)

    def connect(self, address, port, seconds=20):
        return self.inside(lambda: socket.create_connection((address, port), timeout=seconds))

    def close(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    try:
                        stream.close()
                    except BrokenPipeError:
                        pass
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, timeout=20, check=False)


def make_tap_network(directory, make=TapNetwork):
    if os.geteuid() != 0:
        pytest.skip("a network namespace with a tap device needs root")
    if shutil.which("ip", path=PATH) is None or not os.path.exists("/dev/net/tun"):
        pytest.skip("needs /dev/net/tun and ip (package iproute2)")
    try:
        return make(directory)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine makes no network namespace: {error.stderr.decode().strip()}")
