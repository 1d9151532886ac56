# SPDX-License-Identifier: MIT
"""The network from end to end: BusyBox's ping, wget, nc, httpd and nslookup against real peers on this host."""

import hashlib
import random
import re
import shutil
import socket
import subprocess
import threading

import pytest
from conftest import HOST, free_port


def random_bytes(size, seed=1):
    return random.Random(seed).randbytes(size)


def test_ping(capos):
    run = capos("busybox", "ping", "-c", "3", HOST)
    assert run.returncode == 0, run.stderr
    assert b"3 packets transmitted, 3 packets received" in run.stdout


def test_traceroute(capos):
    run = capos("busybox", "traceroute", "-n", "-q1", "-m1", HOST)
    assert run.returncode == 0, run.stderr
    assert re.search(rb"^ 1  10\.0\.2\.2  [0-9.]+ ms$", run.stdout, re.M), run.stdout
    run = capos("busybox", "traceroute", "-I", "-n", "-q1", "-m1", HOST)
    assert re.search(rb"^ 1  10\.0\.2\.2  [0-9.]+ ms$", run.stdout, re.M), run.stdout


def test_ifconfig(capos):
    run = capos("busybox", "ifconfig")
    eth0, lo = run.stdout.split(b"\n\n")[:2]
    assert re.search(rb"HWaddr 52:54:00(:[0-9A-F]{2}){3}", eth0), eth0
    assert b"inet addr:10.0.2.15  Bcast:10.0.2.255  Mask:255.255.255.0" in eth0
    assert b"UP BROADCAST RUNNING  MTU:1500" in eth0
    assert b"inet addr:127.0.0.1  Mask:255.0.0.0" in lo
    assert b"UP LOOPBACK RUNNING  MTU:65536" in lo


def test_wget(capos, http_server):
    http_server.files["/hello"] = b"hello from the host\n"
    run = capos("busybox", "wget", "-q", "-O", "-", http_server.url("/hello"))
    assert (run.returncode, run.stdout) == (0, b"hello from the host\n"), run.stderr
    assert http_server.requests == ["/hello"]


def test_wget_of_what_is_not_there(capos, http_server):
    run = capos("busybox", "wget", "-q", "-O", "-", http_server.url("/nothing"))
    assert run.returncode == 1
    assert b"404" in run.stderr


def test_connection_refused(capos):
    run = capos("busybox", "wget", "-q", "-O", "-", f"http://{HOST}:{free_port()}/")
    assert run.returncode == 1
    assert b"refused" in run.stderr


def test_guest_listens_behind_a_forward(background):
    port = free_port()
    process = background("busybox", "nc", "-v", "-l", "-p", "80",
                         options=["--forward", f"tcp:{port}:80", "--allow", "listen=80"])
    assert process.stderr.readline().startswith(b"listening on")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"hello from outside\n")
        assert process.stdout.readline() == b"hello from outside\n"
        process.stdin.write(b"hello from inside\n")
        process.stdin.flush()
        assert connection.recv(100) == b"hello from inside\n"
        connection.shutdown(socket.SHUT_WR)
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_listening_needs_its_grant(capos):
    run = capos("busybox", "nc", "-l", "-p", "81", options=["--allow", "listen=80"])
    assert run.returncode == 1
    assert b"ermission denied" in run.stderr


def test_datagrams_both_ways(background):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(30)
        process = background("busybox", "nc", "-u", HOST, peer.getsockname()[1])
        for word in (b"one", b"two" * 400):
            process.stdin.write(word)
            process.stdin.flush()
            data, address = peer.recvfrom(4000)
            assert data == word
            peer.sendto(b"to " + word, address)
            assert process.stdout.read(len(word) + 3) == b"to " + word


def test_guest_receives_datagrams_behind_a_forward(background):
    port = free_port()
    process = background("busybox", "nc", "-u", "-v", "-l", "-p", "5353", options=["--forward", f"udp:{port}:5353"])
    assert process.stderr.readline().startswith(b"listening on")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(30)
        peer.connect(("127.0.0.1", port))
        peer.send(b"question\n")
        assert process.stdout.readline() == b"question\n"
        process.stdin.write(b"answer\n")
        process.stdin.flush()
        assert peer.recv(100) == b"answer\n"


def test_file_sent_to_a_listening_guest(background):
    """nc -l: 20 MiB in through a forward, and the peer's end ends the program."""
    body = random_bytes(20 << 20)
    port = free_port()
    process = background("busybox", "nc", "-v", "-l", "-p", "80", options=["--forward", f"tcp:{port}:80"],
                         stdin=subprocess.DEVNULL)
    assert process.stderr.readline().startswith(b"listening on")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        sender = threading.Thread(target=lambda: (connection.sendall(body), connection.shutdown(socket.SHUT_WR)))
        sender.start()
        received = process.stdout.read()
        sender.join(30)
    assert process.wait(timeout=30) == 0
    assert hashlib.sha256(received).digest() == hashlib.sha256(body).digest()


# ---- Rights ----


def test_no_grant_no_connection(capos, http_server):
    run = capos("busybox", "wget", "-q", "-O", "-", http_server.url("/hello"), options=["--allow", "none"])
    assert run.returncode == 1
    assert b"ermission denied" in run.stderr or b"not permitted" in run.stderr
    assert http_server.connections == 0


def test_grant_for_another_port(capos, http_server, tmp_path):
    pcap = tmp_path / "frames"
    run = capos("busybox", "wget", "-q", "-O", "-", http_server.url("/hello"),
                options=["--allow", f"connect={HOST}:{http_server.port - 1}", "--pcap", pcap])
    assert run.returncode == 1
    assert b"ermission denied" in run.stderr
    assert http_server.connections == 0
    # Nothing of it on the wire either: no TCP segment to that port.
    assert http_server.port.to_bytes(2, "big") not in pcap.read_bytes()


def test_grant_for_this_port(capos, http_server):
    http_server.files["/hello"] = b"allowed\n"
    run = capos("busybox", "wget", "-q", "-O", "-", http_server.url("/hello"),
                options=["--allow", f"connect={HOST}:{http_server.port}"])
    assert (run.returncode, run.stdout) == (0, b"allowed\n"), run.stderr


def test_ping_needs_its_grant(capos):
    denied = capos("busybox", "ping", "-c", "1", HOST, options=["--allow", "udp"])
    assert denied.returncode != 0
    assert b"ermission denied" in denied.stderr or b"not permitted" in denied.stderr
    assert capos("busybox", "ping", "-c", "1", HOST, options=["--allow", "icmp"]).returncode == 0


def test_crashed_program_leaves_no_connection(background):
    """A peer sees the end of a connection whose program was killed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        process = background("busybox", "nc", HOST, str(listener.getsockname()[1]))
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(30)
            connection.sendall(b"hello\n")
            assert process.stdout.readline() == b"hello\n"
            process.send_signal(15)
            try:
                assert connection.recv(100) == b""
            except ConnectionResetError:
                pass
        assert process.wait(timeout=30) == 128 + 15


def test_who_holds_what(capos):
    run = capos(command="caps")
    assert run.returncode == 0, run.stderr
    text = run.stdout.decode()
    assert "virtio-net" in text and "netstack" in text


# ---- A real network: DHCP and DNS by dnsmasq ----


def test_dhcp_dns_and_http_at_a_tap_device(tap_network, tmp_path):
    body = random_bytes(3_000_000, 5)
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "file").write_bytes(body)
    tap_network.start_dnsmasq()
    tap_network.start_http(tmp_path / "www")

    run = tap_network.capos("busybox", "wget", "-q", "-O", "-", "http://known.test/file")
    assert run.returncode == 0, run.stderr
    assert run.stdout == body
    assert re.search(r"52:54:00:\S+ 192\.168\.77\.[5-9]\d capos ", (tmp_path / "leases").read_text())

    run = tap_network.capos("busybox", "nslookup", "other.test")
    assert run.returncode == 0, run.stderr + run.stdout
    assert tap_network.NAMES["other.test"].encode() in run.stdout

    run = tap_network.capos("busybox", "ping", "-c", "1", "nowhere.test")
    assert run.returncode != 0
    assert b"bad address" in run.stderr


def test_static_address_at_a_tap_device(tap_network, tmp_path):
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "file").write_bytes(b"static\n")
    tap_network.start_http(tmp_path / "www")
    run = tap_network.capos("busybox", "wget", "-q", "-O", "-", f"http://{tap_network.ADDRESS}/file",
                            options=["--address", "192.168.77.7/24"])
    assert (run.returncode, run.stdout) == (0, b"static\n"), run.stderr


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")
def test_pcap_is_readable(capos, tmp_path):
    pcap = tmp_path / "frames"
    assert capos("busybox", "ping", "-c", "1", HOST, options=["--pcap", pcap]).returncode == 0
    text = subprocess.run(["tcpdump", "-nr", pcap], capture_output=True, timeout=30, check=True).stdout
    assert b"ICMP echo request" in text and b"ICMP echo reply" in text
