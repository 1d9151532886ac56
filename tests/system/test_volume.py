# SPDX-License-Identifier: MIT
"""Directories of the host in the guest: --volume. What the guest does there, the host finds, and nothing else."""

import os
import resource
import signal
import stat
import subprocess
import time

import pytest
from machine import BUILD, SOURCE
from test_differential import build, results

GUEST = SOURCE / "tests/guest"
# What a volume cannot do, by the words of the guest's tests: they run with /tmp in one. 9P has no holes that are made,
# what is stored to a mapping takes room when it is written back, and the driver keeps fewer events than Linux.
ABSENT = {
    "contents": {"a page that is stored to does", "a hole is punched to the byte", "and gives its pages back"},
    "files": set(),
    "fds": set(),
    "fifo": set(),
    "fork": set(),
    "inotify": {"a full queue ends with IN_Q_OVERFLOW"},
    "links": set(),
    "locks": set(),
    "databases": set(),
    "nameless": set(),
    "places": set(),
    "processes": set(),
    "remap": set(),
    "unix": set(),
    "users": set(),
}


@pytest.fixture
def volume(tmp_path):
    """A directory of the host."""
    directory = tmp_path / "volume"
    directory.mkdir()
    return directory


@pytest.fixture
def shell(capos, volume):
    """Runs a script in the guest, in the volume at /mnt; what it prints. Nothing may go wrong in it."""

    def run(script, *options, status=0):
        done = capos("sh", "-ec", script, options=["-v", f"{volume}:/mnt", "-w", "/mnt", *options])
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout.decode()

    return run


@pytest.mark.parametrize("name", ABSENT)
def test_a_program_finds_in_a_volume_what_it_finds_elsewhere(capos, tmp_path, volume, name):
    """The same tests pass that pass on Linux and on the guest's own files."""
    program = tmp_path / f"posix_{name}"
    build(program, "-std=gnu11", "-w", "-I", BUILD / "sysroot/include", GUEST / f"posix_{name}.c")
    here = results(capos(program).stdout)
    there = capos(program, options=["-v", f"{volume}:/tmp"])
    found = results(there.stdout)
    assert found, there.stderr
    different = {words for words in here.keys() | found.keys() if here.get(words) != found.get(words)}
    assert different == ABSENT[name], (there.stdout[-3000:], there.stderr[-1000:])


def test_what_is_written_is_on_the_host_when_the_call_returns(background, volume):
    """The machine is killed then, and nothing of it is lost."""
    process = background("sh", "-c", "mkdir /mnt/d; echo written >/mnt/d/file; mv /mnt/d/file /mnt/moved; echo done; "
                         "sleep 100", options=["-v", f"{volume}:/mnt"])
    assert process.stdout.readline() == b"done\n"
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)
    assert (volume / "moved").read_text() == "written\n"
    assert list((volume / "d").iterdir()) == []


def test_the_host_sees_modes_times_links_and_holes(shell, volume):
    shell("echo text >f; chmod 640 f; touch -d '2001-02-03 04:05:06' f; ln f hard; ln -s f soft; mkdir -m 700 d; "
          "truncate -s 10M hole; echo end >>hole; printf '\\000\\377' >bytes; : >'a bé'; >-; rm -- -")
    st = (volume / "f").stat()
    assert (st.st_mode & 0o7777, st.st_nlink, st.st_mtime) == (0o640, 2, 981173106)
    assert os.readlink(volume / "soft") == "f"
    assert (volume / "d").stat().st_mode & 0o7777 == 0o700
    assert (volume / "hole").stat().st_size == 10 * 2**20 + 4
    assert (volume / "hole").stat().st_blocks * 512 < 2**20
    assert (volume / "bytes").read_bytes() == b"\0\xff"
    assert sorted(path.name for path in volume.iterdir()) == ["a bé", "bytes", "d", "f", "hard", "hole", "soft"]


def test_the_guest_sees_what_the_host_does_meanwhile(background, volume):
    process = background("sh", "-c", "cd /mnt; echo ready; read x; cat new; echo .; read x; cat new; ls; read x; ls",
                         options=["-v", f"{volume}:/mnt"])
    assert process.stdout.readline() == b"ready\n"
    for change, lines in (
            (lambda: (volume / "new").write_text("one\n"), [b"one\n", b".\n"]),
            (lambda: (volume / "new").write_text("longer\n"), [b"longer\n", b"new\n"]),
            (lambda: (volume / "new").rename(volume / "other"), [b"other\n"])):
        change()
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert [process.stdout.readline() for _ in lines] == lines
    assert process.wait(timeout=30) == 0


ERRORS = """
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#define TELL(call) (errno = 0, (void)!(call), printf("%s: %d\\n", #call, errno))
int main(int argc, char **argv) {
    if (chdir(argv[1])) return 1;
    TELL(mkdir("d", 0755)), TELL(mkdir("d/e", 0755)), TELL(close(creat("f", 0644))), TELL(symlink("loop", "loop"));
    TELL(link("d", "f")), TELL(link("d", "none/x")), TELL(link("d", "loop/x")), TELL(link("d", "x")), TELL(link("none", "f"));
    TELL(open("f/", O_CREAT | O_EXCL | O_RDWR, 0644)), TELL(open("f/", O_CREAT | O_RDWR, 0644));
    TELL(open("none/", O_CREAT | O_RDWR, 0644)), TELL(open("none/x/", O_CREAT | O_RDWR, 0644));
    TELL(open("d/", O_CREAT | O_RDWR, 0644)), TELL(open("d/.", O_CREAT | O_RDWR, 0644)), TELL(open("loop/", O_CREAT | O_RDWR, 0644));
    TELL(rmdir("d/e/..")), TELL(rmdir("d/../")), TELL(rmdir("d/.")), TELL(unlink("d/..")), TELL(rmdir("none/.."));
    TELL(rename("none", "loop/x")), TELL(rename("none", "none/x")), TELL(rename("none", "x"));
    TELL(link("d", "x/")), TELL(link("d", "d/..")), TELL(open("d/../", O_CREAT | O_EXCL | O_RDWR, 0644));
    TELL(rename("none", "d/..")), TELL(rename("none", ".")), TELL(rename("d", "d/e/.."));
    TELL(rename("f/", "none/x")), TELL(rename("f/", "x")), TELL(rename("d/e", "d")), TELL(rename("d", "d/e/x"));
    return 0;
}
"""


def test_errors_are_those_that_linux_has_first(capos, volume, tmp_path):
    (tmp_path / "errors.c").write_text(ERRORS)
    build(tmp_path / "errors", tmp_path / "errors.c")
    (tmp_path / "here").mkdir()
    here = subprocess.run([tmp_path / "errors", tmp_path / "here"], stdout=subprocess.PIPE, check=True)
    there = capos(tmp_path / "errors", "/mnt", options=["-v", f"{volume}:/mnt"])
    assert there.stdout.decode().splitlines() == here.stdout.decode().splitlines()


def test_the_guest_goes_where_the_host_has_put_something_else(background, volume):
    """Paths that it went before, through directories, files and links that are others now."""
    for name in ("a/b", "c/b"):
        (volume / name).mkdir(parents=True)
        (volume / name / "f").write_text(f"{name}\n")
        (volume / name / "g").write_text(f"{name}\n")
    steps = "stat -c %F a/b/f; cat a/b/f; cat a/b/g; chmod 600 a/b/f; mkdir a/b/d; : >a/b/new; rm a/b/new; read x; "
    process = background("sh", "-c", f"cd /mnt; {steps * 5} stat -c %n a/b/f; mv a z; ls a; mv c a; cat a/b/f; cat a/b/g; ls a",
                         options=["-v", f"{volume}:/mnt"])

    def replace_file():
        (volume / "a/b/f").unlink()
        (volume / "a/b/f").symlink_to("../../c/b/f")
        (volume / "a/b/d").rmdir()

    def replace_directory():
        (volume / "a").rename(volume / "old")
        (volume / "a").symlink_to("c")

    def put_back():
        (volume / "a").unlink()
        (volume / "old").rename(volume / "a")
        (volume / "a/b/f").unlink()
        (volume / "a/b/f").mkdir()
        (volume / "a/b/d").rmdir()

    def file_again():
        (volume / "a/b/f").rmdir()
        (volume / "a/b/f").write_text("again\n")
        (volume / "a/b/d").rmdir()

    for change, lines in ((lambda: None, ["regular file", "a/b", "a/b"]),
                          (replace_file, ["symbolic link", "c/b", "a/b"]),
                          (replace_directory, ["regular file", "c/b", "c/b"]),
                          (put_back, ["directory", "a/b"]),
                          (file_again, ["regular file", "again", "a/b"])):
        change()
        if lines[1:] != ["a/b", "a/b"]:
            process.stdin.write(b"\n")
            process.stdin.flush()
        assert [process.stdout.readline().decode().strip() for _ in lines] == lines
        deadline = time.monotonic() + 20
        while not (volume / "a/b/d").is_dir() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (volume / "a/b/d").is_dir()
    assert (volume / "c/b/f").stat().st_mode & 0o777 == 0o600
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.stdout.read() == b"a/b/f\nc/b\nc/b\nb\n"


def test_what_is_above_a_removed_directory_is_reached_from_it(shell, volume):
    out = shell("mkdir -p a/b/c; cd a/b/c; rmdir ../c; ls -d ..; ls ../..; if ls ../c; then exit 1; fi; if mkdir x; then exit 1; "
                "fi; rmdir ../../b; if ls ..; then exit 1; fi; ls ../../..; cd -P ../..; pwd; echo text >../f")
    assert out.split() == ["..", "b", "a", "/mnt/a"]
    assert (volume / "f").read_text() == "text\n"


def test_a_file_of_more_than_four_gigabytes(shell, volume):
    out = shell("printf end | dd of=big bs=1 seek=5368709120 conv=notrunc 2>/dev/null; stat -c %s big; tail -c 3 big; echo; "
                "truncate -s 4294967297 big; stat -c %s big; printf more >>big; tail -c 5 big | od -c | head -n 1")
    assert out.split() == ["5368709123", "end", "4294967297", "0000000", "\\0", "m", "o", "r", "e"]
    assert (volume / "big").stat().st_size == 4294967301
    assert (volume / "big").stat().st_blocks * 512 < 2**20


def test_several_processes_append_to_one_file(shell, volume):
    shell("for i in 1 2 3 4; do (for j in $(seq 100); do echo $i $j; done >>f) & done; wait")
    lines = (volume / "f").read_text().splitlines()
    assert len(lines) == 400
    for i in "1234":
        assert [line for line in lines if line[0] == i] == [f"{i} {j}" for j in range(1, 101)]


def test_two_thousand_names_and_a_long_one(shell, volume):
    name = "n" * 255
    out = shell(f"for i in $(seq 2000); do : >f$i; done; ls | sort -u | wc -l; echo x >{name}; cat {name}; "
                f"if touch {name}n; then exit 1; fi; rm f*; ls | wc -l; find . | wc -l")
    assert out.split() == ["2000", "x", "1", "2"]
    assert [path.name for path in volume.iterdir()] == [name]


def test_trees_are_copied_in_and_out_whole(shell, volume, tmp_path):
    source = tmp_path / "source"
    for depth in range(6):
        directory = source / "/".join(f"d{i}" for i in range(depth))
        directory.mkdir(exist_ok=True)
        for i in range(12):
            (directory / f"f{i}").write_bytes(os.urandom(depth * 20011 + i * 997))
        (directory / "link").symlink_to(f"f{depth}")
    subprocess.run(["cp", "-a", source, volume / "in"], check=True, timeout=30)
    shell("cp -a in /tmp/copy; diff -r in /tmp/copy; tar cf all.tar in; mkdir out; tar xf all.tar -C out; "
          "diff -r in out/in; cp -a /tmp/copy again; mv again moved; rm -r in")
    for copy in ("moved", "out/in"):
        subprocess.run(["diff", "-r", source, volume / copy], check=True, timeout=30)
        assert os.readlink(volume / copy / "d0/link") == "f1"
    assert not (volume / "in").exists()


def test_large_files_go_through_whole(shell, volume):
    data = os.urandom(5_000_003)
    (volume / "in").write_bytes(data)
    out = shell("cat in >out; cmp in out; tail -c 3 in | cmp - /dev/stdin <<x || true\n\nx\ndd if=in of=part bs=4099 "
                "skip=7 count=100 2>/dev/null; cp in /tmp; cmp in /tmp/in; echo same")
    assert out.split("\n")[-2] == "same"
    assert (volume / "out").read_bytes() == data
    assert (volume / "part").read_bytes() == data[7 * 4099:107 * 4099]


# ---- The guest's paths ----

def test_paths_go_in_and_out_as_if_it_were_one_tree(shell):
    out = shell("mkdir -p a/b; cd a/b; echo deep >f; pwd; cat ../../a/b/f /mnt/a/../a/b/f; cat ../../../etc/hostname; "
                "ln -s ../../../etc/hostname up; ln -s /etc/hostname absolute; cat up absolute; "
                "ln -s /mnt/a /tmp/into; cat /tmp/into/b/f; cd ../../..; pwd; cd /tmp/into/b; cat f; cd -P ..; pwd")
    assert out.split() == ["/mnt/a/b", "deep", "deep", "capos", "capos", "capos", "deep", "/", "deep", "/mnt/a"]


def test_links_are_read_by_every_path(shell):
    out = shell("ln -s target link; readlink link; readlink /mnt/link; cd /; readlink mnt/link; ln -s /mnt/link /tmp/l; "
                "readlink /tmp/l; ls -l /mnt/link | sed 's/.* -> //'")
    assert out.split() == ["target", "target", "target", "/mnt/link", "target"]


def test_names_do_not_go_from_one_volume_to_another(shell, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    out = shell("echo x >f; ln f /tmp/f || echo refused; ln f /other/f || echo refused; mv f /other; cat /other/f; "
                "cd /other; mv f ../mnt/g; cd /mnt; ls; mv g /mnt/h; cd /; mv mnt/h mnt/i; ls mnt",
                "-v", f"{other}:/other")
    assert out.split() == ["refused", "refused", "x", "g", "i"]
    assert list(other.iterdir()) == []


def test_what_a_volume_is_mounted_on_stays(shell):
    out = shell("cd /; for c in 'rmdir /mnt' 'rm -r /mnt' 'mv /mnt /tmp/x' 'mkdir /mnt'; do "
                "if $c 2>/dev/null; then echo $c works; fi; done; ls -d /mnt; cat /proc/mounts; "
                "df /mnt | tail -n 1 | grep -c ' /mnt$'; stat -f -c %T /mnt")
    assert out.splitlines()[0] == "/mnt"
    assert "volume1 /mnt 9p rw 0 0" in out
    assert out.splitlines()[-2] == "1"


def test_programs_and_libraries_run_from_a_volume(capos, volume, tmp_path):
    """A static one, a dynamic one of a stock toolchain with its own library, and scripts."""
    (tmp_path / "l.c").write_text("int answer(void) { return 42; }")
    (tmp_path / "p.c").write_text("#include <stdio.h>\nint answer(void);\n"
                                  "int main(int n, char **v) { printf(\"%s %d\\n\", v[0], answer()); return 3; }")
    build(volume / "libl.so", "-shared", "-fPIC", "-Wl,-soname,libl.so", tmp_path / "l.c")
    build(volume / "p", tmp_path / "p.c", volume / "libl.so", "-Wl,-rpath,$ORIGIN")
    (volume / "s").write_text("#!/bin/sh\necho script $0 $1\n./p\necho $?\n")
    (volume / "s").chmod(0o755)
    options = ["-v", f"{volume}:/mnt", "-w", "/mnt"]
    run = capos("sh", "-c", "./s x", options=options)
    assert run.stdout == b"script ./s x\n./p 42\n3\n", run.stderr
    run = capos("/mnt/p", options=options)
    assert (run.returncode, run.stdout) == (3, b"/mnt/p 42\n"), run.stderr
    run = capos("/mnt/s", "y", options=options)
    assert run.stdout == b"script /mnt/s y\n./p 42\n3\n", run.stderr


def test_a_chroot_into_a_volume_holds(shell, volume, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (volume / "root").mkdir()
    (volume / "outside").write_text("outside")
    os.symlink("../outside", volume / "root/up")
    os.symlink("/outside", volume / "root/absolute")
    out = shell("cp /bin/busybox root; mkdir root/bin; ln root/busybox root/bin/sh; chroot root /bin/sh -c 'cd /; pwd; for f in up absolute "
                "../outside ../../outside /../mnt/outside /mnt/outside; do "
                "if ./busybox cat $f 2>/dev/null; then ./busybox echo $f leads out; fi; done; ./busybox ls; "
                "./busybox sync -f /busybox && ./busybox sync -f / && ./busybox sync'")
    assert out.split() == ["/", "absolute", "bin", "busybox", "up"]


# ---- Ways out ----

def test_nothing_of_the_host_outside_is_reached(shell, volume, tmp_path):
    (tmp_path / "secret").write_text("secret")
    os.symlink("../secret", volume / "relative")
    os.symlink(tmp_path / "secret", volume / "absolute")
    os.symlink("..", volume / "parent")
    (volume / "d").mkdir()
    os.symlink("../../secret", volume / "d/deep")
    out = shell("for f in relative absolute parent/secret d/deep ../secret ../../secret d/../../secret "
                "./../volume/../secret; do if cat $f 2>/dev/null; then echo $f leads out; fi; "
                "if echo x 2>/dev/null >$f/x; then echo $f takes; fi; done; ls parent/ | head -n 1; echo end")
    assert out.split() == ["bin", "end"]  # the parent is that of /mnt in the guest
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_link_that_the_host_changes_all_the_time_leads_nowhere_else(background, volume, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/f").write_text("secret")
    (volume / "inside").mkdir()
    (volume / "inside/f").write_text("fine")
    os.symlink("inside", volume / "name")
    process = background("sh", "-c", "i=0; echo go; while [ $i -lt 400 ]; do cat name/f 2>/dev/null; i=$((i + 1)); done; "
                         "echo end", options=["-v", f"{volume}:/mnt", "-w", "/mnt"])
    seen = process.stdout.readline()
    turn = 0
    while process.poll() is None:
        os.symlink(("inside", tmp_path / "outside", "../outside")[turn % 3], volume / "new")
        os.rename(volume / "new", volume / "name")
        if turn % 7 == 0:  # a directory in the place of the link
            os.mkdir(volume / "directory")
            os.unlink(volume / "name")
            os.rename(volume / "directory", volume / "name")
            os.rmdir(volume / "name")
        turn += 1
    seen += process.stdout.read()
    assert b"secret" not in seen
    assert seen.endswith(b"end\n")
    assert b"fine" in seen and turn > 100


def test_devices_of_the_host_are_not_opened(shell, volume):
    if os.geteuid() != 0:
        pytest.fail("this test makes a device: run it as root")
    os.mknod(volume / "device", stat.S_IFCHR | 0o666, os.makedev(240, 5))
    out = shell("if timeout 5 head -c 1 device; then echo opened; fi 2>/dev/null; mknod new c 1 3 2>&1 || true; ls")
    assert out == "mknod: new: Operation not permitted\ndevice\n"


def test_a_fifo_of_the_host_joins_programs_of_the_guest(shell, volume):
    """Nobody outside of the machine is at its other end."""
    os.mkfifo(volume / "fifo")
    reader = os.open(volume / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    try:
        out = shell("(echo one >fifo) & cat fifo; ls -l fifo | cut -c 1; (cat fifo; echo end) & exec 3>fifo; echo two >&3; "
                    "mv fifo other; rm other; echo three >&3; exec 3>&-; wait; "
                    "mkfifo own; [ -p own ]; echo made")
        assert out.split() == ["one", "p", "two", "three", "end", "made"]
        assert os.read(reader, 1) == b""
    finally:
        os.close(reader)


# ---- inotify ----

WATCHES = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>
static const char *const at[] = {"/tmp", "/mnt", "/other"};
static void touch(const char *directory, const char *name) {
    char path[64];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    close(open(path, O_CREAT | O_WRONLY, 0600));
}
static void events(int fd) {
    _Alignas(8) char buffer[4096];
    ssize_t n;
    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        for (ssize_t i = 0; i < n;) {
            const struct inotify_event *e = (void *)(buffer + i);
            printf("%d:%s ", e->wd, e->len ? e->name : e->mask & IN_IGNORED ? "ignored" : "?");
            i += sizeof(*e) + e->len;
        }
    puts("");
    fflush(stdout);
}
int main(int argc, char **argv) {
    int fd = argc > 1 ? atoi(argv[1]) : inotify_init1(IN_NONBLOCK);
    char number[16];
    if (argc == 1)
        for (int i = 0; i < 3; i++) printf("%d ", inotify_add_watch(fd, at[i], IN_CREATE));
    printf("%d\\n", inotify_add_watch(fd, "/mnt", IN_CREATE));
    if (!fork()) {
        for (int i = 0; i < 3; i++) touch(at[i], argc > 1 ? "again" : "new");
        _exit(0);
    }
    wait(NULL);
    events(fd);
    if (argc > 1) {
        printf("%d %d\\n", inotify_rm_watch(fd, 2), inotify_rm_watch(fd, 7));
        events(fd);
        return 0;
    }
    snprintf(number, sizeof(number), "%d", fd);
    fflush(stdout);
    execl(argv[0], argv[0], number, NULL);
    return 1;
}
"""


def test_one_queue_for_watches_in_several_volumes(capos, volume, tmp_path):
    """Also for a child, and for the program that is executed then."""
    (tmp_path / "other").mkdir()
    (tmp_path / "w.c").write_text(WATCHES)
    build(volume / "w", tmp_path / "w.c")
    run = capos("/mnt/w", options=["-v", f"{volume}:/mnt", "-v", f"{tmp_path}/other:/other"])
    assert run.stdout.decode().split("\n") == ["1 2 3 2", "1:new 2:new 3:new ", "2", "1:again 2:again 3:again ", "0 -1",
                                               "2:ignored ", ""], (run.stdout, run.stderr)


# ---- Shared mappings ----

MAPS = """
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv) {
    int fd = open(argv[1], O_RDWR);
    char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int fd2 = open(argv[1], O_RDWR);
    close(fd);
    if (p == MAP_FAILED) return 1;
    memcpy(p + 300000, "stored", 6);
    if (argv[2][0] == 's') return msync(p, 1 << 20, MS_SYNC) || puts("synced") < 0 || fflush(stdout) || pause();
    if (argv[2][0] == 'u') return munmap(p, 1 << 20) || puts("unmapped") < 0 || fflush(stdout) || pause();
    if (argv[2][0] == 'k') kill(getpid(), SIGTERM);
    if (argv[2][0] == 'w') return puts("stored") < 0 || fflush(stdout) || pwrite(fd2, "wrote", 5, 8190) != 5 || getchar() < 0;
    return 0;
}
"""


@pytest.fixture
def maps(tmp_path):
    """A program that stores to a shared mapping."""
    (tmp_path / "maps.c").write_text(MAPS)
    build(tmp_path / "maps", tmp_path / "maps.c")
    return tmp_path / "maps"


@pytest.mark.parametrize(("how", "status"), [("exit", 0), ("killed", 143)])
def test_what_a_program_stored_in_a_mapping_is_in_the_file_when_the_machine_ends(capos, volume, maps, how, status):
    data = os.urandom(2**20)
    (volume / "f").write_bytes(data)
    run = capos(maps, "/mnt/f", how, options=["-v", f"{volume}:/mnt"])
    assert run.returncode == status, run.stderr
    assert (volume / "f").read_bytes() == data[:300000] + b"stored" + data[300006:]


@pytest.mark.parametrize("how", ["synced", "unmapped"])
def test_what_is_stored_in_a_mapping_is_on_the_host_after(background, volume, maps, how):
    with (volume / "f").open("wb") as file:
        file.truncate(2**20)
    process = background(maps, "/mnt/f", how, options=["-v", f"{volume}:/mnt"])
    assert process.stdout.readline().decode().strip() == how
    assert (volume / "f").read_bytes()[300000:300006] == b"stored"
    assert (volume / "f").stat().st_blocks * 512 < 2**17  # the holes are still there


def test_what_the_host_changes_in_other_pages_than_a_program_stays(background, volume, maps):
    data = bytearray(os.urandom(2**20))
    (volume / "f").write_bytes(data)
    process = background(maps, "/mnt/f", "waits", options=["-v", f"{volume}:/mnt"])
    assert process.stdout.readline() == b"stored\n"
    while (volume / "f").read_bytes()[8190:8195] != b"wrote":
        time.sleep(0.1)
    with (volume / "f").open("r+b") as file:
        for at, words in ((10, b"first"), (8500, b"behind what was written"), (700000, b"far")):
            os.pwrite(file.fileno(), words, at)
            data[at:at + len(words)] = words
        file.truncate(900000)
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    data[8190:8195] = b"wrote"
    data[300000:300006] = b"stored"
    assert (volume / "f").read_bytes() == data[:900000]


def test_who_may_only_read_does_not_say_what_a_file_holds(capos, volume, maps):
    """A mapping of a volume to read only is none to write."""
    (volume / "f").write_bytes(bytes(2**20))
    run = capos(maps, "/mnt/f", "exit", options=["-v", f"{volume}:/mnt:ro"])
    assert run.returncode == 1, run.stderr
    assert (volume / "f").read_bytes() == bytes(2**20)


# ---- To read only, and what the host refuses ----

def test_a_volume_to_read_only(capos, volume):
    (volume / "f").write_text("text\n")
    script = "cd /mnt; cat f; for c in 'rm f' 'mkdir d' 'touch new' 'mv f g' 'chmod 600 f' 'ln f g' 'ln -s f g' " \
             "'cp /etc/hostname new' 'truncate -s 0 f'; do if $c; then echo $c works; fi; done; cat f"
    run = capos("sh", "-c", script, options=["-v", f"{volume}:/mnt:ro"])
    assert run.stdout == b"text\ntext\n"
    assert run.stderr.count(b"Read-only file system") == 9, run.stderr
    run = capos("sh", "-c", "cd /mnt; mkdir f; mkdir -p /mnt; ln -s x f; set -C; echo >f", options=["-v", f"{volume}:/mnt:ro"])
    assert run.stderr.count(b"File exists") == 3 and b"Read-only" not in run.stderr, run.stderr
    assert [path.name for path in volume.iterdir()] == ["f"]


def test_the_hosts_refusals_are_the_programs(shell, volume, tmp_path):
    """A full file system of the host."""
    if os.geteuid() != 0:
        pytest.fail("this test mounts a small file system: run it as root")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True, timeout=30)
    try:
        out = shell("dd if=/dev/zero of=/small/f bs=64k count=100 2>&1 || true; stat -c %s /small/f; rm /small/f; "
                    "echo again >/small/g; cat /small/g", "-v", f"{small}:/small")
    finally:
        subprocess.run(["umount", small], check=True, timeout=30)
    assert "No space left on device" in out
    assert out.split("\n")[-3:] == [str(2**20), "again", ""]


def test_more_open_files_than_the_driver_has_places_for(capos, volume, tmp_path):
    """Two programs have them all: a third one is told so, and they are free again when those are killed."""
    (volume / "f").write_text("x\n")
    (tmp_path / "p.c").write_text("""
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
	int ready[2], seen;
	pid_t children[2];
	pipe(ready);
	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		while (open("/mnt/f", O_RDONLY) >= 0)
			;
		write(ready[1], &errno, sizeof(errno));
		pause();
	}
	for (int i = 0; i < 2; i++)
		read(ready[0], &seen, sizeof(seen));
	printf("%d", open("/mnt/f", O_RDONLY));
	printf(" %d\\n", errno == ENFILE);
	for (int i = 0; i < 2; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	printf("%d\\n", open("/mnt/f", O_RDONLY) >= 0);
	return 0;
}
""")
    build(tmp_path / "p", "-w", tmp_path / "p.c")
    run = capos(tmp_path / "p", options=["-v", f"{volume}:/mnt"])
    assert run.stdout == b"-1 1\n1\n", (run.stdout, run.stderr)


def test_more_open_files_than_the_emulator_may_have(capos, volume):
    """They are refused or taken back by QEMU; when they are closed, files open again."""
    (volume / "f").write_text("x\n")
    script = "for i in $(seq 300); do sleep 99 </mnt/f & done 2>/dev/null; sleep 1; jobs | wc -l; killall sleep; wait; " \
             "cat /mnt/f; echo y >/mnt/f; cat /mnt/f"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (160, hard))
    try:
        run = capos("sh", "-c", script, options=["-v", f"{volume}:/mnt"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert int(run.stdout.split()[0]) > 100, run.stderr
    assert run.stdout.split()[1:] == [b"x", b"y"], run.stderr


# ---- The command ----

@pytest.mark.parametrize(("value", "words"), [
    ("/no/such/directory:/mnt", "No such file or directory"),
    ("/etc/passwd:/mnt", "Not a directory (--file puts"),
    ("/tmp", "HOST:GUEST"),
    ("/tmp:mnt", "HOST:GUEST"),
    ("/tmp:/", "not its root"),
    ("/tmp:/a/../b", "without . and .."),
    ("/tmp:/proc", "cannot be in /proc or /dev"),
    ("/tmp:/dev/null", "cannot be in /proc or /dev"),
    ("/tmp:/bin/ls", "/bin/ls of the guest is no directory"),
    ("/tmp:/etc/passwd/x", "/etc/passwd of the guest is no directory"),
    ("/tmp:/mnt:rx", ":ro"),
    ("/tmp:/" + "x" * 255, "255"),
])
def test_a_wrong_volume_is_one_line(capos, value, words):
    run = capos("true", options=["--volume", value])
    assert run.returncode == 125
    assert run.stderr.count(b"\n") == 1 and words in run.stderr.decode(), run.stderr


def test_a_volume_where_no_directory_can_be(capos, volume):
    run = capos("true", options=["-v", f"{volume}:/bin/busybox/x"])
    assert run.returncode == 125
    assert b"/bin/busybox of the guest is no directory" in run.stderr
    for second in ("/mnt", "/mnt/below", "/mnt/"):
        run = capos("true", options=["-v", f"{volume}:/mnt", "-v", f"{volume}:{second}"])
        assert run.returncode == 125 and b"another volume" in run.stderr


@pytest.mark.parametrize("option", [["--file", "/etc/hostname:/mnt/x"], ["--file", "/etc/hostname:/mnt"],
                                    ["--output", "/mnt/x:/tmp/x"]])
def test_what_a_volume_would_hide_is_refused(capos, volume, option):
    run = capos("true", options=["-v", f"{volume}:/mnt", *option])
    assert run.returncode == 125
    assert b"is in the volume of" in run.stderr and run.stderr.count(b"\n") == 1, run.stderr
    assert capos("true", options=["-v", f"{volume}:/mnt", "--file", "/etc/hostname:/mntx"]).returncode == 0


def test_eight_volumes_at_once(capos, tmp_path):
    options = []
    for i in range(8):
        (tmp_path / f"v,{i}:x").mkdir()
        (tmp_path / f"v,{i}:x" / "f").write_text(f"{i}\n")
        options += ["-v", f"{tmp_path}/v,{i}:x:/a/v{i}"]
    run = capos("sh", "-c", "cat /a/*/f; for i in 0 1 2 3 4 5 6 7; do echo $i >/a/v$i/g; done", options=options)
    assert run.stdout == b"0\n1\n2\n3\n4\n5\n6\n7\n", run.stderr
    assert [(tmp_path / f"v,{i}:x/g").read_text() for i in range(8)] == [f"{i}\n" for i in range(8)]


def test_the_driver_holds_its_device_and_nothing_else(capos, volume):
    out = capos(command="caps", options=["-v", f"{volume}:/mnt"]).stdout.decode()
    held = {line.split()[1] for line in out.splitlines() if line.startswith("volume1 ")}
    assert held == {"Process", "Endpoint", "DeviceMmio", "Interrupt", "DMAPool", "Log", "Event"}


def test_a_volume_without_network_rights(capos, volume):
    run = capos("sh", "-c", "echo x >/mnt/f; wget -q -O - http://10.0.2.2/ 2>/dev/null || echo refused",
                options=["-v", f"{volume}:/mnt", "--allow", "none"])
    assert run.stdout == b"refused\n", run.stderr
    assert (volume / "f").read_text() == "x\n"
