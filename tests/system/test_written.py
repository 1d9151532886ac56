# SPDX-License-Identifier: MIT
"""What `capos` writes on this machine: whole, or not at all and with a line that says so."""

import os
import signal
import subprocess
import time

import pytest
from machine import CAPOS, signals_by_default

FULL = b"capos: stdout: No space left on device\n"


def to_full(*arguments):
    with open("/dev/full", "wb") as full:
        return subprocess.run([CAPOS, *arguments], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                              timeout=100, check=False)


@pytest.mark.parametrize("arguments", [
    ["help"], ["help", "run"], ["version"], ["--version"], ["sdk", "env"], ["sdk", "cmake"], ["caps"],
    ["run", "--", "busybox", "echo", "lost"],
    ["run", "--", "busybox", "sh", "-c", "yes | head -c 3000000"],
], ids=" ".join)
def test_a_full_disk_behind_stdout_is_said(arguments):
    run = to_full(*arguments)
    assert (run.returncode, run.stderr) == (125, FULL)


def test_a_program_that_failed_keeps_its_status_when_its_output_was_lost():
    run = to_full("run", "--", "busybox", "sh", "-c", "trap '' PIPE; echo lost; exit 3")
    assert (run.returncode, run.stderr.splitlines()[-1:]) == (3, FULL.splitlines())


def test_a_reader_that_has_enough_is_no_failure(capos):
    run = subprocess.run(f"{CAPOS} run -- busybox sh -c 'yes | head -c 3000000' | head -n 1", shell=True,
                         stdin=subprocess.DEVNULL, capture_output=True, timeout=100, check=False)
    assert (run.stdout, run.stderr) == (b"y\n", b"")


# ---- capos image ----


@pytest.fixture
def image(capos, tmp_path):
    """An image that works, in a directory of its own."""
    path = tmp_path / "images" / "system"
    path.parent.mkdir()
    assert capos.raw("image", path, "--", "busybox", "echo", "one").returncode == 0
    return path


def is_whole(capos, image, said):
    names = sorted(path.name for path in image.parent.iterdir())
    run = capos.raw("run", "--image", image)
    return (names, run.returncode, run.stdout) == (["system", "system.kernel"], 0, said)


@pytest.mark.parametrize("arguments", [
    ["--file", "/no/such/file:/x"], ["--image", "/no/such/image"], ["--kernel", "/no/such/kernel"],
], ids=lambda arguments: arguments[0])
def test_an_image_stays_when_the_next_cannot_be_made(capos, image, arguments):
    assert capos.raw("image", *arguments, image, "--", "busybox", "true").returncode == 125
    assert capos.raw("image", image, "--", "./no-such-program").returncode == 127
    assert is_whole(capos, image, b"one\n")


def test_an_image_can_be_made_from_itself(capos, image):
    run = capos.raw("image", "--image", image, "--kernel", f"{image}.kernel", image, "--", "busybox", "echo", "two")
    assert run.returncode == 0, run.stderr
    assert is_whole(capos, image, b"two\n")


def test_an_image_behind_a_link_is_replaced_and_the_link_stays(capos, image, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(image)
    assert capos.raw("image", link, "--", "busybox", "echo", "two").returncode == 0
    assert link.is_symlink()
    assert is_whole(capos, image, b"two\n")


def test_an_interrupted_image_leaves_nothing(capos, image, tmp_path):
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(1 << 30)
    process = subprocess.Popen([CAPOS, "image", "--file", f"{big}:/big", image], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, preexec_fn=signals_by_default)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == -signal.SIGINT
    assert is_whole(capos, image, b"one\n")


def test_an_image_for_which_there_is_no_room(capos, image):
    def small_files():
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    run = subprocess.run([CAPOS, "image", image, "--", "busybox", "true"], stdin=subprocess.DEVNULL,
                         capture_output=True, timeout=100, preexec_fn=small_files, check=False)
    assert (run.returncode, run.stdout) == (125, b"")
    assert run.stderr == b"capos: cannot write the boot archive: File too large\n"
    assert is_whole(capos, image, b"one\n")


def test_an_image_that_may_not_be_written(capos, image):
    if os.geteuid() == 0:
        pytest.skip("root may write everything")
    image.chmod(0o444)
    run = capos.raw("image", image, "--", "busybox", "true")
    assert run.returncode == 125 and b"Permission denied" in run.stderr
    assert is_whole(capos, image, b"one\n")
