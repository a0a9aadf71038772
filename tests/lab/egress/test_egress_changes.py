"""Definitions of egress come, change and go: what it costs, what is refused, what is left."""

from __future__ import annotations

import pytest

from eyas.lab.upstream import Upstream
from tests.lab.egress.rig import DUAL, PUBLIC, SIX, Egress

FILE = "/files/a?size=9"
ALL = 'Egress("all", via=Pool(8, rest="1m"))'
REPORT = """
import socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(
    b'{"destination": "sources.example.net", "status": 429, "source": "[fd00:8::30]:%d"}', "/run/eyas-egress/report")
"""


def test_a_pool_for_what_runs(out: Egress, up: Upstream) -> None:
    """A container that gets a pool is not restarted, prefers IPv6 and can report at once; another pool keeps its
    addresses."""
    kept, before = out.pool("forge/sources"), out.invocations()
    out.edit('ours("bystander", 30)', f'ours("bystander", 30, {ALL})')
    (said,) = [change for change in out.plan()["changes"] if change["id"] == "egress:eyas"]
    assert said["impact"] == "live"
    assert "egress bystander/all: a pool of 8 addresses for everything added" in [f["note"] for f in said["fields"]]
    assert "bystander" in out.run("plan").out
    out.apply()
    assert out.invocations() == before
    assert out.pool("forge/sources") == kept
    pool = out.pool("bystander/all")
    assert len(pool) == 8
    assert not set(pool) & set(kept)
    why = out.eyas("why", pool[0])
    assert why.startswith("fleet.py:")
    assert "all, a pool of 8 addresses for everything" in why
    out.many("bystander", up.url(FILE, DUAL), 20)
    assert set(up.counts(DUAL)) <= set(pool)
    refused = up.log(DUAL)[-1]
    translated = out.host.succeed("conntrack", "-L", "-f", "ipv6", "-p", "tcp", "--reply-dst", refused.source)
    (row,) = [row for row in translated.splitlines() if f"dport={refused.port} " in row.partition("dport=80")[2]]
    port = int(row.partition("sport=")[2].split()[0])
    out.succeed("bystander", "python3", "-c", REPORT % port)
    rests = ("bystander/all", "rests", refused.source)
    out.host.wait_until(
        lambda: rests in [(e["rule"], e["what"], e["address"]) for e in out.egress()["history"]], "it rests"
    )
    out.undo_edits()
    assert out.invocations() == before
    assert out.pool("forge/sources") == kept
    up.forget()
    out.many("bystander", up.url(FILE, SIX), 5)
    assert up.counts(SIX) == {PUBLIC[6]: 5}


HOSTILE = {
    "over the host's own address": ('gateway6="fe80::1"', 'gateway6="fe80::1", pool6="2001:db8:5:1::/65"', "is in it"),
    "over the gateway": (
        'gateway6="fe80::1"', 'gateway6="2001:db8:5:1::1", pool6="2001:db8:5:1::/112"', "the gateway of host egress"
    ),
    "over a neighbour": (
        "open=[Open(22)],\n    )", 'open=[Open(22)],\n    ),\n    Host("other", Uplink("eth0", "203.0.113.113/26", '
        '"2001:db8:5:1:8000::5/64"), Bridge("br0", "10.0.9.1/24"), open=[Open(22)])', "the address of host other",
    ),
    "over its containers": ('"fd00:8::1/64"', '"2001:db8:5:1:8000::1/80"', "the network of bridge br0"),
    "outside": ('gateway6="fe80::1"', 'gateway6="fe80::1", pool6="2001:db8:6::/64"', "it is outside"),
    "larger than sense": ("Pool(64, ", "Pool(70000, ", "a pool has 4096 addresses at most"),
    "too small a range": ('gateway6="fe80::1"', 'gateway6="fe80::1", pool6="2001:db8:5:1:f000::/120"', "16 times"),
    "no IPv6": ('"2001:db8:5:1::2/64", ', "", "has no IPv6 address"),
    "somebody's address": ('"2001:db8:5:1::77"', '"2001:db8:7::77"', "it is outside"),
    "a wildcard": ('to=["198.51.100.10", ', 'to=["*.example.net", ', "cannot be looked up"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_definitions_are_refused(out: Egress, name: str) -> None:
    """Before anything is touched, with the line and the reason."""
    old, new, why = HOSTILE[name]
    known = ("cat", "/etc/eyas/egress.json")
    runs, declared = out.host.succeed("ls", "/var/lib/eyas/runs"), out.host.succeed(*known)
    out.edit(old, new)
    try:
        said = out.run("apply", "--yes", *(["--host", "egress"] if "neighbour" in name else []))
        assert said.code == 2, said
        assert "fleet.py:" in said.err
        assert why in said.err
    finally:
        out.put_back()
    assert out.host.succeed("ls", "/var/lib/eyas/runs") == runs
    assert out.host.succeed(*known) == declared


def uplink(out: Egress) -> list[str]:
    """What decides which address the host leaves from."""
    asked = ("-br addr show dev eth0", "-4 rule", "-6 rule", "-4 route show table all", "-6 addrlabel")
    found = [out.host.succeed("ip", *words.split()) for words in asked]
    routes = out.host.succeed("ip", "-6", "route", "show", "table", "all").splitlines()
    return [*found, "\n".join(line.partition(" expires ")[0] for line in routes if "multicast" not in line)]


def test_a_fleet_without_egress_has_nothing_of_it(out: Egress, up: Upstream) -> None:
    """Not one rule, unit, file, or address that is answered for; and what was there comes back."""
    fleet, before = (out.directory / "fleet.py").read_text(), uplink(out)
    out.write(fleet.replace("egress=rules, ", ""))
    out.apply()
    assert "egress" not in out.host.succeed("nft", "list", "ruleset")
    assert out.host.execute("nft", "list", "table", "inet", "eyas_egress").code != 0
    assert out.host.succeed("ip", "-6", "neighbour", "show", "proxy") == ""
    for place in ("/etc/eyas", "/etc/systemd/system", "/var/lib/eyas", "/run/eyas"):
        left = out.host.succeed("find", place, "-maxdepth", "2", "-name", "*egress*")
        assert left == "", left
    assert out.egress() == {**out.egress(), "pools": [], "rules": []}
    assert uplink(out) == before, "which address the host itself leaves from is nothing that egress changes"
    out.many("forge", up.url(FILE, SIX), 3)
    assert up.counts(SIX) == {PUBLIC[6]: 3}
    assert out.plan()["changes"] == []
    out.undo_edits()
    out.wait_names()
    assert len(out.pool("forge/sources")) == 64
