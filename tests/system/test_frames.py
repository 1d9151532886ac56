# SPDX-License-Identifier: MIT
"""Frames that no honest peer sends, from a raw socket at the other end of the cable.

One machine serves HTTP all the while; between and after the frames it must answer as if nothing had been, and a
connection that was open before must go on.
"""

import random
import socket
import struct
import time

import pytest
from peers import wait_for
from scapy.all import ARP, ICMP, IP, TCP, UDP, Ether, Raw, fragment, raw
from tapnet import make_tap_network

GUEST = "192.168.77.60"
FORGED = "192.168.77.200"  # whose frames these pretend to be
FORGED_MAC = "02:00:00:00:00:77"
PORT = 80
ECHO = 7  # nothing listens


class Machine:
    """A capOS machine at a tap device that serves /hello, and a raw socket beside it."""

    def __init__(self, directory):
        self.network = make_tap_network(directory)
        try:
            (directory / "hello").write_bytes(b"hello\n")
            self.log = directory / "log"
            self.process = self.network.start_capos(
                "busybox", "httpd", "-f", "-p", str(PORT), "-h", "/www",
                options=["--address", f"{GUEST}/24", "--file", f"{directory}/hello:/www/hello", "--log", self.log,
                         "--timeout", "400"])
            self.frames = self.network.frames()
            self.frames.settimeout(5)
            wait_for(self._serves, "the guest's HTTP server", 60)
            self.mac = self._neighbour()
            self.open = self.network.connect(GUEST, PORT)
        except BaseException:
            self.network.close()
            raise

    def _serves(self):
        assert self.process.poll() is None, self.process.stderr.read()
        try:
            self.network.connect(GUEST, PORT, 1).close()
        except OSError:
            return False
        return True

    def _neighbour(self):
        text = self.network.run("ip", "neigh", "show", GUEST).stdout.decode()
        return text.split("lladdr ")[1].split()[0]

    def fetch(self, connection=None):
        with connection or self.network.connect(GUEST, PORT, 60) as link:
            link.settimeout(20)
            link.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
            answer = b""
            while chunk := link.recv(4096):
                answer += chunk
        return answer.endswith(b"\r\n\r\nhello\n")

    def send(self, *frames):
        for frame in frames:
            self.frames.send(bytes(frame)[:1514])

    def is_well(self):
        """Answers ping and HTTP, and the process is the one it was."""
        assert self.process.poll() is None, f"the machine ended: {self.log.read_text()}"
        assert self.answers_ping()
        assert self.fetch()

    def answers_ping(self):
        """Asked by the forged address, which may have to make itself known again."""
        for attempt in range(10):
            self.introduce()
            self.send(self.ip() / ICMP(id=0xCA, seq=attempt) / Raw(b"are you well?"))
            for frame in self.answers(1):
                if frame.haslayer(ICMP) and frame[ICMP].type == 0 and frame[ICMP].id == 0xCA:
                    return True
        return False

    def answers(self, seconds=1.0):
        """What the guest sends to the forged address in that time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.frames.settimeout(left)
            try:
                frame = Ether(self.frames.recv(2000))
            except TimeoutError:
                return
            if frame.src == self.mac and frame.dst == FORGED_MAC:
                yield frame

    def ethernet(self):
        return Ether(src=FORGED_MAC, dst=self.mac)

    def ip(self, **fields):
        return self.ethernet() / IP(src=FORGED, dst=GUEST, **fields)

    def introduce(self):
        """Makes the guest know the forged address, so that answers come without a question."""
        self.send(self.ethernet() / ARP(op=1, hwsrc=FORGED_MAC, psrc=FORGED, pdst=GUEST))

    def close(self):
        self.open.close()
        self.network.close()


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    made = Machine(tmp_path_factory.mktemp("machine"))
    made.introduce()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def well_afterwards(machine):
    yield
    machine.is_well()


def every_prefix(frame, step=1):
    data = raw(frame)
    return [data[:n] for n in range(14, len(data), step)]


def internet_checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) // 2 * 2]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def with_options(machine, options):
    """An echo request whose IP header carries these bytes, which need make no sense to scapy."""
    echo = raw(ICMP() / Raw(bytes(8)))
    head = bytearray(raw(IP(src=FORGED, dst=GUEST, proto=1, ihl=5 + len(options) // 4,
                            len=20 + len(options) + len(echo), chksum=0))[:20] + options)
    head[10:12] = struct.pack("!H", internet_checksum(bytes(head)))
    return machine.ethernet() / Raw(bytes(head) + echo)


# ---- Short frames and lengths that lie ----


def test_frames_of_every_length_and_kind(machine):
    for kind in (0x0800, 0x0806, 0x86DD, 0x8100, 0x0000, 0xFFFF, 46):
        head = raw(machine.ethernet())[:12] + struct.pack("!H", kind)
        for length in (0, 1, 2, 7, 19, 20, 21, 27, 28, 45, 46, 47, 1499, 1500):
            machine.send(head + bytes(length), head + b"\xff" * length, head + b"\x45" * length)


@pytest.mark.parametrize("kind", ["arp", "ip", "tcp", "udp", "icmp"])
def test_frames_cut_short(machine, kind):
    whole = {
        "arp": machine.ethernet() / ARP(op=1, hwsrc=FORGED_MAC, psrc=FORGED, pdst=GUEST),
        "ip": with_options(machine, b"\x07\x07\x04" + bytes(4) + b"\x00"),
        "tcp": machine.ip() / TCP(sport=1025, dport=PORT, flags="S", options=[("MSS", 1460), ("WScale", 7)]),
        "udp": machine.ip() / UDP(sport=1025, dport=68) / Raw(bytes(16)),
        "icmp": machine.ip() / ICMP() / Raw(bytes(16)),
    }[kind]
    machine.send(*every_prefix(whole))


def test_ip_headers_that_lie(machine):
    machine.send(*(machine.ip(ihl=ihl) / ICMP() for ihl in range(16)))
    machine.send(*(machine.ip(version=version) / ICMP() for version in range(16)))
    machine.send(*(machine.ip(len=length) / ICMP() / Raw(bytes(64))
                   for length in (0, 1, 19, 20, 21, 27, 28, 91, 93, 1500, 65535)))
    machine.send(machine.ip(chksum=0x1234) / ICMP())
    machine.send(*(machine.ip(proto=number) / Raw(bytes(40)) for number in range(256)))


@pytest.mark.parametrize("source", ["0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.1", GUEST, "192.168.77.255"])
def test_sources_that_cannot_be(machine, source):
    head = machine.ethernet() / IP(src=source, dst=GUEST)
    machine.send(head / ICMP(), head / UDP(sport=7, dport=7) / b"x", head / TCP(sport=PORT, dport=PORT, flags="S"))


def test_udp_lengths_that_lie(machine):
    for length in (0, 1, 7, 8, 9, 23, 25, 1500, 65535):
        for port in (68, ECHO):
            machine.send(machine.ip() / UDP(sport=53, dport=port, len=length) / Raw(bytes(16)))
            machine.send(machine.ip() / UDP(sport=53, dport=port, len=length, chksum=0) / Raw(bytes(16)))


def test_tcp_headers_that_lie(machine):
    for offset in range(16):
        machine.send(machine.ip() / TCP(sport=1026, dport=PORT, flags="S", dataofs=offset) / Raw(bytes(30)))
    for flags in range(256):
        machine.send(machine.ip() / TCP(sport=1027, dport=PORT, flags=flags, seq=1, ack=1) / Raw(b"x"))
    for options in (b"\x02\x04\x05", b"\x02\x00\x00\x00", b"\x02\x01\x01\x01", b"\x03\xff\x07\x00", b"\x02\x04\x00\x00",
                    b"\x03\x03\xff\x00", b"\x08\x02\x00\x00", b"\x05\x0a\x00\x00", b"\x02" * 40, b"\xff" * 40):
        header = raw(TCP(sport=1028, dport=PORT, flags="S", dataofs=5 + len(options) // 4))[:20] + options
        machine.send(machine.ip(proto=6) / Raw(header))
        # With a right checksum too, so that the options are looked at.
        header = header[:16] + b"\0\0" + header[18:]
        pseudo = socket.inet_aton(FORGED) + socket.inet_aton(GUEST) + struct.pack("!HH", 6, len(header))
        sum_ = struct.pack("!H", internet_checksum(pseudo + header))
        machine.send(machine.ip(proto=6) / Raw(header[:16] + sum_ + header[18:]))


def test_icmp_about_connections_that_are_not(machine):
    for type_ in (0, 3, 4, 5, 8, 11, 12, 13, 17, 255):
        for code in (0, 1, 2, 3, 4, 255):
            for inner in (b"", b"\x45", raw(IP(src=GUEST, dst=FORGED, ihl=15) / TCP())[:28],
                          raw(IP(src=GUEST, dst=FORGED) / TCP(sport=PORT, dport=1)), bytes(600)):
                machine.send(machine.ip() / ICMP(type=type_, code=code) / Raw(inner))


def test_arp_that_lies(machine):
    for fields in ({"hwlen": 255}, {"plen": 255}, {"hwlen": 0, "plen": 0}, {"hwtype": 0}, {"ptype": 0x86DD}, {"op": 0},
                   {"op": 65535}, {"psrc": "255.255.255.255"}, {"psrc": "0.0.0.0"}, {"hwsrc": "ff:ff:ff:ff:ff:ff"}):
        machine.send(machine.ethernet() / ARP(**{"op": 2, "hwsrc": FORGED_MAC, "psrc": FORGED, "pdst": GUEST,
                                                 **fields}))


def test_many_neighbours(machine):
    """More than the table holds: whom the machine talks to stays reachable."""
    for number in range(300):
        address = f"192.168.77.{100 + number % 100}"
        machine.send(Ether(src=FORGED_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(
            op=1, hwsrc=f"02:00:00:00:01:{number % 256:02x}", psrc=address, pdst=GUEST))


# ---- Options and fragments ----


def test_ip_options(machine):
    """Source routes are refused; no option's length makes anything happen."""
    for option in (b"\x83\x07\x04\xc0\xa8\x4d\x01\x00", b"\x89\x07\x04\xc0\xa8\x4d\x01\x00", b"\x07\xff\x04\x00",
                   b"\x44\x00\x00\x00", b"\x01" * 40, b"\x00" * 40, b"\xff" * 40, b"\x94\x04\x00\x00"):
        machine.send(with_options(machine, option))


def test_fragments_are_put_together(machine):
    machine.introduce()
    body = random.Random(3).randbytes(5000)
    list(machine.answers(0.1))
    machine.send(*fragment(machine.ip(id=99) / ICMP(id=7, seq=1) / Raw(body), 1400))
    replies = list(machine.answers())
    echoed = [frame for frame in replies if frame.haslayer(IP) and frame[IP].proto == 1]
    assert sum(len(frame[IP].payload) for frame in echoed) == 8 + len(body)


def pieces(machine, id_, ranges, proto=1, seed=5):
    """Fragments of one datagram: (offset, length, more)."""
    data = random.Random(seed).randbytes(70000)
    return [machine.ip(id=id_, proto=proto, flags="MF" if more else 0, frag=offset // 8) / Raw(
        data[offset:offset + length]) for offset, length, more in ranges]


@pytest.mark.parametrize("ranges", [
    [(0, 800, True), (400, 800, True), (1200, 100, False)],
    [(0, 800, True), (0, 800, True), (0, 800, False)],
    [(800, 800, True), (0, 1200, True), (400, 1200, False)],
    [(0, 1400, True), (8, 8, False)],
    [(8, 8, False), (0, 1400, True)],
    [(0, 8, False), (8, 8, False), (16, 8, False)],
    [(65528, 800, False), (0, 800, True)],
    [(65528, 8, True)] * 3,
    [(0, 0, True), (0, 0, True), (8, 0, False)],
    [(0, 13, True), (16, 8, False)],
    [(offset, 8, True) for offset in range(0, 2000, 8)] + [(2000, 8, False)],
    [(offset, 1400, True) for offset in range(0, 65000, 1400)],
    [(offset, 1400, offset != 0) for offset in range(64400, -1, -1400)],
], ids=["overlap", "same", "inside-out", "within", "within-first", "three-ends", "past-64k", "past-64k-again", "empty",
        "odd", "tiny", "no-end", "backwards"])
def test_fragments_that_overlap_or_lie(machine, ranges):
    for number, proto in enumerate((1, 6, 17)):
        machine.send(*pieces(machine, 1000 + number, ranges, proto))


def test_fragments_of_datagrams_that_never_end(machine):
    """More than may be kept: memory is bounded, and honest fragments get through again in the end."""
    for id_ in range(2000):
        machine.send(*pieces(machine, id_, [(0, 1400, True)], 17))
    machine.is_well()


# ---- Floods ----


def test_connections_that_are_never_completed(machine):
    """SYNs from nowhere: real connections come through, at the latest when these have been given up."""
    for number in range(600):
        machine.send(machine.ethernet() / IP(src=f"192.168.77.{100 + number % 50}", dst=GUEST) / TCP(
            sport=2000 + number, dport=PORT, flags="S", seq=number))
    machine.is_well()


def test_segments_out_of_the_window(machine):
    """A peer that does not know the sequence numbers cannot end or feed the open connection."""
    local = machine.open.getsockname()
    for flags in ("R", "RA", "S", "SA", "FA", "PA"):
        for seq in range(0, 1 << 32, 1 << 29):
            machine.send(machine.ethernet() / IP(src=local[0], dst=GUEST) / TCP(
                sport=local[1], dport=PORT, flags=flags, seq=seq, ack=seq) / Raw(b"" if "R" in flags else b"evil"))
    assert machine.process.poll() is None


def test_noise(machine):
    """Ten thousand frames of random bytes, half of them with a header that is nearly right."""
    noise = random.Random(11)
    for number in range(10000):
        length = noise.randrange(2, 1486)
        if number % 2:
            machine.send(raw(machine.ethernet())[:12] + noise.randbytes(length))
            continue
        good = bytearray(raw(machine.ip(proto=noise.choice((1, 6, 17)), len=20 + length) / Raw(noise.randbytes(length))))
        good[14 + noise.randrange(20)] ^= 1 << noise.randrange(8) if number % 4 else 0
        machine.send(bytes(good))


def test_connection_that_was_open_all_the_while(machine):
    """Opened before all of the above; it still works."""
    assert machine.fetch(machine.open)
    assert "PANIC" not in machine.log.read_text()
    assert "service" not in machine.log.read_text()
