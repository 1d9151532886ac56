# SPDX-License-Identifier: MIT
"""A bad cable: between a machine's tap device and the host's, frames are lost, doubled, and out of order."""

import fcntl
import os
import random
import select
import struct
import threading

from tapnet import TapNetwork

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 2, 0x1000
SOL_PACKET, PACKET_VNET_HDR = 263, 15
PACKET_OUTGOING = 4
# Of virtio's header before each frame: flags, kind, header length, segment, where the checksum starts and goes.
VNET = struct.Struct("<BBHHHH")
NEEDS_CHECKSUM = 1


def completed(frame):
    """A frame of the packet socket without its header; the checksum that the guest left to its card is put in."""
    flags, _, _, _, start, offset = VNET.unpack_from(frame)
    data = bytearray(frame[VNET.size:])
    if flags & NEEDS_CHECKSUM:
        part = data[start:] + bytes((len(data) - start) % 2)
        total = sum(struct.unpack(f"!{len(part) // 2}H", part))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        data[start + offset:start + offset + 2] = struct.pack("!H", ~total & 0xFFFF)
    return bytes(data)


class LossyNetwork(TapNetwork):
    """A TapNetwork whose host side is at the other end of the bad cable."""

    LOST, DOUBLED, LATE = 0.02, 0.01, 0.03  # of all frames, either way
    HELD = 0.004  # seconds that a late frame waits

    def __init__(self, directory, seed):
        self.stop = threading.Event()
        super().__init__(directory)
        self.random = random.Random(seed)
        self.lost = self.passed = 0
        self.run("ip", "addr", "del", f"{self.ADDRESS}/24", "dev", self.interface)
        self.host = self.inside(self._open_host_side)
        self.run("ip", "addr", "add", f"{self.ADDRESS}/24", "dev", "host0")
        self.run("ip", "link", "set", "host0", "up")
        self.guest = self.frames()
        self.guest.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.thread = threading.Thread(target=self._relay, daemon=True)
        self.thread.start()

    @staticmethod
    def _open_host_side():
        made = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(made, TUNSETIFF, struct.pack("16sH22x", b"host0", IFF_TAP | IFF_NO_PI))
        os.set_blocking(made, False)
        return made

    def _to_guest(self, frame):
        self.guest.send(bytes(VNET.size) + frame)

    def _to_host(self, frame):
        os.write(self.host, frame)

    def _relay(self):
        late = []
        while not self.stop.is_set():
            ready, _, _ = select.select([self.guest, self.host], [], [], self.HELD if late else 0.2)
            taken = []
            if self.guest in ready:
                frame, address = self.guest.recvfrom(70000)
                if address[2] != PACKET_OUTGOING:
                    taken.append((self._to_host, completed(frame)))
            if self.host in ready:
                taken.append((self._to_guest, os.read(self.host, 70000)))
            if not ready:
                for send, frame in late:
                    self._pass(send, frame)
                late = []
            for send, frame in taken:
                fate = self.random.random()
                if fate < self.LOST:
                    self.lost += 1
                    continue
                if fate < self.LOST + self.LATE:
                    late.append((send, frame))
                    continue
                self._pass(send, frame)
                if fate > 1 - self.DOUBLED:
                    self._pass(send, frame)
                if len(late) > 3:
                    self._pass(*late.pop(0))

    def _pass(self, send, frame):
        try:
            send(frame)
            self.passed += 1
        except OSError:  # no room: lost like others
            self.lost += 1

    def close(self):
        self.stop.set()
        if hasattr(self, "thread"):
            self.thread.join(10)
            self.guest.close()
            os.close(self.host)
        super().close()
