"""What a host is told of outgoing connections; a fleet without any of it is rendered as if there were no such thing."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from eyas import Bridge, Container, Egress, Forward, Host, Image, Open, Pool, Uplink, User
from eyas.core.errors import DefinitionError
from eyas.core.words import Resource
from eyas.model import merged
from eyas.render.egress import egress_resources, entries
from tests.property.fleets import FACTS, resources

BASE = Image.debian(packages=["curl"], name="plain")
UPLINK = Uplink("eth0", "203.0.113.112/26", "2001:db8:5:1::2/64", gateway6="2001:db8:5:1::1")


def host(*containers: Container, uplink: Uplink = UPLINK, **more: Any) -> Host:
    return Host("alpha", uplink, Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers, **more)


def forge(*rules: Egress, **more: Any) -> Container:
    return Container("forge", "10.0.5.10", BASE, egress=rules, **more)


def rendered(host: Host) -> Resource:
    places = {c.name: host.place(c) for c in host.containers}
    systems = {c.name: merged(c) for c in host.containers}
    return egress_resources(host, places, systems, {c.name: FACTS for c in host.containers})[0]


def rule(host: Host, number: int = 0) -> dict[str, Any]:
    rules = rendered(host).fields["rules"]
    assert isinstance(rules, list)
    found = rules[number]
    assert isinstance(found, dict)
    return found


def test_a_fleet_without_egress_has_nothing_of_it() -> None:
    plain = host(forge(), Container("other", "10.0.5.11", BASE, forwards=[Forward(80)]), open=[Open(22)])
    found = resources(plain)
    assert not [id_ for id_ in found if "egress" in id_]
    assert "egress" not in repr([resource.fields for id_, resource in found.items() if not id_.startswith("file:/usr")])
    assert "gai.conf" not in repr(found["container:forge"].fields["files"])
    places = {c.name: plain.place(c) for c in plain.containers}
    assert egress_resources(plain, places, {c.name: merged(c) for c in plain.containers}, {}) == []


def test_settings_of_the_uplink_alone_change_nothing() -> None:
    wide = UPLINK.with_(pool6="2001:db8:5:1:4000::/66", prefix6="routed")
    plain, more = host(forge()), host(forge(), uplink=wide, vantage=["ssh", "elsewhere"])
    told = [{id_: (r.kind, r.owner, r.fields) for id_, r in resources(each).items()} for each in (plain, more)]
    assert told[0] == told[1]


def test_at_boot_neighbours_are_told_before_the_containers_that_leave_by_rules() -> None:
    plain = Container("other", "10.0.5.11", BASE)
    fixed = Container("fixed", "10.0.5.12", BASE, egress=[Egress("one", via="2001:db8:5:1::77")])
    unit = str(resources(host(forge(Egress("all")), plain, fixed))["unit:eyas-egress-answer.service"].fields["content"])
    (before,) = [line for line in unit.splitlines() if line.startswith("Before=")]
    for name in ("forge", "forge.b", "fixed"):
        assert f"systemd-nspawn@{name}.service" in before
    assert "other" not in before


def test_all_that_the_host_needs_is_in_one_resource() -> None:
    front = Container("front", "10.0.5.11", BASE, forwards=[Forward(443), Forward(222, to=22, reflect=False)])
    old = Container("old", "10.0.5.12", BASE, ipv6=False, forwards=[Forward(8080), Forward(443, "udp")])
    doors = [Open(22), Open(9100, sources=["198.51.100.0/24"]), Open(53, "udp")]
    fields = rendered(host(forge(Egress("all")), front, old, open=doors, vantage=["ssh", "elsewhere"])).fields
    assert {key: fields[key] for key in fields if key not in ("rules", "inbound", "never")} == {
        "uplink": "eth0",
        "address6": "2001:db8:5:1::2",
        "prefix6": "2001:db8:5:1::/64",
        "gateway6": "2001:db8:5:1::1",
        "range": "2001:db8:5:1:8000::/65",
        "mode": "find",
        "vantage": ["ssh", "elsewhere"],
        "resolver": "10.0.5.1",
    }
    four, six = "203.0.113.112", "2001:db8:5:1::2"
    assert fields["inbound"] == [[four, 22], [four, 443], [four, 8080], [six, 22], [six, 443]]
    assert fields["never"] == ["2001:db8:5:1::", "2001:db8:5:1::1", "2001:db8:5:1::2"]


def test_a_fixed_address_is_in_no_pool() -> None:
    fields = rendered(host(forge(Egress("one", to=["example.org"], via="2001:db8:5:1:8000::77"), Egress("all")))).fields
    assert "2001:db8:5:1:8000::77" in fields["never"]  # type: ignore[operator]


def test_a_rule_says_everything_in_numbers() -> None:
    made = Egress(
        "sources",
        to=["github.com", "192.0.2.7", "2001:db8:77::/48"],
        ports=[443, "53/udp"],
        via=Pool(64, life="30m", uses=500, per="sticky", sticky="5m", rest="2h"),
        ipv4="refused",
        ceiling=5000,
    )
    assert rule(host(forge(made))) == {
        "name": "forge/sources",
        "container": "forge",
        "sources4": ["10.0.5.10"],
        "sources6": ["fd00:5::10"],
        "names": ["github.com"],
        "networks": ["192.0.2.7/32", "2001:db8:77::/48"],
        "ports": [["tcp", 443], ["udp", 53]],
        "user": "",
        "uid": None,
        "unit": "",
        "via": "pool",
        "address4": "",
        "address6": "",
        "pool": {"size": 64, "life": 1800, "uses": 500, "per": "sticky", "sticky": 300, "rest": 7200},
        "proxy": {},
        "ipv4": "refused",
        "ceiling": 5000,
        "mark": 0,
    }


def test_both_generations_of_a_container_leave_by_its_rules() -> None:
    made = rule(host(forge(Egress("all"), stateless=True)))
    assert made["sources4"] == ["10.0.5.10", "100.96.5.10"]
    assert made["sources6"] == ["fd00:5::10", "fd00:5::8000:0:0:10"]


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        ("default", {"via": "default", "pool": {}, "proxy": {}, "address4": "", "address6": ""}),
        ("203.0.113.112", {"via": "address", "address4": "203.0.113.112", "address6": ""}),
        ("2001:db8:5:1::77", {"via": "address", "address4": "", "address6": "2001:db8:5:1::77"}),
        (
            "socks5://tor:9050",
            {"via": "proxy", "proxy": {"kind": "socks5", "host": "10.0.5.9", "port": 9050, "local": 10780}},
        ),
        (
            "http://192.0.2.9:3128/",
            {"via": "proxy", "proxy": {"kind": "http-connect", "host": "192.0.2.9", "port": 3128, "local": 10780}},
        ),
    ],
)
def test_ways_out(via: str, expected: dict[str, Any]) -> None:
    made = rule(host(Container("tor", "10.0.5.9", BASE), forge(Egress("all", via=via))))
    assert {key: made[key] for key in expected} == expected


def test_a_user_is_a_number_of_the_container() -> None:
    ann = User("ann", 1001)
    assert rule(host(forge(Egress("all", user="ann"), users=[ann])))["uid"] == 1001
    assert rule(host(forge(Egress("all", user="root"))))["uid"] == 0
    narrow = [Egress("one", user="root"), Egress("two", to=["example.org"]), Egress("three", unit="build.service")]
    assert [rule(host(forge(*narrow)), number)["mark"] for number in range(3)] == [1, 0, 2]
    with pytest.raises(DefinitionError) as refused:
        rendered(host(forge(Egress("all", user="nobody-here"))))
    (finding,) = refused.value.diagnostics
    assert "no user 'nobody-here'" in finding.message
    assert finding.file.endswith("test_render_egress.py")


def test_a_unit_has_to_be_somebodys() -> None:
    """One that no package, part or definition has would be told apart from nobody."""
    facts = {**FACTS, "units": {"nginx.service": []}}
    container = forge(Egress("all", unit="ngin.service"))
    with pytest.raises(DefinitionError) as refused:
        entries(container, merged(container), facts)
    (finding,) = refused.value.diagnostics
    assert "no such unit" in finding.message
    assert "nginx.service" in finding.hint
    container = forge(Egress("all", unit="job.service"), units={"job.service": "[Service]\nExecStart=true\n"})
    assert entries(container, merged(container), facts)


def test_a_container_with_a_pool_reports_and_prefers_ipv6() -> None:
    found = resources(
        host(forge(Egress("all")), Container("other", "10.0.5.11", BASE, egress=[Egress("x", via="default")]))
    )
    binds = found["container:forge"].fields["binds"]
    assert [(b["source"], b["target"], b["readonly"]) for b in binds] == [  # type: ignore[union-attr,index,call-overload]
        ("/run/eyas/egress/forge", "/run/eyas-egress", True)
    ]
    assert "/etc/gai.conf" in found["container:forge"].fields["files"]  # type: ignore[operator]
    assert found["container:other"].fields["binds"] == []
    assert "/etc/gai.conf" not in found["container:other"].fields["files"]  # type: ignore[operator]


def test_the_range_is_the_upper_half_unless_it_is_said() -> None:
    assert UPLINK.range6 == ipaddress.ip_network("2001:db8:5:1:8000::/65")
    assert UPLINK.with_(pool6="2001:db8:5:1:4000::/66").range6 == ipaddress.ip_network("2001:db8:5:1:4000::/66")
    assert UPLINK.with_(address6=None).range6 is None
    assert UPLINK.with_(address6="2001:db8::1/128").range6 is None
