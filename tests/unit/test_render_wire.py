"""Names of ports as systemd-nspawn makes them, addresses as the kernel does, and rights in words."""

from __future__ import annotations

import pytest

from eyas.kind.rights import changed
from eyas.kind.slots import hardware
from eyas.lab.names import AAAA, PTR, A, Table, answer, encoded
from eyas.render.firewall import Wires, ruleset
from eyas.render.policy import Member, Policy
from eyas.render.wire import Port, link_local, port_name, siphash

WIRES = Wires("eth0", "br0", ("203.0.113.112",), (), "10.0.5.0/24", None)
MEMBERS = tuple(
    Member(name, f"10.0.5.{last}", None, (f"10.0.5.{last}",), (), name == "guest")
    for name, last in (("shop", 10), ("data", 20), ("guest", 30))
)


def test_siphash_is_that_of_its_paper() -> None:
    assert siphash(bytes(range(16)), bytes(range(15))) == 0xA129CA6149BE45E5


def test_long_names_of_machines_have_ports() -> None:
    assert port_name("web-front") == "vb-web-front"
    assert port_name("a" * 12) == "vb-" + "a" * 12
    assert port_name("somebody-with-a-long-name") == "vb-somebodyfAba"  # as systemd 257 called it


def test_addresses_of_a_link_follow_from_each_other() -> None:
    assert hardware("10.0.5.60/24") == "02:e7:0a:00:05:3c"
    assert link_local("02:e7:0a:00:05:3c") == "fe80::e7:aff:fe00:53c"


def rules(*uses: tuple[str, str, int | None], opened: tuple[int, ...] = (22,), members: int = 3) -> str:
    policy = Policy(MEMBERS[:members], uses, tuple(("tcp", port, ()) for port in opened))
    return ruleset([], WIRES, [], policy, [Port(m.name, m.name, m.asked4, m.from4, ()) for m in policy.members])


def test_chains_are_the_same_whoever_uses_whom() -> None:
    """Only sets differ, so that a packet costs the same for all."""
    few, many = rules(), rules(("shop", "data", None), ("shop", "data", 80), opened=(22, 80))
    assert few.split("chain turn_away")[1] == many.split("chain turn_away")[1]
    assert '10.0.5.10 . 10.0.5.20 . udp . 80 comment "shop to data"' in many


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (rules(), rules(("shop", "data", 80)), ["shop may now use data:80"]),
        (rules(("shop", "data", None)), rules(), ["shop may no longer use data; what is open stays open"]),
        (rules(), rules(opened=(22, 80)), ["port 80/tcp of the host opened"]),
        (rules(opened=(22, 80)), rules(), ["port 80/tcp of the host closed"]),
        (rules(members=2), rules(), ["guest comes", "guest may only reach the world"]),
        (rules(), rules() + "# other", ["rules changed"]),
    ],
)
def test_changed_rights_are_told(old: str, new: str, said: list[str]) -> None:
    assert changed(old, new) == said


def test_the_internet_of_a_lab_knows_names(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "hosts"
    path.write_text("203.0.113.1 wiki.example.org\n2001:db8::1 wiki.example.org\n")
    table = Table(path)
    assert table.find("wiki.example.org", A) == [bytes([203, 0, 113, 1])]
    assert len(table.find("wiki.example.org", AAAA) or []) == 1
    assert table.find("1.113.0.203.in-addr.arpa", PTR) == [encoded("wiki.example.org")]
    assert table.find("nobody.example.org", A) is None
    query = bytes.fromhex("000701000001000000000000") + encoded("WIKI.example.org") + bytes([0, 1, 0, 1])
    said = answer(query, table.find)
    assert said[3] & 15 == 0
    assert said.endswith(bytes([203, 0, 113, 1]))
    assert answer(query.replace(b"WIKI", b"nono"), table.find)[3] & 15 == 3
    assert answer(b"short", table.find) == b""
