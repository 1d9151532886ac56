# SPDX-License-Identifier: MIT
"""Programs that make processes: BusyBox's time (vfork, exec, wait), httpd (a fork for each connection), ash."""

import concurrent.futures
import random
import re
import signal
import time
import urllib.error
import urllib.request

import pytest
from conftest import free_port

WEB = 8


def test_time(capos):
    run = capos("busybox", "time", "busybox", "echo", "hi")
    assert (run.returncode, run.stdout) == (0, b"hi\n"), run.stderr
    assert re.search(rb"real\t0m [\d.]+s\nuser\t", run.stderr)


def test_time_tells_the_status(capos):
    assert capos("busybox", "time", "sh", "-c", "exit 5").returncode == 5
    missing = capos("busybox", "time", "no-such-program")
    assert missing.returncode == 127
    assert b"no-such-program" in missing.stderr


def test_time_of_a_killed_program(capos):
    run = capos("busybox", "time", "sh", "-c", "kill -9 $$")
    assert b"Command terminated by signal 9" in run.stderr


def test_ctrl_c_reaches_children(background):
    process = background("busybox", "time", "sh", "-c", "echo started; busybox sleep 100; echo not reached")
    assert process.stdout.readline() == b"started\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (signal.SIGINT, b""), err  # time answers the signal's number
    assert b"Command terminated by signal 2" in err


def test_shell_runs_programs(capos):
    script = 'busybox seq 1000 | busybox tail -n 1; x=$(busybox uname); echo "$x"; (exit 3); echo $?; ' \
             '{ busybox echo one; busybox echo two; } >/tmp/f; cat /tmp/f'
    run = capos("sh", "-c", script)
    assert (run.returncode, run.stdout) == (0, b"1000\ncapOS\n3\none\ntwo\n"), run.stderr


def test_child_reads_the_hosts_stdin(capos):
    body = random.Random(5).randbytes(300_000)
    run = capos("sh", "-c", "dd bs=1000 count=100 iflag=fullblock 2>/dev/null; cat | cat", stdin=body)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout) == len(body)
    assert run.stdout == body


class Web:
    """A running httpd and what it serves."""

    def __init__(self, port, files):
        self.port = port
        self.files = files

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as reply:
            return reply.read()

    def wait(self, path):
        end = time.monotonic() + 60
        while True:
            try:
                return self.get(path)
            except (OSError, urllib.error.URLError):
                assert time.monotonic() < end, "httpd did not answer"
                time.sleep(0.2)


@pytest.fixture
def web(background, tmp_path):
    files = {"/index.html": b"<p>it works</p>\n", "/large": random.Random(7).randbytes(2_000_000)}
    port = free_port()
    options = ["--forward", f"tcp:{port}:80"]
    for path, body in files.items():
        (tmp_path / path[1:]).write_bytes(body)
        options += ["--file", f"{tmp_path}{path}:/www{path}"]
    background("busybox", "httpd", "-f", "-p", "80", "-h", "/www", options=options)
    served = Web(port, files)
    served.wait("/index.html")
    return served


def test_httpd_one_after_another(web):
    for _ in range(100):
        assert web.get("/index.html") == web.files["/index.html"]
    assert web.get("/large") == web.files["/large"]


def test_httpd_at_the_same_time(web):
    with concurrent.futures.ThreadPoolExecutor(WEB) as pool:
        bodies = list(pool.map(web.get, ["/large", "/index.html"] * WEB))
    assert bodies == [web.files["/large"], web.files["/index.html"]] * WEB


def test_httpd_says_what_is_not_there(web):
    with pytest.raises(urllib.error.HTTPError) as raised:
        web.get("/nothing")
    assert raised.value.code == 404
    raised.value.close()
