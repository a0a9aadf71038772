"""Destinations by name whose addresses change, addresses that end by count or stay, a ceiling for everything else."""

from __future__ import annotations

from collections.abc import Iterator
from subprocess import Popen

import pytest

from eyas.lab.upstream import Upstream
from tests.lab.egress.rig import DUAL, SIX, Egress
from tests.lab.egress_live.rig import ACT

NAME, FILE = "moving.example.net", "/files/a?size=9"
RULES = (
    f'Egress("moving", to=["{NAME}"], via=Pool(4, life="30d", uses=8)), '
    f'Egress("kept", to=["{SIX}"], via=Pool(8, per="sticky", sticky="30d")), '
    'Egress("rest", via="default", ceiling=50)'
)
TALK = """
import socket, sys
with socket.create_connection((sys.argv[1], 7)) as wire, wire.makefile("rw") as file:
    for line in iter(sys.stdin.readline, ""):
        file.write(line)
        file.flush()
        print(file.readline().split()[0], flush=True)
"""

FILL = """
import json, subprocess, sys
place = ["inet", "eyas_egress", sys.argv[1]]
listed = subprocess.run(["nft", "-j", "list", "set", *place], capture_output=True, check=True).stdout
(found,) = [row["set"] for row in json.loads(listed)["nftables"] if "set" in row]
pairs = ", ".join(f"fd00:8::30 . 2001:db8:a::{n:x}" for n in range(found["size"] - len(found["elem"])))
subprocess.run(["nft", "-f", "-"], input=f"add element {' '.join(place)} {{ {pairs} }}\\n", text=True, check=True)
"""


@pytest.fixture
def moving(out: Egress, up: Upstream, request: pytest.FixtureRequest) -> Iterator[Egress]:
    """A name that has the address of one site (a parameter), and a container with a rule for it."""
    means(out, up, getattr(request, "param", SIX))
    out.host.succeed("systemctl", "restart", "eyas-names.service")  # which remembers what it meant in another test
    out.edit('ours("bystander", 30)', f'ours("bystander", 30, {RULES})')
    out.apply()
    out.wait_names()
    yield out
    out.undo_edits()
    means(out, up)


def means(out: Egress, up: Upstream, *sites: str) -> None:
    """What the name means from now on: the IPv6 addresses of these sites; without any, nobody knows it."""
    six = [address for site in sites for address in up.addresses[site] if ":" in address]
    out.lab.keep_names({**up.addresses, **({NAME: six} if six else {})})


def look(out: Egress) -> None:
    """As the timer has it done every ten seconds."""
    out.succeed("host", "python3", "-c", ACT, "tick")


def known(out: Egress) -> list[str]:
    """The addresses of the name, after a look."""
    look(out)
    found: list[str] = next(r["names"][NAME] for r in out.egress()["rules"] if r["rule"] == "bystander/moving")
    return found


def said(wire: Popen[str]) -> str:
    assert wire.stdin is not None
    assert wire.stdout is not None
    wire.stdin.write("who\n")
    wire.stdin.flush()
    return wire.stdout.readline().strip()


def test_a_name_that_changes_vanishes_or_cannot_be_asked_for(moving: Egress, up: Upstream) -> None:
    """What is open goes on from its address; what comes next leaves from the pool, wherever the name leads."""
    first, second = (next(a for a in up.addresses[site] if ":" in a) for site in (SIX, DUAL))
    pool = moving.pool("bystander/moving")
    with moving.background("bystander", "python3", "-c", TALK, NAME) as wire:
        source = said(wire)
        assert source in pool
        means(moving, up, DUAL)
        moving.host.wait_until(lambda: known(moving) == sorted([first, second]), "the new address is known")
        assert said(wire) == source
        moving.many("bystander", up.url(FILE, NAME), 3)
        assert sum(up.counts(DUAL).values()) == 3
        assert set(up.counts(DUAL)) <= {*pool, *moving.pool("bystander/moving")}
        means(moving, up)
        moving.host.succeed("systemctl", "stop", "eyas-names.service")
        try:
            assert known(moving) == sorted([first, second])
        finally:
            moving.host.succeed("systemctl", "start", "eyas-names.service")
        moving.host.wait_until(
            lambda: moving.execute("bystander", "getent", "ahosts", NAME).code != 0, "nobody knows the name any more"
        )
        assert known(moving) == sorted([first, second]), "clients remember, too"
        assert said(wire) == source
        moving.many("bystander", f"http://[{second}]{FILE}", 3)
        assert set(up.counts(DUAL)) <= {*pool, *moving.pool("bystander/moving")}


@pytest.mark.parametrize("moving", [DUAL], indirect=True)
def test_an_address_ends_after_so_many_connections_and_sticky_ones_stay(moving: Egress, up: Upstream) -> None:
    moving.many("bystander", up.url(FILE, SIX), 12)
    (source,) = up.counts(SIX)
    assert source in moving.pool("bystander/kept")
    before = moving.pool("bystander/moving")

    def replaced() -> bool:
        moving.many("bystander", up.url(FILE, NAME), 20)
        look(moving)
        return not {*before} & {*moving.pool("bystander/moving")}

    moving.host.wait_until(replaced, "others have their place")
    why = {e["why"] for e in moving.egress()["history"] if (e["rule"], e["what"]) == ("bystander/moving", "retired")}
    assert any("after 8 connections" in each for each in why), why
    moving.many("bystander", up.url(FILE, SIX), 3)
    assert up.counts(SIX) == {source: 15}


def test_nobody_gets_rid_of_a_ceiling_by_asking_too_many(moving: Egress, up: Upstream) -> None:
    """What cannot be counted any more is refused, and what is counted stays so."""
    url = up.url(FILE, DUAL)
    assert "refused" not in moving.many("bystander", url, 3, family=6)
    (counted,) = [line.split()[1] for line in moving.rules().splitlines() if line.strip().startswith("set ceilings6_")]
    moving.succeed("host", "python3", "-c", FILL, counted)
    assert "refused" not in moving.many("bystander", url, 3, family=6)
    new = "2001:db8:ffff::10"
    assert moving.many("bystander", f"http://[{new}]:7002/", 2, family=6) == ["refused"] * 2
    assert new in moving.host.succeed("nft", "list", "set", "inet", "eyas_egress", "denied6"), "by the host"
