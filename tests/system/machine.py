# SPDX-License-Identifier: MIT
"""The host command `capos`, as the tests of whole machines run it."""

import os
import signal
import subprocess
from pathlib import Path

BUILD = Path(os.environ.get("CAPOS_BUILDDIR", "build")).resolve()
SOURCE = Path(os.environ.get("CAPOS_SRCDIR", Path(__file__).parent.parent.parent)).resolve()
CAPOS = os.environ.get("CAPOS", str(BUILD / "capos"))
# The limit on one machine, in seconds: many times what it takes here, under software emulation on a busy host.
LIMIT = 120
HOST = "10.0.2.2"  # this host, as QEMU's user network shows it to the guest


def signals_by_default():
    """In the child: a test started by nohup, or behind a shell's &, inherits signals that are ignored."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Capos:
    """The host command."""

    command = CAPOS

    def argv(self, *program, options=(), command="run"):
        tail = ["--", *map(str, program)] if program else []
        return [self.command, command, "--timeout", str(LIMIT), *map(str, options), *tail]

    def __call__(self, *program, options=(), stdin=b"", command="run", env=None, limit=LIMIT):
        """Runs to the end; stdout and stderr are bytes."""
        return subprocess.run(
            self.argv(*program, options=options, command=command),
            input=stdin, capture_output=True, timeout=limit + 20, env={**os.environ, **(env or {})},
            check=False,
        )

    def raw(self, *arguments, env=None, limit=LIMIT):
        """Runs with exactly these arguments."""
        return subprocess.run(
            [self.command, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
            timeout=limit + 20, env={**os.environ, **(env or {})}, check=False,
        )

    def start(self, *program, options=(), env=None, **popen):
        """Starts and returns the process; use as a context manager through `background`."""
        popen = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen}
        return subprocess.Popen(self.argv(*program, options=options), env={**os.environ, **(env or {})},
                                preexec_fn=signals_by_default, **popen)
