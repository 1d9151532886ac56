# SPDX-License-Identifier: MIT
"""Files into the guest and out of it again, and the bounds on what this command writes."""

import os
import re
import select
import shutil
import socket
import stat
import subprocess
import time

import pytest
from conftest import BUILD, free_port


def make_tree(top):
    """Files, modes, times, links, empty directories, names that need care."""
    (top / "deep/er").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "empty").chmod(0o700)
    (top / "deep/er/data").write_bytes(bytes(range(256)) * 300)
    (top / "nothing").write_bytes(b"")
    (top / "run me").write_text("#!/bin/sh\n")
    (top / "run me").chmod(0o750)
    (top / "größe:x").write_text("name\n")
    (top / "link").symlink_to("deep/er/data")
    (top / "dangling").symlink_to("/no/such/place")
    os.utime(top / "deep/er/data", (1_000_000_000, 1_000_000_000))
    os.utime(top / "empty", (1_111_111_111, 1_111_111_111))


def describe(top):
    """Everything that must survive the way in and out."""
    found = {}
    for directory, names, files in os.walk(top):
        for name in names + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                content, mode, when = os.readlink(path), None, None
            else:
                content = open(path, "rb").read() if stat.S_ISREG(status.st_mode) else None
                mode, when = status.st_mode, int(status.st_mtime)
            found[os.path.relpath(path, top)] = (content, mode, when)
    return found


def test_directory_goes_in_and_comes_out_the_same(capos, tmp_path):
    source, back = tmp_path / "source", tmp_path / "back"
    source.mkdir()
    make_tree(source)
    run = capos("busybox", "cat", "/srv/tree/link", options=["--file", f"{source}:/srv/tree", "--output",
                                                             f"/srv/tree:{back}"])
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout == (source / "deep/er/data").read_bytes()
    assert describe(back) == describe(source)


def test_many_files(capos, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for i in range(3000):
        (source / f"file{i}").write_text(str(i))
    run = capos("busybox", "sh", "-c", "ls /many | wc -l; cat /many/file2999",
                options=["--file", f"{source}:/many", "--output", f"/many:{tmp_path / 'out'}"])
    assert run.stdout.split() == [b"3000", b"2999"], run.stderr
    assert describe(tmp_path / "out") == describe(source)


def test_special_file_is_refused_by_name(capos, tmp_path):
    (tmp_path / "dir").mkdir()
    os.mkfifo(tmp_path / "dir/fifo")
    run = capos("busybox", "true", options=["--file", f"{tmp_path}/dir:/dir"])
    assert run.returncode == 125
    assert b"dir/fifo" in run.stderr and b"neither a file" in run.stderr


def test_nothing_is_put_below_a_file(capos, tmp_path):
    (tmp_path / "x").write_text("x")
    run = capos("busybox", "true", options=["--file", f"{tmp_path}/x:/bin/busybox/x"])
    assert run.returncode == 125
    assert b"/bin/busybox of the guest would be a file or a link, and there are files below it too" in run.stderr


def test_too_little_memory_is_said_before_the_boot(capos, tmp_path):
    large = tmp_path / "large"
    with open(large, "wb") as file:
        file.truncate(40 << 20)
    run = capos("busybox", "wc", "-c", "/large", options=["--file", f"{large}:/large", "--memory", "40"],
                env={"CAPOS_QEMU": "/no/such/emulator"})
    assert run.returncode == 125
    needed = re.search(rb"--memory (\d+)", run.stderr)
    assert needed, run.stderr
    run = capos("busybox", "stat", "-c", "%s", "/large",
                options=["--file", f"{large}:/large", "--memory", needed[1].decode()])
    assert run.stdout == b"41943040\n", run.stderr


def test_larger_than_any_machine(capos, tmp_path):
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(3 << 30)
    run = capos("busybox", "true", options=["--file", f"{tmp_path}/huge:/huge", "--memory", "8192"])
    assert run.returncode == 125
    assert b"at most 2040 MiB" in run.stderr


def test_least_memory_boots(capos):
    """What --memory says is the least is enough for a program."""
    run = capos.raw("run", "--memory", "1", "--", "busybox", "true")
    least = re.search(rb"number of MiB, (\d+) to", run.stderr)
    assert run.returncode == 125 and least, run.stderr
    run = capos("busybox", "echo", "x", options=["--memory", least[1].decode()])
    assert run.stdout == b"x\n", run.stderr


@pytest.mark.parametrize("memory", range(4, 25))
def test_a_small_machine_works_or_says_that_it_is_too_small(capos, http_server, memory):
    """At once, and with 9 MiB it works."""
    http_server.files["/small"] = bytes(range(256)) * 40
    begin = time.monotonic()
    run = capos.raw("run", "--timeout", "60", "--memory", str(memory), "--",
                    "wget", "-qO-", http_server.url("/small"))
    if memory < 9:
        assert run.returncode == 125
        assert b"must be a number of MiB, 9 to 1048576" in run.stderr
        assert time.monotonic() - begin < 3
    else:
        assert (run.returncode, run.stderr) == (0, b"")
        assert run.stdout == http_server.files["/small"]


def test_pipelines_and_terminals_in_a_machine_of_10_mib(capos):
    script = "seq 1000 | sort -r | head -n 1; grep tcp /etc/services | sort | uniq | wc -l; " \
             "script -qc 'tty; stty size' /dev/null"
    for _ in range(3):
        run = capos("sh", "-c", script, options=["--memory", "10"])
        assert (run.returncode, run.stdout.split()[:2], run.stderr) == (0, [b"999", b"74"], b"")
        assert b"/dev/pts/1" in run.stdout


# ---- Out ----


@pytest.mark.parametrize("end, status", [
    ("exit 3", 3),
    ("kill -9 $$", 128 + 9),
    ("kill -SEGV $$", 128 + 11),
])
def test_output_of_a_program_that_failed(capos, tmp_path, end, status):
    run = capos("busybox", "sh", "-c", f"echo result >/tmp/r; {end}",
                options=["--output", f"/tmp/r:{tmp_path}/r"])
    assert run.returncode == status
    assert (tmp_path / "r").read_text() == "result\n"


def test_output_after_the_time_limit(capos, tmp_path):
    run = capos.raw("run", "--timeout", "15", "--output", f"/out:{tmp_path}/out", "--",
                    "busybox", "sh", "-c", "mkdir /out; echo x >/out/x; exec sleep 100")
    assert run.returncode == 125
    assert run.stderr.count(b"timed out") == 1
    assert (tmp_path / "out/x").read_text() == "x\n"


def test_output_when_the_user_ends_it(background, tmp_path):
    process = background("busybox", "sh", "-c", "trap '' TERM; echo x >/tmp/x; echo ready; while :; do sleep 1; done",
                         options=["--output", f"/tmp/x:{tmp_path}/x"])
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.wait(timeout=40) == 128 + 15
    assert (tmp_path / "x").read_text() == "x\n"


def test_output_into_directories_that_exist(capos, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/kept").write_text("kept")
    run = capos("busybox", "sh", "-c", "mkdir /d; echo new >/d/f; echo file >/tmp/g",
                options=["--output", f"/d:{tmp_path}/there", "--output", f"/tmp/g:{tmp_path}/there"])
    assert (run.returncode, run.stderr) == (0, b"")
    assert sorted(os.listdir(tmp_path / "there")) == ["f", "g", "kept"]


def test_output_follows_no_link_of_the_host(capos, tmp_path):
    (tmp_path / "canary").write_text("canary")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/f").symlink_to("../canary")
    (tmp_path / "out/d").symlink_to("..")
    run = capos("busybox", "sh", "-c", "mkdir -p /out/d; echo evil >/out/f; echo evil >/out/d/canary",
                options=["--output", f"/out:{tmp_path}/out"])
    assert run.returncode == 125
    assert b"d: exists and is no directory" in run.stderr
    assert (tmp_path / "canary").read_text() == "canary"
    assert (tmp_path / "out/f").read_text() == "evil\n"


def test_output_that_does_not_exist(capos, tmp_path):
    run = capos("busybox", "true", options=["--output", f"/nothing:{tmp_path}/x"])
    assert run.returncode == 125
    assert b"/nothing" in run.stderr and b"no such" in run.stderr
    assert not (tmp_path / "x").exists()


def test_output_from_deep_below(capos, tmp_path):
    """Deeper than is sent: named, and the rest arrives."""
    script = "mkdir /o; cd /o; echo x >top; i=0; while [ $i -lt 150 ]; do mkdir d; cd d; i=$((i+1)); done"
    run = capos("busybox", "sh", "-c", script, options=["--output", f"/o:{tmp_path}/o"])
    assert run.returncode == 125
    assert b"too long" in run.stderr
    assert (tmp_path / "o/top").read_text() == "x\n"


# ---- Bounds on what is written ----


def test_output_is_cut_at_the_limit(capos, tmp_path):
    run = capos("busybox", "sh", "-c", "head -c 3000000 /dev/zero >/tmp/big",
                options=["--file-limit", "1M", "--output", f"/tmp/big:{tmp_path}/big"])
    assert run.returncode == 125
    assert b"cut" in run.stderr
    assert (tmp_path / "big").stat().st_size <= 1 << 20


def test_log_is_cut_at_the_limit(capos, tmp_path):
    log = tmp_path / "log"
    run = capos("busybox", "true", options=["--log", log, "--file-limit", "100"])
    assert run.returncode == 0
    assert b"was cut at 100 bytes" in run.stderr
    text = log.read_text()
    assert text.endswith("\ncapos: the log was cut here, at 100 bytes\n") and len(text) < 200


def test_frames_are_cut_at_the_limit(capos, tmp_path):
    """Whole frames only."""
    pcap = tmp_path / "pcap"
    run = capos("busybox", "ping", "-c", "3", "-i", "0.2", "10.0.2.2", options=["--pcap", pcap, "--file-limit", "1000"])
    assert run.returncode == 0, run.stderr
    assert b"was cut at 1000 bytes" in run.stderr
    data = pcap.read_bytes()
    assert 24 < len(data) <= 1000
    at = 24
    while at < len(data):
        at += 16 + int.from_bytes(data[at + 8:at + 12], "little")
    assert at == len(data)


def test_reader_that_never_reads_is_not_waited_for(background):
    """Without a time limit of the run, too."""
    process = background("busybox", "sh", "-c", "busybox dd if=/dev/zero bs=100k count=5 2>/dev/null; echo done >&2",
                         options=["--drain", "3"])
    assert process.stderr.readline() == b"done\n"
    begin = time.monotonic()
    assert process.wait(timeout=60) == 125
    assert time.monotonic() - begin < 30
    assert b"the rest is dropped" in process.stderr.read()


# ---- Errors before the machine is started ----


def said_at_once(capos, *options):
    """The complaint about the options; no emulator is started."""
    run = capos.raw("run", *options, "--", "busybox", "true", env={"CAPOS_QEMU": "/no/such/emulator"})
    assert run.returncode == 125
    assert len(run.stderr.splitlines()) == 1
    return run.stderr.decode()


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_port_in_use(capos, kind):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == "tcp":
            taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} is in use" in said_at_once(capos, "--forward", f"{kind}:{port}:80")
        assert f"port {port} is in use" in said_at_once(capos, "-p", f"{port}:80/{kind}")


def test_tap_device_that_does_not_exist(capos):
    assert "no such network interface" in said_at_once(capos, "--net", "tap:capos-none")
    assert not os.path.exists("/sys/class/net/capos-none")


def test_interface_that_is_no_tap_device(capos):
    assert "--net tap:lo" in said_at_once(capos, "--net", "tap:lo")


@pytest.mark.parametrize("options, said", [
    (["--address", "010.0.0.1/8"], "--address 010.0.0.1/8"),
    (["--address", "10.0.2.15/24,dns=fe80::1"], "dns="),
    (["--address", "fe80::1/64"], "IPv4"),
    (["--env", "A=1", "--env", "A=2"], "--env A=2: that variable is given twice"),
    (["-e", "NO_SUCH_VARIABLE_HERE"], "-e NO_SUCH_VARIABLE_HERE:"),
    (["--env-file", "/no/such/file"], "--env-file /no/such/file: No such file"),
    (["-v", "/a:/b"], "--volume /a: No such file"),
    (["-w", "relative"], "-w relative: must be an absolute path"),
    (["-w", "/proc"], "-w /proc: cannot be in /proc"),
    (["--file", "/etc/hostname:/a/../b"], "no . and no .."),
    (["--file", "/dev/null:/x"], "neither a file nor a directory"),
    (["--output", "relative:x"], "--output relative:x: must be GUEST:HOST"),
    (["--output", "/a/../b:x"], "no . and no .."),
    (["--output", "/a:/no/such/directory/x"], "/no/such/directory"),
    (["--log", "/no/such/directory/log"], "--log /no/such/directory/log"),
    (["--log", "/"], "directory"),
    (["--pcap", "/no/such/directory/pcap"], "--pcap /no/such/directory/pcap"),
    (["--file-limit", "1X"], "--file-limit 1X:"),
    (["--drain", "0"], "--drain 0:"),
    (["--name", "a b"], "--name a b:"),
    (["-p", "80"], "-p 80: must be HOSTPORT:GUESTPORT"),
    (["-p", "8080:80", "-p", "8080:81"], "published already"),
    (["-p", "8080:80/udp", "--allow", "none"], "--allow udp"),
    (["-p", "8080:80/udp", "--allow", "icmp"], "--allow udp"),
    (["--net", "none", "-p", "8080:80"], "--net"),
    (["-x"], "unknown option -x"),
    (["--rm=yes"], "takes no value"),
    (["--kernel", "/no/such/kernel"], "--kernel /no/such/kernel"),
])
def test_values_that_cannot_be(capos, options, said):
    assert said in said_at_once(capos, *options)


def test_too_many_of_something(capos):
    grants = [word for i in range(65) for word in ("--allow", f"listen={i + 1}")]
    assert "at most 64" in said_at_once(capos, *grants)
    run = capos.raw("run", "--", "busybox", "echo", *["x"] * 600, env={"CAPOS_QEMU": "/no/such/emulator"})
    assert run.returncode == 125 and b"at most 512" in run.stderr


def test_host_programs_that_cannot_run(capos, tmp_path):
    (tmp_path / "text").write_text("x")
    for path, said in ((tmp_path, "a directory"), (tmp_path / "text", "not executable")):
        run = capos.raw("run", "--", path, env={"CAPOS_QEMU": "/no/such/emulator"})
        assert run.returncode == 126 and said in run.stderr.decode()


# ---- Names that people know ----


def test_short_names(capos, tmp_path):
    (tmp_path / "env").write_text("# two\nFROM_FILE=1\nBOTH=file\n")
    run = capos("busybox", "sh", "-c", "echo $FROM_FILE $BOTH $HOSTS $PWD; pwd",
                options=["--rm", "--name", "x1", "-e", "BOTH=option", "--env-file", tmp_path / "env", "-eHOSTS",
                         "-w", "/etc", "-m", "64"],
                env={"HOSTS": "own"})
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout == b"1 option own /etc\n/etc\n"


def test_working_directory_that_does_not_exist(capos):
    run = capos("busybox", "pwd", options=["--workdir", "/no/such"])
    assert run.returncode == 125
    assert run.stderr == b"capos: the working directory /no/such: the guest has none of that name\n"


def test_what_nobody_made_has_the_time_of_the_boot(capos):
    names = "/ /bin /bin/busybox /dev /dev/null /dev/tty /etc/passwd /proc /proc/uptime /proc/self/fd /root /tmp".split()
    run = capos("busybox", "stat", "-c", "%Y", *names)
    assert run.returncode == 0, run.stderr
    ages = [time.time() - int(line) for line in run.stdout.split()]
    assert len(ages) == len(names) and all(-5 < age < 300 for age in ages), ages


def test_published_port_may_be_listened_on(background):
    """--allow without listen=80: publishing the port is the right."""
    port = free_port()
    process = background("busybox", "sh", "-c", "echo ready; echo answer | nc -l -p 80",
                         options=["-p", f"{port}:80", "--allow", "icmp"], stdin=subprocess.DEVNULL)
    assert process.stdout.readline() == b"ready\n"
    deadline = time.monotonic() + 30
    answer = b""
    while not answer and time.monotonic() < deadline:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            try:
                answer = connection.recv(100)
            except ConnectionResetError:
                pass
        time.sleep(0.2)
    assert answer == b"answer\n"


@pytest.mark.parametrize("arguments", [["help"], ["help", "run"], ["version"], ["--version"], ["run", "-h"]])
def test_help_and_version(capos, arguments):
    run = capos.raw(*arguments)
    assert run.returncode == 0 and run.stderr == b""
    assert run.stdout.startswith((b"capos", b"usage: capos"))
    assert all(len(line) <= 100 for line in run.stdout.splitlines())


@pytest.mark.parametrize("arguments", [["help", "rnu"], ["help", "run", "more"], ["version", "more"]])
def test_wrong_help(capos, arguments):
    run = capos.raw(*arguments)
    assert run.returncode == 125 and run.stderr.startswith(b"capos: ")


# ---- What ended the program ----


@pytest.mark.parametrize("how, status, said", [
    ("null", 139, rb"was ended by the system: page fault at 0"),
    ("memory", 137, rb"was ended by the system: out of memory"),
    ("abort", 134, rb": Aborted\n"),
])
def test_end_is_explained(capos, guest_program, how, status, said):
    """One line, as a shell prints it."""
    run = capos(guest_program("ends"), how, options=["--memory", "32"])
    assert run.returncode == status, run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert re.search(said, run.stderr), run.stderr


def test_static_program_of_another_libc(capos, tmp_path):
    """Its system calls are Linux's own: the one line says that, and not only a number."""
    source = tmp_path / "hello.c"
    source.write_text('#include <stdio.h>\nint main(void) { puts("hello"); }\n')
    subprocess.run(["cc", "-static", "-o", tmp_path / "hello", source], check=True, timeout=60)
    run = capos(tmp_path / "hello")
    assert run.returncode == 159
    assert len(run.stderr.splitlines()) == 1
    assert b"system call" in run.stderr


def test_a_host_file_that_cannot_start_is_named_as_it_was(capos, tmp_path):
    for name, content in (("script", b"#!/no/such\n"), ("text", b"puts\n")):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o755)
    run = capos(tmp_path / "script")
    assert (run.returncode, run.stderr.decode()) == \
        (127, f"capos: {tmp_path}/script is a script; its interpreter /no/such is not in the image\n")
    run = capos(tmp_path / "text")
    assert (run.returncode, run.stderr.decode()) == \
        (126, f"capos: {tmp_path}/text: not an executable for this machine\n")
    run = capos(capos.command)
    assert run.returncode == 127
    assert run.stderr.decode().startswith(f"capos: {capos.command} is a dynamic program; "), run.stderr


def test_host_file_without_its_path(capos, tmp_path):
    program = tmp_path / "hello"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    run = subprocess.run([capos.command, "run", "--", "hello"], cwd=tmp_path, capture_output=True, timeout=100,
                         check=False)
    assert run.returncode == 127
    assert b"./hello" in run.stderr


# ---- Published ports, and passt ----


def serve(background, guest_program, *options):
    """A server in the guest that greets each client and keeps it; the port of the host that leads there."""
    port = free_port()
    process = background(guest_program("greet"), options=["-p", f"{port}:80", *options], stdin=subprocess.DEVNULL)
    assert process.stdout.readline() == b"ready\n", process.stderr.read()
    return port


def test_many_connections_at_once(background, guest_program):
    """The emulator's own listener takes two at a time: the others waited a second, six, or for ever."""
    port = serve(background, guest_program)
    begin = time.monotonic()
    clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(100)]
    for client in clients:
        client.settimeout(60)
        assert client.recv(16) == b"hello\n"
    assert time.monotonic() - begin < 40
    for client in clients:
        client.close()


def test_passt(background, capos, guest_program, http_server):
    http_server.files["/hello"] = b"from the host\n"
    run = capos("busybox", "wget", "-q", "-O", "-", http_server.url("/hello"), options=["--net", "passt"])
    assert (run.returncode, run.stdout) == (0, b"from the host\n"), run.stderr
    port = serve(background, guest_program, "--net", "passt")
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"x")
        assert client.recv(16) == b"hello\n"


def test_no_passt_is_left_behind(background, guest_program):
    """However this command ends, by SIGKILL too."""

    def processes():
        found = set()
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and os.readlink(f"/proc/{entry}/exe").split("/")[-1].startswith("passt"):
                    found.add(entry)
            except OSError:
                pass
        return found

    before = processes()
    port = free_port()
    process = background(guest_program("greet"), options=["-p", f"{port}:80", "--net", "passt"],
                         stdin=subprocess.DEVNULL)
    assert process.stdout.readline() == b"ready\n"
    assert processes() - before
    process.kill()
    process.wait(timeout=20)
    deadline = time.monotonic() + 20
    while processes() - before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not processes() - before


# ---- Made from the table of options ----


def options_of(capos, command):
    return re.findall(r"^  (?:-\w, )?--([\w-]+)", capos.raw("help", command).stdout.decode(), re.M)


@pytest.mark.parametrize("command", ["run", "image", "caps"])
def test_pages_and_completions_name_every_option(capos, command):
    options = options_of(capos, command)
    assert len(options) > 5
    page = (BUILD / f"gen/man/capos-{command}.1").read_text().replace("\\-", "-")
    fish = (BUILD / "gen/completion/fish/capos.fish").read_text()
    zsh = (BUILD / "gen/completion/zsh/_capos").read_text()
    for option in options:
        assert f"--{option}" in page
        assert f"--{option}" in zsh
        assert f"from {command}' -l {option} " in fish


@pytest.mark.parametrize("words, expected", [
    (["capos", "ru"], ["run"]),
    (["capos", "run", "--acc"], ["--accel"]),
    (["capos", "run", "--accel", "k"], ["kvm"]),
    (["capos", "run", "--net", "=", "u"], ["user"]),
    (["capos", "run", "--net", "="], ["auto", "user", "passt", "tap:", "none"]),
    (["capos", "run", "--net=u"], ["--net=user"]),
    (["capos", "run", "--log", "=", "/proc/cpuinf"], ["/proc/cpuinfo"]),
    (["capos", "run", "-m", "x"], []),
    (["capos", "caps", "--pcap"], []),
    (["capos", "help", "im"], ["image"]),
    (["capos", "sdk", "''"], ["cmake", "meson", "env"]),
    (["capos", "sdk", "m"], ["meson"]),
    (["capos", "version", "''"], []),
])
def test_completion_in_bash(words, expected):
    script = (f". {BUILD}/gen/completion/bash/capos; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
              "_capos; printf '%s\\n' \"${COMPREPLY[@]}\"")
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, check=True)
    assert run.stdout.split() == expected


# What is typed, and the line after the tabulator.
TYPED = [("capos ru", "capos run"), ("capos run --acc", "capos run --accel"), ("capos run --net=u", "capos run --net=user"),
         ("capos run --net u", "capos run --net user"), ("capos run --accel k", "capos run --accel kvm"),
         ("capos caps --log=/proc/cpuinf", "capos caps --log=/proc/cpuinfo"), ("capos sdk me", "capos sdk meson"),
         ("capos help im", "capos help image"), ("capos run -- /proc/cpuinf", "capos run -- /proc/cpuinfo")]


@pytest.mark.parametrize("shell, setup", [
    (["bash", "--norc", "--noprofile", "-i"], f". {BUILD}/gen/completion/bash/capos"),
    (["zsh", "-f", "-i"], f"fpath=({BUILD}/gen/completion/zsh $fpath); autoload -U compinit; compinit -u -D"),
])
def test_completion_at_a_terminal(shell, setup):
    if not shutil.which(shell[0]):
        pytest.skip(f"{shell[0]} is not installed")
    terminal, other = os.openpty()
    process = subprocess.Popen(shell, stdin=other, stdout=other, stderr=other, start_new_session=True,
                               env={"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": "/nonexistent"})
    os.close(other)

    def answer(text, expected):
        os.write(terminal, text.encode())
        seen, deadline = "", time.monotonic() + 30
        while expected not in seen and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.2)[0]:
                seen += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[\r\a\b]", "", os.read(terminal, 4096).decode())
        assert expected in seen

    try:
        answer(f"{setup}; PS1='ready> '; unset PROMPT_COMMAND; echo set''up\n", "setup")
        for typed, expected in TYPED:
            # By the line that a command of the shell prints, since the terminal's own echo may be redrawn.
            answer(f"{typed}\t\x01: '\x05'; echo \"=$_=\"\n", f"={expected}")
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


@pytest.mark.parametrize("typed, expected", TYPED)
def test_completion_in_fish(typed, expected, tmp_path):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    script = f"complete -c capos -e; source {BUILD}/gen/completion/fish/capos.fish; complete -C '{typed}'"
    run = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, timeout=60, check=True,
                         env={**os.environ, "HOME": str(tmp_path)})
    words = [line.split("\t")[0] for line in run.stdout.splitlines()]
    assert expected.split()[-1] in words


def test_colour_only_on_terminals(capos):
    """And never with NO_COLOR."""
    for extra, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        controller, terminal = os.openpty()
        env = {**os.environ, "TERM": "xterm", **extra}
        if "NO_COLOR" not in extra:
            env.pop("NO_COLOR", None)
        subprocess.run([capos.command, "nonsense"], stderr=terminal, env=env, timeout=20, check=False)
        os.close(terminal)
        assert (b"\x1b[" in os.read(controller, 1000)) == coloured
        os.close(controller)
    assert b"\x1b" not in capos.raw("nonsense").stderr
