# SPDX-License-Identifier: MIT
"""What does not fit and what is damaged: a clear error, in time, and never a hang."""

import random
import re
import subprocess
import time

import pytest
from test_run import emulator, image_with, real_emulator_with

MIB = 1 << 20


def quickly(begin):
    assert time.monotonic() - begin < 30


# ---- Memory ----


@pytest.mark.parametrize("size", [4, 6, 8, 9, 10, 11, 12, 16, 64])
def test_image_that_hardly_fits_or_does_not(capos, tmp_path, size):
    """24 MiB of memory and an image of nearly that, or more: it runs, or says that it cannot."""
    (tmp_path / "big").write_bytes(random.Random(size).randbytes(size * MIB))
    begin = time.monotonic()
    run = capos("busybox", "echo", "fits",
                options=["--memory", "24", "--file", f"{tmp_path}/big:/big", "--log", tmp_path / "log"])
    quickly(begin)
    if run.returncode == 0:
        assert run.stdout == b"fits\n"
        assert size <= 12
    elif run.returncode == 128 + 9:  # the program had been started
        assert "busybox was killed: out of memory" in (tmp_path / "log").read_text()
        assert 6 <= size <= 12
    else:
        assert (run.returncode, run.stdout) == (125, b"")
        assert run.stderr.startswith(b"capos: ") and len(run.stderr) > 20
        assert size >= 6


def test_memory_that_is_used_up(capos):
    """The program that asks for more gets an error or is ended; the machine goes on and says which."""
    begin = time.monotonic()
    run = capos("busybox", "sh", "-c", "a=xxxxxxxxxxxxxxxx; while :; do a=$a$a; done", options=["--memory", "32"])
    quickly(begin)
    assert run.returncode in (1, 2, 128 + 9, 128 + 11)


def test_memory_decides_how_many_processes_there_are(capos, guest_program):
    """120 KiB each, or 240: a count of its own once ended it at 1,022, however large the machine."""
    assert capos(guest_program("many"), "1500", options=["--memory", "512"]).stdout == b"1500\n"
    few = capos(guest_program("many"), "1500", options=["--memory", "64"])
    assert few.returncode == 0 and 100 < int(few.stdout) < 700, few


@pytest.mark.parametrize("first", ["hog", "small"])
def test_shortage_ends_the_process_that_took_the_memory(capos, guest_program, first):
    """Not the one that touches a page next."""
    run = capos(guest_program("shortage", native=True), first, options=["--memory", "32"])
    if first == "small":
        assert (run.returncode, run.stdout) == (0, b"lived; the other was ended by signal 9\n"), run.stderr
    else:
        assert run.returncode == 128 + 9
        assert re.fullmatch(rb"capos: \S*shortage was ended by the system: out of memory[^\n]*\n", run.stderr)


def test_files_that_fill_the_memory(capos):
    begin = time.monotonic()
    run = capos("busybox", "dd", "if=/dev/zero", "of=/tmp/x", "bs=1M", "count=100", options=["--memory", "32"])
    quickly(begin)
    assert run.returncode == 1
    assert b"No space left on device" in run.stderr


@pytest.mark.parametrize("memory", [10, 11, 12, 16])
def test_writes_that_fill_a_small_machine_end_no_program(capos, memory):
    """Nothing but ENOSPC comes of them: the writer goes on, and programs that are started next have memory."""
    script = """
        dd if=/dev/zero of=/tmp/x bs=64k count=1000 2>/tmp/said; echo $?
        cat /dev/zero >/tmp/y; echo $?
        rm /tmp/x /tmp/y && echo y >/tmp/z && cat /tmp/z && echo end"""
    run = capos("sh", "-c", script, options=["--memory", str(memory)])
    assert (run.returncode, run.stdout) == (0, b"1\n1\ny\nend\n"), run.stderr
    assert b"No space left on device" in run.stderr
    assert b"Killed" not in run.stderr


def test_reading_past_all_memory(capos):
    """A stream longer than the machine's memory passes through."""
    run = capos("busybox", "sh", "-c", "busybox dd if=/dev/zero bs=1M count=200 | busybox wc -c",
                options=["--memory", "32"])
    assert (run.returncode, run.stdout) == (0, b"209715200\n"), run.stderr


# ---- Damage ----


def flipped(data, position):
    changed = bytearray(data)
    changed[position // 8] ^= 1 << position % 8
    return bytes(changed)


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bits_are_found_before_the_start(capos, tmp_path, seed):
    """`capos run --image` of an archive with one wrong bit, but for those of the host's seed and of padding."""
    generator = random.Random(seed)
    path = image_with(capos, tmp_path, bytes)
    data = path.read_bytes()
    for _ in range(5):
        path.write_bytes(flipped(data, generator.randrange(len(data) * 8)))
        begin = time.monotonic()
        run = capos("busybox", "echo", "ran", options=["--image", path])
        quickly(begin)
        if run.returncode == 0:
            assert run.stdout == b"ran\n"
        else:
            assert run.returncode == 125 and b"is no good boot archive" in run.stderr
            print(run.stderr.splitlines()[0])


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bits_are_found_by_the_machine(capos, tmp_path, seed):
    """The same behind the host command's back."""
    generator = random.Random(100 + seed)
    path = image_with(capos, tmp_path, bytes)
    assert capos.raw("image", path, "--", "busybox", "echo", "ran").returncode == 0
    data = path.read_bytes()
    for _ in range(5):
        path.write_bytes(flipped(data, generator.randrange(len(data) * 8)))
        begin = time.monotonic()
        run = capos("busybox", "echo", "ran", options=["--accel", "tcg"],
                    env=emulator(tmp_path, real_emulator_with(path)))
        quickly(begin)
        if run.returncode == 0:
            assert run.stdout == b"ran\n"
        else:
            assert run.returncode in (125, 126, 127) and run.stderr.startswith(b"capos: "), run
            print(run.stderr.splitlines()[0])


def test_damaged_kernel(capos, tmp_path):
    """A kernel that ends in its middle, and one of zeros: never a hang."""
    assert capos.raw("image", tmp_path / "image").returncode == 0
    kernel = (tmp_path / "image.kernel").read_bytes()
    for number, damaged in enumerate((kernel[:5000], kernel[:64], bytes(len(kernel)), b"", kernel[:4096] + bytes(
            len(kernel) - 4096))):
        path = tmp_path / f"kernel{number}"
        path.write_bytes(damaged)
        begin = time.monotonic()
        run = capos.raw("run", "--timeout", "5", "--kernel", path, "--", "busybox", "echo", "x")
        quickly(begin)
        assert (run.returncode, run.stdout) == (125, b""), f"kernel {number}"
        assert run.stderr.startswith(b"capos: ")


def test_program_that_is_cut_short(capos, tmp_path, guest_program):
    """An ELF file whose segments lie beyond its end."""
    whole = guest_program("crash").read_bytes()
    for number, size in enumerate((10, 63, 64, 100, 1000, len(whole) // 2)):
        path = tmp_path / f"program{number}"
        path.write_bytes(whole[:size])
        path.chmod(0o755)
        run = capos(path)
        assert run.returncode in (125, 126, 127), size
        assert run.stderr.startswith(b"capos: ")


def test_program_with_wild_headers(capos, tmp_path, guest_program):
    """Every byte of the ELF header and the first program header, replaced in turn by batches: refused, ended, or run."""
    whole = guest_program("crash").read_bytes()
    for position in (4, 5, 16, 18, 24, 31, 32, 39, 52, 54, 56, 64, 68, 72, 80, 87, 88, 96, 103, 104, 111, 112):
        path = tmp_path / "program"
        path.write_bytes(whole[:position] + b"\xff" + whole[position + 1:])
        path.chmod(0o755)
        begin = time.monotonic()
        run = capos(path, options=["--net", "none"])
        quickly(begin)
        assert run.returncode in (2, 125, 126, 127, 128 + 4, 128 + 11), position


# ---- Arguments ----


def test_arguments_that_are_too_long(capos):
    for argument in ("x" * 100_000, "x" * 1000):
        count = 1 if len(argument) > 1000 else 1000
        begin = time.monotonic()
        run = capos("busybox", "echo", *[argument] * count)
        quickly(begin)
        assert run.returncode in (125, 126)
        assert re.match(rb"capos: .*(too (long|many)|takes at most \d+)", run.stderr)


def test_arguments_with_every_byte(capos):
    word = bytes(range(1, 256))
    run = subprocess.run([*capos.argv("busybox", "printf", "%s"), word], stdin=subprocess.DEVNULL, capture_output=True,
                         timeout=140, check=False)
    assert (run.returncode, run.stdout) == (0, word), run.stderr


def test_output_that_nobody_can_take(capos):
    """stdout is a full device."""
    with open("/dev/full", "wb") as full:
        run = subprocess.run(capos.argv("busybox", "head", "-c", "5000000", "/dev/zero"), stdout=full,
                             stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=140, check=False)
    assert run.returncode != 0


# ---- Streams that no process takes or closes, machines side by side ----


def test_input_that_is_not_read(capos):
    begin = time.monotonic()
    assert capos("busybox", "true", stdin=bytes(30 * MIB)).returncode == 0
    run = capos("busybox", "head", "-c", "10", stdin=b"0123456789" * 3_000_000)
    assert (run.returncode, run.stdout) == (0, b"0123456789"), run.stderr
    quickly(begin)


def test_input_that_never_ends(background):
    process = background("busybox", "head", "-c", "10", stdin=open("/dev/zero", "rb"))
    assert process.stdout.read() == bytes(10)
    assert process.wait(timeout=30) == 0


def test_closed_stdout_and_stderr(capos):
    run = subprocess.run(f"exec {' '.join(capos.argv('busybox', 'echo', 'x'))} >&- 2>&-", shell=True,
                         stdin=subprocess.DEVNULL, timeout=140, check=False)
    assert run.returncode in (0, 1, 125)


def test_machines_side_by_side(background, nginx):
    body = random.Random(9).randbytes(4 * MIB)
    (nginx.root / "file").write_bytes(body)
    runs = [background("busybox", "wget", "-q", "-O-", nginx.url("/file"), options=["--memory", "32"],
                       stdin=subprocess.DEVNULL) for _ in range(4)]
    for run in runs:
        assert run.stdout.read() == body
        assert run.wait(timeout=60) == 0


# ---- Networks that are not there ----


def test_machine_without_a_network(capos, guest_program):
    """No card: everything that needs one fails at once."""
    begin = time.monotonic()
    run = capos(guest_program("attempt"), "tcp:10.0.2.2:80", "udp:10.0.2.2:53", "icmp:10.0.2.2", "resolve:a.test",
                "resolve:10.0.2.2", options=["--net", "none"])
    quickly(begin)
    assert run.returncode == 0, run.stderr
    assert [line.split()[1] for line in run.stdout.decode().splitlines()] == ["EACCES"] * 3 + ["EAI_FAIL", "10.0.2.2"]


def test_host_that_is_not_there(tap_network):
    """ARP is never answered."""
    begin = time.monotonic()
    run = tap_network.capos("busybox", "wget", "-T", "2", "-O-", "http://192.168.77.123/",
                            options=["--address", "192.168.77.60/24"])
    assert run.returncode == 1
    assert b"timed out" in run.stderr or b"unreachable" in run.stderr or b"No route" in run.stderr
    quickly(begin)


def test_network_that_is_unreachable(tap_network, guest_program):
    """No route leads there: an error, in time."""
    begin = time.monotonic()
    run = tap_network.capos(guest_program("attempt"), "tcp:10.9.9.9:80", options=["--address", "192.168.77.60/24"])
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[1] in (b"errno-101", b"errno-113"), "ENETUNREACH or EHOSTUNREACH"
    quickly(begin)
