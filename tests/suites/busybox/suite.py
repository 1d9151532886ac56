# SPDX-License-Identifier: MIT
"""BusyBox's own tests as files for a machine, and what they say.

A result is a status and a name.  Some names occur more than once: the second is "NAME #2", in the suite's order.
"""

import re
import shutil

# Each leads 35 MB of numbers through two bc: 25 s on Linux, 4 minutes and more under emulation.
LONG = {"bc parsing of numbers", "bc printing of numbers"}
STATUSES = ("PASS", "FAIL", "SKIPPED", "UNTESTED", "LEFT OUT")


def lay_out(source, build, directory, left_out=()):
    """Makes what is /suite in the machine, but for the link to its BusyBox; tests that are left out say so."""
    busybox = build / "work/busybox"
    shutil.copytree(busybox / "testsuite", directory / "testsuite", symlinks=True)
    shutil.copy(busybox / ".config", directory / ".config")
    shutil.copy(source / "tests/suites/busybox/run", directory / "run")
    (directory / "run").chmod(0o755)
    (directory / "www").mkdir()
    (directory / "www/index.html").write_text("<title>Google</title>\n")
    (directory / "hosts").write_text("127.0.0.1 localhost www.google.com\n")
    if left_out:
        leave_out(directory / "testsuite/testing.sh", left_out)


def leave_out(testing, names):
    text, count = re.subn(r"^testing\(\)$", "run_test()", testing.read_text(), flags=re.MULTILINE)
    assert count == 1, "testing.sh is not the one we know"
    patterns = "|".join(f'"{name}"' for name in sorted(names))
    testing.write_text(f"""{text}
testing()
{{
	case $1 in
	{patterns}) echo "LEFT OUT: $1" ;;
	*) run_test "$@" ;;
	esac
}}
""")


def results(text):
    """What the suite printed: a status for each name."""
    found = {}
    for line in text.splitlines():
        status, _, name = line.partition(": ")
        if status in STATUSES:
            count = 1
            key = name
            while key in found:
                count += 1
                key = f"{name} #{count}"
            found[key] = status
    return found


def entries(path):
    """The lines of a file of ours that are no comments."""
    lines = path.read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]
