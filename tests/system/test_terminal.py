# SPDX-License-Identifier: MIT
"""Programs on the user's terminal (`capos run -it`, `capos shell`), driven through a pty.

Every wait is bounded (console.py), and so is every machine.
"""

import os
import signal
import subprocess
import time

import pytest
from console import WAIT, Console
from machine import CAPOS


@pytest.fixture
def console():
    made = []

    def start(*arguments, **options):
        made.append(Console(*arguments, **options))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def shell(console):
    c = console("shell")
    c.expect("# ")
    return c


def start(shell, *programs):
    """Types a pipeline; returns when each of its programs runs and has the terminal, which its shell gives it first."""
    shell.type(" | ".join(f"sh -c 'echo runs >&2; exec {program}'" for program in programs) + "\n")
    for _ in programs:
        shell.expect("runs\r\n")


def test_what_is_typed_is_not_echoed_or_run(shell):
    assert shell.run("echo one two") == "one two"


def test_a_terminal_is_not_one_to_programs(shell):
    assert shell.run("tty; test -t 0 && test -t 1 && test -t 2 && echo all") == "/dev/console\nall"
    assert shell.run("echo through >/dev/tty") == "through"


def test_characters_cannot_be_erased_from_a_line(shell):
    start(shell, "cat")
    shell.type("wrong\x15abd\x7fc one two\x17three\n")
    shell.expect("\n")
    assert shell.expect("\n").strip() == "abc one three"
    shell.type("\x04")
    shell.expect("# ")


def test_the_next_character_cannot_be_taken_literally(shell):
    start(shell, "cat", "od -An -c")
    shell.type("\x16\x03\n\x04")
    assert "003  \\n" in shell.prompt()


def test_ctrl_c_ends_the_shell_or_not_the_program(shell):
    start(shell, "sleep 1000")
    shell.type("\x03")
    shell.expect("^C")
    shell.expect("# ")
    assert shell.run("echo $?") == "130"


def test_ctrl_c_does_not_reach_all_of_a_pipeline(shell):
    start(shell, "sleep 1000", "sleep 1000")
    shell.type("\x03")
    shell.expect("# ")
    assert "sleep" not in shell.run("ps | grep -v grep | grep 'sleep 1000'; :")


def test_a_stopped_job_cannot_be_continued(shell):
    start(shell, "cat")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect("# ")
    assert "Stopped" in shell.run("jobs")
    shell.type("fg\n")
    shell.expect("exec cat")
    shell.expect("\r\n")
    shell.type("still here\n")
    shell.expect("still here\r\n")
    shell.expect("still here\r\n")
    shell.type("\x04")
    shell.expect("# ")
    assert shell.run("echo $?") == "0"


def test_a_background_job_reads_what_is_typed_to_the_shell(shell):
    shell.run("cat &")
    end = time.monotonic() + WAIT
    while "Stopped (tty input)" not in shell.run("jobs"):
        assert time.monotonic() < end
    assert shell.run("echo mine") == "mine"
    shell.run("kill -9 %1; wait")


def test_the_window_has_another_size_inside(console):
    c = console("shell", rows=31, columns=97)
    c.expect("# ")
    assert c.run("stty size") == "31 97"


def test_a_change_of_the_window_is_not_seen(shell):
    # At its prompt ash's line editing has the signal to itself.
    shell.type("sh -c 'trap \"stty size; exit\" WINCH; echo ready; while :; do sleep 1; done'\n")
    shell.expect("done'\r\n")
    shell.expect("ready")
    shell.resize(40, 100)
    shell.expect("40 100")
    shell.expect("# ")
    assert shell.run("stty size") == "40 100"


def test_history_or_line_editing_is_missing(shell):
    shell.run("echo first")
    shell.type("\x1b[A\n")  # up
    shell.expect("\n")
    assert shell.prompt() == "first"
    shell.type("echo ad\x1b[Dc\n")  # left
    shell.expect("\n")
    assert shell.prompt() == "acd"


def test_completion_is_missing(shell):
    shell.run("mkdir /tmp/d; echo inside >/tmp/d/averylongname")
    shell.type("cat /tmp/d/av\t\n")
    shell.expect("\n")
    assert shell.prompt().endswith("inside")


def test_vi_cannot_edit_a_file(shell):
    shell.run("echo hello >/tmp/note")
    shell.type("vi /tmp/note\n")
    shell.expect("hello")
    shell.type("A world")
    shell.expect("world")
    shell.type("\x1b")
    shell.expect("- /tmp/note")  # until it is in command mode: with what follows, the key could be another one
    shell.type(":wq\r")
    shell.expect("# ")
    assert shell.run("cat /tmp/note") == "hello world"


def test_less_does_not_page(console):
    c = console("shell", rows=10)
    c.expect("# ")
    c.type("seq 1 100 >/tmp/n; less /tmp/n\n")
    c.expect("K9")
    assert b"50" not in c.text
    c.type("G")
    c.expect("100")
    c.type("q")
    c.expect("# ")


def test_raw_mode_waits_for_a_line(shell):
    shell.type("stty raw -echo; echo raw; dd bs=1 count=1 2>/dev/null | od -An -c; stty sane\n")
    shell.expect("raw\n")
    shell.type("\x03")
    assert "003" in shell.prompt()


def test_end_of_file_does_not_end_the_shell(shell):
    assert shell.is_raw()
    shell.type("\x04")
    assert shell.wait() == 0
    assert shell.mode() == shell.before


def test_the_exit_status_is_lost(shell):
    shell.type("exit 7\n")
    assert shell.wait() == 7
    assert shell.mode() == shell.before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGSEGV])
def test_the_terminal_stays_raw_after_a_signal(shell, number):
    assert shell.is_raw()
    os.kill(shell.pid, number)
    shell.wait()
    end = time.monotonic() + WAIT
    while shell.mode() != shell.before and time.monotonic() < end:
        time.sleep(0.05)  # after SIGKILL another process does it
    assert shell.mode() == shell.before


def test_the_terminal_stays_raw_after_the_time_limit(console):
    c = console("shell", limit=20)
    c.expect("# ")
    assert c.wait() == 125
    assert c.mode() == c.before
    assert b"timed out after 20 seconds\r\n" in c.text


def test_the_terminal_stays_raw_after_the_emulator_died(shell):
    children = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(shell.pid)], capture_output=True, text=True,
                              check=True).stdout.split("\n")
    [emulator] = [int(line.split()[0]) for line in children if "qemu" in line]
    os.kill(emulator, signal.SIGKILL)
    assert shell.wait() == 125
    assert shell.mode() == shell.before


def test_a_file_is_taken_for_a_terminal():
    done = subprocess.run([CAPOS, "run", "-it", "--", "sh"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
                          check=False)
    assert done.returncode == 125
    assert done.stderr.decode() == "capos: -t needs a terminal on stdin (leave it out for pipes and files)\n"


def test_i_alone_makes_a_terminal(capos):
    done = capos("sh", "-c", "test -t 0 || cat", options=["-i"], stdin=b"through\n")
    assert (done.returncode, done.stdout) == (0, b"through\n")


def test_script_makes_no_pseudo_terminal(capos):
    done = capos("busybox", "sh", "-c", "script -q -c 'tty; stty size' /tmp/log </dev/null; cat /tmp/log")
    assert b"/dev/pts/1" in done.stdout, done.stderr


def test_a_shell_under_script_has_no_job_control(shell):
    shell.type("script -q /tmp/log\n")
    shell.expect("log\r\n")
    shell.expect("# ")
    assert shell.run("tty").startswith("/dev/pts/")
    start(shell, "sleep 1000")
    shell.type("\x03")
    shell.expect("# ")
    assert shell.run("echo $?") == "130"
    shell.type("exit\n")
    shell.expect("# ")
    assert shell.run("tty") == "/dev/console"


def test_a_drain_waits_for_ever_when_the_screen_takes_the_last_output_late(shell):
    """A part is larger than what the terminal holds and smaller than what the console does.  So the one that no longer
    goes out leaves the terminal's own queue empty: only the console can say when it is drained."""
    shell.type("sleep 1; for i in $(seq 60); do head -c 100000 /dev/zero | tr '\\0' x; stty sane; done; echo end\n")
    shell.expect("echo end")
    os.kill(shell.pid, signal.SIGSTOP)  # nothing is taken from the console
    time.sleep(3)
    os.kill(shell.pid, signal.SIGCONT)
    shell.expect("end\r\n")
    shell.expect("# ")


def test_a_server_in_the_background_is_stopped_by_what_is_typed_to_the_shell(console, tmp_path):
    done = tmp_path / "done"
    program = "echo started; sleep 2; echo lived; exec head -n 1"
    c = console("run", "--", "sh", "-c", program,
                script=f"\"$0\" \"$@\" & until test -e {done}; do sleep 0.2; done; fg >{os.devnull}; echo status $?")
    c.expect("started\r\n")
    c.type("typed\n")
    c.expect("typed\r\n")  # the host's echo
    c.expect("lived\r\n")
    done.touch()
    c.expect("typed\r\n")
    c.expect("status 0\r\n")
