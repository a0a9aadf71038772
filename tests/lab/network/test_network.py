"""Who reaches whom, by name: containers, the host, the world; before, during and after changes."""

from __future__ import annotations

import json

import pytest

from eyas.core.words import Json
from tests.lab.network.rig import CLIENT, MANY, PUBLIC, SCAN, TWINS, Net

FAMILIES = pytest.mark.parametrize("family", [4, 6])
OPEN = [80, 82, 83, 666, 7080, 8081]  # as fleet.py says; nobody listens on 666, which refuses

OPEN_UDP = [668, 5300]


@pytest.fixture(scope="module", autouse=True)
def _listening(nets: Net) -> object:
    """Somebody listens on the host, for the world to find if it could."""
    program = "import http.server as h, socket; h.HTTPServer.address_family = socket.AF_INET6; "
    program += "h.test(h.SimpleHTTPRequestHandler, h.HTTPServer, port=9999, bind='::')"
    with nets.background("host", "python3", "-c", program) as process:
        nets.host.wait_for_port(9999)
        yield process


@FAMILIES
def test_the_world_reaches_what_is_declared_and_nothing_else(net: Net, family: int) -> None:
    assert net.scan(family) == OPEN
    assert net.scan(family, TWINS[family]) == sorted([*OPEN, 667])
    assert net.scan_udp(family) == OPEN_UDP
    address = f"[{PUBLIC[6]}]" if family == 6 else PUBLIC[4]
    assert net.reached("internet", f"http://{address}/", f"http://{address}:82/") == [
        f"shop sees {CLIENT[family]}", f"twin sees {CLIENT[family]}"
    ]  # fmt: skip


DATA, TWIN = {4: "10.0.7.20", 6: "[fd00:7::20]"}, {4: "10.0.7.40", 6: "[fd00:7::40]"}
OWN = {"shop": 10, "data": 20, "other": 30, "twin": 40, "guest": 50, "somebody-with-a-long-name": 60}
USES: dict[str, list[Json]] = {
    "shop": [True, False, True],  # the database's page, its other port, the stateless one behind a site of its
    "other": [False, False, True],
    "twin": [False, False, True],  # itself
    "guest": [False, False, False],
    "somebody-with-a-long-name": [True, True, False],
}


@FAMILIES
@pytest.mark.parametrize("redirected", [1, 0], ids=["br_netfilter", "plain"])
def test_containers_reach_what_they_say(net: Net, family: int, redirected: int) -> None:
    """The same with the bridge redirecting by itself and without."""
    here = f"[{PUBLIC[6]}]" if family == 6 else PUBLIC[4]
    inner = {4: "10.0.7.1", 6: "[fd00:7::1]"}[family]
    settings = [f"net.bridge.bridge-nf-call-{name}={redirected}" for name in ("iptables", "ip6tables")]
    net.host.succeed("sysctl", "-w", *settings)
    try:
        for name, (page, lines, twin) in USES.items():
            me = f"10.0.7.{OWN[name]}" if family == 4 else f"fd00:7::{OWN[name]}"
            host = "10.0.7.1" if family == 4 else "fd00:7::1"
            seen = net.reached(
                name, f"http://{DATA[family]}:8080/", f"http://{TWIN[family]}:8080/", f"http://{here}/", f"http://{here}:82/",
                f"http://{here}:7080/", f"http://{here}:9999/", f"http://{inner}:9999/",
            )  # fmt: skip
            assert seen == [
                f"data sees {me}" if page else "refused",
                f"twin sees {me}" if twin else "refused",
                f"shop sees {host if name == 'shop' else me}",
                f"twin sees {host if name == 'twin' else me}",
                "refused", "refused", "refused",
            ], name  # fmt: skip
            connect = ("timeout", "2", "bash", "-c", f"exec 3<>/dev/tcp/{DATA[family].strip('[]')}/8081")
            assert (net.execute(name, *connect).code == 0) is lines, name
    finally:
        net.host.succeed("sysctl", "-w", *(setting[:-1] + "1" for setting in settings))
    assert net.reached("host", f"http://{DATA[family]}:8080/") == [
        f"data sees {'10.0.7.1' if family == 4 else 'fd00:7::1'}"
    ]


def test_who_was_refused_is_remembered(net: Net) -> None:
    net.reached("other", "http://10.0.7.20:8080/")
    assert "10.0.7.30 . 10.0.7.20 . tcp . 8080" in net.host.succeed("nft", "list", "set", "inet", "eyas", "refused4")
    assert net.plan()["changes"] == []  # traffic is no drift


def test_a_changed_rule_ends_nothing_and_lets_nothing_new_in(net: Net) -> None:
    """1,000 connections from outside and between containers, and the world looking for open ports all the time."""
    long = "somebody-with-a-long-name"
    with (
        net.background("internet", "python3", "-c", MANY, f"{PUBLIC[4]}/350", f"{PUBLIC[6]}/350") as world,
        net.background(long, "python3", "-c", MANY, "10.0.7.20/150", "fd00:7::20/150") as inside,
        net.background("internet", "python3", "-c", SCAN, CLIENT[4], PUBLIC[4], "4") as four,
        net.background("internet", "python3", "-c", SCAN, CLIENT[6], PUBLIC[6], "4") as six,
    ):

        def alive() -> int:
            total = 0
            for process in (world, inside):
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write("again\n")
                process.stdin.flush()
                total += int(process.stdout.readline())
            return total

        for process, count in ((world, 700), (inside, 300)):
            assert process.stdout is not None
            assert int(process.stdout.readline()) == count
        net.edit("60, uses=[data])", "60)")
        net.edit('served("data", 20)', 'served("data", 20, Forward(84, to=8080))')
        net.edit("open=[Open(666), ", "open=[Open(669), ")
        assert "untouched" in net.apply()
        assert alive() == 1000
        assert net.reached(long, "http://10.0.7.20:8080/") == ["refused"]
        for scan in (four, six):
            assert scan.stdout is not None
            during = set(json.loads(scan.stdout.read()))
            assert {*OPEN} - {666} <= during <= {*OPEN, 84, 669}
        assert net.scan(4) == net.scan(6) == sorted({*OPEN, 84, 669} - {666})
        net.put_back()
        net.apply()
        assert alive() == 1000
    assert net.scan(6) == OPEN


def test_the_second_generation_has_the_same_rights(net: Net) -> None:
    net.edit('root=Root(size="96M")', 'root=Root(size="97M" if name == "twin" else "96M")')
    with net.load("http://10.0.7.40:8080/", rate=30, seconds=12, place="other") as load:
        net.apply()
    assert load.failed == 0
    assert net.names() == sorted(["data", "guest", "other", "shop", "somebody-with-a-long-name", "twin.b"])
    assert net.reached("other", "http://10.0.7.40:8080/", "http://[fd00:7::40]:8080/") == [
        "twin sees 10.0.7.30", "twin sees fd00:7::30"
    ]  # fmt: skip
    assert net.reached("guest", "http://10.0.7.40:8080/", "http://100.96.7.40:8080/") == ["refused", "refused"]
    seen = net.reached("twin.b", "http://10.0.7.20:8080/", f"http://{PUBLIC[4]}/", f"http://{PUBLIC[4]}:82/")
    assert seen == ["refused", "shop sees 10.0.7.40", "twin sees 10.0.7.1"]


@pytest.mark.parametrize("table", ["inet", "bridge"])
def test_drift_of_each_table_is_seen_and_mended(net: Net, table: str) -> None:
    for deed in (("add", "rule", table, "eyas", "forward", "accept"), ("delete", "table", table, "eyas")):
        net.host.succeed("nft", *deed)
        assert [change["id"] for change in net.plan()["changes"]] == ["firewall:eyas"]
        net.apply()
        assert net.plan()["changes"] == []


def test_the_boot_unit_loads_both(net: Net) -> None:
    net.host.succeed("nft", "delete", "table", "bridge", "eyas")
    net.host.succeed("systemctl", "restart", "eyas-firewall.service")
    assert net.plan()["changes"] == []
