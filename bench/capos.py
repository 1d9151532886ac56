# SPDX-License-Identifier: MIT
"""The capOS guest, started as a user starts it: by `capos run`."""

import os
import subprocess
import tempfile


class CaposGuest:
    name = "capOS"

    def __init__(self, capos, static_program):
        self.capos = capos
        self.static_program = static_program
        self._log = tempfile.TemporaryFile()

    def size(self):
        with tempfile.TemporaryDirectory() as directory:
            image = os.path.join(directory, "image")
            subprocess.run([self.capos, "image", image], check=True, stdout=subprocess.DEVNULL)
            return sum(os.path.getsize(os.path.join(directory, f)) for f in os.listdir(directory))

    @staticmethod
    def prepare(command, files=None):
        return ["busybox", *command], files or {}

    @staticmethod
    def prepare_program(program, arguments, files):
        return [program, *arguments], files

    def start(self, prepared, memory=256):
        command, files = prepared
        options = ["--memory", str(memory)]
        for guest, host in files.items():
            options += ["--file", "%s:%s" % (host, guest)]
        return subprocess.Popen([self.capos, "run", *options, "--", *command],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log)

    @staticmethod
    def emulator(process):
        """The QEMU that capos started, its only child."""
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as f:
            return int(f.read().split()[0])
