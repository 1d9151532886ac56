# SPDX-License-Identifier: MIT
"""BusyBox's applets for real: servers that fork for each peer, terminals, and one command of each other kind."""

import re
import socket
import time
import urllib.error
import urllib.request

from conftest import free_port

# A command of the guest's shell, and what it prints (a pattern for all of it).
APPLETS = [
    ("ps", r"(?s)PID   USER     TIME  COMMAND\n.* ps\n.*"),
    ("top -b -n 1", r"(?s)Mem: \d+K used, .*COMMAND\n.*top -b.*"),
    ("free", r"(?s) +total .*\nMem: +\d+.*\nSwap: +0 +0 +0\n"),
    ("df /", r"Filesystem .*\nfiles +\d+ +\d+ +\d+ +\d+% /\n"),
    ("mount", r"(?s)files on / type capfiles \(rw\)\n.*"),
    ("uptime", r" \d\d:\d\d:\d\d up .*\n"),
    ("nproc; whoami; id", r"1\nroot\nuid=0\(root\) gid=0\(root\)\n"),
    ("su -c 'echo as $USER'", r"as root\n"),
    ("adduser -D joe && su - joe -c 'pwd; touch a && ls; ls /root'", r"/home/joe\na\nls: .*'/root': Permission denied\n"),
    ("cd; pwd; echo $HOME; echo x >/var/run/x; cat /var/run/x; ls -ld /var/tmp /tmp | cut -c1-10",
     r"/root\n/root\nx\n(drwxrwxrwt\n){2}"),
    ("sleep 50 & [ $(pidof sleep) = $! ] && killall sleep; wait $!; echo $?", r"(Terminated\n)?143\n"),
    ("sleep 51 & sleep 52 & pgrep -f 'sleep 52' | wc -l; pkill sleep; wait; pidof sleep || echo none", r"1\nnone\n"),
    ("timeout 1 sleep 5; echo $?; timeout -s KILL 1 sh -c 'trap : TERM; sleep 5'; echo $?", r"(Terminated\n)?143\n(Killed\n)?137\n"),
    ("timeout 5 echo through 2>&1 | cat", r"through\n"),
    ("nice -n 5 nice", r"5\n"),
    ("setsid echo session; nohup echo on", r"session\non\n"),
    ("flock /tmp/l echo locked; softlimit -o 10 echo soft", r"locked\nsoft\n"),
    ("start-stop-daemon -S -x /bin/echo -- started", r"started\n"),
    ("mknod /tmp/n b 8 1 && ls -l /tmp/n | cut -c1,15-; chown 3:4 /tmp/n; stat -c '%u %g %t %T' /tmp/n",
     r"b.*\n3 4 8 1\n"),
    ("mkdir /tmp/j; cp /bin/busybox /tmp/j/; chroot /tmp/j /busybox ls /", r"busybox\n"),
    ("mkfifo /tmp/f; echo by fifo >/tmp/f & cat /tmp/f", r"by fifo\n"),
    ("script -q -c 'tty; echo inside' /tmp/t; cat /tmp/t", r"(/dev/pts/\d+\r?\ninside\r?\n){2}"),
    ("mkdir /tmp/i; inotifyd - /tmp/i:ndmy >/tmp/io & sleep 1; echo a >/tmp/i/a; mv /tmp/i/a /tmp/i/b; rm /tmp/i/b; "
     "sleep 1; kill $!; cut -f1,3 /tmp/io", r"n\ta\nm\ta\ny\tb\nd\tb\n"),
    ("ping -c 1 -q 127.0.0.1 | grep loss", r"1 packets transmitted, 1 packets received, 0% packet loss\n"),
    ("mkdir /tmp/w; echo page >/tmp/w/i; httpd -p 81 -h /tmp/w; printf 'GET /i HTTP/1.0\\r\\n\\r\\n' | "
     "nc 127.0.0.1 81 | tail -n 1", r"page\n"),
    ("tcpsvd 127.0.0.1 7003 sh -c 'read x; echo got $x' & sleep 1; echo abc | timeout 9 nc 127.0.0.1 7003; kill $!",
     r"got abc\n"),
    ("echo by ftp >/tmp/g; tcpsvd 127.0.0.1 21 ftpd -a root /tmp & sleep 1; ftpget 127.0.0.1 /tmp/got g; "
     "cat /tmp/got; kill $!", r"by ftp\n"),
    ("mkdir -p /tmp/s/a; printf '#!/bin/sh\\nexec sleep 99\\n' >/tmp/s/a/run; chmod +x /tmp/s/a/run; "
     "runsvdir /tmp/s & sleep 2; sv status /tmp/s/a; sv stop /tmp/s/a; kill $!", r"run: /tmp/s/a: .*\nok: down: .*\n"),
]


def test_one_command_of_each_kind(capos, tmp_path):
    # One machine for all of them, each in a shell of its own.
    script = "\n".join(f"echo '=== {i}'\ntimeout 30 sh /applets/{i} </dev/null 2>&1" for i in range(len(APPLETS)))
    for i, (command, _) in enumerate(APPLETS):
        (tmp_path / str(i)).write_text(command + "\n")
    run = capos("sh", "-c", script, options=["--file", f"{tmp_path}:/applets"])
    outputs = re.split(r"=== \d+\n", run.stdout.decode())[1:]
    wrong = [(command, output) for (command, expected), output in zip(APPLETS, outputs)
             if not re.fullmatch(expected, output)]
    assert wrong == [], run.stderr
    assert len(outputs) == len(APPLETS)


def test_xargs_runs_four_at_once(capos):
    run = capos("sh", "-c", "seq 8 | time xargs -P 4 -n 1 sh -c 'sleep 1; echo $0'")
    assert sorted(run.stdout.split()) == [b"%d" % i for i in range(1, 9)]
    elapsed = float(re.search(rb"real\t0m ([\d.]+)s", run.stderr)[1])
    assert 2 <= elapsed < 6, "eight seconds one after another"


def fetch(port, path, data=None, tries=100):
    """Until the server listens."""
    for _ in range(tries):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data=data, timeout=20) as answer:
                return answer.read()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"nothing serves port {port}")


def test_httpd_runs_cgi_programs(background, tmp_path):
    port = free_port()
    (tmp_path / "cgi-bin").mkdir()
    program = tmp_path / "cgi-bin/answer"
    program.write_text('#!/bin/sh\nprintf "Content-type: text/plain\\r\\n\\r\\n"\n'
                       'echo "$REQUEST_METHOD $QUERY_STRING"\nhead -c "${CONTENT_LENGTH:-0}"\n')
    program.chmod(0o755)
    background("busybox", "httpd", "-f", "-p", "80", "-h", "/www",
               options=["-p", f"{port}:80", "--file", f"{tmp_path}:/www"])
    assert fetch(port, "/cgi-bin/answer?a=b") == b"GET a=b\n"
    assert fetch(port, "/cgi-bin/answer", data=b"body") == b"POST \nbody"


def converse(port, send, until, limit=60):
    """Connects until somebody answers, sends, and reads until the pattern comes."""
    end = time.monotonic() + limit
    received = b""
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
                received = b""
                peer.sendall(send)
                while until not in received:
                    piece = peer.recv(4096)
                    if not piece:
                        break
                    received += piece
                if until in received:
                    return received
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"{until} did not come: {received}")


def test_telnetd_gives_a_shell_on_a_terminal(background):
    port = free_port()
    background("busybox", "telnetd", "-F", "-l", "/bin/sh", options=["-p", f"{port}:23"])
    received = converse(port, b"tty; echo x$((6*7))\r\nexit\r\n", b"x42\r\n")
    assert b"/dev/pts/" in received


def test_inetd_starts_a_program_for_each_peer(background, tmp_path):
    ports = free_port(), free_port()
    configuration = tmp_path / "inetd.conf"
    configuration.write_text("7001 stream tcp nowait root /bin/cat cat\n"
                             "7002 stream tcp nowait root /bin/echo echo from inetd\n")
    background("busybox", "inetd", "-f", "/etc/inetd.conf",
               options=["--file", f"{configuration}:/etc/inetd.conf", "-p", f"{ports[0]}:7001", "-p", f"{ports[1]}:7002"])
    assert converse(ports[1], b"", b"from inetd\n") == b"from inetd\n"
    for word in (b"one\n", b"two\n"):
        assert converse(ports[0], word, word) == word


def test_crond_runs_what_is_due(capos):
    script = "mkdir -p /var/spool/cron/crontabs; echo '* * * * * echo ran as $USER >/tmp/ran' " \
             ">/var/spool/cron/crontabs/root; crond; for i in $(seq 75); do sleep 1; [ -e /tmp/ran ] && break; done; " \
             "cat /tmp/ran"
    assert capos("sh", "-c", script).stdout == b"ran as root\n"


def test_a_line_of_logger_does_not_reach_syslogd(capos):
    """-L, because BusyBox 1.37.0 logs nothing without it; logread reads what -C keeps in shared memory."""
    run = capos("sh", "-c", """
        wait_for() { i=0; while ! grep -q "$1" "$2" && [ $i -lt 100 ]; do usleep 100000; i=$((i+1)); done; }
        syslogd -n -L -O /tmp/messages & one=$!
        wait_for started /tmp/messages
        logger -t me -p user.warn "first line"; logger "second line"
        wait_for "second line" /tmp/messages
        kill $one; wait $one
        syslogd -n -L -C16 & two=$!
        i=0; until logger "in memory" 2>/dev/null && logread | grep -q memory || [ $i = 100 ]; do usleep 100000; i=$((i+1)); done
        logread >/tmp/read; kill $two; wait $two
        grep line /tmp/messages; grep -m 1 memory /tmp/read""")
    assert re.search(rb"user\.warn me: first line\n", run.stdout), (run.stdout, run.stderr)
    assert b"second line\n" in run.stdout and b"in memory\n" in run.stdout
