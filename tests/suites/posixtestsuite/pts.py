# SPDX-License-Identifier: MIT
"""What the runner of the POSIX test suite prints, and the files that are compared with it."""

AT_A_TIME = 16  # most of them sleep
LIMIT = 60  # seconds for one test
PROGRAMS = "tests/suites/posixtestsuite/programs"


def results(text):
    """The result of each test by its name."""
    lines = (line.split() for line in text.splitlines())
    return {words[1]: words[0] for words in lines if len(words) == 2}


def entries(path):
    """The lines of a file of ours that are no comments."""
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def group(name):
    """The part of POSIX that an interface belongs to."""
    interface = name.split("/")[0]
    for prefix, title in (("mq_", "message queues"), ("pthread_", "threads"), ("sem_", "semaphores"),
                          ("sig", "signals"), ("timer_", "timers"), ("clock", "timers"), ("nanosleep", "timers"),
                          ("aio_", "asynchronous I/O"), ("lio_", "asynchronous I/O"), ("sched_", "scheduling")):
        if interface.startswith(prefix):
            return title
    return "signals" if interface in ("kill", "killpg", "raise") else "memory and others"


def by_group(names):
    counts = {}
    for name in names:
        counts[group(name)] = counts.get(group(name), 0) + 1
    return counts
