# SPDX-License-Identifier: MIT
"""Who holds what, and that a program can do to the network what it was granted and nothing else."""

import collections
import socket
import threading

import pytest
from conftest import HOST, free_port
from peers import sent_by_guest

# ---- Who holds what ----

DEVICE = ("DeviceMmio", "Interrupt", "DMAPool")
# What a process makes for itself or gets for its shared queues: memory and wake-ups, no authority over anything else.
OWN = ("MemoryObject", "Event")


def holdings(capos, *options):
    """For each process, what it holds: (capability, server, rights, object)."""
    run = capos(command="caps", options=options)
    assert run.returncode == 0, run.stderr
    held = collections.defaultdict(list)
    lines = run.stdout.decode().splitlines()
    assert lines[0].split() == ["PROCESS", "CAPABILITY", "SERVER", "RIGHTS", "OBJECT"]
    for line in lines[1:]:
        if line.startswith("PROTECTION"):
            break
        process, capability, server, rights, *object_ = line.split(maxsplit=4)
        held[process].append((capability, server, rights.split(","), " ".join(object_)))
    return held


@pytest.fixture(scope="module")
def held(capos):
    return holdings(capos)


def test_protections_are_on(capos):
    lines = capos(command="caps").stdout.decode().splitlines()
    start = [number for number, line in enumerate(lines) if line.startswith("PROTECTION")]
    assert len(start) == 1
    assert not [line for line in lines if line != line.rstrip()]
    found = {line[:52].strip(): line[52:].split() for line in lines[start[0] + 1:]}
    assert len(found) >= 14, lines
    assert not [name for name, value in found.items() if value[0] != "on"]
    places = {name: int(value[1]) for name, value in found.items() if name.startswith("place of a program")}
    assert len(places) == 3 and min(places.values()) >= 28


def names(entries, without=OWN):
    return sorted(entry[0] for entry in entries if entry[0] not in without)


@pytest.mark.parametrize("driver", ["virtio-net", "virtio-console"])
def test_driver_holds_its_three_device_capabilities_and_no_other(held, driver):
    assert names(held[driver]) == sorted([*DEVICE, "Process", "Endpoint", "Log"])
    devices = {entry[3] for entry in held[driver] if entry[0] in DEVICE}
    assert len(devices) == 1, "all three are of one device"
    assert not [entry for entry in held[driver] if entry[1] != "kernel"], "nothing of another process"


def test_no_device_is_held_twice(held):
    devices = [(entry[0], entry[3]) for entries in held.values() for entry in entries if entry[0] in DEVICE]
    assert len(devices) == len(set(devices)) == 6


def test_netstack_holds_no_device(held):
    """Of accounts its own, and the program's, to draw what it makes for the program from."""
    assert names(held["netstack"]) == sorted(
        ["Account", "Account", "Process", "Endpoint", "Nic", "EntropySource", "Log"])
    assert [entry[1] for entry in held["netstack"] if entry[0] == "Nic"] == ["virtio-net"]


def test_files_hold_the_archive_and_no_more(held):
    assert names(held["files"], [*OWN, "Account"]) == sorted(["Process", "Endpoint", "Log", "CodeMaker"])
    accounts = [entry[2] for entry in held["files"] if entry[0] == "Account"]
    assert not [rights for rights in accounts if "manage" in rights], "its own to watch, clients' to draw on"


def test_process_service_holds_no_process_before_one_joins(held):
    assert names(held["process"], OWN) == sorted(["Process", "Endpoint", "Log", "Account", "Labeller"])


def test_data_becomes_code_only_by_the_files_service(held):
    assert {process for process, entries in held.items() if "CodeMaker" in names(entries)} == {"init", "files"}


def test_users_are_told_by_the_process_service_alone(held):
    assert {process for process, entries in held.items() if "Labeller" in names(entries)} == {"init", "process"}


def test_only_init_holds_what_makes_processes_and_opens_devices(held):
    for process, entries in held.items():
        if process != "init":
            assert not {"ProcessSpawner", "DeviceManager", "PowerControl", "SystemStatus"} & set(names(entries)), process


def test_archive_cannot_be_written(held):
    """The archive is the memory that its holders did not make: without the right to write."""
    for process in ("init", "files"):
        assert [entry for entry in held[process] if entry[0] == "MemoryObject" and "write" not in entry[2]], process


def test_only_who_serves_an_endpoint_receives_on_it(held):
    for process, entries in held.items():
        endpoints = [entry for entry in entries if entry[0] == "Endpoint"]
        if process == "init":  # keeps each service's, to start the service again
            assert len(endpoints) == len(held) - len(("init", "program")), "one for each service"
        else:
            assert len(endpoints) == (0 if process == "program" else 1), process


GIVEN = ["ByteStream"] * 3 + ["Directory", "EntropySource", "Log", "ProcessWorld", "TerminalMaker", "Timer"]


@pytest.mark.parametrize("grants, network, resolver", [
    ([], "all", True),
    (["none"], None, False),
    (["resolve"], None, True),
    (["icmp"], "icmp", False),
    (["connect=10.0.2.2:80"], "connect=10.0.2.2:80", False),
    (["connect=a.test:*", "listen=80", "udp", "resolve"], "connect=a.test:*,listen=80,udp", True),
])
def test_program_is_given_exactly_its_grants(capos, grants, network, resolver):
    held = holdings(capos, *(word for grant in grants for word in ("--allow", grant)))
    given = held["program"]
    assert names(given) == sorted(GIVEN + ["NetworkManager"] * (network is not None) + ["DnsResolver"] * resolver)
    assert [entry[3].split(": ")[1] for entry in given if entry[0] == "NetworkManager"] == [network] * (
        network is not None)
    # Not init's own NetworkManager, which may do everything.  The program's is kept by init, too.
    kept = [entry[3] for entry in held["init"] if entry[0] == "NetworkManager"]
    of_program = [entry[3].split(":")[0] for entry in given if entry[0] == "NetworkManager"]
    assert kept == ["object 1", *of_program] and "object 1" not in of_program


def test_machine_without_a_card_has_no_network_process(capos):
    assert set(holdings(capos, "--net", "none")) == {"init", "virtio-console", "files", "process", "terminal", "program"}


# ---- No grant, no access ----


class Services:
    """A TCP and a UDP server, each on the loopback address, that note what reaches them."""

    def __init__(self):
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.tcp_port, self.udp_port = (s.getsockname()[1] for s in (self.tcp, self.udp))
        self.connections = self.datagrams = 0
        for serve in (self.serve_tcp, self.serve_udp):
            threading.Thread(target=serve, daemon=True).start()

    def serve_tcp(self):
        while True:
            try:
                self.tcp.accept()[0].close()
            except OSError:
                return
            self.connections += 1

    def serve_udp(self):
        while True:
            try:
                data, address = self.udp.recvfrom(2000)
                self.datagrams += 1
                self.udp.sendto(data, address)
            except OSError:
                return

    def close(self):
        for s in (self.tcp, self.udp):
            s.shutdown(socket.SHUT_RDWR) if s is self.tcp else None
            s.close()


@pytest.fixture
def services():
    made = Services()
    yield made
    made.close()


def attempts(services):
    """Every way to the network: what is tried, the grant that it needs, and what shows it on the wire."""
    return {
        f"tcp:{HOST}:{services.tcp_port}": f"connect={HOST}:{services.tcp_port}",
        f"udp:{HOST}:{services.udp_port}": "udp",
        f"icmp:{HOST}": "icmp",
        "listen:80": "listen=80",
    }


def attempt(capos, program, what, grants, pcap):
    options = [word for grant in grants for word in ("--allow", grant)]
    run = capos(program, *what, options=[*options, "--pcap", pcap])
    assert run.returncode == 0, run.stderr
    return dict(line.split(maxsplit=1) for line in run.stdout.decode().splitlines())


@pytest.mark.parametrize("chosen", [
    [], [0], [1], [2], [3], [0, 2], [1, 3], [0, 1, 2, 3],
], ids=["none", "connect", "udp", "icmp", "listen", "connect-icmp", "udp-listen", "all"])
def test_program_can_do_exactly_what_was_granted(capos, guest_program, services, tmp_path, chosen):
    what = attempts(services)
    granted = [list(what)[i] for i in chosen]
    results = attempt(capos, guest_program("attempt"), what, [what[i] for i in granted] or ["none"],
                      tmp_path / "frames")
    assert results == {one: "ok" if one in granted else "EACCES" for one in what}
    tcp, udp, icmp, _ = (one in granted for one in what)
    assert (services.connections, services.datagrams) == (int(tcp), int(udp))
    seen = {layer for frame in sent_by_guest(tmp_path / "frames") for layer in ("TCP", "UDP", "ICMP")
            if frame.haslayer(layer)}
    assert seen == {name for name, was in (("TCP", tcp), ("UDP", udp), ("ICMP", icmp)) if was}


def test_nothing_is_on_the_wire_without_a_grant(capos, guest_program, services, tmp_path):
    """Not even a question for the host's Ethernet address."""
    what = [*attempts(services), "tcp:10.0.2.77:80", "resolve:name.test"]
    results = attempt(capos, guest_program("attempt"), what, ["none"], tmp_path / "frames")
    assert results.pop("resolve:name.test") == "EAI_FAIL"
    assert set(results.values()) == {"EACCES"}
    assert [frame.summary() for frame in sent_by_guest(tmp_path / "frames")] == []


def test_grant_is_for_one_host_and_one_port(capos, guest_program, services, tmp_path):
    port = services.tcp_port
    what = [f"tcp:{HOST}:{port}", f"tcp:{HOST}:{port ^ 1}", f"tcp:10.0.2.3:{port}", f"tcp:127.0.0.1:{port}",
            f"tcp:10.0.2.255:{port}", f"tcp:0.0.0.0:{port}", f"listen:{port}"]
    results = attempt(capos, guest_program("attempt"), what, [f"connect={HOST}:{port}"], tmp_path / "frames")
    assert list(results.values()) == ["ok"] + ["EACCES"] * (len(what) - 1)
    for frame in sent_by_guest(tmp_path / "frames"):
        assert not frame.haslayer("TCP") or frame["IP"].dst == HOST and frame["TCP"].dport == port
        assert not frame.haslayer("ARP") or frame["ARP"].pdst == HOST


def test_grant_of_every_port_of_a_host(capos, guest_program, services, tmp_path):
    what = [f"tcp:{HOST}:{services.tcp_port}", f"tcp:{HOST}:{free_port()}", f"tcp:10.0.2.3:{services.tcp_port}"]
    results = attempt(capos, guest_program("attempt"), what, [f"connect={HOST}:*"], tmp_path / "frames")
    assert list(results.values()) == ["ok", "ECONNREFUSED", "EACCES"]


def test_grants_of_several_hosts_and_ports(capos, guest_program, services, tmp_path):
    other = free_port()
    what = [f"tcp:{HOST}:{services.tcp_port}", f"tcp:{HOST}:{other}", f"tcp:{HOST}:{other ^ 1}", "listen:80",
            "listen:81", "listen:82"]
    results = attempt(capos, guest_program("attempt"), what,
                      [f"connect={HOST}:{services.tcp_port}", f"connect={HOST}:{other}", "listen=80", "listen=82"],
                      tmp_path / "frames")
    assert list(results.values()) == ["ok", "ECONNREFUSED", "EACCES", "ok", "EACCES", "ok"]


def test_names_need_their_grant(tap_network, guest_program):
    """The right to use UDP is not the right to ask the DnsResolver, and the other way round."""
    tap_network.start_dnsmasq()
    what = ["resolve:known.test", f"udp:{tap_network.ADDRESS}:53"]

    def run(grant):
        result = tap_network.capos(guest_program("attempt"), *what, options=["--allow", grant])
        assert result.returncode == 0, result.stderr
        return [line.split(maxsplit=1)[1] for line in result.stdout.decode().splitlines()]

    assert run("resolve") == [tap_network.ADDRESS, "EACCES"]
    asked = tap_network.log.read_text().count("query[A] known.test")
    assert asked == 1
    assert run("udp")[0] == "EAI_FAIL"
    assert tap_network.log.read_text().count("query[A] known.test") == asked


def test_grant_of_a_name_is_for_what_it_means(tap_network, guest_program):
    tap_network.start_dnsmasq()
    port = 8080
    with tap_network.server(port):
        result = tap_network.capos(
            guest_program("attempt"), "resolve:known.test", f"tcp:{tap_network.ADDRESS}:{port}",
            f"tcp:{tap_network.ADDRESS}:{port + 1}", f"tcp:192.168.77.9:{port}",
            options=["--allow", f"connect=known.test:{port}", "--allow", "resolve"])
    assert result.returncode == 0, result.stderr
    assert [line.split(maxsplit=1)[1] for line in result.stdout.decode().splitlines()] == [
        tap_network.ADDRESS, "ok", "EACCES", "EACCES"]


# ---- Other ways to the wire ----

ACCESS_DENIED = "1"  # schema/status.capnp


def test_names_of_a_programs_choice_stay_off_the_wire(capos, guest_program, services, tmp_path):
    """A question for secret.example left the machine of a program that could connect to one address."""
    port = services.tcp_port
    what = [f"{way}:{name}:{port}" for way in ("authority", "restrict", "both")
            for name in ("secret.example", "other-secret.example")]
    run = capos(guest_program("authority", native=True), *what, f"authority:{HOST}:{port}", f"authority:{HOST}:{port ^ 1}",
                options=["--allow", f"connect={HOST}:{port}", "--pcap", tmp_path / "frames"])
    assert run.returncode == 0, run.stderr
    results = [line.split()[1] for line in run.stdout.decode().splitlines()]
    assert results == [ACCESS_DENIED] * len(what) + ["0", ACCESS_DENIED]
    for frame in sent_by_guest(tmp_path / "frames"):
        assert not frame.haslayer("UDP"), frame.summary()
        assert not frame.haslayer("TCP") or frame["TCP"].dport == port, frame.summary()


@pytest.mark.parametrize("grant", ["connect={host}:{port}", "listen=80", "resolve"])
def test_one_grant_opens_no_other_way(capos, guest_program, services, tmp_path, grant):
    """Reverse look-ups, the name server's own address, neighbours, broadcasts: not a frame about any of them."""
    grant = grant.format(host=HOST, port=services.tcp_port)
    what = ["udp:10.0.2.3:53", "udp:10.0.2.255:53", "udp:10.0.2.78:9",
            "icmp:10.0.2.3", "icmp:10.0.2.79", "tcp:10.0.2.80:80", "tcp:10.0.2.3:53", "tcp:255.255.255.255:80",
            "listen:53", "source:53"]
    if grant != "resolve":  # the right to have names looked up, those of addresses too
        what += ["reverse:10.0.2.77", f"reverse:{HOST}"]
    results = attempt(capos, guest_program("attempt"), what, [grant], tmp_path / "frames")
    assert set(results[one] for one in what if not one.startswith("reverse")) <= {"EACCES", "EPERM"}
    assert [frame.summary() for frame in sent_by_guest(tmp_path / "frames")] == []
