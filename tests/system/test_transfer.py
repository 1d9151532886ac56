# SPDX-License-Identifier: MIT
"""Bulk data and the ends of connections: sizes, slow sides, half closes, time limits, programs that die."""

import hashlib
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from conftest import HOST
from peers import read_all

MIB = 1 << 20
# CAPOS_TEST_ROUNDS=10 is the thorough run.
ROUNDS = int(os.environ.get("CAPOS_TEST_ROUNDS", "2"))


def random_bytes(size, seed=7):
    return random.Random(seed).randbytes(size)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# ---- Down ----


def test_100_mib_with_32_mib_of_memory(capos, nginx):
    """`capos run --memory 32 -- busybox wget -O- URL | sha256sum`, again and again."""
    (nginx.root / "random").write_bytes(random_bytes(100 * MIB))
    expected = sha256((nginx.root / "random").read_bytes())
    argv = capos.argv("busybox", "wget", "-q", "-O-", nginx.url("/random"), options=["--memory", "32"])
    for number in range(ROUNDS):
        begin = time.monotonic()
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as run:
            summed = subprocess.run(["sha256sum"], stdin=run.stdout, capture_output=True, timeout=120, check=True)
            assert run.wait(timeout=60) == 0
        print(f"{number + 1} {summed.stdout.split()[0].decode()} {time.monotonic() - begin:.2f} s")
        assert summed.stdout.split()[0].decode() == expected, f"fetch {number + 1} of {ROUNDS}"


def test_guest_sums_what_it_fetched(capos, nginx):
    body = random_bytes(8 * MIB)
    (nginx.root / "random").write_bytes(body)
    run = capos("busybox", "sh", "-c", f"busybox wget -q -O- {nginx.url('/random')} | busybox sha256sum")
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[0].decode() == sha256(body)


@pytest.mark.parametrize("size", [0, 1, 1459, 1460, 1461, 65535, 65536, 1_000_003])
def test_sizes(capos, nginx, size):
    (nginx.root / "file").write_bytes(random_bytes(size))
    run = capos("busybox", "wget", "-q", "-O-", nginx.url("/file"))
    assert run.returncode == 0, run.stderr
    assert run.stdout == random_bytes(size)


def test_many_fetches_one_after_another(capos, nginx):
    """More connections than there are places for those in TIME_WAIT."""
    (nginx.root / "file").write_bytes(b"x" * 1000)
    count = 300
    script = f"i=0; while [ $i -lt {count} ]; do wget -q -O- {nginx.url('/file')} || exit 1; i=$((i+1)); done"
    run = capos("busybox", "sh", "-c", script)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout) == count * 1000
    assert nginx.requests() == count


def test_reader_that_is_slow_and_then_fast(background, tcp_peer):
    """The windows all the way close, stay closed, and open again: not a byte is lost."""
    body = random_bytes(12 * MIB)
    sent = []

    def send(connection):
        for offset in range(0, len(body), 65536):
            connection.sendall(body[offset:offset + 65536])
            sent.append(time.monotonic())

    peer = tcp_peer(send)
    process = background("busybox", "nc", HOST, peer.port, stdin=subprocess.DEVNULL)
    received = process.stdout.read(1000)
    time.sleep(4)  # longer than a first retransmission or probe of a zero window
    stalled = len(sent)
    assert stalled < len(body) // 65536, "the sender must have been held back"
    time.sleep(1)
    assert len(sent) <= stalled + 1, "held back means that nothing moves"
    while len(received) < 300_000:
        received += process.stdout.read(3000)
        time.sleep(0.01)
    received += process.stdout.read()
    assert process.wait(timeout=60) == 0
    assert sha256(received) == sha256(body)


def test_sender_that_is_slow(capos, tcp_peer):
    body = random_bytes(3000)

    def send(connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(body), 100):
            connection.sendall(body[i:i + 100])
            time.sleep(0.02)

    run = capos("busybox", "nc", HOST, tcp_peer(send).port)
    assert (run.returncode, run.stdout) == (0, body), run.stderr


# ---- Up ----


def test_upload_through_stdin(capos, tcp_peer, tmp_path):
    """`capos run -- busybox nc HOST PORT < FILE`: 50 MiB, and the end of stdin is the end that the peer sees."""
    body = random_bytes(50 * MIB)
    (tmp_path / "body").write_bytes(body)
    peer = tcp_peer(read_all)
    with open(tmp_path / "body", "rb") as stdin:
        run = subprocess.run(capos.argv("busybox", "nc", HOST, peer.port), stdin=stdin, capture_output=True,
                             timeout=140, check=False)
    assert run.returncode == 0, run.stderr
    data, end = peer.result()
    assert end == "FIN"
    assert (len(data), sha256(data)) == (len(body), sha256(body))


def test_upload_to_a_reader_that_stops_for_a_while(capos, tcp_peer):
    body = random_bytes(12 * MIB)

    def read_slowly(connection):
        data = connection.recv(1000)
        time.sleep(4)
        rest, end = read_all(connection)
        return data + rest, end

    peer = tcp_peer(read_slowly)
    run = capos("busybox", "nc", HOST, peer.port, stdin=body)
    assert run.returncode == 0, run.stderr
    data, end = peer.result()
    assert (end, sha256(data)) == ("FIN", sha256(body))


def test_both_ways_at_once(capos, tcp_peer):
    up, down = random_bytes(6 * MIB, 1), random_bytes(6 * MIB, 2)

    def exchange(connection):
        sender = threading.Thread(target=lambda: connection.sendall(down))
        sender.start()
        data, end = read_all(connection)
        sender.join(60)
        return data, end

    peer = tcp_peer(exchange)
    run = capos("busybox", "nc", HOST, peer.port, stdin=up)
    assert run.returncode == 0, run.stderr
    assert sha256(run.stdout) == sha256(down)
    data, end = peer.result()
    assert (end, sha256(data)) == ("FIN", sha256(up))


# ---- Ends ----


def test_half_close_by_the_guest(capos, tcp_peer):
    """The guest has sent its end; what the peer answers after that still arrives."""
    def answer_after_the_end(connection):
        data, end = read_all(connection)
        time.sleep(0.3)
        connection.sendall(b"answer to " + data)
        return end

    peer = tcp_peer(answer_after_the_end)
    run = capos("busybox", "nc", HOST, peer.port, stdin=b"question")
    assert (run.returncode, run.stdout) == (0, b"answer to question"), run.stderr
    assert peer.result() == "FIN"


def test_data_before_the_end_is_read_after_it(background, tcp_peer):
    """The peer has closed long before the program's output is read."""
    body = random_bytes(200_000)
    peer = tcp_peer(lambda connection: connection.sendall(body))
    process = background("busybox", "nc", HOST, peer.port, stdin=subprocess.DEVNULL)
    peer.result()
    time.sleep(1.5)
    assert process.stdout.read() == body
    assert process.wait(timeout=30) == 0


def test_interrupt_during_a_download(background, tcp_peer):
    """Ctrl-C: exit status 130, and the peer sees the end of the connection."""
    def send_for_ever(connection):
        try:
            while True:
                connection.sendall(bytes(65536))
        except (BrokenPipeError, ConnectionResetError):
            return "closed"

    def serve(connection):
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        return send_for_ever(connection)

    peer = tcp_peer(serve)
    process = background("busybox", "wget", "-q", "-O-", peer.url("/endless"), stdin=subprocess.DEVNULL)
    assert len(process.stdout.read(300_000)) == 300_000
    process.send_signal(signal.SIGINT)
    threading.Thread(target=process.stdout.read, daemon=True).start()
    assert process.wait(timeout=20) == 130
    assert peer.result(20) == "closed"


def test_wget_gives_up_on_a_silent_server(capos, tcp_peer):
    ended = threading.Event()
    peer = tcp_peer(lambda connection: ended.wait(60))
    begin = time.monotonic()
    run = capos("busybox", "wget", "-T", "2", "-O-", peer.url("/"))
    elapsed = time.monotonic() - begin
    ended.set()
    assert (run.returncode, run.stdout) == (1, b"")
    assert b"download timed out" in run.stderr
    assert 2 <= elapsed < 8


def test_nc_gives_up_on_a_silent_server(capos, tcp_peer):
    ended = threading.Event()
    peer = tcp_peer(lambda connection: ended.wait(60))
    begin = time.monotonic()
    run = capos("busybox", "nc", "-w", "2", HOST, peer.port)
    elapsed = time.monotonic() - begin
    ended.set()
    assert run.stdout == b""
    assert 2 <= elapsed < 8


def test_wget_of_a_body_that_is_cut_short(capos, tcp_peer):
    """The server promises more than it sends."""
    def serve(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)

    run = capos("busybox", "wget", "-q", "-O-", tcp_peer(serve).url("/"))
    assert run.returncode == 1
    assert run.stdout == b"x" * 500
    assert b"connection closed prematurely" in run.stderr


def test_reset_by_the_peer_is_told(capos, tcp_peer):
    def reset(connection):
        connection.recv(4096)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    run = capos("busybox", "wget", "-q", "-O-", tcp_peer(reset).url("/"))
    assert run.returncode == 1
    assert re.search(rb"reset|error getting response", run.stderr)


# ---- Programs that die ----


@pytest.mark.parametrize("word, status", [
    (b"fault", 128 + signal.SIGSEGV), (b"abort", 128 + signal.SIGABRT), (b"kill", 128 + signal.SIGKILL), (b"exit", 0),
])
def test_connection_of_a_program_that_died_is_closed(capos, guest_program, tcp_peer, word, status):
    def end_it(connection):
        assert connection.recv(100) == b"ready\n"
        connection.sendall(word + b"\n")
        return read_all(connection)

    peer = tcp_peer(end_it)
    run = capos(guest_program("crash"), HOST, peer.port)
    assert run.returncode == status
    data, end = peer.result(30)
    assert data == b"" and end in ("FIN", "RST")


@pytest.mark.parametrize("half_closed", [False, True])
def test_what_a_program_sent_last_is_not_lost_by_its_end(capos, guest_program, tcp_peer, half_closed):
    """Neither the guest nor QEMU's user network drops what a slow peer reads only after the program's end."""
    def read_late(connection):
        assert connection.recv(100) == b"ready\n"
        connection.sendall(b"flood\n")
        if half_closed:
            connection.shutdown(socket.SHUT_WR)
        time.sleep(4)
        return read_all(connection)

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    peer = tcp_peer(read_late, listener=listener)
    run = capos(guest_program("crash"), HOST, peer.port)
    assert run.returncode == 0, run.stderr
    data, end = peer.result()
    assert (len(data), end) == (3_000_000, "FIN")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_connection_of_a_program_that_was_killed_is_closed(background, guest_program, tcp_peer, number):
    """It never enters the kernel by itself: only its death ends the connection."""
    spinning = threading.Event()

    def end_it(connection):
        assert connection.recv(100) == b"ready\n"
        connection.sendall(b"spin\n")
        time.sleep(0.5)
        spinning.set()
        return read_all(connection)

    peer = tcp_peer(end_it)
    process = background(guest_program("crash"), HOST, peer.port, stdin=subprocess.DEVNULL)
    assert spinning.wait(60)
    process.send_signal(number)
    assert process.wait(timeout=20) == 128 + number
    data, end = peer.result(30)
    assert data == b"" and end in ("FIN", "RST")


def test_fault_is_in_the_log(capos, guest_program, tcp_peer, tmp_path):
    """Who, where and why."""
    peer = tcp_peer(lambda connection: connection.sendall(b"fault\n") or read_all(connection))
    run = capos(guest_program("crash"), HOST, peer.port, options=["--log", tmp_path / "log"])
    assert run.returncode == 128 + signal.SIGSEGV
    assert re.search(r"crash.*0x0*8\b", (tmp_path / "log").read_text())
