# SPDX-License-Identifier: MIT
"""`capos run`: the program's bytes, its end, and every way in which a run can go wrong."""

import hashlib
import os
import random
import re
import signal
import stat
import subprocess
import time

import pytest
from conftest import BUILD, SOURCE


def test_output_and_status(capos):
    run = capos("busybox", "echo", "hello", "two  spaces", "")
    assert (run.returncode, run.stdout, run.stderr) == (0, b"hello two  spaces \n", b"")


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_exit_status(capos, status):
    assert capos("busybox", "sh", "-c", f"exit {status}").returncode == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_status_of_a_signal(capos, number):
    run = capos("busybox", "sh", "-c", f"kill -{number.value} $$")
    assert run.returncode == 128 + number


def test_a_program_knows_the_file_that_it_was_executed_from(capos):
    """As on Linux: the file behind the link, from wherever it was started; no word that the caller chose."""
    run = capos("readlink", "/proc/self/exe")
    assert (run.returncode, run.stdout) == (0, b"/bin/busybox\n"), run.stderr
    run = capos("sh", "-c", "readlink /proc/self/exe; cd /usr && bin/readlink /proc/self/exe")
    assert (run.returncode, run.stdout) == (0, b"/bin/busybox\n" * 2), run.stderr


@pytest.mark.parametrize("limit", ["1s", "1"])
def test_a_time_limit_with_a_unit(capos, limit):
    run = capos.raw("run", "--timeout", limit, "--", "sleep", "60")
    assert run.returncode == 125
    assert b"timed out after 1 second\n" in run.stderr


@pytest.mark.parametrize("option", ["--timeout", "--drain"])
@pytest.mark.parametrize("value", ["0s", "5x", "s", "9000h", "1.5m"])
def test_a_time_that_makes_no_sense_is_refused(capos, option, value):
    run = capos.raw("run", option, value, "--", "true")
    assert run.returncode == 125
    assert f"{option} {value}: must be".encode() in run.stderr


def test_stdout_and_stderr_stay_apart(capos):
    run = capos("busybox", "sh", "-c", "echo out; echo err >&2; echo out2")
    assert (run.stdout, run.stderr) == (b"out\nout2\n", b"err\n")


@pytest.mark.parametrize("size", [0, 1, 4096, 65537, 20_000_003])
def test_bytes_through_stdin_and_stdout(capos, size):
    data = random.Random(size).randbytes(size)
    run = capos("busybox", "cat", stdin=data)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout) == size
    assert run.stdout == data


def test_slow_reader_loses_nothing(background):
    size = 3_000_000
    process = background("busybox", "head", "-c", str(size), "/dev/zero", stdin=subprocess.DEVNULL)
    time.sleep(1.5)
    total = 0
    while chunk := process.stdout.read(65536):
        total += len(chunk)
        time.sleep(0.002)
    assert process.wait(timeout=60) == 0
    assert total == size


def test_input_is_streamed(background):
    """What was written is answered before stdin ends."""
    process = background("busybox", "cat")
    for word in (b"one\n", b"two\n"):
        process.stdin.write(word)
        process.stdin.flush()
        assert process.stdout.readline() == word
    process.stdin.close()
    assert process.stdout.read() == b""
    assert process.wait(timeout=30) == 0


def test_closed_stdin_is_at_its_end(capos):
    run = subprocess.run(f"exec {' '.join(capos.argv('busybox', 'cat'))} <&-", shell=True, capture_output=True,
                         timeout=140, check=False)
    assert (run.returncode, run.stdout) == (0, b"")


def test_reader_that_leaves(background):
    process = background("busybox", "yes", stdin=subprocess.DEVNULL)
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(timeout=30) == 128 + signal.SIGPIPE


def started(process):
    """Waits for the program's first line."""
    line = process.stdout.readline()
    assert line == b"ready\n", process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_reach_the_program(background, number):
    process = background("busybox", "sh", "-c", "echo ready; read line", stdin=subprocess.PIPE)
    started(process)
    process.send_signal(number)
    assert process.wait(timeout=20) == 128 + number


def test_program_may_catch_an_interrupt(background):
    process = background("busybox", "sh", "-c", "trap 'echo caught; exit 7' INT; echo ready; read line")
    started(process)
    time.sleep(0.5)  # the shell looks at its traps between commands: it must be in its read
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 7
    assert process.stdout.read() == b"caught\n"


def test_second_interrupt_ends_the_machine(background):
    process = background("busybox", "sh", "-c", "trap '' INT; echo ready; read line")
    started(process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=5) == 130


def test_time_limit(capos):
    begin = time.monotonic()
    run = capos.raw("run", "--timeout", "3", "--", "busybox", "sleep", "100")
    assert run.returncode == 125
    assert b"timed out after 3 seconds" in run.stderr
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("program", ["no-such-program", "/bin/no-such-program", "./no-such-file"])
def test_missing_program(capos, program):
    run = capos(program)
    assert run.returncode == 127
    assert program.encode() in run.stderr


def test_host_program_is_put_in(capos):
    run = capos(BUILD / "work/busybox/busybox", "echo", "from the host")
    assert (run.returncode, run.stdout) == (0, b"from the host\n"), run.stderr


def test_host_file_that_is_no_program(capos, tmp_path):
    path = tmp_path / "text"
    path.write_text("not a program\n")
    path.chmod(0o755)
    run = capos(path)
    assert run.returncode == 126
    assert run.stderr.startswith(b"capos: ")


@pytest.mark.parametrize("program, said", [
    ("/", "/: it is no program but a directory"), (".", ".: it is no program but a directory"),
    ("/tmp", "/tmp: it is no program but a directory"),
    ("..", "..: it is no program but a directory"), ("/dev/null", "/dev/null: it is no program but a special file"),
    (__file__, "it is not executable (chmod +x makes it so)"),
])
def test_what_cannot_be_executed_is_named_before_the_machine_starts(capos, program, said):
    run = capos.raw("run", "--", program, env={"CAPOS_QEMU": "/no/such/emulator"})
    assert (run.returncode, run.stdout) == (126, b"")
    assert run.stderr.decode().endswith(f"{said}\n") and len(run.stderr.splitlines()) == 1


def test_environment(capos):
    run = capos("busybox", "printenv", "WORD", options=["--env", "WORD=a b=c"])
    assert (run.returncode, run.stdout) == (0, b"a b=c\n"), run.stderr


def test_files(capos, tmp_path):
    path = tmp_path / "data"
    path.write_bytes(bytes(range(256)) * 100)
    run = capos("busybox", "cat", "/srv/deep/data", options=["--file", f"{path}:/srv/deep/data"])
    assert run.returncode == 0, run.stderr
    assert run.stdout == path.read_bytes()


@pytest.mark.parametrize("guest", ["/", "/tmp/", "/new/below/"])
def test_a_file_goes_below_a_path_that_ends_in_a_slash(capos, tmp_path, guest):
    (tmp_path / "a file").write_bytes(b"here")
    run = capos("busybox", "cat", f"{guest}a file", options=["--file", f"{tmp_path}/a file:{guest}"])
    assert (run.returncode, run.stdout) == (0, b"here"), run.stderr


def test_log_goes_elsewhere(capos, tmp_path):
    log = tmp_path / "log"
    run = capos("busybox", "echo", "x", options=["--log", log])
    assert run.stdout == b"x\n" and run.stderr == b""
    assert "memory" in log.read_text()


def test_small_machine(capos):
    assert capos("busybox", "echo", "x", options=["--memory", "32"]).stdout == b"x\n"


@pytest.mark.parametrize("machine", ["none", "user"])
def test_network_cards(capos, machine):
    assert capos("busybox", "echo", "x", options=["--net", machine]).stdout == b"x\n"


# ---- The command line ----


@pytest.mark.parametrize("arguments, said", [
    (["run", "--memroy", "64", "--", "x"], "--memroy; did you mean --memory?"),
    (["run", "--verbos", "--", "x"], "--verbos; did you mean --verbose?"),
    (["run", "--mem", "64", "--", "x"], "--mem; did you mean --memory?"),
    (["run", "--frobnicate", "--", "x"], "unknown option --frobnicate; see capos help run"),
    (["run", "-x", "--", "x"], "unknown option -x; see capos help run"),
    (["run", "-it", "--", "sh"], "-t needs a terminal on stdin"),
    (["run", "--detach", "--", "x"], "there is no option --detach: the machine ends with this command"),
    (["run", "--network=host", "--", "x"], "there is no option --network: use --net"),
    (["run", "--user", "nobody", "--", "x"], "there is no option --user: a program starts as user 0; `chpst -u"),
    (["run", "-u", "nobody", "--", "x"], "there is no option -u: a program starts as user 0"),
    (["run", "--privileged", "--", "x"], "there is no option --privileged: user 0 has no rights but"),
    (["run", "--mount", "x", "--", "x"], "there is no option --mount: use --volume HOST:GUEST"),
    (["shell"], "capos shell needs a terminal on stdin"),
    (["run", "--smp", "2", "--", "x"], "there is no option --smp: a machine has one processor"),
    (["run", "-p", "0.0.0.0:80:80", "--", "x"], "the address on the host is always 127.0.0.1"),
    (["rnu", "--", "x"], "rnu; did you mean run?"),
    ([], "no command"),
    (["run"], "no program"),
    (["run", "--memory", "x", "--", "p"], "--memory x: must be a number"),
    (["run", "--memory", "1", "--", "p"], "--memory 1:"),
    (["run", "--timeout", "0", "--", "p"], "--timeout 0:"),
    (["run", "--allow", "conect=a:1", "--", "p"], "--allow conect=a:1: unknown grant"),
    (["run", "--allow", "connect=a:99999", "--", "p"], "--allow connect=a:99999:"),
    (["run", "--allow", "none", "--allow", "udp", "--", "p"], "none stands alone"),
    (["run", "--forward", "tcp:1", "--", "p"], "--forward tcp:1:"),
    (["run", "--net", "bridge", "--", "p"], "--net bridge:"),
    (["run", "--net", "none", "--pcap", "f", "--", "p"], "--pcap needs a network card"),
    (["run", "--accel", "hax", "--", "p"], "--accel hax:"),
    (["run", "--env", "NOVALUE", "--", "p"], "--env NOVALUE:"),
    (["run", "--file", "onlyone", "--", "p"], "--file onlyone:"),
    (["run", "--file", "/no/such/file:/x", "--", "p"], "cannot put /no/such/file into the guest: No such file"),
    (["run", "--image", "/no/such/image", "--", "p"], "/no/such/image: No such file"),
    (["run", "--address", "10.0.0.300/8", "--", "p"], "--address 10.0.0.300/8"),
    (["run", "--memory"], "--memory needs a value"),
    (["run", "--memory", "9999999", "--", "p"], "--memory 9999999: must be a number of MiB, 9 to 1048576"),
    (["run", "--drain", "9999h", "--", "p"], "at least a second, at most 365 days"),
    (["run", "-p", "80800:80", "--", "p"], "with ports of 1 to 65535"),
    (["image", "--forward", "tcp:1:2", "x"], "capos image takes no --forward; capos run does"),
    (["image", "-p", "1:2", "x"], "capos image takes no --publish; capos run does"),
    (["caps", "--file=a:/b"], "capos caps takes no --file; capos run does"),
    (["run", "--file", f"{__file__}:/etc", "--", "p"], "/etc of the guest would be a file or a link"),
    (["run", "--file", f"{__file__}:/proc/x", "--", "p"], "nothing can be put into /proc"),
    (["run", "--forward", "tcp:80:0", "--", "p"], "with ports of 1 to 65535"),
    (["run", "--", ""], "the program's name is empty"),
    (["run", "--kernel", "/etc/passwd", "--", "p"], "--kernel /etc/passwd: it is no kernel (an ELF file for x86-64)"),
    (["run", "--kernel", "/etc", "--", "p"], "--kernel /etc: Is a directory"),
    (["run", "--image", "/etc", "--", "p"], "--image /etc: Is a directory"),
])
def test_wrong_command_lines(capos, arguments, said):
    run = capos.raw(*arguments)
    assert run.returncode == 125
    assert run.stdout == b""
    assert said in run.stderr.decode()
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["image", "--help"], ["caps", "--help"]])
def test_help(capos, arguments):
    run = capos.raw(*arguments)
    assert run.returncode == 0 and run.stderr == b""
    assert b"capos" in run.stdout


# ---- Machines that fail ----


def image_with(capos, tmp_path, change):
    path = tmp_path / "image"
    assert capos.raw("image", path).returncode == 0
    data = bytearray(path.read_bytes())
    path.write_bytes(change(data))
    return path


@pytest.mark.parametrize("change", [
    lambda data: data[:100],
    lambda data: data[:-4096],
    lambda data: bytes([data[0] ^ 1]) + data[1:],
    lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
    lambda data: data[:-9000] + bytes(9000),
    lambda data: b"",
], ids=["header", "cut", "magic", "table", "file", "empty"])
def test_corrupt_image(capos, tmp_path, change):
    path = image_with(capos, tmp_path, change)
    run = capos("busybox", "echo", "x", options=["--image", path])
    assert run.returncode == 125
    assert b"is no good boot archive" in run.stderr


def emulator(tmp_path, body):
    """A script in the emulator's place."""
    path = tmp_path / "emulator"
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"CAPOS_QEMU": str(path)}


# The descriptor of the machine's serial port in the emulator (tools/capos/machine.c).
SERIAL = 15
# How the emulator ends when the guest's kernel has panicked (kernel/abi/capos/panic.h).
PANIC_STATUS = 99


def real_emulator_with(initrd):
    """The real one, on another archive."""
    return f"""
for argument; do
	shift
	case $before in -initrd) argument='{initrd}' ;; esac
	before=$argument
	set -- "$@" "$argument"
done
exec qemu-system-x86_64 "$@"
"""


@pytest.mark.parametrize("change", [
    lambda data: data[:100],
    lambda data: data[:-8192],
    lambda data: bytes([data[0] ^ 1]) + data[1:],
    lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
    lambda data: data[:16] + bytes(8) + data[24:],
], ids=["header", "cut", "magic", "table", "size"])
def test_corrupt_archive_in_the_machine(capos, tmp_path, change):
    """The kernel and init see it as well, and say so."""
    path = image_with(capos, tmp_path, change)
    begin = time.monotonic()
    run = capos("busybox", "echo", "x", options=["--accel", "tcg"], env=emulator(tmp_path, real_emulator_with(path)))
    assert run.returncode == 125
    assert run.stdout == b""
    assert b"capos: " in run.stderr
    assert time.monotonic() - begin < 25


def test_panic_is_told(capos, tmp_path):
    log = r"x: PANIC: no\nPANIC: the sky fell\nkernel: called from 0\n"
    body = f"""exec python3 -c 'import os; os.write({SERIAL}, b"{log}"); os._exit({PANIC_STATUS})'"""
    run = capos("busybox", "true", options=["--accel", "tcg"], env=emulator(tmp_path, body))
    assert run.returncode == 125
    assert b"the machine panicked: the sky fell" in run.stderr


def test_a_line_in_the_log_makes_no_panic(capos, tmp_path):
    """Any process can write a line that looks like the kernel's: only the kernel can end the machine so."""
    log = r"PANIC: all is lost; kernel\n"
    body = f"""exec python3 -c 'import os; os.write({SERIAL}, b"{log}")'"""
    run = capos("busybox", "true", options=["--accel", "tcg"], env=emulator(tmp_path, body))
    assert run.returncode == 125
    assert b"panicked" not in run.stderr and b"did not start" in run.stderr


def test_escapes_never_reach_the_terminal(capos, tmp_path):
    """C0, C1 (as single bytes and in UTF-8) and DEL, from the log and from the emulator itself."""
    said = r"a\x1b[31mb\x9b2Jc\xc2\x85d\x7fe\x00f\xc3\xa9\r\n"
    body = f"""exec python3 -c 'import os; os.write({SERIAL}, b"{said}"); os.write(2, b"{said}")'"""
    log = tmp_path / "log"
    clean = "a?[31mb?2Jc??d?e?f\u00e9?\n".encode()
    run = capos("busybox", "true", options=["--accel", "tcg", "--log", log], env=emulator(tmp_path, body))
    assert run.returncode == 125
    assert run.stderr.count(clean) == 2
    assert log.read_bytes() == clean
    run = capos("busybox", "true", options=["--accel", "tcg", "--verbose"], env=emulator(tmp_path, body))
    assert clean in run.stderr and b"\x1b" not in run.stderr and b"\x9b" not in run.stderr


def test_emulator_that_fails(capos, tmp_path):
    run = capos("busybox", "true", options=["--accel", "tcg"],
                env=emulator(tmp_path, "echo 'cannot do that' >&2\nexit 1\n"))
    assert run.returncode == 125
    assert b"did not start" in run.stderr and b"cannot do that" in run.stderr


@pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="capos refuses KVM without /dev/kvm")
@pytest.mark.parametrize("said", ["KVM internal error. Suberror: 1", ""])
def test_kvm_that_does_not_run_the_guest_is_said(capos, tmp_path, said):
    """At once when QEMU has stopped the machine; after a while when nothing comes."""
    begin = time.monotonic()
    run = capos.raw("run", "--timeout", "8", "--accel", "kvm", "--", "busybox", "true",
                    env=emulator(tmp_path, f"echo '{said}' >&2\nexec sleep 300\n"))
    assert run.returncode == 125
    assert run.stderr.count(b"--accel tcg does without it") == 1, run.stderr
    assert time.monotonic() - begin < (4 if said else 12)


def test_emulator_is_missing(capos):
    run = capos("busybox", "true", options=["--accel", "tcg"], env={"CAPOS_QEMU": "/no/such/emulator"})
    assert run.returncode == 125
    assert b"qemu-system-x86" in run.stderr


def test_silent_machine_does_not_hang(capos, tmp_path):
    begin = time.monotonic()
    run = capos.raw("run", "--timeout", "2", "--accel", "tcg", "--", "busybox", "true",
                    env=emulator(tmp_path, "exec sleep 300\n"))
    assert run.returncode == 125
    assert time.monotonic() - begin < 10


def test_reader_that_does_not_read_does_not_hang(background):
    """The program has ended, but its output has nowhere to go: the time limit holds then, too."""
    process = background("busybox", "sh", "-c", "busybox dd if=/dev/zero bs=100k count=5; echo done >&2",
                         options=["--timeout", "15"])
    begin = time.monotonic()
    assert process.wait(timeout=30) == 125
    assert time.monotonic() - begin < 25
    assert b"timed out after 15 seconds" in process.stderr.read()


def test_no_emulator_is_left_behind(background, tmp_path):
    pid_file = tmp_path / "pid"
    process = background("busybox", "sh", "-c", "echo ready; read line",
                         env=emulator(tmp_path, f'echo $$ >{pid_file}\nexec qemu-system-x86_64 "$@"\n'))
    started(process)
    pid = int(pid_file.read_text())
    os.kill(pid, 0)
    process.kill()
    process.wait(timeout=10)
    for _ in range(100):
        try:
            state = re.search(r"^State:\s*(\S)", open(f"/proc/{pid}/status", encoding="ascii").read(), re.M)[1]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the emulator outlived capos")


# ---- Systems that make no sense ----

CONSOLE = """
    ( name = "virtio-console", path = "sbin/virtio-console",
      holds = [ (name = "device", device = (vendor = 0x1af4, ids = [0x1043], index = 0, dmaLimitPages = 1024)),
                (name = "log", kernel = "log") ],
      serves = [ (name = "stdin", interface = "ByteStream", word = 1), (name = "stdout", interface = "ByteStream", word = 2),
                 (name = "stderr", interface = "ByteStream", word = 3), (name = "control", interface = "ByteStream", word = 4) ] )
"""
FILES = """
    ( name = "files", path = "sbin/files", holds = [ (name = "boot", kernel = "boot"), (name = "log", kernel = "log") ],
      serves = [ (name = "root", interface = "Directory", word = 1) ] )
"""


@pytest.mark.parametrize("text, said", [
    (f'(services = [{CONSOLE}, (name = "ghost", path = "sbin/ghost")])', b"ghost"),
    (f'(services = [{CONSOLE}, (name = "f", path = "sbin/files", holds = [(name = "x", kernel = "rootkit")])])',
     b"rootkit"),
    (f'(services = [{CONSOLE}, (name = "f", path = "sbin/files", holds = [(name = "x", service = "nobody.root")])])',
     b"nobody.root"),
    (f'(services = [{CONSOLE}, {FILES}], program = [(name = "files", service = "files.attic")])', b"files.attic"),
], ids=["binary", "kernel", "service", "export"])
def test_manifest_that_makes_no_sense(capos, manifest, text, said):
    run = capos("busybox", "true", options=manifest(text))
    assert run.returncode == 125
    assert said in run.stderr


def test_manifest_of_garbage(capos, tmp_path):
    path = tmp_path / "manifest"
    path.write_bytes(hashlib.sha512(b"no manifest").digest() * 8)
    run = capos("busybox", "true", options=["--file", f"{path}:/etc/manifest"])
    assert run.returncode == 125
    assert b"manifest" in run.stderr


# ---- The other commands ----


def printed_commands(text):
    """The command lines of QEMU that `capos image` prints: with a console, and with the serial line alone."""
    joined = text.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if "qemu-system-x86_64" in line]


def test_image_boots_by_the_lines_that_are_printed(capos, tmp_path):
    image = tmp_path / "system"
    run = capos.raw("image", image, "--", "busybox", "sh", "-c", "echo out; echo err >&2; read x; echo $x")
    assert run.returncode == 0
    console, serial = printed_commands(run.stdout.decode())
    by_hand = subprocess.run(console, shell=True, input=b"typed\n", capture_output=True, timeout=100, check=True)
    assert by_hand.stdout == b"out\ntyped\n"
    assert by_hand.stderr.startswith(b"err\n")
    by_hand = subprocess.run(serial, shell=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=100, check=True)
    assert b"busybox: out" in by_hand.stdout and b"busybox: err" in by_hand.stdout


def test_documented_lines_are_those_that_are_printed(capos, tmp_path):
    run = capos.raw("image", tmp_path / "system")
    page = (SOURCE / "doc/running.md").read_text()
    for line in run.stdout.decode().splitlines():
        if line.startswith(" "):
            line = re.sub(r"'[^']*/system(\.kernel)?'", r"system\1", line)
            assert line.strip() in page


def test_image_says_what_to_run(capos, tmp_path):
    assert capos.raw("image", tmp_path / "system", "--", "busybox", "echo", "from the image").returncode == 0
    run = capos.raw("run", "--image", tmp_path / "system")
    assert (run.returncode, run.stdout) == (0, b"from the image\n"), run.stderr
    run = capos.raw("run", "--image", tmp_path / "system", "--", "busybox", "echo", "other")
    assert run.stdout == b"other\n"
    assert capos.raw("image", tmp_path / "system").returncode == 0
    run = capos.raw("run", "--image", tmp_path / "system")
    assert run.returncode == 125 and b"no program" in run.stderr


def test_old_processor_is_told_in_one_line(capos, tmp_path):
    run = capos.raw("image", tmp_path / "system", "--", "busybox", "true")
    line = printed_commands(run.stdout.decode())[1].replace("-cpu max", "-cpu qemu64")
    by_hand = subprocess.run(line, shell=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=100, check=False)
    lines = by_hand.stdout.decode().splitlines()
    assert lines == ["PANIC: this processor is too old for capOS: it lacks FSGSBASE, SMEP, SMAP"]


def test_seed_differs_each_time(capos, tmp_path):
    seeds = set()
    for name in ("a", "b"):
        assert capos.raw("image", tmp_path / name).returncode == 0
        seeds.add((tmp_path / name).read_bytes()[32:96])
    assert len(seeds) == 2
    assert bytes(64) not in seeds
