# SPDX-License-Identifier: MIT
"""The Linux guest: its initial RAM disk, made for each scenario, and its QEMU command line, Linux's fastest."""

import os
import stat
import subprocess
import tempfile

INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
for m in $(/bin/busybox cat /modules/order); do /bin/busybox insmod /modules/$m.ko; done
/bin/busybox ifconfig lo 127.0.0.1
/bin/busybox ifconfig eth0 10.0.2.15 netmask 255.255.255.0
/bin/busybox route add default gw 10.0.2.2
. /run.sh
/bin/busybox poweroff -f
"""


def _cpio(entries):
    """A "newc" archive (Linux's early userspace buffer format) of (name, mode, data)."""
    out = bytearray()
    for number, (name, mode, data) in enumerate(entries + [("TRAILER!!!", 0, b"")], 1):
        encoded = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
        out += b"\0" * (-len(out) % 4)
        out += data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


class LinuxGuest:
    name = "Linux"

    def __init__(self, directory, qemu):
        self.qemu = qemu
        self.kernel = os.path.join(directory, "vmlinuz")
        self._root = os.path.join(directory, "root")
        self.static_program = os.path.join(directory, "posix-static")
        self._libc = os.path.join(directory, "musl/lib/libc.so")
        self._log = tempfile.TemporaryFile()

    def _initrd(self, script, files):
        entries = [(d, stat.S_IFDIR | 0o755, b"") for d in ("bin", "dev", "lib", "proc", "modules", "tmp")]
        # The modules, and "order", in which they are loaded.
        for name in sorted(os.listdir(os.path.join(self._root, "modules"))):
            with open(os.path.join(self._root, "modules", name), "rb") as f:
                entries.append(("modules/" + name, stat.S_IFREG | 0o644, f.read()))
        with open(os.path.join(self._root, "bin", "busybox"), "rb") as f:
            entries.append(("bin/busybox", stat.S_IFREG | 0o755, f.read()))
        entries.append(("init", stat.S_IFREG | 0o755, INIT.encode()))
        entries.append(("run.sh", stat.S_IFREG | 0o644, script.encode()))
        for guest, host in files.items():
            with open(host, "rb") as f:
                entries.append((guest.lstrip("/"), os.stat(host).st_mode, f.read()))
        return _cpio(entries)

    def size(self):
        return os.path.getsize(self.kernel) + len(self._initrd("", {}))

    def prepare(self, command, files=None):
        """Everything that is not part of a boot is done here; the result goes to start()."""
        return self._prepared("/bin/busybox " + " ".join(command) + "\n", files or {})

    def prepare_program(self, program, arguments, files):
        """A file of the host that is linked dynamically."""
        files = {**files, "/bin/program": program, "/lib/ld-musl-x86_64.so.1": self._libc}
        return self._prepared("/bin/program " + " ".join(arguments) + "\n", files)

    def _prepared(self, script, files):
        initrd = tempfile.NamedTemporaryFile(suffix=".cpio")
        initrd.write(self._initrd(script, files))
        initrd.flush()
        return initrd

    def start(self, prepared, memory=256):
        process = subprocess.Popen(
            [self.qemu, "-machine", "q35", "-accel", "tcg", "-cpu", "max,erms=off,fsrm=off", "-m", str(memory),
             "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot", "-serial", "stdio",
             "-kernel", self.kernel, "-initrd", prepared.name,
             "-append", "console=ttyS0 quiet loglevel=0 mitigations=off nokaslr tsc=reliable panic=-1",
             "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,disable-legacy=on"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log)
        process.initrd = prepared  # the file goes with the last reference
        return process

    @staticmethod
    def emulator(process):
        return process.pid
