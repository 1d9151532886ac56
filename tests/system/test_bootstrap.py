# SPDX-License-Identifier: MIT
"""./bootstrap itself, up to where it would build (`make check-bare` does the rest), and make without its tools."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from machine import BUILD, SOURCE, signals_by_default


@pytest.fixture
def checkout(tmp_path):
    """A directory with bootstrap alone, and tools that never end in front of the real ones."""

    def make(name="checkout"):
        directory = tmp_path / name
        directory.mkdir()
        shutil.copy(SOURCE / "bootstrap", directory)
        (directory / "configure.ac").touch()
        tools = tmp_path / "tools"
        tools.mkdir()
        autoreconf = tools / "autoreconf"
        autoreconf.write_text("#!/bin/sh\nexec sleep 300\n")
        autoreconf.chmod(0o755)
        return directory

    return make


def start(directory, *arguments, **environment):
    tools = directory.parent / "tools"
    return subprocess.Popen(
        ["./bootstrap", *arguments], cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=signals_by_default,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", **environment})


def finish(process, limit=60):
    out, err = process.communicate(timeout=limit)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_is_said_on_a_line_of_its_own(checkout, number):
    process = start(checkout(), "build")
    step = ""
    while not step.endswith("make configure ... "):
        step += os.read(process.stdout.fileno(), 1).decode()
    time.sleep(0.5)
    os.killpg(process.pid, number)
    status, _, err = finish(process)
    assert status == 128 + number
    assert err == "\nbootstrap: interrupted; the same command goes on from here\n"


def test_the_tools_of_capos_do_not_build_capos(checkout):
    """`eval "$(capos sdk env)"; ./bootstrap cxx` in one shell, as doc/porting.md has it."""
    directory = checkout()
    tools = directory.parent / "tools"
    (tools / "autoreconf").write_text("#!/bin/sh\nenv >environment\nexit 1\n")
    status, _, err = finish(start(directory, "build", CC="x86_64-capos-linux-musl-gcc -O2", CXX="the-users-own",
                                  PKG_CONFIG="/sysroot/bin/x86_64-capos-linux-musl-pkg-config"))
    assert status == 1 and "make configure failed" in err
    names = [line.partition("=")[0] for line in (directory / "environment").read_text().splitlines()]
    assert "CXX" in names and "CC" not in names and "PKG_CONFIG" not in names


@pytest.mark.parametrize("names, said", [
    ("tests/unit/known bootstrap", ""), ("tests/unit/known nosuch", "bootstrap: there is no test nosuch in CAPOS_TESTS\n"),
    ("tests/unit/know", "bootstrap: there is no test tests/unit/know in CAPOS_TESTS\n"),
])
def test_a_test_that_does_not_exist_is_named(checkout, names, said):
    directory = checkout()
    tools = directory.parent / "tools"
    for path, content in ((tools / "autoreconf", "exit 0"), (tools / "make", "exit 0"),
                          (directory / "configure", "touch config.status; echo tests/unit/known.log: >Makefile")):
        path.write_text(f"#!/bin/sh\n{content}\n")
        path.chmod(0o755)
    status, _, err = finish(start(directory, "check", CAPOS_TESTS=names))
    assert (status, err) == (1 if said else 0, said)


@pytest.mark.parametrize("name", ["with space", "with$dollar", "with'quote"])
def test_a_path_that_make_cannot_take_is_named_at_once(checkout, name):
    directory = checkout(name)
    status, out, err = finish(start(directory, "build"))
    assert (status, out) == (1, "")
    assert err == f"bootstrap: there is a space or a special character in {directory}: " \
                  "autoconf and make cannot build there\n"
    assert not (directory / "build").exists()


def test_a_build_directory_that_make_cannot_take_is_named_at_once(checkout):
    status, out, err = finish(start(checkout(), "build", CAPOS_BUILD="a b"))
    assert (status, out) == (1, "") and "in a b: autoconf" in err


def test_a_build_directory_that_cannot_be_made_is_named(checkout):
    status, out, err = finish(start(checkout(), "build", CAPOS_BUILD="/proc/no"))
    assert (status, out) == (1, "") and err.endswith("bootstrap: cannot make the directory /proc/no/logs\n")


@pytest.mark.parametrize("arguments, said", [
    (["frobnicate"], "unknown command frobnicate; there are build, demo, check, bench, cxx, clean and help"),
    (["build", "demo"], "one command at most; see ./bootstrap help"),
])
def test_wrong_commands(checkout, arguments, said):
    assert finish(start(checkout(), *arguments)) == (1, "", f"bootstrap: {said}\n")


@pytest.mark.parametrize("goal, tool, said", [
    ("check", "cmocka", "the tests need cmocka"), ("check-unit", "cmocka", "the tests need cmocka"),
    ("distcheck", "cmocka", "the tests need cmocka"),
    ("bench", "pytest", "this needs a Python 3"), ("check-bare", "pytest", "this needs a Python 3"),
])
def test_a_goal_whose_tools_are_missing_says_so_and_does_nothing(tmp_path, goal, tool, said):
    """On a Makefile as configure writes it without the tool."""
    text = (BUILD / "Makefile").read_text()
    lines, count = re.subn(rf"(?m)^#({tool}_(missing|checked).*(\n#.*)?)",
                           lambda match: match[1].replace("\n#", "\n"), text)
    assert count == 2
    makefile = tmp_path / "Makefile"
    makefile.write_text(lines)
    # Only what make itself would do: -n runs no rule.
    run = subprocess.run(["make", "-n", "-C", BUILD, "-f", makefile, goal], stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=60, check=False,
                         env={name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")})
    assert run.returncode == 2 and said in run.stderr and "configure again" in run.stderr


# An apt-get whose `update` writes the index of one source package, and which is Debian's otherwise.
APT = """#!/bin/sh
case " $* " in
*" indextargets "*) echo "file:{site} bookworm"; exit ;;
*" update "*)
	for option; do
		case $option in Dir::State::lists=*) lists=${{option#*=}}/{index} ;; esac
	done
	echo "Codename: trixie" >"${{lists}}_Release"
	exec cp {site}/Sources "${{lists}}_main_source_Sources" ;;
esac
exec {real} "$@"
"""
SOURCES = """Package: busybox
Binary: busybox
Version: 1:1.37.0-6
Format: 3.0 (quilt)
Directory: pool
Checksums-Sha256:
 {zeroes} 1 busybox_1.37.0-6.dsc
 {zeroes} 1 busybox_1.37.0.orig.tar.bz2

"""
INSTALLED = """Package: busybox
Status: install ok installed
Architecture: amd64
Source: busybox (1:1.35.0-4)
Version: 1:1.35.0-4+b1
Maintainer: nobody <nobody@example.org>
Description: another release of the same source

"""


def test_what_this_machine_has_installed_does_not_choose_the_sources(tmp_path):
    """A machine with Debian 12's own BusyBox could not fetch the one of the recipe."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "Sources").write_text(SOURCES.format(zeroes="0" * 64))
    (tmp_path / "status").write_text(INSTALLED)
    (tmp_path / "apt.conf").write_text(f'Dir::State::status "{tmp_path}/status";\n')
    tools = tmp_path / "tools"
    tools.mkdir()
    index = str(site).replace("_", "%5f").replace("/", "_") + "_dists_trixie"
    (tools / "apt-get").write_text(APT.format(site=site, index=index, real=shutil.which("apt-get")))
    (tools / "apt-get").chmod(0o755)
    done = subprocess.run(
        [SOURCE / "ports/fetch", "busybox"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "APT_CONFIG": str(tmp_path / "apt.conf"),
             "DISTFILES": str(tmp_path / "distfiles")})
    # The one file that the index names was found, and is not in the pool.
    assert f"{site}/pool/busybox_1.37.0.orig.tar.bz2" in done.stderr, done.stderr
    assert done.returncode == 1
