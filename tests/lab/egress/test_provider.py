"""How the provider gives the prefix: on the link, with neighbour discovery, or routed to the host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eyas.lab.upstream import Upstream
from eyas.lab.wire import BRIDGE
from tests.lab.egress.rig import PUBLIC, SIX, Egress

PREFIX = "2001:db8:5:1::/64"
FILE = "/files/a?size=9"
SAID = ('gateway6="fe80::1"', 'gateway6="fe80::1", prefix6="routed"')


@pytest.fixture
def routed(out: Egress) -> Iterator[Egress]:
    """The same lab, with a provider that routes the prefix."""
    out.internet.succeed("ip", "-6", "route", "replace", f"{PUBLIC[6]}/128", "dev", BRIDGE)
    out.internet.succeed("ip", "-6", "route", "replace", PREFIX, "via", PUBLIC[6], "dev", BRIDGE)
    try:
        yield out
    finally:
        out.internet.succeed("ip", "-6", "route", "replace", PREFIX, "dev", BRIDGE)
        out.internet.succeed("ip", "-6", "route", "delete", f"{PUBLIC[6]}/128", "dev", BRIDGE)
        out.edit(*SAID)  # what was said and is not any more is found out again
        out.apply()
        out.undo_edits()


def proxied(out: Egress) -> set[str]:
    rows = out.host.succeed("ip", "-6", "neighbour", "show", "proxy").splitlines()
    return {row.split()[0] for row in rows if row.strip()}


def test_on_link(out: Egress, up: Upstream) -> None:
    """Found out by a neighbour solicitation; the host answers for what is in use, and for nothing else."""
    known = out.egress()
    assert known["mode"] == "on-link"
    assert "a neighbour solicitation for that came" in known["how"]
    used = {a for rule in ("forge/sources", "marked/new") for a in out.pool(rule)}
    fixed = {f"2001:db8:5:1::{end}" for end in ("77", "a", "b")}
    answered = proxied(out)
    assert used | fixed <= answered
    assert PUBLIC[6] not in answered
    assert len(answered) < 400  # others have left, or will when their last connection has
    out.many("forge", up.url(FILE, SIX), 20)
    assert sum(up.counts(SIX).values()) == 20


def test_routed(routed: Egress, up: Upstream) -> None:
    """Found out as well; nobody answers for anything, and connections leave from the pool all the same."""
    routed.edit(*SAID)
    routed.apply()
    assert routed.egress()["how"] == "the definitions say so"
    routed.undo_edits()
    routed.host.succeed("systemctl", "start", "eyas-egress.service")
    routed.host.wait_until(lambda: proxied(routed) == set(), "nobody is answered for")
    known = routed.egress()
    assert known["mode"] == "routed", known["how"]
    assert "without a neighbour solicitation" in known["how"]
    routed.many("forge", up.url(FILE, SIX), 20)
    assert sum(up.counts(SIX).values()) == 20
    assert set(up.counts(SIX)) <= set(routed.pool("forge/sources"))
