# SPDX-License-Identifier: MIT
"""One file on two systems: programs that a stock musl toolchain links dynamically run on Linux and in capOS."""

import os
import subprocess

import pytest
from machine import BUILD, SOURCE

GUEST = SOURCE / "tests/guest"
# What may differ, by the words of the test, and why. What is named here and does not differ fails too.
CODE = "capOS keeps data and code apart by object; Linux does not"
DIFFERENCES = {
    "posix_faults": {"a vector division by zero": "the emulator's processor raises no such exception"},
    "posix_memory": dict.fromkeys((
        "nothing is writable and executable", "nor is memory without a file executable",
        "the heap does not become code", "nor does reserved memory", "what was changed is not executed",
        "code does not become writable", "a later write to the file does not change what runs",
        "and is no code there"), CODE),
}
if os.geteuid() == 0:
    DIFFERENCES["posix_processes"] = dict.fromkeys(
        ("RLIMIT_NPROC", "a hard limit is not raised"), "Linux does not hold root to them")
# posix_absent, posix_denied, posix_layout, posix_pointers, posix_restart and posix_sockets look at what only capOS
# has: its table of calls, its rights, its places in memory, its services, the machine's own peers; posix_fair at what
# upstream's musl does not promise: a fork beside threads that make threads ends there by chance.
PROGRAMS = ("ahead", "cancel", "contents", "databases", "devices", "empty", "epoll", "eventfds", "faults", "fds", "fifo",
            "files", "fork", "hardening", "inotify", "links", "locks", "mapped", "maps", "memory", "modes", "mqueue",
            "nameless", "partly", "places", "priority", "proc", "processes", "ptys", "queued", "remap", "remembered",
            "reopen", "resident", "scheduling", "signals", "socketpair", "splice", "stack", "stress", "sysv",
            "threads", "time", "timers", "unix", "users", "vfork", "wakes", "windows")
LIBRARY = """
#include <stdio.h>
__thread int counter = 40;
static __thread char text[100] = "own";
int count(void) { return ++counter; }
const char *name(void) { return text; }
__attribute__((constructor)) static void begin(void) { puts("constructor"); }
__attribute__((destructor)) static void end(void) { puts("destructor"); }
"""
PRELOADED = """
int count(void) { return 7; }
"""
PROGRAM = """
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
extern __thread int counter;
int count(void);
static void *in_thread(void *unused)
{
	(void)unused;
	int (*opened)(void) = dlsym(RTLD_DEFAULT, "count");
	printf("thread: %d %d\\n", opened(), counter);
	return NULL;
}
int main(int argc, char **argv)
{
	char own[256] = "";
	pthread_t thread;
	Dl_info info;
	readlink("/proc/self/exe", own, sizeof(own) - 1);
	printf("%d arguments, called %s, exe ends in %s\\n", argc, argv[0], strrchr(own, '/'));
	printf("count %d, counter %d\\n", count(), counter);
	pthread_create(&thread, NULL, in_thread, NULL);
	pthread_join(thread, NULL);
	void *second = dlopen("libsecond.so", RTLD_NOW);
	const char *(*name)(void) = second ? dlsym(second, "name") : NULL;
	printf("second: %s\\n", name ? name() : dlerror());
	printf("missing: %d\\n", dlopen("libmissing.so", RTLD_NOW) == NULL && dlerror());
	printf("dladdr: %s\\n", name && dladdr((void *)name, &info) ? strrchr(info.dli_fname, '/') : "none");
	printf("closed: %d\\n", second ? dlclose(second) : -1);
	fflush(stdout);
	if (argc == 2) {
		char *arguments[] = {"again", "and", "again", NULL};
		execv("/proc/self/exe", arguments);
	}
	return 3;
}
"""


def build(output, *arguments):
    subprocess.run(["musl-gcc", "-O2", "-o", output, *map(str, arguments)], check=True, timeout=120)


def results(output):
    """The results by the words of the tests; a test may occur several times."""
    found = {}
    for line in output.decode().splitlines():
        for result in ("ok", "not ok"):
            if line.startswith(result + " ") and " - " in line:
                found.setdefault(line.split(" - ", 1)[1], []).append(result)
    return found


def run_on_linux(program):
    """Linux is the measure; that it may be late on a busy machine is no finding about capOS."""
    for attempt in range(3):
        try:
            return subprocess.run([program], input=b"", capture_output=True, cwd=program.parent, timeout=40, check=False)
        except subprocess.TimeoutExpired:
            print(f"{program} took over 40 s on Linux, attempt {attempt}")
    return pytest.fail(f"{program} does not end on Linux")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_stock_program_says_the_same_on_linux(capos, tmp_path, name):
    program = tmp_path / f"posix_{name}"
    # statx and the like come from the same headers as in capOS: the stock toolchain's may be older than 1.2.5.
    build(program, "-std=gnu11", "-w", "-I", BUILD / "sysroot/include", GUEST / f"posix_{name}.c")
    linux = run_on_linux(program)
    here = capos(program)
    expected, found = results(linux.stdout), results(here.stdout)
    different = {words for words in expected.keys() | found.keys() if expected.get(words) != found.get(words)}
    named = DIFFERENCES.get(f"posix_{name}", {})
    assert expected, linux.stderr
    assert different == named.keys(), (linux.stdout[-2000:], here.stdout[-2000:], here.stderr[-2000:])
    if not named:
        assert here.returncode == linux.returncode, here.stderr


@pytest.fixture
def stock(tmp_path):
    """A program with its libraries, and where the guest has them."""
    for file, text in (("library.c", LIBRARY), ("preloaded.c", PRELOADED), ("program.c", PROGRAM)):
        (tmp_path / file).write_text(text)
    libraries = tmp_path / "lib"
    libraries.mkdir()
    for name, source in (("libfirst.so", "library.c"), ("libsecond.so", "library.c"), ("pre.so", "preloaded.c")):
        build(libraries / name, "-shared", "-fPIC", f"-Wl,-soname,{name}", tmp_path / source)
    build(tmp_path / "program", tmp_path / "program.c", libraries / "libfirst.so", "-Wl,-rpath,$ORIGIN/lib")
    return tmp_path


@pytest.mark.parametrize("environment", [{}, {"LD_PRELOAD": "pre.so", "LD_LIBRARY_PATH": "{}/lib"}])
def test_libraries_of_a_stock_program(capos, stock, environment):
    """$ORIGIN, LD_LIBRARY_PATH and LD_PRELOAD, dlopen, thread-local storage, constructors, exec of itself."""
    linux = subprocess.run(["./program", "x"], cwd=stock, capture_output=True, timeout=60, check=False,
                           env={name: value.format(stock) for name, value in environment.items()})
    options = ["--file", f"{stock}/program:/app/program", "--file", f"{stock}/lib:/app/lib", "--workdir", "/app"]
    for name, value in environment.items():
        options += ["--env", f"{name}={value.format('/app')}"]
    here = capos("sh", "-c", "exec ./program x", options=options)
    assert linux.stdout.count(b"thread: 7" if environment else b"thread: 41") == 2, linux
    assert (here.stdout, here.returncode) == (linux.stdout, linux.returncode), here.stderr


def test_the_linker_is_only_in_images_that_need_it(capos, stock):
    script = "ls /lib/ld-musl-x86_64.so.1"
    assert capos("sh", "-c", script).returncode != 0
    assert capos("sh", "-c", script, options=["--file", f"{stock}/program:/app/program"]).returncode == 0


def test_the_code_of_libc_is_in_memory_once(capos, stock):
    """Eight programs at once take less than one libc more than one program."""
    (stock / "sleeper.c").write_text("#include <unistd.h>\nint main(void) { return pause(); }\n")
    build(stock / "sleeper", stock / "sleeper.c")
    options = ["--file", f"{stock}/sleeper:/bin/sleeper"]
    script = "for i in {}; do sleeper & done; sleep 1; free -k | sed -n 2p"
    used = [int(capos("sh", "-c", script.format(numbers), options=options).stdout.split()[2])
            for numbers in ("1", "1 2 3 4 5 6 7 8 9")]
    code_kib = (BUILD / "image/libc.so").stat().st_size >> 10
    assert used[1] - used[0] < 8 * code_kib // 2, used
