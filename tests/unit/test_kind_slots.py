"""Names, addresses and texts of the two generations of a stateless container."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eyas.core.words import Resource
from eyas.kind import slots
from eyas.kind.container.text import render_env, render_unit
from eyas.kind.ruleset import file_text, ruleset_of
from eyas.model import Bridge, Container, Forward, Host, Image, Probe, Uplink
from eyas.model.generations import beside
from tests.property.fleets import resources
from tests.world import World

BRIDGE = Bridge("br0", "10.0.5.1/24", "fd00:5::1/64")


def made(stateless: bool = True) -> dict[str, Resource]:
    web = Container(
        "web", "10.0.5.10", Image.debian(name="plain"), stateless=stateless, probes=[Probe.tcp(80)],
        forwards=[Forward(80)],
    )  # fmt: skip
    app = Container("app", "10.0.5.11", Image.debian(name="plain"), after=["web"])
    return resources(Host("h", Uplink("eth0", "203.0.113.2/24", "2001:db8::2/64"), BRIDGE, [web, app]))


def spec(slot: str) -> dict[str, Any]:
    return slots.sited(made()["container:web"].fields, slot)


def test_names() -> None:
    assert [slots.machine("web", slot) for slot in slots.SLOTS] == ["web", "web.b"]
    assert [slots.split(name) for name in ("web", "web.b")] == [("web", "a"), ("web", "b")]


@pytest.mark.parametrize("address", ["10.0.5.10", "172.31.255.254", "192.168.200.7"])
def test_the_addresses_of_one_container_differ(address: str) -> None:
    more = beside(address, "fd00:5::10")
    assert len({address, more.address4, more.probe4}) == 3
    assert len({"fd00:5::10/128", more.address6, more.probe6}) == 3
    assert more.address6 == "fd00:5::8000:0:0:10/128"


def test_containers_of_one_network_share_no_address() -> None:
    both = [beside(f"10.1.{n >> 8}.{n & 255}", None) for n in range(1, 60000, 7)]
    found = [address for one in both for address in (one.address4, one.probe4)]
    assert len(set(found)) == len(found)


def test_the_second_slot_has_its_own_address_machine_and_journal() -> None:
    first, second = render_unit("web", spec("a")), render_unit("web.b", spec("b"))
    assert "--machine=web.b \\" in second
    assert "--hostname=web \\" in second
    assert "--hostname" not in first
    assert "/var/lib/eyas/state/web/ssh:/etc/ssh/eyas" in second
    ids = [next(word for word in text.split() if word.startswith("--uuid=")) for text in (first, second)]
    assert len(set(ids)) == 2
    users = [next(word for word in text.split() if word.startswith("--private-users=")) for text in (first, second)]
    assert len(set(users)) == 1, "what one generation wrote into a bind is the other one's, too"


def test_probes_reach_exactly_one_slot() -> None:
    assert "ADDRESS=100.64.5.10\n" in render_env(spec("a"))
    assert "ADDRESS=100.96.5.10\n" in render_env(spec("b"))
    once = made(stateless=False)["container:web"].fields
    assert "ADDRESS=10.0.5.10\n" in render_env(once)
    assert "READDRESS" not in render_env(once) + render_env(spec("a"))


def test_whoever_starts_after_it_waits_for_both() -> None:
    after = [line for line in render_unit("app", made()["container:app"].fields).splitlines() if "web" in line]
    assert after == ["After=systemd-nspawn@web.service systemd-nspawn@web.b.service"]
    once = render_unit("app", made(stateless=False)["container:app"].fields)
    assert "web.b" not in once


def test_the_rule_set_is_the_same_for_both_slots() -> None:
    world, wanted = World(), str(made()["firewall:eyas"].fields["ruleset"])
    assert '80 comment "web" : $now4_web . 80' in wanted
    for slot, address in (("a", "10.0.5.10"), ("b", "100.96.5.10")):
        world.files.write(f"/etc/eyas/containers/{slots.machine('web', slot)}.json", json.dumps(spec(slot)).encode())
        text = file_text(world.files, wanted, {"web": slot})
        assert f"define now4_web = {address}\n" in text
        assert "define now6_web = fd00:5::" in text
        assert ruleset_of(text) == wanted
    assert "define now4_web = 10.0.5.10\n" in file_text(world.files, wanted)
    world.files.write("/etc/eyas/containers/web.slot", b"b\n")
    assert "define now4_web = 100.96.5.10\n" in file_text(world.files, wanted)
    world.files.remove("/etc/eyas/containers/web.b.json")
    assert "define now4_web = 10.0.5.10\n" in file_text(world.files, wanted), "the slot that is said is not there"


def test_a_fleet_without_any_is_as_ever() -> None:
    once = made(stateless=False)
    assert "$" not in str(once["firewall:eyas"].fields["ruleset"])
    assert "100.64" not in "".join(str(r.fields.get("content")) for r in once.values() if r.kind == "network")
    assert "Destination=100.64.0.0/10" in "".join(
        str(r.fields["content"]) for r in made().values() if r.kind == "network"
    )
    assert not {"stateless", "beside", "twice"} & set(once["container:web"].fields)
