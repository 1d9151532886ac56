# SPDX-License-Identifier: MIT
"""The peer on the host: an HTTP server for fetches and an FTP server for uploads, both of which note when what
happened, on one clock.  A transfer's time is always taken here, so both guests are measured the same way."""

import os
import re
import socket
import tempfile
import threading
import time


class Transfer:
    """One fetch or upload. Times are time.monotonic() seconds."""

    def __init__(self, path):
        self.path = path
        self.start = time.monotonic()  # request received, or data connection open
        self.end = None                # the peer has read, or sent, everything and closed
        self.bytes = 0

    @property
    def seconds(self):
        return self.end - self.start


class Server:
    """Serves /N as N random bytes (the same ones each time).  Use as a context manager."""

    def __init__(self):
        self.transfers = []
        self.changed = threading.Condition()
        self._files = {}
        self._sockets = []
        self.http_port = self._listen(self._http)
        self.ftp_port = self._listen(self._ftp)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for listener in self._sockets:
            listener.close()
        for file in self._files.values():
            file.close()

    def clear(self):
        with self.changed:
            self.transfers = []

    def wait(self, count, timeout):
        """The first `count` finished transfers since clear(), or None when time runs out."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                done = [t for t in self.transfers if t.end]
                if len(done) >= count:
                    return done[:count]
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    return None

    def _note(self, transfer):
        with self.changed:
            self.transfers.append(transfer)
            self.changed.notify_all()

    def _listen(self, handler, backlog=128):
        listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self._sockets.append(listener)
        threading.Thread(target=self._accept, args=(listener, handler), daemon=True).start()
        return listener.getsockname()[1]

    def _accept(self, listener, handler):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(handler, connection), daemon=True).start()

    @staticmethod
    def _serve(handler, connection):
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                handler(connection)
            except OSError:
                pass  # the guest was stopped

    def _body(self, size):
        if size not in self._files:
            file = tempfile.TemporaryFile()
            left = size
            while left:
                chunk = os.urandom(min(left, 1 << 20))
                file.write(chunk)
                left -= len(chunk)
            file.flush()
            self._files[size] = file
        return self._files[size]

    def _http(self, connection):
        request = b""
        while b"\r\n\r\n" not in request:
            data = connection.recv(4096)
            if not data:
                return
            request += data
        path = request.split()[1].decode()
        transfer = Transfer(path)
        size = int(path.strip("/"))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % size)
        file, offset = self._body(size), 0
        while offset < size:
            offset += os.sendfile(connection.fileno(), file.fileno(), offset, size - offset)
        try:
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        except ConnectionError:
            pass  # reset instead of closed: the guest has gone, all the same
        transfer.end = time.monotonic()
        transfer.bytes = size
        self._note(transfer)

    def _ftp(self, control):
        """As much of RFC 959 as an FTP client's STOR in passive mode needs."""
        lines = control.makefile("rwb", buffering=0)
        passive = None
        lines.write(b"220 ready\r\n")
        for line in lines:
            word = line.split()[0].upper().decode() if line.split() else ""
            if word == "USER":
                lines.write(b"230 ok\r\n")
            elif word in ("PASS", "TYPE", "ALLO", "REST"):
                lines.write(b"200 ok\r\n")
            elif word == "EPSV":
                lines.write(b"502 use PASV\r\n")
            elif word == "PASV":
                passive = socket.create_server(("127.0.0.1", 0))
                port = passive.getsockname()[1]
                # 10.0.2.2 is the host as the guest's user network shows it.
                lines.write(b"227 (10,0,2,2,%d,%d)\r\n" % (port >> 8, port & 255))
            elif word == "STOR" and passive:
                lines.write(b"150 go\r\n")
                self._store(passive, line.split()[1].decode())
                passive.close()
                lines.write(b"226 done\r\n")
            elif word == "QUIT":
                lines.write(b"221 bye\r\n")
                return
            else:
                lines.write(b"502 no\r\n")

    def _store(self, passive, name):
        data, _ = passive.accept()
        buffer = bytearray(1 << 20)
        with data:
            transfer = Transfer(name)
            while True:
                count = data.recv_into(buffer)
                if not count:
                    break
                transfer.bytes += count
            transfer.end = time.monotonic()
        self._note(transfer)


def parse_ping(text):
    """Round-trip times in milliseconds that BusyBox ping printed, without the first (it resolves the neighbour)."""
    return [float(t) for t in re.findall(r"time=([0-9.]+) ms", text)][1:]
