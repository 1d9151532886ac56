# SPDX-License-Identifier: MIT
"""The POSIX test suite in the guest: what passes on Linux passes here, but for what named.txt names with a reason."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "system")]

import pts  # noqa: E402
from machine import BUILD, Capos  # noqa: E402

LIMIT = 1500  # seconds: ten times what it takes on two cores that do nothing else
MEMORY = 1024  # MiB: what sixteen tests at a time use, some of them with hundreds of threads


def run(names, at_a_time, directory):
    """The results of these tests in one machine."""
    (directory / "list").write_text("".join(f"{name}\n" for name in sorted(names)))
    machine = Capos().raw("run", "--timeout", LIMIT, "--memory", MEMORY, "--net", "none",
                          "--file", f"{BUILD / pts.PROGRAMS}:/suite", "--file", f"{directory}/list:/list", "--",
                          "sh", "-c", f"cd /suite && ./runner {at_a_time} {pts.LIMIT} </list", limit=LIMIT)
    output = machine.stdout.decode(errors="replace")
    assert output.endswith("END\n"), f"the suite did not end: {output[-500:]}\n{machine.stderr[-1000:]}"
    return {name for name, result in pts.results(output).items() if result == "PASS"}


def test_the_suite_passes_as_on_linux(tmp_path):
    failed_there = set(pts.entries(HERE / "linux.txt"))
    named = dict(line.split(" -- ") for line in pts.entries(HERE / "named.txt"))
    everything = set(pts.entries(BUILD / pts.PROGRAMS / "list"))
    linux = everything - failed_there
    passed = run(everything, pts.AT_A_TIME, tmp_path)
    # Sixteen at a time may use up memory, processes or time, which says nothing about one.
    late = linux - passed - set(named)
    if late:
        passed |= run(late, 1, tmp_path)
    print(f"{len(passed)} of {len(everything)} pass, {len(passed & linux)} of the {len(linux)} that pass on Linux; "
          f"{len(late)} were run alone; {len(named)} named")
    print(f"here by group: {pts.by_group(passed)}\non Linux: {pts.by_group(linux)}")
    assert sorted(linux - passed - set(named)) == [], "pass on Linux, and here not"
    assert sorted(set(named) & passed) == [], "named in named.txt, and pass"
    assert sorted(set(named) - linux) == [], "named in named.txt, and do not pass on Linux"
    assert sorted(failed_there - everything) == [], "are in linux.txt, and were not built"
