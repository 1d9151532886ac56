# SPDX-License-Identifier: MIT
"""Programs that make processes: BusyBox's time (vfork, exec, wait), httpd (a fork for each connection), ash."""

import concurrent.futures
import random
import re
import signal
import time
import urllib.error
import urllib.request

import pytest
from conftest import free_port

WEB = 8


def test_time(capos):
    run = capos("busybox", "time", "busybox", "echo", "hi")
    assert (run.returncode, run.stdout) == (0, b"hi\n"), run.stderr
    assert re.search(rb"real\t0m [\d.]+s\nuser\t", run.stderr)


def test_time_tells_the_status(capos):
    assert capos("busybox", "time", "sh", "-c", "exit 5").returncode == 5
    missing = capos("busybox", "time", "no-such-program")
    assert missing.returncode == 127
    assert b"no-such-program" in missing.stderr


def test_time_of_a_killed_program(capos):
    run = capos("busybox", "time", "sh", "-c", "kill -9 $$")
    assert b"Command terminated by signal 9" in run.stderr


def test_ctrl_c_reaches_children(background):
    process = background("busybox", "time", "sh", "-c", "echo started; busybox sleep 100; echo not reached")
    assert process.stdout.readline() == b"started\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (signal.SIGINT, b""), err  # time answers the signal's number
    assert b"Command terminated by signal 2" in err


def test_shell_runs_programs(capos):
    script = 'busybox seq 1000 | busybox tail -n 1; x=$(busybox uname); echo "$x"; (exit 3); echo $?; ' \
             '{ busybox echo one; busybox echo two; } >/tmp/f; cat /tmp/f'
    run = capos("sh", "-c", script)
    assert (run.returncode, run.stdout) == (0, b"1000\ncapOS\n3\none\ntwo\n"), run.stderr


def test_child_reads_the_hosts_stdin(capos):
    body = random.Random(5).randbytes(300_000)
    run = capos("sh", "-c", "dd bs=1000 count=100 iflag=fullblock 2>/dev/null; cat | cat", stdin=body)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout) == len(body)
    assert run.stdout == body


class Web:
    """A running httpd and what it serves."""

    def __init__(self, port, files):
        self.port = port
        self.files = files

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as reply:
            return reply.read()

    def wait(self, path):
        end = time.monotonic() + 60
        while True:
            try:
                return self.get(path)
            except (OSError, urllib.error.URLError):
                assert time.monotonic() < end, "httpd did not answer"
                time.sleep(0.2)


@pytest.fixture
def web(background, tmp_path):
    files = {"/index.html": b"<p>it works</p>\n", "/large": random.Random(7).randbytes(2_000_000)}
    port = free_port()
    options = ["--forward", f"tcp:{port}:80"]
    for path, body in files.items():
        (tmp_path / path[1:]).write_bytes(body)
        options += ["--file", f"{tmp_path}{path}:/www{path}"]
    background("busybox", "httpd", "-f", "-p", "80", "-h", "/www", options=options)
    served = Web(port, files)
    served.wait("/index.html")
    return served


def test_httpd_one_after_another(web):
    for _ in range(100):
        assert web.get("/index.html") == web.files["/index.html"]
    assert web.get("/large") == web.files["/large"]


def test_httpd_at_the_same_time(web):
    with concurrent.futures.ThreadPoolExecutor(WEB) as pool:
        bodies = list(pool.map(web.get, ["/large", "/index.html"] * WEB))
    assert bodies == [web.files["/large"], web.files["/index.html"]] * WEB


def test_httpd_says_what_is_not_there(web):
    with pytest.raises(urllib.error.HTTPError) as raised:
        web.get("/nothing")
    assert raised.value.code == 404
    raised.value.close()


def shell(capos, script, **options):
    run = capos("sh", "-c", script, **options)
    return run.stdout.decode().splitlines(), run


def test_timeout_ends_what_it_runs(capos):
    begun = time.monotonic()
    lines, run = shell(capos, "timeout 1 sleep 60; echo $?")
    assert lines == ["143"], run.stderr
    assert time.monotonic() - begun < 50


def test_a_sibling_is_signalled(capos):
    lines, run = shell(capos, "sleep 60 & p=$!; (sleep 1; kill $p) & wait $p; echo $?")
    assert lines == ["143"], run.stderr


def test_a_group_is_signalled(capos):
    lines, run = shell(capos, "setsid sh -c 'sleep 60 | sleep 61' & sleep 1; kill -TERM -$!; wait $!; echo $?; ps")
    assert lines[0] == "143", run.stderr
    assert not [line for line in lines if "sleep 6" in line]


def test_stop_and_go_on(capos):
    lines, run = shell(capos, "sleep 2 & p=$!; kill -STOP $p; sleep 1; grep State /proc/$p/status; kill -CONT $p; "
                              "wait $p; echo $?")
    assert lines == ["State:\tT (stopped)", "0"], run.stderr


def test_an_orphan_goes_on(capos):
    lines, run = shell(capos, "( (sleep 1; echo orphan) & ); echo done; sleep 3")
    assert lines == ["done", "orphan"], run.stderr


SCRIPT = r"""printf '#!/bin/sh\necho "$0 $1"\n' >/tmp/a.sh; chmod +x /tmp/a.sh; cd /tmp; export PATH=$PATH:/tmp
./a.sh 1; a.sh 2; env A=3 ./a.sh 3; echo 4 5 | xargs -n 1 ./a.sh; find /tmp -name a.sh -exec {} 6 \;
mkdir parts; cp a.sh parts/a; run-parts parts"""


def test_scripts_run_from_everywhere(capos):
    lines, run = shell(capos, SCRIPT)
    assert lines == ["./a.sh 1", "/tmp/a.sh 2", "./a.sh 3", "./a.sh 4", "./a.sh 5", "/tmp/a.sh 6", "parts/a "], run.stderr


def test_cgi(background, tmp_path):
    (tmp_path / "hello").write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\nhello %s\\n' $QUERY_STRING\n")
    (tmp_path / "hello").chmod(0o755)
    port = free_port()
    background("busybox", "httpd", "-f", "-p", "80", "-h", "/www",
               options=["--forward", f"tcp:{port}:80", "--file", f"{tmp_path}/hello:/www/cgi-bin/hello"])
    assert Web(port, {}).wait("/cgi-bin/hello?you") == b"hello you\n"


TOOLS = {
    "ps": r"PID +USER +TIME +COMMAND\n +\d+ root +\d+:\d\d ",
    "free": r" +total +used +free.*\nMem: +\d+ +\d+ +[1-9]\d+",
    "uptime": r" \d\d:\d\d:\d\d up .* load average: \d",
    "nproc": r"1\n",
    "whoami": r"root\n",
    "id": r"uid=0\(root\) gid=0\(root\)",
    "top -b -n1": r"Mem: \d+K used, [1-9]\d*K free(.*\n)+ +PID +PPID USER",
    "sleep 60 & pidof sleep; pgrep -l sleep; killall sleep; wait; pidof sleep || echo none": r"(\d+)\n\1 sleep\nnone\n",
    "cat /proc/mounts": r"files / ",
}


@pytest.mark.parametrize("script", TOOLS)
def test_what_reads_proc(capos, script):
    run = capos("sh", "-c", script)
    assert re.match(TOOLS[script], run.stdout.decode()), (run.stdout, run.stderr)


# ---- What others have open ----

def test_descriptors_of_another_process_are_seen_as_it_has_them(capos):
    script = "cd /tmp; sleep 9 >/tmp/out 3</etc/hostname 4<>/dev/full 5</etc & p=$!; sleep 0.1; rm /tmp/out; " \
             "for l in cwd exe root fd/0 fd/3 fd/4 fd/5; do readlink /proc/$p/$l; done; ls /proc/$p/fd; " \
             "readlink /proc/$p/fd/1; readlink /proc/$p/fd/77 || echo none; kill $p; wait $p; " \
             "readlink /proc/$p/exe || echo gone"
    run = capos("sh", "-c", script)
    assert run.stdout.decode().split() == \
        "/tmp /bin/busybox / /dev/null /etc/hostname /dev/full /etc 0 1 2 3 4 5 /tmp/out (deleted) none gone".split(), run.stderr


def test_links_of_own_descriptors(capos):
    script = "exec 3</etc/hostname 4</etc; cd /etc; readlink /proc/self/fd/3; ls -l /proc/self/fd | grep -c -e '->'; " \
             "mv /etc/hostname /etc/other; readlink /proc/$$/fd/3; stat -L -c %F /proc/self/fd/4; " \
             "ls /proc/self/fd/9; readlink /proc/self/cwd"
    run = capos("sh", "-c", script)
    assert run.stdout.decode().splitlines() == ["/etc/hostname", "5", "/etc/other", "directory", "/etc"], run.stderr


def test_lsof_fuser_and_pstree(capos):
    script = "sh -c 'exec 3</etc/hostname; sleep 9 & wait' & sleep 0.3; lsof | grep hostname | cut -f 1,4; " \
             "fuser /etc/hostname; pstree; killall sleep"
    run = capos("sh", "-c", script)
    assert run.stdout.decode().split("\n")[:4] == \
        ["3\t/etc/hostname", "5\t/etc/hostname", "3 5 ", "world---sh-+-pstree"], (run.stdout, run.stderr)


def test_sockets_and_routes_of_the_world(capos):
    """netstat sees those of other processes too, once each; route says what DHCP brought."""
    script = "sleep 9 | nc -l -p 80 & udpsvd 0.0.0.0 53 true & (sleep 0.3; sleep 9 | nc 127.0.0.1 80) & sleep 0.8; netstat -an | grep 0.0; " \
             "route -n | tail -n 2; dmesg; ls /proc/net/; killall nc udpsvd sleep"
    run = capos("sh", "-c", script)
    lines = [line.split() for line in run.stdout.decode().splitlines()]
    assert [line[3] for line in lines if line[0] == "tcp" and line[-1] == "ESTABLISHED"].count("127.0.0.1:80") == 1
    assert ["udp", "0", "0", "0.0.0.0:53", "0.0.0.0:*"] in lines
    assert ["0.0.0.0", "10.0.2.2", "0.0.0.0", "UG", "0", "0", "0", "eth0"] in lines
    assert ["10.0.2.0", "0.0.0.0", "255.255.255.0", "U", "0", "0", "0", "eth0"] in lines
    assert b"klogctl: Operation not permitted" in run.stderr


def test_a_process_that_cannot_answer_is_not_waited_for(capos):
    """One that is stopped, one that computes, one that is killed while it is asked, and two that ask each other."""
    script = "sleep 99 & p=$!; kill -STOP $p; ls /proc/$p/fd 2>&1; kill -KILL $p; " \
             "sh -c 'while :; do :; done' & p=$!; sleep 0.2; ls /proc/$p/fd | wc -l; " \
             "(sleep 0.02; kill -KILL $p) & i=0; while ls /proc/$p/fd >/dev/null 2>&1; do i=$((i + 1)); done; " \
             "(for i in 1 2 3 4 5; do lsof; done) >/dev/null & (for i in 1 2 3 4 5; do lsof; done) >/dev/null & " \
             "wait $!; wait; echo end"
    begin = time.monotonic()
    run = capos("sh", "-c", script)
    assert run.stdout.decode().split("\n")[-4:] == \
        [run.stdout.decode().split("\n")[-4], "3", "end", ""], (run.stdout, run.stderr)
    assert b"Resource temporarily unavailable" in run.stdout
    assert time.monotonic() - begin < 60
