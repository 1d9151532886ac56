# SPDX-License-Identifier: MIT
"""A user at a terminal: `capos` on a pty, what it prints, and what is typed."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

from machine import CAPOS, LIMIT

WAIT = 60  # seconds for one thing to appear: many times what it takes, under software emulation on a busy host


class Console:
    """Starts `capos` with a terminal of its own; every wait ends by itself."""

    def __init__(self, *arguments, rows=24, columns=80, limit=LIMIT, script=None):
        """script: instead of `capos` a shell with job control runs it, with `capos` as "$0" and the arguments."""
        self.text = b""
        self.status = None
        arguments = [arguments[0], "--timeout", str(limit), *map(str, arguments[1:])]
        arguments = [CAPOS, *arguments] if script is None else ["/bin/sh", "-mc", script, CAPOS, *arguments]
        master, slave = pty.openpty()
        self.resize(rows, columns, slave)
        self.before = termios.tcgetattr(slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(slave, fd)
            os.closerange(3, 256)
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            os.environ["TERM"] = "vt100"
            os.execv(arguments[0], arguments)
        self.fd, self.slave = master, slave

    def resize(self, rows, columns, fd=None):
        fcntl.ioctl(self.fd if fd is None else fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text if isinstance(text, bytes) else text.encode())

    def read(self, seconds):
        """Whether something came."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        data = os.read(self.fd, 65536)
        self.text += data
        return bool(data)

    def expect(self, *words, wait=WAIT):
        """Reads until one of the words has come; what was before it.  What is behind it stays to be read."""
        words = [word if isinstance(word, bytes) else word.encode() for word in words]
        end = time.monotonic() + wait
        while True:
            for word in words:
                if word in self.text:
                    before, self.text = self.text.split(word, 1)
                    return before.decode(errors="replace")
            assert time.monotonic() < end, f"{words} did not come; instead: {self.text!r}"
            self.read(0.2)

    def run(self, command, wait=WAIT):
        """What a command prints, at the prompt of a shell that asks for the next one afterwards."""
        self.type(f"{command}\n")
        self.expect("\n", wait=wait)  # its echo
        return self.prompt(wait)

    def prompt(self, wait=WAIT):
        return self.expect("# ", wait=wait).rpartition("\n")[0].replace("\r", "")

    def mode(self):
        return termios.tcgetattr(self.slave)

    def is_raw(self):
        return not self.mode()[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def wait(self, wait=WAIT):
        """The exit status, as subprocess has it."""
        end = time.monotonic() + wait
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                break
            assert time.monotonic() < end, f"capos did not end: {self.text!r}"
            self.read(0.1)
        while self.read(0.1):
            pass
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.status = -signal.SIGKILL
        os.close(self.fd)
        os.close(self.slave)
