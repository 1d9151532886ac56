# SPDX-License-Identifier: MIT
"""DHCP and DNS against real servers, silent ones, and ones with false lengths and places."""

import re
import struct
import threading
import time

import pytest

GUEST = "192.168.77.60"
LIE = "192.168.77.66"  # what the lying answers want to make the guest believe
MAGIC = b"\x63\x82\x53\x63"


@pytest.fixture
def names(tap_network):
    """dnsmasq, and a function that asks a machine for names: what it said of each."""
    tap_network.start_dnsmasq()
    return tap_network


def resolve(network, program, *names, options=()):
    run = network.capos(program, *[f"resolve:{name}" for name in names], options=options)
    assert run.returncode == 0, run.stderr
    return [line.split(maxsplit=1)[1] for line in run.stdout.decode().splitlines()]


# ---- A server that is right ----


def test_getaddrinfo(names, guest_program):
    asked = ["known.test", "KNOWN.test", "other.test", "nowhere.test", "192.168.77.3", "localhost", "a" * 64 + ".test"]
    assert resolve(names, guest_program("attempt"), *asked) == [
        "192.168.77.1", "192.168.77.1", "192.168.77.9", "EAI_NONAME", "192.168.77.3", "127.0.0.1", "EAI_NONAME"]


def test_nslookup(names):
    run = names.capos("busybox", "nslookup", "known.test")
    assert run.returncode == 0, run.stderr + run.stdout
    assert re.search(rb"Name:\s+known.test\s+Address:\s+192\.168\.77\.1\b", run.stdout)


def test_nslookup_of_a_name_that_does_not_exist(names):
    run = names.capos("busybox", "nslookup", "nowhere.test")
    assert run.returncode == 1
    assert b"NXDOMAIN" in run.stdout


def test_wget_by_a_name_that_does_not_exist(names):
    begin = time.monotonic()
    run = names.capos("busybox", "wget", "-O-", "http://nowhere.test/")
    assert run.returncode == 1
    assert b"bad address 'nowhere.test'" in run.stderr
    assert time.monotonic() - begin < 8


def test_name_server_is_silent(tap_network, guest_program):
    """No server answers: after a while, a failure that may pass."""
    options = ["--address", f"{GUEST}/24,dns={tap_network.ADDRESS}"]
    with tap_network.udp(53):
        begin = time.monotonic()
        assert resolve(tap_network, guest_program("attempt"), "known.test", options=options) == ["EAI_AGAIN"]
        assert 2 < time.monotonic() - begin < 60


def test_name_server_is_not_there(tap_network, guest_program):
    """Port unreachable."""
    options = ["--address", f"{GUEST}/24,dns={tap_network.ADDRESS}"]
    assert resolve(tap_network, guest_program("attempt"), "known.test", options=options) == ["EAI_AGAIN"]


def test_name_server_that_refuses_is_not_waited_for(tap_network, guest_program):
    """Its ICMP error ends each try; it took ten seconds a name."""
    options = ["--address", f"{GUEST}/24,dns={tap_network.ADDRESS}"]
    names_ = [f"name{i}.test" for i in range(5)]
    begin = time.monotonic()
    assert resolve(tap_network, guest_program("attempt"), *names_, options=options) == ["EAI_AGAIN"] * 5
    assert time.monotonic() - begin < 12


def test_names_do_not_mean_the_machine_itself(tap_network, guest_program):
    """DNS rebinding: a granted name's server cannot point the program at loopback, the machine, or a group."""
    own = {"loop.test": "127.0.0.1", "own.test": GUEST, "net.test": "192.168.77.255", "group.test": "224.0.0.1",
           "none.test": "0.0.0.0"}
    tap_network.NAMES = {**tap_network.NAMES, **own}
    tap_network.start_dnsmasq()
    options = ["--address", f"{GUEST}/24,dns={tap_network.ADDRESS}", "--allow", "resolve", "--allow", "listen=80"]
    options += [word for name in own for word in ("--allow", f"connect={name}:80")]
    what = [one for name, address in own.items() for one in (f"resolve:{name}", f"tcp:{address}:80")]
    run = tap_network.capos(guest_program("attempt"), "listen:80", *what, options=options)
    assert run.returncode == 0, run.stderr
    answers = [line.split(maxsplit=1)[1] for line in run.stdout.decode().splitlines()]
    assert answers[0] == "ok"
    assert answers[1::2] == ["EAI_NODATA"] * len(own)
    assert answers[2::2] == ["EACCES"] * len(own)


def test_second_name_server_is_asked(names, guest_program):
    options = ["--address", f"{GUEST}/24,dns=192.168.77.200,dns={names.ADDRESS}"]
    assert resolve(names, guest_program("attempt"), "known.test", options=options) == ["192.168.77.1"]


# ---- False DNS answers ----


def encode(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def header(query, flags=0x8180, questions=1, answers=1):
    return query[:2] + struct.pack("!5H", flags, questions, answers, 0, 0)


def question(query):
    return query[12:]


def record(name=b"\xc0\x0c", type_=1, class_=1, ttl=60, length=None, data=bytes(map(int, LIE.split(".")))):
    return name + struct.pack("!HHIH", type_, class_, ttl, len(data) if length is None else length) + data


# Each is sent before the right answer.  None may be believed, and none may do more than make the look-up fail.
FALSE_ANSWERS = {
    "empty": lambda q: b"",
    "one byte": lambda q: q[:1],
    "header cut": lambda q: header(q)[:11],
    "header alone": lambda q: header(q),
    "question cut": lambda q: header(q) + question(q)[:-3],
    "no answer where one is promised": lambda q: header(q) + question(q),
    "65535 answers": lambda q: header(q, answers=65535) + question(q),
    "65535 questions": lambda q: header(q, questions=65535) + question(q) + record(),
    "record cut": lambda q: header(q) + question(q) + record()[:-2],
    "record header cut": lambda q: header(q) + question(q) + record()[:7],
    "data longer than the message": lambda q: header(q) + question(q) + record(length=60000),
    "address of no bytes": lambda q: header(q) + question(q) + record(data=b""),
    "address of three bytes": lambda q: header(q) + question(q) + record(data=b"\xc0\xa8\x4d"),
    "address of sixteen bytes": lambda q: header(q) + question(q) + record(data=bytes(16)),
    "pointer to itself": lambda q: header(q) + question(q) + record(
        struct.pack("!H", 0xC000 + 12 + len(question(q)))),
    "pointers in a circle": lambda q: header(q) + question(q) + record(
        b"\1a" + struct.pack("!H", 0xC000 + 12 + len(question(q)))),
    "pointer past the end": lambda q: header(q) + question(q) + record(b"\xff\xff"),
    "pointer cut": lambda q: header(q) + question(q) + b"\xc0",
    "label past the end": lambda q: header(q) + question(q) + b"\x3fabc",
    "label of a reserved kind": lambda q: header(q) + question(q) + record(b"\x80\x0c"),
    "alias to itself": lambda q: header(q, answers=2) + question(q) + record(type_=5, data=b"\xc0\x0c") * 2,
    "alias cut": lambda q: header(q) + question(q) + record(type_=5, data=b"\x05ab"),
    "name longer than names are": lambda q: header(q) + question(q) + record((b"\x3f" + b"a" * 63) * 5 + b"\0"),
    "other question": lambda q: header(q) + encode("other.test") + b"\0\1\0\1" + record(),
    "other id": lambda q: bytes([q[0] ^ 1]) + header(q)[1:] + question(q) + record(),
    "other name": lambda q: header(q) + question(q) + record(encode("other.test")),
    "other class": lambda q: header(q) + question(q) + record(class_=3),
    "a query": lambda q: header(q, flags=0x0100) + question(q) + record(),
    "garbage": lambda q: q[:2] + bytes(range(256)) * 2,
    "4000 bytes": lambda q: header(q, answers=300) + question(q) + record(encode("other.test")) * 300,
}


class LyingNameServer:
    """Answers first by the false answer that the name's number chooses, then rightly."""

    def __init__(self, socket_, right):
        self.socket = socket_
        self.right = bytes(map(int, right.split(".")))
        self.asked = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        false_answers = list(FALSE_ANSWERS.values())
        while True:
            try:
                query, address = self.socket.recvfrom(2000)
            except OSError:
                return
            label = query[13:13 + query[12]].decode()
            self.asked.append(label)
            if label.startswith("false"):
                self.socket.sendto(false_answers[int(label[5:])](query), address)
            self.socket.sendto(header(query) + question(query) + record(data=self.right), address)


def test_dns_answers_that_lie(tap_network, guest_program):
    right = "192.168.77.5"
    with tap_network.udp(53) as socket_:
        server = LyingNameServer(socket_, right)
        asked = [name for i in range(len(FALSE_ANSWERS)) for name in (f"false{i}.test", f"good{i}.test")]
        answers = resolve(tap_network, guest_program("attempt"), *asked,
                          options=["--address", f"{GUEST}/24,dns={tap_network.ADDRESS}"])
    print(dict(zip(asked, answers)))
    assert set(server.asked) == {name.split(".")[0] for name in asked}
    for i, false_answer in enumerate(FALSE_ANSWERS):
        assert answers[2 * i] in (right, "EAI_FAIL", "EAI_AGAIN", "EAI_NONAME", "EAI_NODATA"), false_answer
        assert answers[2 * i + 1] == right, f"after {false_answer}"


# ---- False DHCP answers ----


def option(code, data, length=None):
    return bytes([code, len(data) if length is None else length]) + data


def dhcp(request, kind, options, address=GUEST, operation=2, cookie=MAGIC):
    """An answer to a request, from 192.168.77.1."""
    return (bytes([operation]) + request[1:4] + request[4:8] + bytes(4) + bytes(4) + bytes(map(int, address.split(".")))
            + bytes([192, 168, 77, 1]) + bytes(4) + request[28:44] + bytes(192) + cookie
            + option(53, bytes([kind])) + options)


SERVER = option(54, bytes([192, 168, 77, 1]))
GOOD = SERVER + option(51, struct.pack("!I", 3600)) + option(1, bytes([255, 255, 255, 0])) + option(
    3, bytes([192, 168, 77, 1])) + option(6, bytes([192, 168, 77, 1])) + b"\xff"

FALSE_DHCP = {
    "empty": lambda r, k: b"",
    "cut in the header": lambda r, k: dhcp(r, k, GOOD)[:100],
    "cut before the options": lambda r, k: dhcp(r, k, GOOD)[:236],
    "cut in the cookie": lambda r, k: dhcp(r, k, GOOD)[:238],
    "wrong cookie": lambda r, k: dhcp(r, k, GOOD, address=LIE, cookie=b"\x63\x82\x53\x64"),
    "a request": lambda r, k: dhcp(r, k, GOOD, address=LIE, operation=1),
    "other transaction": lambda r, k: dhcp(r[:4] + bytes([r[4] ^ 1]) + r[5:], k, GOOD, address=LIE),
    "other hardware address": lambda r, k: dhcp(r[:33] + bytes([r[33] ^ 1]) + r[34:], k, GOOD, address=LIE),
    "no end": lambda r, k: dhcp(r, k, GOOD[:-1]),
    "option past the end": lambda r, k: dhcp(r, k, GOOD[:-1] + b"\x0c\xff\x61"),
    "option without a length": lambda r, k: dhcp(r, k, GOOD[:-1] + b"\x0c"),
    "lease of one byte": lambda r, k: dhcp(r, k, SERVER + option(51, b"\1") + b"\xff"),
    "lease of no bytes": lambda r, k: dhcp(r, k, SERVER + option(51, b"") + b"\xff"),
    "netmask of two bytes": lambda r, k: dhcp(r, k, SERVER + option(1, b"\xff\xff") + GOOD[6:]),
    "router of no bytes": lambda r, k: dhcp(r, k, SERVER + option(3, b"") + GOOD[6:]),
    "name servers of five bytes": lambda r, k: dhcp(r, k, SERVER + option(6, b"\1\2\3\4\5") + GOOD[6:]),
    "name servers of 255 bytes": lambda r, k: dhcp(r, k, SERVER + option(6, bytes(255)) + GOOD[6:]),
    "overload into a full field": lambda r, k: dhcp(
        r, k, SERVER + option(52, b"\3") + GOOD[6:]).replace(bytes(64), b"\x0c\xff" * 32, 1),
    "overload of 200 bytes": lambda r, k: dhcp(r, k, SERVER + option(52, bytes(200)) + GOOD[6:]),
    "kind of no bytes": lambda r, k: dhcp(r, k, GOOD).replace(option(53, bytes([k])), option(53, b"")),
    "1400 bytes of options": lambda r, k: dhcp(r, k, SERVER + option(12, b"a" * 255) * 4 + GOOD[6:]),
}


class DhcpServer:
    """Answers each request first by the false answer, then rightly."""

    OFFER, ACK = 2, 5

    def __init__(self, socket_, false_answer):
        self.socket, self.false_answer, self.kinds = socket_, false_answer, []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                request, _ = self.socket.recvfrom(2000)
            except OSError:
                return
            kind = request[242]  # option 53 comes first
            self.kinds.append(kind)
            answer = {1: self.OFFER, 3: self.ACK}.get(kind)
            if answer is None:
                continue
            for message in (self.false_answer(request, answer), dhcp(request, answer, GOOD)):
                self.socket.sendto(message, ("255.255.255.255", 68))


@pytest.mark.parametrize("false_answer", FALSE_DHCP.values(), ids=[name.replace(" ", "-") for name in FALSE_DHCP])
def test_false_dhcp_answer(tap_network, false_answer):
    """The guest gets its address all the same, in time, and the network works."""
    with tap_network.udp(67) as socket_:
        server = DhcpServer(socket_, false_answer)
        run = tap_network.capos("busybox", "ping", "-c", "1", tap_network.ADDRESS, options=["--timeout", "40"])
    assert run.returncode == 0, (run.stderr, server.kinds)
    assert b"1 packets received" in run.stdout


def test_no_dhcp_server(tap_network):
    """An address never comes: an error, in time."""
    begin = time.monotonic()
    run = tap_network.capos("busybox", "ping", "-c", "1", tap_network.ADDRESS, options=["--timeout", "60"])
    assert run.returncode == 1, run.stderr
    assert time.monotonic() - begin < 30
