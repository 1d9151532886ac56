# SPDX-License-Identifier: MIT
"""README.md does what it says: each line after a $ in its blocks is run, and prints what stands below it."""

import os
import re
import signal
import subprocess

import pytest
from conftest import BUILD, SOURCE, free_port

# Between what the commands print; no command prints it.
MARK = "\036"
LIMIT = 600


def blocks():
    """The blocks of code, as lists of lines."""
    text = (SOURCE / "README.md").read_text()
    return [[line[4:] for line in block.splitlines()] for block in re.findall(r"(?:^    .+\n)+", text, re.M)]


def examples():
    """(command, what it prints) in the order of the page."""
    found = []
    for line in [line for block in blocks() if block[0].startswith("$ ") for line in block]:
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def test_other_blocks_are_bootstraps():
    """`make check-bare` runs those."""
    others = [line.split("#")[0].strip() for block in blocks() if not block[0].startswith("$ ") for line in block]
    assert others == ["./bootstrap demo", "./bootstrap check"]


def test_examples(tmp_path):
    """In one shell, as a reader types them, with ports that are free here."""
    (tmp_path / "build").symlink_to(BUILD)
    ports = {port: str(free_port()) for port in ("8000", "8080")}
    found = examples()
    assert len(found) > 10
    script = ["exec 2>&1"]
    for command, _ in found:
        for port, free in ports.items():
            command = re.sub(rf"\b{port}\b", free, command)
        # A command may ask for the status of the one before.
        script += [f"status=$?; printf '{MARK}'; (exit $status)", command]
        if command.endswith("&"):
            script.append("sleep 1")
    (tmp_path / "script").write_text("\n".join(script) + "\n")
    shell = subprocess.Popen(["sh", "script"], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             start_new_session=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    try:
        printed, _ = shell.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        pytest.fail(f"the examples do not end within {LIMIT} s")
    finally:
        # What the page leaves running in the background.
        try:
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    parts = printed.split(MARK)[1:]
    assert len(parts) == len(found), printed
    for (command, expected), part in zip(found, parts):
        assert part.splitlines() == expected, command
