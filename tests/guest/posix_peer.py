#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The host's side of posix_sockets.c: prints its control port and a free one, serves one client, and ends with it."""

import socket
import socketserver
import struct
import sys
import threading

BULK = 8 << 20


def checksum(data, value=0):
    for byte in data:
        value = (value * 31 + byte) & 0xFFFFFFFF
    return value


def listen(handle, host=""):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            try:
                handle(self.request)
            except OSError:
                pass

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    server = Server((host, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def echo(s):
    while data := s.recv(65536):
        s.sendall(data)


def send_and_close(s):
    s.sendall(b"d" * 70000)


def reset(s):
    s.recv(1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def bulk(s):
    s.sendall(bulk.data)
    s.sendall(struct.pack("!I", bulk.sum))


def sink(s):
    total, value = 0, 0
    while data := s.recv(1 << 20):
        total += len(data)
        value = checksum(data, value)
    s.sendall(struct.pack("!II", total, value))


def silent(s):
    threading.Event().wait(60)


def udp_echo():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 0))

    def serve():
        while True:
            data, address = s.recvfrom(65536)
            s.sendto(data, address)

    threading.Thread(target=serve, daemon=True).start()
    return s.getsockname()[1]


def closed_port():
    s = socket.socket()
    s.bind(("", 0))
    closed_port.held = s  # bound, never listening: connections are refused
    return s.getsockname()[1]


def connect(port, count):
    good = 0
    for i in range(count):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
            text = b"connection %d" % i
            s.sendall(text)
            good += s.recv(100) == text
    return good


def main():
    block = bytes(range(256)) * 16
    bulk.data = b"".join(bytes([i & 255]) + block for i in range(BULK // len(block) + 1))[:BULK]
    bulk.sum = checksum(bulk.data)
    ports = [listen(f) for f in (echo, send_and_close, reset, bulk, sink, silent)]
    ports += [closed_port(), udp_echo()]
    control = socket.create_server(("", 0))
    with socket.create_server(("127.0.0.1", 0)) as free:
        forwarded = free.getsockname()[1]
    print(control.getsockname()[1], forwarded, flush=True)
    client, _ = control.accept()
    stream = client.makefile("rw")
    print(*ports, file=stream, flush=True)
    for line in stream:
        words = line.split()
        if words and words[0] == "connect":
            print("echoed", connect(int(words[1]), int(words[2])), file=stream, flush=True)
    return 0


sys.exit(main())
