"""Addresses that containers may use until they restart (`eyas.host.wires`)."""

from __future__ import annotations

import json

from eyas.core import held
from eyas.host.wires import left
from eyas.kind.slots import hardware
from eyas.render.wire import Port, table

GATEWAY = "02:e7:0a:00:07:01"


def port(name: str, last: int) -> Port:
    return Port(name, name, f"10.0.7.{last}", (f"10.0.7.{last}",), (f"fd00:7::{last}",))


def text(*ports: Port) -> str:
    return "\n".join(table(ports, GATEWAY))


def listing(**sets: list[object]) -> str:
    """As nft prints it, with comments where it has some."""
    return json.dumps({"nftables": [{"set": {"name": name, "elem": rows}} for name, rows in sets.items()]})


def declared(port: str, address: str) -> object:
    return {"elem": {"val": {"concat": [port, address]}, "comment": "somebody"}}


def expiring(port: str, address: str, seconds: int) -> object:
    return {"elem": {"val": {"concat": [port, address]}, "timeout": held.LEFT_SECONDS, "expires": seconds}}


def test_nobody_has_more_than_before_when_nothing_moves() -> None:
    same = listing(wires=[declared("vb-a", hardware("10.0.7.10"))], places4=[declared("vb-a", "10.0.7.10")])
    assert left(same, text(port("a", 10))) == ""


def test_old_addresses_stay_for_their_own_port_until_they_are_another_ones() -> None:
    old = listing(
        wires=[declared("vb-a", hardware("10.0.7.10")), declared("vb-b", hardware("10.0.7.20"))],
        places4=[declared("vb-a", "10.0.7.10"), declared("vb-b", "10.0.7.20"), ["vb-gone", "10.0.7.99"]],
        places6=[declared("vb-a", "fd00:7::10")],
    )
    moved = text(port("a", 20), port("b", 30))  # a gets what b had
    assert left(old, moved).splitlines() == [
        f'add element bridge eyas left_wires {{ "vb-a" . {hardware("10.0.7.10")} timeout {held.LEFT_SECONDS}s }}',
        f'add element bridge eyas left_places4 {{ "vb-a" . 10.0.7.10 timeout {held.LEFT_SECONDS}s }}',
        f'add element bridge eyas left_places6 {{ "vb-a" . fd00:7::10 timeout {held.LEFT_SECONDS}s }}',
    ]


def test_time_goes_on_over_a_second_load() -> None:
    old = listing(wires=[], left_places4=[expiring("vb-a", "10.0.7.10", 41)])
    assert left(old, text(port("a", 20))) == 'add element bridge eyas left_places4 { "vb-a" . 10.0.7.10 timeout 42s }\n'


def test_a_table_of_an_older_version_is_left_as_it_is() -> None:
    assert left(listing(wires=[declared("vb-a", "02:00:00:00:00:01")]), "table inet eyas {\n}\n") == ""
