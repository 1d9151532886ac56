# SPDX-License-Identifier: MIT
"""`make check-bare`: ./bootstrap on machines with nothing installed, its commands in every order.

Each machine is a directory with a minimal Debian, a fresh clone of this checkout's HEAD, and this process's own
mounts. Orders that begin alike share their beginning: what a command left behind is one overlay, on which the next
commands run. Everything is mounted in a namespace of its own and ends with it.

Needs root and mmdebstrap. The site, keys and proxies are those of this machine's apt.
"""

import argparse
import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = ("build", "demo", "check", "bench")
SUITES = ("bookworm", "trixie")
NAMESPACE = "CAPOS_BARE_NAMESPACE"
# In seconds: the longest is a whole check on a busy machine.
STEP_LIMIT = 3 * 3600
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# With the directory and bootstrap's command. A chroot is not enough: in one no user namespace can be made (clone(2)),
# and passt makes one.
ENTER = 'cd "$1" && pivot_root . mnt && umount --lazy /mnt && cd /root/capos && exec ./bootstrap "$2"'
# The logs of our own code: foreign code has warnings of its own.
OWN_LOGS = ("autoreconf", "configure", "musl", "build", "check")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suites", nargs="+", default=SUITES, help="Debian's names (%(default)s)")
    parser.add_argument("--orders", nargs="+", metavar="A,B,...",
                        help="orders of commands, for instance demo,check or cxx (all orders of all others)")
    parser.add_argument("--tests", help="the tests that check runs (all)")
    parser.add_argument("--bench-runs", type=int, default=1, help="repetitions of each measurement (%(default)s)")
    parser.add_argument("--work", type=Path, default=Path("bare"), help="the directory for it all (%(default)s)")
    parser.add_argument("--distfiles", type=Path, required=True, help="where the ports' sources are kept")
    parser.add_argument("--source", type=Path, required=True, help="the checkout")
    arguments = parser.parse_args()
    orders = [tuple(order.split(",")) for order in arguments.orders or ()] or list(itertools.permutations(COMMANDS))
    for command in itertools.chain.from_iterable(orders):
        if command not in (*COMMANDS, "cxx"):
            parser.error(f"unknown command {command}; there are {' '.join(COMMANDS)} and cxx")
    arguments.orders = orders
    return arguments


def run(*command, **options):
    return subprocess.run(list(map(str, command)), check=True, stdin=subprocess.DEVNULL, **options)


def output(*command):
    return run(*command, stdout=subprocess.PIPE, text=True).stdout


# ---- A minimal system ----


def site():
    """Where this machine gets Debian from."""
    lines = output("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages").splitlines()
    sites = [line.split()[0] for line in lines if not line.endswith("-security")]
    if not sites:
        sys.exit("check-bare: this machine's apt has no package lists: run apt-get update first")
    return sites[0]


def transport():
    """The lines of this machine's apt configuration that say how to reach its site."""
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::ForceIPv4")
    return [line for line in output("apt-config", "dump").splitlines() if line.startswith(wanted)]


def base(work, suite):
    """The archive of a minimal system, made once."""
    archive = work / f"{suite}.tar"
    if archive.exists():
        return archive
    options = work / "apt.conf"
    options.write_text("".join(f"{line}\n" for line in transport()))
    new = work / f"{suite}.new.tar"
    print(f"{suite}: making a minimal system", flush=True)
    run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--keyring={KEYRING}", f"--aptopt={options}",
        suite, new, f"deb {site()} {suite} main")
    new.rename(archive)
    return archive


# ---- One machine ----


class Machine:
    """A suite's layers: the minimal system with the clone, then one for each command that ran."""

    def __init__(self, arguments, suite):
        self.arguments = arguments
        self.suite = suite
        self.directory = arguments.work / suite
        self.root = self.directory / "root"
        self.packages = arguments.work / f"{suite}.packages"
        self.remove()
        self.root.mkdir(parents=True)
        self.packages.mkdir(exist_ok=True)
        bottom = self.layer(())
        run("tar", "-xf", base(arguments.work, suite), "-C", bottom)
        run("git", "-c", "safe.directory=*", "clone", "--quiet", "--no-hardlinks", arguments.source,
            bottom / "root/capos")
        for name in ("resolv.conf", "hosts"):
            if Path("/etc", name).exists():
                shutil.copy(Path("/etc", name), bottom / "etc" / name)

    def remove(self):
        # Below it are this machine's own /dev and packages while it is mounted.
        assert not os.path.ismount(self.root)
        shutil.rmtree(self.directory, ignore_errors=True)

    def layer(self, done):
        directory = self.directory / "-".join(("bare", *done))
        directory.mkdir(exist_ok=True)
        return directory

    def mount(self, done):
        lower = ":".join(str(self.layer(done[:n])) for n in reversed(range(len(done))))
        scratch = self.directory / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={lower},upperdir={self.layer(done)},workdir={scratch}", self.root)
        run("mount", "-t", "proc", "proc", self.root / "proc")
        run("mount", "-t", "tmpfs", "tmpfs", self.root / "run")
        for name in ("dev", "sys"):
            run("mount", "--rbind", f"/{name}", self.root / name)
        for inside, outside in (("var/cache/apt/archives", self.packages), ("distfiles", self.arguments.distfiles)):
            (self.root / inside).mkdir(exist_ok=True)
            run("mount", "--bind", outside, self.root / inside)

    def unmount(self):
        run("umount", "--recursive", "--lazy", self.root)

    def environment(self):
        kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        kept |= {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "CAPOS_DISTFILES": "/distfiles",
                 "CAPOS_BENCH_RUNS": str(self.arguments.bench_runs)}
        if self.arguments.tests:
            kept["CAPOS_TESTS"] = self.arguments.tests
        return kept

    def step(self, done):
        """Runs the last command of `done` on what the others left; whether it went well, and its last line."""
        name = "-".join(done)
        log = self.arguments.work / f"{self.suite}-{name}.log"
        print(f"{self.suite}: {', '.join(done)} ... ", end="", flush=True)
        begin = time.monotonic()
        self.mount(done)
        try:
            with log.open("wb") as file:
                process = subprocess.Popen(
                    ["unshare", "--mount", "sh", "-c", ENTER, "sh", str(self.root), done[-1]],
                    stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=self.environment(),
                    start_new_session=True)
                try:
                    status = process.wait(timeout=STEP_LIMIT)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    status = f"nothing after {STEP_LIMIT} s"
            build = self.root / "root/capos/build"
            logs = build / "logs"
            warnings = [line for own in OWN_LOGS if (logs / f"{own}.log").exists()
                        for line in (logs / f"{own}.log").read_text(errors="replace").splitlines()
                        if "warning:" in line.lower()]
            kept = self.arguments.work / f"{self.suite}-{name}.logs"
            shutil.rmtree(kept, ignore_errors=True)
            if logs.exists():
                shutil.copytree(logs, kept)
            for report in (build / "tests").rglob("*.log"):
                shutil.copy(report, kept)
        finally:
            self.unmount()
        lines = log.read_text(errors="replace").splitlines()
        said = lines[-1] if lines else "no output"
        if status == 0 and warnings:
            status = f"{len(warnings)} warnings, the first: {warnings[0]}"
        seconds = round(time.monotonic() - begin)
        if status != 0:
            print(f"FAILED ({seconds} s): {status}; {said}; see {log}", flush=True)
            return False
        print(f"passed ({seconds} s): {said}", flush=True)
        return True

    def walk(self, done, orders):
        """All orders that go on from `done`; how many steps passed and failed."""
        passed = failed = 0
        for command in dict.fromkeys(order[0] for order in orders if order):
            rest = [order[1:] for order in orders if order and order[0] == command]
            step = (*done, command)
            if self.step(step):
                passed += 1
                below = self.walk(step, rest)
                passed += below[0]
                failed += below[1]
            else:
                failed += 1
            shutil.rmtree(self.layer(step), ignore_errors=True)
        return passed, failed


def main():
    arguments = parse()
    if os.geteuid() != 0:
        sys.exit("check-bare: needs root, for directories with systems of their own")
    if not shutil.which("mmdebstrap"):
        sys.exit("check-bare: mmdebstrap is missing (package mmdebstrap)")
    if NAMESPACE not in os.environ:
        # All processes and mounts of what follows end with it.
        os.execvpe("unshare", ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                               sys.executable, *sys.argv], {**os.environ, NAMESPACE: "1"})
    # The first process of a namespace gets only the signals that it asks for; at its end the kernel ends the rest.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit("check-bare: interrupted"))
    for name in ("work", "distfiles", "source"):
        setattr(arguments, name, getattr(arguments, name).resolve())
    arguments.work.mkdir(exist_ok=True)
    lock = (arguments.work / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"check-bare: another one runs in {arguments.work}")
    passed = failed = 0
    for suite in arguments.suites:
        machine = Machine(arguments, suite)
        counts = machine.walk((), arguments.orders)
        machine.remove()
        passed += counts[0]
        failed += counts[1]
    print(f"{passed} steps passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
