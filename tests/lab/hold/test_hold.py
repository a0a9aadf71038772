"""New connections to a container that is away wait for it, and for no longer than was said."""

from __future__ import annotations

import time

import pytest

from tests.lab.hold.rig import PUBLIC, SHOP, Hold

SLACK = 2.0  # seconds; a client that waits for its own timer after a restart of some seconds would wait for longer


def test_nobody_is_refused_while_a_container_restarts(rig: Hold) -> None:
    """From outside by a forward, from another container by its address, and by the public one, in both families."""
    with (
        rig.load(f"http://{PUBLIC[4]}/", rate=60, seconds=5) as outside,
        rig.load(f"http://{SHOP[6]}:8080/", rate=30, seconds=5, place="mill") as inside,
        rig.load(f"http://{PUBLIC[4]}/", rate=30, seconds=5, place="mill") as reflected,
        rig.agent() as agent,
    ):
        time.sleep(1)
        began = time.monotonic()
        agent("hold", 60)
        assert rig.held()
        rig.restart()
        agent("release")
        away = time.monotonic() - began
        for load, sees in ((outside, "198.51.100.10"), (inside, "fd00:7::20"), (reflected, "10.0.7.20")):
            seen = load.end()
            print(f"away for {away:.2f} s: {seen}")
            assert seen["failed"] == 0
            assert list(seen["answers"]) == [f"shop sees {sees}"]
            assert seen["longest"] < away + SLACK
        assert rig.held() == []
    assert rig.host.execute("ip", "link", "show", "eyas-hold").code != 0


@pytest.mark.parametrize("family", [4, 6])
def test_a_client_does_not_wait_for_its_own_timer(rig: Hold, family: int) -> None:
    """With no linear timeouts a client asks again after 1, 3, 7 and 15 seconds (net.ipv4.tcp_syn_linear_timeouts)."""
    rig.internet.succeed("sysctl", "-q", "-w", "net.ipv4.tcp_syn_linear_timeouts=0")
    urls = [f"http://{PUBLIC[family]}/", f"http://{PUBLIC[family]}:7080/"]  # the second is for the outside only
    with rig.agent() as agent:
        agent("hold", 60)
        with (
            rig.load(urls[0], rate=10, seconds=1) as one,
            rig.load(urls[1], rate=10, seconds=1) as two,
            rig.load(urls[0], rate=10, seconds=1, place="host") as here,
        ):
            time.sleep(4.8)
            agent("release")
            for load in (one, two):
                seen = load.end()
                assert seen["failed"] == 0
                assert 1 < seen["longest"] < 6.5
            assert here.end()["failed"] == 0


ONCE = """
import socket, sys
with socket.socket() as client:
    client.bind(("", 41000))
    client.connect((sys.argv[1], 8081))
    client.sendall(b"word\\n")
    print(client.recv(100).decode().split()[0], flush=True)
"""


def test_who_got_through_by_itself_is_not_handed_over(rig: Hold) -> None:
    """Its first packet, late, would be that of a new connection: what comes of the real one would be dropped then."""
    with rig.agent() as agent:
        agent("hold", 60)
        with rig.background("internet", "python3", "-c", ONCE, PUBLIC[4]) as client:
            time.sleep(0.7)
            rig.host.succeed("nft", "flush set inet eyas held_forward")
            assert client.stdout is not None
            assert client.stdout.readline() == "shop\n", "it asked again by itself"

        def states() -> set[str]:
            # A set: the table is read while it changes, and a row can come twice (or be another's, by its other ports).
            rows = rig.host.succeed("cat", "/proc/net/nf_conntrack").splitlines()
            return {row.split()[5] for row in rows if " sport=41000 dport=8081 " in row}

        rig.host.wait_until(lambda: states() == {"TIME_WAIT"}, "it is over", 5)
        agent("release")
        assert states() == {"TIME_WAIT"}


def test_what_nobody_lets_go_of_is_let_go_by_the_kernel(rig: Hold) -> None:
    """Also when the agent dies; a client that has less patience fails."""
    with rig.agent() as agent:
        agent("hold", 4)
        rig.host.succeed("ip", "link", "show", "eyas-hold")
        rig.host.succeed("kill", "-KILL", agent.pid)
        agent.process.wait()
        assert rig.held()
        assert rig.host.execute("ip", "link", "show", "eyas-hold").code != 0
        assert rig.execute("internet", "curl", "-sS", "--max-time", "1", f"http://{PUBLIC[4]}/").code == 28
        began = time.monotonic()
        assert rig.internet.get(f"http://{PUBLIC[4]}/", timeout=30) == "shop sees 198.51.100.10"
        assert 1 < time.monotonic() - began < 15
        assert rig.held() == []
    with rig.agent() as agent:  # as the next run does, or a recovery
        agent("release_all")


LATE = """
import socket, sys, time
began = time.monotonic()
try:
    socket.create_connection((sys.argv[1], 81), timeout=60)
    said = "connected"
except OSError as error:
    said = type(error).__name__
print(said, time.monotonic() - began)
"""


def test_who_still_waits_at_the_end_is_told_then(rig: Hold) -> None:
    """And not by its own next attempt, 7 s after the first one. Where nobody listens that is a refusal."""
    rig.internet.succeed("sysctl", "-q", "-w", "net.ipv4.tcp_syn_linear_timeouts=0")
    rig.succeed("mill", "systemctl", "stop", "serve.service")
    try:
        with rig.agent() as agent:
            agent("hold_mill", 3.5)
            said, waited = rig.internet.succeed("python3", "-c", LATE, PUBLIC[4]).split()
            assert said == "ConnectionRefusedError"
            assert 3 < float(waited) < 6.5
    finally:
        rig.succeed("mill", "systemctl", "start", "serve.service")
        rig.wait_for_answers()


def test_another_process_lets_go_of_all(rig: Hold) -> None:
    with rig.agent() as dead, rig.agent() as agent:
        dead("hold", 60)
        rig.host.succeed("kill", "-KILL", dead.pid)
        dead.process.wait()
        agent("release_all")
        assert rig.held() == []
        assert rig.internet.get(f"http://{PUBLIC[4]}/")


QUESTION = """
import socket, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(20)
    client.connect((sys.argv[1], 5300))
    client.send(b"once")
    print(client.recv(2000).decode())
"""


def test_a_datagram_comes_late_instead_of_never(rig: Hold) -> None:
    with rig.agent() as agent:
        agent("hold", 60)
        with rig.background("internet", "python3", "-c", QUESTION, PUBLIC[4]) as client:
            time.sleep(0.7)
            assert client.poll() is None
            agent("release")
            assert client.communicate(timeout=30)[0].strip() == "shop sees 198.51.100.10 saying once"


def test_only_what_is_held_waits(rig: Hold) -> None:
    """One service of a container; the host by the container's address, as its probes ask; a container that asks for
    itself; connections that there are; and the other container."""
    url = f"http://{PUBLIC[4]}/"
    talk = "exec 3<>/dev/tcp/$0/8081; while read -r line; do echo $line >&3; read -r answer <&3; echo $answer; done"
    with rig.background("internet", "bash", "-c", talk, PUBLIC[4]) as client, rig.agent() as agent:

        def say(word: str) -> str:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(f"{word}\n")
            client.stdin.flush()
            return client.stdout.readline().strip()

        assert say("before") == "shop sees 198.51.100.10 saying before"
        agent("hold", 60)
        assert say("while") == "shop sees 198.51.100.10 saying while"
        assert rig.host.succeed("curl", "-sS", "--max-time", "5", f"http://{SHOP[4]}:8080/") == "shop sees 10.0.7.1"
        assert rig.execute("shop", "curl", "-sS", "--max-time", "5", url).text == "shop sees 10.0.7.1"
        assert rig.internet.get(f"http://{PUBLIC[4]}:81/") == "mill sees 198.51.100.10"
        for place, asked in (("internet", url), ("host", url), ("mill", url), ("mill", f"http://{SHOP[4]}:8080/")):
            assert rig.execute(place, "curl", "-sS", "--max-time", "0.7", asked).code == 28, place
        agent("release")
        agent("hold", 60, ("tcp", 8081))
        assert rig.internet.get(url) == "shop sees 198.51.100.10"
        for place, address in (("internet", PUBLIC[4]), ("mill", SHOP[4])):
            connect = ("timeout", "0.7", "bash", "-c", f"exec 3<>/dev/tcp/{address}/8081")
            assert rig.execute(place, *connect).code == 124
        agent("release", ("tcp", 8081))
        assert rig.held() == []


def test_a_new_rule_set_keeps_what_is_held(rig: Hold) -> None:
    with rig.agent() as agent:
        before = agent("digest")
        agent("hold", 60)
        held = len(rig.held())
        assert agent("digest") == before
        agent("load")
        assert len(rig.held()) == held > 0
        assert agent("digest") == before
        assert rig.execute("internet", "curl", "-sS", "--max-time", "0.7", f"http://{PUBLIC[4]}/").code == 28
        agent("release")
        assert rig.held() == []


FLOOD = """
import random, socket, struct, sys
source, target = socket.inet_aton("198.51.100.10"), socket.inet_aton(sys.argv[1])
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as wire:
    for number in range(40000):
        ip = struct.pack("!BBHHHBBH4s4s", 69, 0, 40, number & 65535, 0, 64, 6, 0, source, target)
        wire.sendto(ip + struct.pack("!HHIIBBHHH", 1024 + number, 80, number, 0, 80, 2, 1024, 0, 0), (sys.argv[1], 0))
"""


def test_a_flood_is_not_kept(rig: Hold) -> None:
    with rig.agent() as agent:
        agent("hold", 60)
        before = agent("memory")
        rig.internet.succeed("python3", "-c", FLOOD, PUBLIC[4], timeout=60)
        agent("release")
        assert agent("memory") - before < 64 << 20
    assert rig.internet.get(f"http://{PUBLIC[4]}/", timeout=20) == "shop sees 198.51.100.10"


AWAY = "type filter hook prerouting priority raw; policy accept;"


def test_what_is_under_way_is_seen(rig: Hold) -> None:
    """A request that was not answered yet; not a connection that is idle."""
    with rig.agent() as agent:
        ports = [["tcp", 8080], ["tcp", 8081], ["udp", 5300]]
        assert agent("listening", "serve.service") == ports
        assert agent("listening", "dbus.service") == []
        assert agent("busy") == 0
        slow = ("curl", "-sS", f"http://{PUBLIC[4]}/?seconds=2")
        idle = "exec 3<>/dev/tcp/$0/8081; echo word >&3; read -r answer <&3; echo $answer; read -r wait"
        with rig.background("internet", "bash", "-c", idle, PUBLIC[4]) as client:
            assert client.stdout is not None
            assert client.stdout.readline().startswith("shop sees")
            time.sleep(0.5)
            assert agent("busy") == 0
            with rig.background("internet", *slow) as asking:
                time.sleep(0.7)
                assert agent("busy") == 1
                assert agent("busy", ("tcp", 8080)) == 1
                assert agent("busy", ("tcp", 8081)) == 0
                assert asking.communicate()[0] == "shop sees 198.51.100.10\n"
            rig.host.wait_until(lambda: agent("busy") == 0, "nobody is busy", 5)
        with rig.background("internet", *slow):
            time.sleep(0.7)
            assert agent("busy") == 1
            rig.host.succeed("nft", f"table ip away {{ chain in {{ {AWAY} ip saddr 198.51.100.10 drop; }}; }}")
            try:
                time.sleep(2)
                assert agent("busy") == 1, "its answer is on its way"
                rig.host.wait_until(lambda: agent("busy") == 0, "a client that is gone is not waited for", 20)
            finally:
                rig.host.succeed("nft", "delete table ip away")


def test_the_host_is_whole_afterwards(rig: Hold) -> None:
    """Nothing is left of it all, and nothing is to be done."""
    assert rig.host.execute("ip", "link", "show", "eyas-hold").code != 0
    assert rig.host.execute("test", "-e", "/run/eyas/held").code != 0
    assert rig.held() == []
    assert rig.plan()["changes"] == []
