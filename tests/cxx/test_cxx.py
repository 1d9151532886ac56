# SPDX-License-Identifier: MIT
"""C++ programs built by x86_64-capos-linux-musl-g++: in capOS they say what the same source says on Linux.

Run by `make check-cxx`, since the library takes minutes to build.
"""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))
from machine import BUILD, CAPOS, SOURCE  # noqa: E402

SYSROOT = BUILD / "sysroot"
GXX = SYSROOT / "bin/x86_64-capos-linux-musl-g++"
LIBRARY = f"{SYSROOT}/lib/libstdc++.so.6:/lib/libstdc++.so.6"
HERE = SOURCE / "tests/cxx"
FLAGS = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror"]


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False, **options)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done


def build(source, out, *flags):
    run(GXX, *FLAGS, *flags, HERE / source, "-o", out)
    return out


def in_capos(*command, options=()):
    return run(CAPOS, "run", "--timeout", 120, *options, "--", *command)


@pytest.fixture(scope="module")
def linux(tmp_path_factory):
    """What Linux says, with the host's own compiler and library."""
    top = tmp_path_factory.mktemp("linux")
    run("g++", *FLAGS, HERE / "program.cc", "-o", top / "program", "-ldl", "-pthread")
    run("g++", *FLAGS, "-shared", "-fPIC", HERE / "library.cc", "-o", top / "library.so")
    return {"static": run(top / "program").stdout, "dynamic": run(top / "program", top / "library.so").stdout}


@pytest.mark.parametrize("flags", [[], ["-no-pie"], ["-O0"]])
def test_a_static_program_differs_from_linux(linux, tmp_path, flags):
    done = in_capos(build("program.cc", tmp_path / "program", *flags))
    assert done.stdout == linux["static"]
    assert done.stderr == "done\n"


def test_a_dynamic_program_differs_from_linux(linux, tmp_path):
    program = build("program.cc", tmp_path / "program", "-dynamic")
    library = build("library.cc", tmp_path / "library.so", "-shared", "-fPIC")
    done = in_capos(program, "/lib/library.so", options=["--file", LIBRARY, "--file", f"{library}:/lib/library.so"])
    assert done.stdout == linux["dynamic"]


def test_the_same_binary_differs_on_linux(linux, tmp_path):
    """The libraries are the stock ones: Debian's musl, and ours of C++, which knows no capOS."""
    program = build("program.cc", tmp_path / "program", "-dynamic")
    library = build("library.cc", tmp_path / "library.so", "-shared", "-fPIC")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libstdc++.so.6").write_bytes((SYSROOT / "lib/libstdc++.so.6").read_bytes())
    done = run(program, library, env={"LD_LIBRARY_PATH": str(tmp_path / "lib")})
    assert done.stdout == linux["dynamic"]


def test_an_uncaught_exception_is_silent(tmp_path):
    source = tmp_path / "uncaught.cc"
    source.write_text('#include <stdexcept>\nint main() { throw std::runtime_error("nobody catches"); }\n')
    run(GXX, source, "-o", tmp_path / "uncaught")
    done = subprocess.run([CAPOS, "run", "--", tmp_path / "uncaught"], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 134
    assert "terminate called after throwing an instance of 'std::runtime_error'" in done.stderr
    assert "what():  nobody catches" in done.stderr
