# SPDX-License-Identifier: MIT
"""`--zoneinfo` and `--certificates`: data of this machine where programs look for it."""

from pathlib import Path

import pytest
from conftest import BUILD


def test_users_and_services(capos):
    run = capos("busybox", "sh", "-c", "id -un; busybox whoami; grep -c . /etc/services /etc/protocols >/dev/null; echo $?")
    assert run.stdout == b"root\nroot\n0\n"


def test_zones(capos):
    run = capos(BUILD / "tests/guest/posix_databases", "zones", options=["--zoneinfo"])
    assert run.returncode == 0, run.stdout
    assert b"ok" in run.stdout and b"not ok" not in run.stdout


@pytest.mark.parametrize("zone, hour", [("Europe/Berlin", b"12\n"), ("America/New_York", b"06\n"), ("UTC", b"10\n")])
def test_date(capos, zone, hour):
    run = capos("busybox", "date", "-d", "@1720000800", "+%H", options=["--zoneinfo", "--env", f"TZ={zone}"])
    assert (run.returncode, run.stdout) == (0, hour), run.stderr


def test_certificates(capos):
    """Under the two names that TLS libraries are built with."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt").read_bytes()
    for name in ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"):
        run = capos("busybox", "cat", name, options=["--certificates"])
        assert run.returncode == 0, run.stderr
        assert run.stdout == bundle


def test_without(capos):
    run = capos("busybox", "sh", "-c", "[ ! -e /etc/ssl/cert.pem ] && [ ! -e /usr/share/zoneinfo/UTC ] && echo none")
    assert run.stdout == b"none\n"
