# SPDX-License-Identifier: MIT
"""BusyBox's own tests in the guest: what passes on Linux passes here, but for what named.txt names with a reason.

CAPOS_TEST_LONG=1 runs suite.LONG too.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "system")]

import suite  # noqa: E402
from machine import BUILD, SOURCE, Capos  # noqa: E402

LONG = os.environ.get("CAPOS_TEST_LONG") == "1"
LIMIT = 3600 if LONG else 600  # seconds: four times what it takes on two cores that do nothing else


def test_the_suite_passes_as_on_linux(tmp_path):
    directory = tmp_path / "suite"
    left_out = set() if LONG else suite.LONG
    suite.lay_out(SOURCE, BUILD, directory, left_out)
    (directory / "busybox").symlink_to("/bin/busybox")
    run = Capos().raw("run", "--timeout", LIMIT, "--memory", 512, "--file", f"{directory}:/suite",
                      "--file", f"{directory}/hosts:/etc/hosts", "--", "sh", "/suite/run", limit=LIMIT)
    output = run.stdout.decode(errors="replace")
    found = suite.results(output)
    ended = output.endswith("\nEND\n")
    linux = {key: status for status, key in (line.split(": ", 1) for line in suite.entries(HERE / "linux.txt"))}
    named = dict(line.split(" -- ") for line in suite.entries(HERE / "named.txt"))
    passed = {key for key, status in found.items() if status == "PASS"}
    passed_there = {key for key, status in linux.items() if status == "PASS"} - left_out
    print(f"{len(passed)} of {len(found)} pass; on Linux {len(passed_there)} of {len(linux)}; {len(named)} named")
    print("pass on Linux alone:", *sorted(passed_there - passed), sep="\n  ")
    assert ended, f"the suite did not end: {output[-500:]}\n{run.stderr.decode(errors='replace')[-1000:]}"
    assert sorted(passed_there - passed - set(named)) == [], "pass on Linux, and here not"
    assert sorted(set(named) & passed) == [], "named in named.txt, and pass"
    assert sorted(set(named) - passed_there) == [], "named in named.txt, and do not pass on Linux"
    assert sorted(set(found) ^ set(linux)) == [], "are in one of the two results alone"
