# SPDX-License-Identifier: MIT
"""The toolchain as a stranger's project finds it: installed, then moved, behind make, autoconf, CMake and Meson."""

import os
import shutil
import subprocess

import pytest
from conftest import BUILD, LIMIT, SOURCE

TRIPLE = "x86_64-capos-linux-musl"

# One project: a library of one file, a program of another.
FILES = {
    "greet.h": "const char *greet(void);\n",
    "greet.c": '#include "greet.h"\nconst char *greet(void) { return "hello from a library"; }\n',
    "main.c": '#include <stdio.h>\n#include "greet.h"\nint main(void) { return puts(greet()) < 0; }\n',
    "make.mk": """
VPATH = ../source
hello: main.o libgreet.a
	$(CC) $(LDFLAGS) -o $@ $^
libgreet.a: greet.o
	$(AR) rcs $@ $^
""",
    "configure.ac": """
AC_INIT([hello], [1])
AM_INIT_AUTOMAKE([foreign])
AC_CANONICAL_HOST
AC_PROG_CC
AC_PROG_RANLIB
AM_PROG_AR
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
""",
    "Makefile.am": """
noinst_LIBRARIES = libgreet.a
libgreet_a_SOURCES = greet.c greet.h
bin_PROGRAMS = hello
hello_SOURCES = main.c
hello_LDADD = libgreet.a
""",
    "CMakeLists.txt": """
cmake_minimum_required(VERSION 3.20)
project(hello C)
add_library(greet greet.c)
add_executable(hello main.c)
target_link_libraries(hello greet)
enable_testing()
add_test(NAME hello COMMAND hello)
""",
    "meson.build": """
project('hello', 'c')
greet = library('greet', 'greet.c')
hello = executable('hello', 'main.c', link_with: greet)
test('hello', hello, timeout: 120)
""",
}


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """Installed below a DESTDIR, then moved to a directory with a space in its name."""
    directory = tmp_path_factory.mktemp("installed")
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    configured = run("make", "-s", "-C", BUILD, "--no-print-directory", "--eval=show: ; @echo '$(prefix)'", "show",
                     env=outside)
    run("make", "-C", BUILD, "install", f"DESTDIR={directory}/stage", env=outside)
    moved = directory / "another place"
    os.rename(f"{directory}/stage{configured.strip()}", moved)
    return moved


@pytest.fixture(scope="module")
def environment(prefix):
    """What `eval "$(capos sdk env)"` makes of a shell's environment, without this tree's."""
    ours = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": os.environ.get("HOME", "/")}
    script = 'eval "$("$1" sdk env)" && env -0'
    lines = run("sh", "-c", script, "sh", prefix / "bin/capos", env=ours).split("\0")
    return dict(line.split("=", 1) for line in lines if line)


@pytest.fixture
def project(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name, text in FILES.items():
        (source / name).write_text(text.lstrip("\n"))
    (tmp_path / "build").mkdir()
    return source, tmp_path / "build"


def greets(environment, program):
    assert run("capos", "run", "--timeout", LIMIT, "--", program, env=environment) == "hello from a library\n"


def test_uninstall_leaves_no_directory(tmp_path):
    """Of capOS's own; those that it shares with others stay."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    for target in ("install", "uninstall"):
        run("make", "-C", BUILD, target, f"DESTDIR={tmp_path}", env=outside)
    left = list(tmp_path.rglob("*"))
    assert left and [path for path in left if not path.is_dir() or path.name == "capos"] == []


def test_missing_unpacker_is_named(tmp_path):
    """Before anything is fetched, with Debian's package."""
    for tool in ("sh", "sed", "dirname"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    done = subprocess.run([SOURCE / "ports/unpack", "lwip"], cwd=tmp_path, env={"PATH": str(tmp_path)},
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "ports/unpack: xz" in done.stderr and "(package xz-utils)" in done.stderr


# ---- Build systems ----


def test_make(environment, project):
    source, build = project
    run("make", "-C", build, "-f", source / "make.mk", env=environment)
    greets(environment, build / "hello")


def test_autoconf(environment, project):
    source, build = project
    run("autoreconf", "-i", cwd=source)
    said = run(source / "configure", f"--host={TRIPLE}", cwd=build, env=environment)
    assert "checking whether we are cross compiling... yes" in said
    run("make", "-C", build, env=environment)
    greets(environment, build / "hello")


def test_cmake(environment, prefix, project):
    """It needs no PATH; ctest runs programs in capOS."""
    source, build = project
    file = run(prefix / "bin/capos", "sdk", "cmake").strip()
    outside = {name: environment[name] for name in ("HOME",)} | {"PATH": "/usr/bin:/bin"}
    run("cmake", f"-DCMAKE_TOOLCHAIN_FILE={file}", "-S", source, "-B", build, env=outside)
    run("cmake", "--build", build, env=outside)
    greets(environment, build / "hello")
    run("ctest", "--test-dir", build, "--output-on-failure", env=outside)


def test_meson(environment, project):
    """`meson test` runs programs in capOS."""
    source, build = project
    file = run("capos", "sdk", "meson", env=environment).strip()
    # It takes CC and its like for the build machine's.
    tools = {name: environment[name] for name in ("PATH", "HOME")}
    run("meson", "setup", "--cross-file", file, build, source, env=tools)
    run("meson", "compile", "-C", build, env=tools)
    greets(environment, build / "hello")
    run("meson", "test", "-C", build, env=tools)


# ---- The tools ----


def test_no_link_dangles(prefix):
    for tool in (prefix / "bin").iterdir():
        assert tool.exists(), tool
        assert not os.path.isabs(os.readlink(tool)) if tool.is_symlink() else True


@pytest.mark.parametrize("tool", ["ar", "as", "nm", "objcopy", "objdump", "ranlib", "readelf", "size", "strings", "strip",
                                  "addr2line", "c++filt", "elfedit", "gprof", "ld", "cpp", "cc", "gcc-ar", "pkg-config"])
def test_tools(environment, tool):
    run(f"{TRIPLE}-{tool}", "--version", env=environment)


def test_compiler_says_what_it_builds_for(environment, prefix):
    gcc = f"{TRIPLE}-gcc"
    sysroot = f"{prefix}/lib/capos/sysroot"
    assert run(gcc, "-dumpmachine", env=environment) == f"{TRIPLE}\n"
    # What Python's configure compares with its own name for the platform, when it is not empty.
    assert run(gcc, "-print-multiarch", env=environment) == "\n"
    assert run(gcc, "--print-multiarch", env=environment) == "\n"
    assert run(gcc, "-print-sysroot", env=environment) == f"{sysroot}\n"
    assert run(gcc, "-print-file-name=libc.a", env=environment) == f"{sysroot}/lib/libc.a\n"
    assert run(gcc, "-print-file-name=libgcc.a", env=environment).startswith("/")
    for host_only in ("libstdc++.a", "libcmocka.so", "ld-linux-x86-64.so.2"):
        found = run(gcc, f"-print-file-name={host_only}", env=environment)
        assert found in (f"{host_only}\n", f"{sysroot}/lib/{host_only}\n")  # ./bootstrap cxx makes one of them
    assert "/usr/lib/x86_64-linux-gnu" not in run(gcc, "-print-search-dirs", env=environment).split("libraries:")[1]


@pytest.mark.parametrize("name", ["g++", "c++"])
def test_a_library_that_is_not_built_is_not_named(environment, prefix, project, tmp_path, name):
    """Nor is the host's taken for it."""
    source, build = project
    tool = tmp_path / f"sysroot/bin/{TRIPLE}-{name}"
    tool.parent.mkdir(parents=True)
    shutil.copy(prefix / f"lib/capos/sysroot/bin/{TRIPLE}-{name}", tool)
    done = subprocess.run([tool, source / "main.c"], cwd=build, env=environment, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == f"{TRIPLE}-{name}: the C++ library is not built: run ./bootstrap cxx\n"
    assert os.listdir(build) == []


def test_a_stack_cannot_be_unwound(environment, capos, project):
    source, build = project
    (source / "unwind.c").write_text("""
#include <stdio.h>
#include <unwind.h>
static _Unwind_Reason_Code count(struct _Unwind_Context *context, void *frames)
{
	*(int *)frames += _Unwind_GetIP(context) != 0;
	return _URC_NO_REASON;
}
__attribute__((noinline)) int below(int frames)
{
	_Unwind_Backtrace(count, &frames);
	return frames + !frames;
}
int main(void)
{
	printf("%d\\n", below(0) >= 2);
}
""")
    run(f"{TRIPLE}-gcc", "-fexceptions", source / "unwind.c", "-o", build / "unwind", env=environment)
    done = capos(build / "unwind")
    assert (done.returncode, done.stdout) == (0, b"1\n"), done.stderr


@pytest.mark.parametrize("flags, kind", [
    ([], "DYN"), (["-pie"], "DYN"), (["-static"], "DYN"), (["-static-pie"], "DYN"), (["-no-pie"], "EXEC"),
    (["-static", "-no-pie"], "EXEC"), (["-fno-pie"], "EXEC")])
def test_programs_are_static(environment, capos, project, flags, kind):
    source, build = project
    run(f"{TRIPLE}-gcc", *flags, source / "main.c", source / "greet.c", "-o", build / "hello", env=environment)
    headers = run("readelf", "-hlW", build / "hello")
    assert f"Type:                              {kind}" in headers
    assert "INTERP" not in headers and "GNU_RELRO" in headers
    greets(environment, build / "hello")


def test_dynamic_programs(environment, prefix, project):
    source, build = project
    gcc = f"{TRIPLE}-gcc"
    run(gcc, "-fPIC", "-shared", source / "greet.c", "-o", build / "libgreet.so", env=environment)
    run(gcc, "-dynamic", source / "main.c", f"-L{build}", "-lgreet", "-o", build / "hello", env=environment)
    headers = run("readelf", "-hlW", build / "hello")
    assert "/lib/ld-musl-x86_64.so.1" in headers and "Type:                              DYN" in headers
    run(gcc, "-dynamic", "-no-pie", source / "main.c", f"-L{build}", "-lgreet", "-o", build / "fixed", env=environment)
    assert "Type:                              EXEC" in run("readelf", "-hlW", build / "fixed")
    libc = prefix / "lib/capos/sysroot/lib/libc.so"
    for name in ("hello", "fixed"):
        assert run("capos", "run", "--timeout", LIMIT, "--file", f"{libc}:/lib/ld-musl-x86_64.so.1", "--file",
                   f"{build}/libgreet.so:/lib/libgreet.so", "--", build / name, env=environment
                   ) == "hello from a library\n"


def test_linker_finds_no_library_of_the_host(environment, project):
    source, build = project
    run(f"{TRIPLE}-gcc", "-c", source / "greet.c", "-o", build / "greet.o", env=environment)
    run(f"{TRIPLE}-ld", "-r", build / "greet.o", "-lc", "-o", build / "all.o", env=environment)
    # A library that the tests of the host need.
    done = subprocess.run([f"{TRIPLE}-ld", build / "greet.o", "-lcmocka", "-o", build / "none"], env=environment,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and "-lcmocka" in done.stderr


def test_pkg_config(environment, tmp_path):
    """The user's path is kept, the host's own modules are not found."""
    (tmp_path / "mine.pc").write_text("Name: mine\nDescription: mine\nVersion: 1.5\nLibs: -lmine\n")
    pkg_config = f"{TRIPLE}-pkg-config"
    given = {**environment, "PKG_CONFIG_PATH": str(tmp_path)}
    assert run(pkg_config, "--modversion", "mine", env=given) == "1.5\n"
    assert subprocess.run([pkg_config, "--exists", "cmocka"], env=given, timeout=60, check=False).returncode != 0
    assert subprocess.run([pkg_config, "--exists", "mine"], env=environment, timeout=60, check=False).returncode != 0


@pytest.mark.parametrize("arguments, said", [([], "cmake, meson or env"), (["scons"], "sdk scons")])
def test_sdk_refuses(capos, arguments, said):
    done = capos.raw("sdk", *arguments)
    assert done.returncode == 125 and said in done.stderr.decode()
