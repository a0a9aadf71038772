"""Ports that are declared, crossed with those on which somebody listens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eyas.model import Bridge, Container, File, Forward, Host, Image, Open, Probe, Site, System, Uplink
from eyas.status.declared import Declared, addresses, declared
from eyas.status.led import typed
from eyas.status.ports import Ports, Seen, cross, led_inside, unseen

BASE = Image.debian(name="base")


def host(*containers: Container, **more: Any) -> Host:
    uplink = Uplink("eth0", "203.0.113.10/26", "2001:db8:5::2/64")
    return Host("alpha", uplink, Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers, **more)


APP = Container("app", "10.0.5.20", BASE, parts=[System(probes=[Probe.tcp(8000)])])
FRONT = Container(
    "front",
    "10.0.5.10",
    BASE,
    parts=[System(sites=[Site("www.example.org", to=APP.port(8000), tls_ports=[8448])])],
    forwards=[Forward(80), Forward(443)],
)
SSH = Container(
    "shell",
    "10.0.5.30",
    BASE,
    parts=[System(files={"/etc/ssh/sshd_config.d/x.conf": File("", reload=["ssh.service"])})],
    forwards=[Forward(222, to=22)],
)


def row(port: int, who: str = "app", *addresses: str, proto: str = "tcp") -> list[dict[str, Any]]:
    places = addresses or ("0.0.0.0", "::")
    return [
        {"proto": proto, "port": port, "address": address, "process": who, "unit": f"{who}.service"}
        for address in places
    ]


WELL: dict[str, Any] = {
    "host": [*row(53, "dnsmasq", "10.0.5.1"), *row(631, "cups", "127.0.0.1")],
    "containers": {
        "app": row(8000),
        "front": [*row(80, "nginx"), *row(443, "nginx"), *row(8448, "nginx"), *row(8081, "nginx", "127.0.0.1", "::1")],
        "shell": row(22, "ssh"),
    },
}
FLEET = declared(host(APP, FRONT.with_(forwards=[*FRONT.forwards, Forward(8448)]), SSH))


def crossed(definitions: Declared = FLEET, changes: dict[str, Any] | None = None, **more: Any) -> Ports:
    """What is found when this is seen; ``changes`` to who listens by place."""
    rows = {"host": WELL["host"], "containers": {**WELL["containers"]}}
    for place, listed in (changes or {}).items():
        if place == "host":
            rows["host"] = [*WELL["host"], *listed]
        else:
            rows["containers"][place] = listed
    return cross(definitions, Seen.of(rows, **more))


def said(ports: Ports) -> list[tuple[str, str, str]]:
    return [(finding.severity, finding.message, finding.remedy) for finding in ports.findings]


def test_all_as_declared() -> None:
    ports = crossed(closed=True)
    assert ports.findings == ()
    assert [(p.place, p.port, p.ways, p.uses) for p in ports.rows] == [
        ("host", 53, (), ()),
        ("app", 8000, (), ("front",)),
        ("front", 80, ("80/tcp",), ()),
        ("front", 443, ("443/tcp",), ()),
        ("front", 8448, ("8448/tcp",), ()),
        ("shell", 22, ("222/tcp",), ()),
    ]
    assert ports.to_json()["version"] == 1


def test_a_forward_without_a_listener() -> None:
    (finding,) = crossed(changes={"shell": []}).findings
    assert finding.message == "port 222/tcp of the host leads to port 22 of shell, where nobody listens"
    assert finding.remedy == "start what shall listen there, or take Forward(222) away"
    assert finding.origin.startswith("test_status_ports.py:") or ":" in finding.origin


def test_a_container_that_does_not_run_is_told_elsewhere() -> None:
    rows = {"host": [], "containers": {name: rows for name, rows in WELL["containers"].items() if name != "shell"}}
    assert cross(FLEET, Seen.of(rows)).findings == ()


def test_who_listens_on_the_loopback_only() -> None:
    ((severity, message, remedy),) = said(crossed(changes={"shell": row(22, "ssh", "127.0.0.1", "::1")}))
    assert severity == "error"
    assert message == "port 222/tcp of the host leads to port 22 of shell, where ssh listens on 127.0.0.1, ::1 only"
    assert remedy == "let ssh listen on all addresses (0.0.0.0 and ::)"


def test_who_does_not_listen_over_ipv6() -> None:
    ((severity, message, _),) = said(crossed(changes={"shell": row(22, "ssh", "0.0.0.0")}))
    assert severity == "warning"
    assert message.endswith("leads to port 22 of shell over IPv6 as well, where ssh listens on IPv4 only")


@pytest.mark.parametrize("listens", [True, False])
def test_a_port_of_the_front_that_no_forward_leads_to(listens: bool) -> None:
    """The federation port: declared by the site, and served, or not yet."""
    rows = WELL["containers"]["front"] if listens else [*row(80, "nginx"), *row(443, "nginx")]
    (finding,) = crossed(declared(host(APP, FRONT, SSH)), {"front": rows}).findings
    assert finding.severity == "error"
    assert finding.message == "www.example.org is to be served on port 8448, and no port of the host leads there"
    assert finding.remedy == "add Forward(8448) to forwards of front"
    assert finding.origin.count(":") == 2  # the container, and the site


def test_what_the_front_serves_beyond_its_sites() -> None:
    rows = [*WELL["containers"]["front"], *row(9443, "nginx")]
    ((_, message, remedy),) = said(crossed(changes={"front": rows}))
    assert message == "nginx in front serves port 9443/tcp, and no port of the host leads there"
    assert remedy == "add Forward(9443) to forwards of front"


def test_a_listener_that_nobody_speaks_of() -> None:
    ((severity, message, _),) = said(crossed(changes={"app": [*row(8000), *row(4444, "python3")]}))
    assert (severity, message) == (
        "warning", "python3 listens on port 4444/tcp of app, and no definition speaks of it",
    )  # fmt: skip
    spoken = APP.with_(parts=[System(probes=[Probe.tcp(8000)], enable=["python3.service"])])
    fleet = declared(host(spoken, FRONT.with_(forwards=[*FRONT.forwards, Forward(8448)]), SSH))
    assert crossed(fleet, {"app": [*row(8000), *row(4444, "python3")]}).findings == ()


def test_what_the_kernel_gave_to_a_client_is_no_listener() -> None:
    assert crossed(changes={"app": [*row(8000), *row(45000, "resolver", proto="udp")]}).findings == ()


def test_a_port_of_the_host_that_nobody_opened() -> None:
    rows = row(9100, "node-exporter")
    ((severity, message, remedy),) = said(crossed(changes={"host": rows}))
    assert severity == "error"
    assert message == "node-exporter of the host answers on port 9100/tcp to the world, and no definition opens it"
    assert remedy == "declare Host(open=[Open(9100)]), or stop it"
    assert crossed(changes={"host": rows}, closed=True).findings == ()  # the host's rules keep it shut
    assert crossed(changes={"host": rows}, outside=frozenset({80, 443})).findings == ()  # it was asked, and silent
    assert len(crossed(changes={"host": rows}, closed=True, outside=frozenset({9100})).findings) == 1
    fleet = declared(host(APP, FRONT.with_(forwards=[*FRONT.forwards, Forward(8448)]), SSH, open=[Open(9100)]))
    assert crossed(fleet, {"host": rows}, outside=frozenset({9100})).findings == ()
    ((_, message, _),) = said(crossed(fleet, closed=True))
    assert message == "port 9100/tcp is open on the host, and nobody listens there"


def test_a_port_that_answers_although_nobody_seems_to_listen() -> None:
    """What somebody else's rules translate."""
    ((_, message, _),) = said(crossed(closed=True, outside=frozenset({80, 443, 8448, 222, 5000})))
    assert message == "port 5000/tcp of the host answers to the world, and no definition opens it"


def test_what_docker_translates_is_asked() -> None:
    seen = Seen.of({"host": [], "containers": {**WELL["containers"], "shell": []}})
    assert unseen(FLEET, seen) == [("shell", 22)]
    assert cross(FLEET, replace(seen, answering=frozenset({("shell", 22)}))).findings == ()


def test_generations_of_a_front_are_asked() -> None:
    """They listen on addresses of their own, and only some of their ports are led to."""
    own = ("169.254.80.1", "fd65:7961:7300::1")
    rows = [each for port in (80, 443, 8448, 8081) for each in row(port, "nginx", *own)]
    seen = Seen.of({"host": [], "containers": {**WELL["containers"], "front": rows}})
    assert ("front", 8081) in led_inside(FLEET, seen)
    assert len(cross(FLEET, seen).findings) == 1
    assert cross(FLEET, replace(seen, silent=frozenset({("front", 8081)}))).findings == ()


def test_definitions_as_json_and_back() -> None:
    import json

    assert Declared.from_json(json.loads(json.dumps(FLEET.to_json()))) == FLEET


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("proxy_pass http://10.0.5.60:22260;", ["10.0.5.60"]),
        ("allow 10.0.5.0/24;\ndeny fd00:5::/64;", []),
        ("host wiki wiki 10.0.5.80/32 trust", ["10.0.5.80"]),
        ("listen [fd00:5::60]:80", ["fd00:5::60"]),
        ("# was 10.0.5.60\n  // 10.0.5.61", []),
        ("at 12:30:11, version 1.2.3, v10.0.5.60x", []),
        ("10.0.5.7, fd00:5::1 and 10.0.5.7.", ["10.0.5.7", "fd00:5::1"]),
    ],
)
def test_addresses_in_a_text(text: str, found: list[str]) -> None:
    assert addresses(text) == found


def test_typed_addresses() -> None:
    """By hand: of somebody, of nobody, of the host; a reference is none."""
    text = "one http://10.0.5.20:1; two http://10.0.5.99:1; three 10.0.5.1; four @{app.address}; own 10.0.5.30"
    fleet = declared(host(APP, SSH.with_(files={"/etc/x.conf": text}, environment={"x.service": {"TO": "fd00:5::98"}})))
    found = [(finding.severity, finding.message, finding.remedy) for finding in typed(fleet)]
    assert found == [
        (
            "warning",
            "/etc/x.conf in shell names 10.0.5.20, which is app as long as nobody renumbers it",
            "write @{app.address}",
        ),
        (
            "error",
            "/etc/x.conf in shell names 10.0.5.99, which no container has",
            "write @{NAME.address} with the NAME of the container that is meant",
        ),
        (
            "error",
            "TO of x.service in shell names fd00:5::98, which no container has",
            "write @{NAME.address6} with the NAME of the container that is meant",
        ),
    ]
